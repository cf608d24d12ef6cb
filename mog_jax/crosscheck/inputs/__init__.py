"""Inputs of a check: validated arguments, and a direction for each input."""
