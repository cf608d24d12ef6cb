"""Many climbs of each dataset, side by side: starts, search, pruning, polish."""
