"""Small real datasets, for examples and tests: the eruptions of Old Faithful (`geyser`)."""

from mog_jax.datasets.geyser import faithful

__all__ = ["faithful"]
