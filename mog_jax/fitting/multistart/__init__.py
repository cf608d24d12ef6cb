"""Multi-start maximisation of a block of datasets: starts, search, pruning, polish, choice."""
