"""One dataset that does not fit into memory, read once for each pass over it.

- `sources`: a callable, a list of arrays, Parquet or a DuckDB relation become chunks to read again;
- `api`: `fit_chunks`, which checks the arguments; `mog_jax.chunks` does the work.
"""

from mog_jax.streams.api import fit_chunks

__all__ = ["fit_chunks"]
