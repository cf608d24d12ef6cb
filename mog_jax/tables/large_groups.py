"""Groups whose rows are never all in memory: each is fitted by passes over its chunks.

Where more is said of the values, they are rounded or censored and their levels are few: those are
counted, and fitted.

A group is large by its number of rows alone, whatever machine it is on, so that its numbers are the
same everywhere.
"""

from collections.abc import Iterator
from typing import Any

import duckdb
import jax
import numpy as np
import pyarrow

from mog_jax.arrays import HostArray
from mog_jax.chunks import Chunk, maximum
from mog_jax.fitting.data.fixed import read_fixed
from mog_jax.fitting.data.inputs import Ragged
from mog_jax.fitting.options import INTERVAL_OPTIONS, OPTIONS, checked_options
from mog_jax.fitting.results.columns import BINS
from mog_jax.tables.errors import TableError
from mog_jax.tables.group_fits import Shown, answers, fit_groups, histograms
from mog_jax.tables.interval_options import TableIntervalOptions
from mog_jax.tables.schema import ANSWERS

# As many rows as close a chunk of ordinary groups; with what is made of them, some 1.6 GB.
LARGEST_IN_MEMORY = 1 << 22
_BATCH_ROWS = 1 << 18
# What a climb by passes can be told.
_TAKEN = OPTIONS.keys() - {"direction"}


def most_rows_in_memory(options: dict[str, Any]) -> int | None:
    """Return the number of rows beyond which a group is fitted by passes; None for no limit.

    A climb by passes is Newton's: under another direction all groups are in memory.
    """
    is_taken = all(
        name in _TAKEN or value == OPTIONS.get(name)
        for name, value in options.items()
        if name not in ("fixed", *INTERVAL_OPTIONS)
    )
    return LARGEST_IN_MEMORY if is_taken else None


def fit_large_group(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    group: int,
    n_rows: int,
    *,
    has_counts: bool,
    options: dict[str, Any],
    interval_options: TableIntervalOptions,
    fixed: dict[str, float],
) -> pyarrow.RecordBatch:
    """Fit one group to its columns of the answer, with ``id`` and ``n_rows`` before them.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Its temporary tables spill to disk.
    query : str
        SQL for the columns ``value`` and ``count`` of the group's rows, in any order, and for those
        that `interval_options` name by their roles.
    group, n_rows : int
        The group's number, and how many rows it has.
    has_counts : bool
        Whether ``count`` says how often each value occurs.
    options : dict
        The options of a fit, under which `most_rows_in_memory` is a number.
    interval_options : TableIntervalOptions
        What is said of the values.
    fixed : dict
        The parameters of this group that are known, and their values.

    Raises
    ------
    TableError
        If more is said of the values, and they have too many levels.
    """
    if interval_options.are_given:
        own = {**options, "fixed": fixed or None}
        columns = _fit_levels(
            connection, query, n_rows, interval_options, own, has_counts=has_counts
        )
        return _row(group, n_rows, columns)
    present = "value IS NOT NULL AND NOT isnan(value)"
    if has_counts:
        present += " AND count IS NOT NULL AND NOT isnan(count)"
    # Kept in order: the sums then do not depend on the order of the rows, and each pass is a scan.
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE large AS SELECT value, count FROM ({query}) "
        f"WHERE {present} ORDER BY value, count"
    )
    n_values, low, high = connection.execute(
        "SELECT count(*), min(value), max(value) FROM large"
    ).fetchall()[0]
    told = {name: value for name, value in options.items() if name in _TAKEN}
    known = read_fixed(fixed or None, 1, equal_variances=told["equal_variances"])
    found = maximum(lambda: _chunks(connection, has_counts), known, checked_options(**told))
    shown = Shown(
        lowest=np.array([low], np.float64),
        highest=np.array([high], np.float64),
        n_below=np.zeros(1),
        n_above=np.zeros(1),
        histograms=_histogram(connection, low, high, has_counts=has_counts),
    )
    fits = jax.tree.map(lambda leaf: np.asarray(leaf)[None], found)
    columns = answers(fits, np.array([n_rows - n_values]), shown)
    connection.execute("DROP TABLE large")
    return _row(group, n_rows, columns)


def _row(group: int, n_rows: int, columns: list[pyarrow.Array]) -> pyarrow.RecordBatch:
    numbers = [pyarrow.array([each], pyarrow.int64()) for each in (group, n_rows)]
    return pyarrow.RecordBatch.from_arrays(
        [*numbers, *columns], names=["id", "n_rows", *ANSWERS.names]
    )


def _fit_levels(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    n_rows: int,
    interval_options: TableIntervalOptions,
    options: dict[str, Any],
    *,
    has_counts: bool,
) -> list[pyarrow.Array]:
    """Count the values of a group that differ in anything said of them, and fit these."""
    roles = list(interval_options.columns)
    keys = ", ".join(["value", *roles])
    present = "value IS NOT NULL"
    if "upper" in roles:
        present = (
            "(value IS NOT NULL OR upper IS NOT NULL) "
            "AND NOT coalesce(value = '-inf'::DOUBLE AND upper = 'inf'::DOUBLE, false)"
        )
    if has_counts:
        present += " AND count IS NOT NULL"
    found = connection.sql(
        f"SELECT {keys}, {'sum(count)' if has_counts else 'count(*)'}::DOUBLE AS count, "
        f"count(*) AS n_rows FROM ({query}) WHERE {present} GROUP BY {keys} ORDER BY {keys} "
        f"LIMIT {LARGEST_IN_MEMORY + 1}"
    ).to_arrow_table()
    if found.num_rows > LARGEST_IN_MEMORY:
        raise TableError(
            f"a group of {n_rows:,} rows has more than {LARGEST_IN_MEMORY:,} values that differ: "
            "round them to the `resolution` that they have."
        )

    def numbers(name: str) -> HostArray:
        column: HostArray = found[name].to_numpy().astype(np.float64)
        return column

    lengths = np.array([found.num_rows])
    n_missing = np.array([n_rows - int(numbers("n_rows").sum())])
    said = interval_options.for_fit(
        {role: numbers(role) for role in roles}, lambda each: Ragged(each, lengths)
    )
    return fit_groups(numbers("value"), lengths, numbers("count"), n_missing, options | said)


def _chunks(connection: duckdb.DuckDBPyConnection, has_counts: bool) -> Iterator[Chunk]:
    # A dataset has a point, if only a missing one.
    yield Chunk(np.full(1, np.nan), np.zeros(1) if has_counts else None)
    for batch in connection.sql("FROM large").to_arrow_reader(_BATCH_ROWS):
        values, counts = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
        yield Chunk(values, counts if has_counts else None)


def _histogram(
    connection: duckdb.DuckDBPyConnection,
    low: float | None,
    high: float | None,
    *,
    has_counts: bool,
) -> pyarrow.Array:
    heights = np.zeros((1, BINS))
    with np.errstate(all="ignore"):
        width = np.nan if low is None or high is None else (np.float64(high) - low) / BINS
    is_drawn = bool(np.isfinite(width) and width > 0)
    if is_drawn:
        height = "sum(count)" if has_counts else "count(*)"
        for place, total in connection.execute(
            f"SELECT least(trunc((value - $low) / $width), {BINS - 1})::INTEGER AS place, "
            f"{height}::DOUBLE FROM large GROUP BY place",
            {"low": low, "width": float(width)},
        ).fetchall():
            heights[0, place] = total
    return histograms(heights, np.array([is_drawn]))
