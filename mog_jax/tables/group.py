"""The values of one group, fetched from the source again."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.tables.columns import ChosenColumns, choose_again
from mog_jax.tables.database import opened
from mog_jax.tables.errors import TableError, reading
from mog_jax.tables.fixed import columns_of
from mog_jax.tables.interval_options import TableIntervalOptions
from mog_jax.tables.read_options import read_options
from mog_jax.tables.sources import open_source


class GroupValues(NamedTuple):
    """The values of one group, as they are fitted.

    Attributes
    ----------
    values : array, shape (n,)
        Ascending; missing ones are left out.
    counts : array, shape (n,), or None
    fixed : dict
        What is fixed of the group.
    interval_options : dict
        What is said of the values, as `mog_jax.fit` takes it.
    """

    values: Array
    counts: Array | None
    fixed: dict[str, float]
    interval_options: dict[str, Any]


def group_values(source: Any, run: Mapping[str, Any], key: Sequence[Any]) -> GroupValues:
    """Fetch the values of one group.

    Parameters
    ----------
    source : path or frame
        See `fit_table`.
    run : mapping
        What was done, as `mog_jax.tables.fingerprint.describe` says it: columns and options.
    key : sequence
        One entry for each key column, as the answers hold it; None is null.

    Raises
    ------
    TableError
        If the source cannot be read or has no such group.
    """
    fixed = run["options"].get("fixed", {})
    with _rows_of(source, run, key) as (connection, rows, name, where, given):
        held = "".join(f", fixed_{name}" for name in rows.fixed)
        beside = "".join(f", {role}" for role in rows.roles)
        found = connection.sql(
            f"SELECT value, count{beside}{held} {where} ORDER BY value, count{beside}", params=given
        ).to_arrow_table()
    if not found.num_rows:
        group = ", ".join(map(str, key))
        raise TableError(f"{name} has no values for {group}: did the source change?")
    counts = found["count"].to_numpy() if rows.has_counts else None
    own = {name: found[f"fixed_{name}"][0].as_py() for name in rows.fixed}
    known = {name: value for name, value in {**fixed, **own}.items() if value is not None}
    said = {role: found[role].fill_null(np.nan).to_numpy() for role in rows.roles}
    interval_options = TableIntervalOptions.of_run(run).for_fit(said, lambda each: each)
    return GroupValues(found["value"].to_numpy(), counts, known, interval_options)


def group_levels(
    source: Any, run: Mapping[str, Any], key: Sequence[Any], most: int
) -> Array | None:
    """Fetch the distinct finite values of one group, ascending; None if they are more than `most`.

    A group that does not fit into memory may have few of them. See `group_values`.
    """
    with _rows_of(source, run, key) as (connection, _, _, where, given):
        finite = f"{where} AND isfinite(value)"
        # An estimate takes no memory; it is off by some hundredths.
        estimate = connection.execute(f"SELECT approx_count_distinct(value) {finite}", given)
        if estimate.fetchall()[0][0] > 2 * most:
            return None
        found = connection.sql(
            f"SELECT DISTINCT value {finite} LIMIT {most + 1}", params=given
        ).to_arrow_table()
    levels: Array = np.unique(found["value"].to_numpy())
    return None if len(levels) > most else levels


@contextlib.contextmanager
def _rows_of(
    source: Any, run: Mapping[str, Any], key: Sequence[Any]
) -> Iterator[tuple[duckdb.DuckDBPyConnection, ChosenColumns, str, str, dict[str, Any]]]:
    """Return a connection, the columns, the source's name, and SQL for the rows with its values."""
    columns = run["columns"]
    fixed = columns_of(run["options"].get("fixed", {}))
    with opened(None) as (connection, scratch):
        readable = open_source(connection, source, scratch, read_options(**run["reading"]))
        rows = choose_again(readable, columns, fixed=fixed)
        # Compared by the column's type: as texts, 0.0 and -0.0 or two notations of a time differ.
        types = [*(readable.types[name] for name in columns["by"]), "VARCHAR"]
        condition = " AND ".join(
            f"k{index} IS NULL" if part is None else f"k{index} = TRY_CAST($k{index} AS {kind})"
            for index, (part, kind) in enumerate(zip(key, types, strict=False))
        )
        where = f"FROM ({rows.sql}) WHERE {condition} AND value IS NOT NULL"
        if rows.has_counts:
            where += " AND count IS NOT NULL"
        given = {f"k{index}": part for index, part in enumerate(key) if part is not None}
        with reading(readable.name):
            yield connection, rows, readable.name, where, given


def recorded_source(run: Mapping[str, Any] | None, name: str) -> str | list[str]:
    """Return the source of the values of a run, if it still exists."""
    if run is None:
        raise TableError(
            f"{name} does not say where its values came from; a .duckdb or .parquet file does."
        )
    paths: list[str] = run["source"]["paths"]
    if not paths:
        raise TableError(
            f"the values of {name} came from {run['source']['name']}; say where they are now with "
            "--source."
        )
    gone = [path for path in paths if not Path(path).is_file()]
    if gone:
        raise TableError(
            f"the values of {name} came from {gone[0]}, which is gone; say where they are now "
            "with --source."
        )
    return paths
