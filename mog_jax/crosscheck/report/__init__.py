"""The report of a cross-check: an object, its text, its plot, and programs that reproduce it."""
