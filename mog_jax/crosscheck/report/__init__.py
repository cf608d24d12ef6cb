"""The outcome of a cross-check: as an object, as text, as a plot, as a program to paste."""
