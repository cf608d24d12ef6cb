"""From a table to a row per group. Needs DuckDB and Arrow: ``pip install 'mog_jax[table]'``.

Stages
------
==================  ==============================================================================
`api`               `fit_table`: checks the arguments, shows progress, returns an Arrow table
`sources`           a path, a glob, standard input or a frame, made readable by DuckDB: `formats`
                    tells a file's kind by its bytes, `dialect` how a CSV is written,
                    `text_files`, `arrays` and `h5ad` open it, `cells` reads what a CSV holds,
                    `read_options` is what a person said of it, `paths` puts names into SQL
`columns`           which columns hold the groups, the values and the counts
`interval_options`  resolution, limits, upper ends and window, by numbers or by columns
`fixed`             what is known of the groups beforehand
`validate`          one pass over all rows: are they numbers, and how many are in each group?
`stream`            `fit_batches`: rows sorted by group in, a row per group out
`batches`           frames and streams of rows, as batches of Arrow
`keys`              where a group begins, and which came before; `output_schema`
`chunks`            whole groups, a chunk at a time; `memory` says how large a group may be, and
                    `large_groups` fits the others by passes over their rows
`group_fits`        one chunk: the points of its groups become columns of the answer
`schema`            these columns: name, type, meaning, where each is shown
`run`               a run that can be killed at any moment and resumed, known by `fingerprint`,
                    in a `database`, with its `record`; `groups_in_order` goes on from any group
`significance`      p-values and q-values beside the answers, on request
`outputs`           what may be written over, and what may not
`results`           what a finished run left behind, read back as data of a stranger
`labels`            every row of the source with its posterior, by these results
`group`             the values of one group, fetched from the source again, to draw them
==================  ==============================================================================

`options` checks the options of a fit as tables take them; `errors` has `TableError`.
"""

try:
    import duckdb as duckdb
    import pyarrow as pyarrow
except ImportError:
    raise ImportError(
        "tables need duckdb and pyarrow; install them with: pip install 'mog_jax[table]'"
    ) from None

from mog_jax.tables.api import fit_table
from mog_jax.tables.errors import TableError
from mog_jax.tables.keys import output_schema
from mog_jax.tables.labels import label_table
from mog_jax.tables.stream import fit_batches

__all__ = ["TableError", "fit_batches", "fit_table", "label_table", "output_schema"]
