"""One dataset that does not fit into memory, fitted by passes over its chunks.

- `sources`: a callable, a list of arrays, Parquet or a DuckDB relation become chunks to read again;
- `blocks`: chunks of any length become blocks of one length, of the points that are there;
- `passes`: the blocks' nine sums, added up, and whether each pass has seen the same points;
- `survey`: the first pass: size, mean, variance and a sample;
- `starts`: the fits of the sample;
- `climb`: from there to the maximum of all points;
- `api`: `fit_chunks`.
"""

from mog_jax.chunks.api import fit_chunks

__all__ = ["fit_chunks"]
