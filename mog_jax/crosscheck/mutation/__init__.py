"""Mutation testing: standard bugs, and how many of them a set of inputs shows."""
