"""Fits one dataset that does not fit into memory, by several passes over its chunks.

- `sources`: makes chunks that can be read repeatedly from a callable, arrays, Parquet or DuckDB;
- `api`: `fit_chunks`, which checks the arguments and calls `mog_jax.chunks`.
"""

from mog_jax.streams.api import fit_chunks

__all__ = ["fit_chunks"]
