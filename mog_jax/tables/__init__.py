"""From a table to a row per group. Needs DuckDB and Arrow: ``pip install 'mog_jax[table]'``.

- `sources`: a path, a glob, standard input or a frame becomes something that DuckDB can read;
- `rows`: which columns hold the groups, the values and the counts, and whether they can be used;
- `fixed`: what is known of the groups beforehand;
- `stream`: rows sorted by group in, a row per group out, in bounded memory;
- `answers`: what a row of the answer holds;
- `run`: a run that can be killed at any moment, and resumed;
- `outputs`: what may be written over, and what may not;
- `results`: what a finished run left behind, read back.
"""

try:
    import duckdb as duckdb
    import pyarrow as pyarrow
except ImportError:
    raise ImportError(
        "tables need duckdb and pyarrow; install them with: pip install 'mog_jax[table]'"
    ) from None

from mog_jax.tables.door import fit_table
from mog_jax.tables.errors import TableError
from mog_jax.tables.stream import fit_batches

__all__ = ["TableError", "fit_batches", "fit_table"]
