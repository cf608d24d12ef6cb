"""Fit the groups of a Spark DataFrame. Needs PySpark: ``pip install 'mog_jax[spark]'``.

Spark brings the rows of each group together, sorts them, and repeats a task that is lost.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mog_jax.fitting.options import whole_number
from mog_jax.tables.errors import TableError, no_such
from mog_jax.tables.schema import ANSWERS
from mog_jax.tables.stream import StreamFitter


def fit_groups(
    frame: Any,
    *,
    by: str | Sequence[str],
    value: str,
    count: str | None = None,
    fixed: Mapping[str, float | str] | None = None,
    partitions: int | None = None,
    **options: Any,
) -> Any:
    """Fit a two-component mixture to every group of a DataFrame.

    Parameters
    ----------
    frame : pyspark.sql.DataFrame
        A row for each point, in any order.
    by, value, count, fixed
        See `mog_jax.fit_table`.
    partitions : int, optional
        Number of partitions of the groups; by default ``spark.sql.shuffle.partitions``, of which
        Spark may join small ones.
    **options
        Passed on to `mog_jax.fit`.

    Returns
    -------
    pyspark.sql.DataFrame
        A row for each group, with the columns of `mog_jax.tables.output_schema`. It is lazy.

    Raises
    ------
    TableError
        If an argument cannot be used, or a column; before any work.
    """
    try:
        from pyspark.sql.pandas.types import from_arrow_schema
        from pyspark.sql.types import StructType
    except ImportError:
        raise ImportError(
            "mog_jax.spark needs pyspark; install it with: pip install 'mog_jax[spark]'"
        ) from None
    fitter = StreamFitter.checked(
        by=by,
        value=value,
        count=count,
        fixed=fixed,
        options=options,
        function="mog_jax.spark.fit_groups",
    )
    if not hasattr(frame, "mapInArrow"):
        raise TableError(f"`frame` must be a Spark DataFrame; got {type(frame).__name__}.")
    for name in fitter.columns:
        if name not in frame.columns:
            raise no_such("column", name, frame.columns, source="the table")
        if "." in name or "`" in name:
            raise TableError(
                f"Spark does not give a column called {name!r} to Python; rename it, without dots "
                "and backquotes."
            )
    rows = frame.select(*fitter.columns)
    fitter.output_schema(rows.limit(0).toArrow().schema)
    keys = [rows[name] for name in fitter.by]
    number = [] if partitions is None else [whole_number("partitions", partitions)]
    grouped = rows.repartition(*number, *keys)
    answers = StructType([*(frame.schema[name] for name in fitter.by), *from_arrow_schema(ANSWERS)])
    return grouped.sortWithinPartitions(*keys).mapInArrow(fitter, answers)
