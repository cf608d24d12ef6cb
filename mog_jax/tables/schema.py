"""The columns of the answer as Arrow's schema; what they are is in `fitting.results.columns`.

Types are signed: Spark has no others.
"""

import pyarrow

from mog_jax.fitting.results.columns import COLUMNS, TEST_COLUMNS, Column

_TYPES = {
    "float64": pyarrow.float64(),
    "int64": pyarrow.int64(),
    "text": pyarrow.string(),
    "int16s": pyarrow.list_(pyarrow.int16()),
}


def _schema(columns: list[Column]) -> pyarrow.Schema:
    # Meanings are metadata of the fields.
    return pyarrow.schema(
        [
            pyarrow.field(column.name, _TYPES[column.type], metadata={"meaning": column.meaning})
            for column in columns
        ]
    )


ANSWERS = _schema(COLUMNS)
# What a bootstrap adds behind them.
TESTS = _schema(TEST_COLUMNS)
KNOWN = {field.name: field.type for field in [*ANSWERS, *TESTS]}
