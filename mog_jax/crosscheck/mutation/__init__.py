"""Mutation testing: plants standard bugs, and counts those that a set of inputs shows."""
