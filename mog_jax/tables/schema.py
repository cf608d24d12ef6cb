"""The columns of the answer as Arrow's schema; what they are is in `fitting.results.columns`.

Types are signed: Spark has no others.
"""

import pyarrow

from mog_jax.fitting.results.columns import COLUMNS

_TYPES = {
    "float64": pyarrow.float64(),
    "int64": pyarrow.int64(),
    "text": pyarrow.string(),
    "int16s": pyarrow.list_(pyarrow.int16()),
}

# The meanings are metadata of its fields.
ANSWERS = pyarrow.schema(
    [
        pyarrow.field(column.name, _TYPES[column.type], metadata={"meaning": column.meaning})
        for column in COLUMNS
    ]
)
