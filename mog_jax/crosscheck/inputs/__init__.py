"""Inputs: arguments as they are drawn, and the directions that belong to each."""
