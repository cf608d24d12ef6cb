"""Judges one claim at one input; see the map in `mog_jax.crosscheck`."""
