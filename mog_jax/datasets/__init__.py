"""Small real datasets, for examples and tests."""

from mog_jax.datasets.geyser import faithful

__all__ = ["faithful"]
