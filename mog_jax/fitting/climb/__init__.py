"""One climb: what the nine sums say, the directions, the ascent, and the program of it."""
