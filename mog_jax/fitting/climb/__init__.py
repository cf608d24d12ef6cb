"""One climb: derivatives from the nine sums, directions, the ascent, and its compiled program."""
