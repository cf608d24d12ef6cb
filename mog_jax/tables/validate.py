"""One pass over the source before anything is fitted: its groups, and whether it is valid."""

from collections.abc import Sequence

import duckdb
import numpy as np

from mog_jax.parameter_names import out_of_range
from mog_jax.tables.columns import ChosenColumns, refuse_unreadable
from mog_jax.tables.errors import TableError, reading
from mog_jax.tables.interval_options import refuse_steps
from mog_jax.tables.sources import TableSource


def survey(
    connection: duckdb.DuckDBPyConnection,
    source: TableSource,
    rows: ChosenColumns,
    window: Sequence[float | None] | None = None,
) -> None:
    """Count the rows of each group into a temporary table ``survey``.

    Besides its keys each group has ``n_rows``, ``n_values`` (not missing), ``digest`` (the sum of a
    hash over its rows, which does not depend on their order), and its fixed parameters.

    Raises
    ------
    TableError
        If there is no row, no value, text where a number should be, an impossible count, or a
        fixed parameter that is impossible or not the same in the whole group; if ends are in the
        wrong order, or a value lies outside the window.
    """
    keys = ", ".join(f"k{index}" for index in range(len(rows.keys)))
    fixed = [f"fixed_{name}" for name in rows.fixed]
    hashed = ", ".join([keys, "value", "count", *rows.roles, *fixed])
    held = "".join(
        f"max({name}) AS {name}, min({name}) IS DISTINCT FROM max({name}) "
        f"OR count({name}) NOT IN (0, count(*)) AS mixed_{name}, "
        for name in fixed
    )
    steps = "min(resolution) AS lowest_step, " if "resolution" in rows.roles else ""
    with reading(source.name):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE survey AS SELECT {keys}, count(*) AS n_rows, "
            f"count(value) AS n_values, sum(hash({hashed})) AS digest, {held}{steps}"
            "count(unreadable) AS n_unreadable, min(count) AS lowest_count, "
            f"max(count) AS highest_count FROM ({rows.sql}) GROUP BY {keys}"
        )
    n_rows, n_values, n_unreadable, lowest, highest = connection.execute(
        "SELECT coalesce(sum(n_rows), 0), sum(n_values), sum(n_unreadable), min(lowest_count), "
        "max(highest_count) FROM survey"
    ).fetchall()[0]
    if n_rows == 0:
        header = "a header line" if source.is_text else "columns"
        raise TableError(f"{source.name} has {header} but no rows.")
    if n_unreadable:
        refuse_unreadable(connection, source, rows.numbers)
    if n_values == 0:
        raise TableError(f"{source.name}: no usable value; all {n_rows} cells are missing.")
    if lowest is not None and (lowest < 0 or highest == float("inf")):
        wrong = lowest if lowest < 0 else highest
        raise TableError(f"{source.name}: counts must be finite and not negative; got {wrong:g}.")
    if steps:
        (step,) = connection.execute("SELECT min(lowest_step) FROM survey").fetchall()[0]
        refuse_steps(rows.chosen["resolution"], np.array([np.nan if step is None else step]))
    if "upper" in rows.roles:
        _refuse_ends(connection, source, rows)
    if window is not None:
        _refuse_outside(connection, source, rows, window)
    for name, column in rows.fixed.items():
        _refuse_impossible(connection, source, name, column)


def _refuse_ends(
    connection: duckdb.DuckDBPyConnection, source: TableSource, rows: ChosenColumns
) -> None:
    """Refuse intervals of which one end is missing, or the upper one is below the lower one."""
    with reading(source.name):
        found = connection.execute(
            f"SELECT value, upper FROM ({rows.sql}) WHERE (value IS NULL) <> (upper IS NULL) "
            "OR value > upper OR (value = upper AND isinf(value)) LIMIT 1"
        ).fetchall()
    if not found:
        return
    low, high = (rows.chosen["value"] or rows.chosen["columns"][0]), rows.chosen["upper"]
    first, second = found[0]
    got = f"got {low} = {_shown(first)} and {high} = {_shown(second)} in one row."
    if first is None or second is None:
        raise TableError(
            f"{source.name}: an end that is missing says nothing of the other; {got} An open end "
            "is -inf or inf; a missing value is missing at both."
        )
    raise TableError(
        f"{source.name}: column {high!r} holds upper ends, which must not be below those of "
        f"{low!r}, nor both at one infinity; {got}"
    )


def _refuse_outside(
    connection: duckdb.DuckDBPyConnection,
    source: TableSource,
    rows: ChosenColumns,
    window: Sequence[float | None],
) -> None:
    """Refuse values that the window says were never recorded."""
    low, high = (
        nothing if end is None else float(end)
        for end, nothing in zip(window, (-np.inf, np.inf), strict=True)
    )
    ends = ("upper", "value") if "upper" in rows.roles else ("value", "value")
    with reading(source.name):
        found = connection.execute(
            f"SELECT value FROM ({rows.sql}) WHERE {ends[0]} < $low OR {ends[1]} > $high LIMIT 1",
            {"low": low, "high": high},
        ).fetchall()
    if found:
        raise TableError(
            f"{source.name}: `window` says that nothing outside of {low:g} to {high:g} was "
            f"recorded; got {_shown(found[0][0])}."
        )


def _shown(number: float | None) -> str:
    return "nothing" if number is None else f"{number:g}"


def _refuse_impossible(
    connection: duckdb.DuckDBPyConnection, source: TableSource, name: str, column: str
) -> None:
    lowest, highest, mixed = connection.execute(
        f"SELECT min(fixed_{name}), max(fixed_{name}), count_if(mixed_fixed_{name}) FROM survey"
    ).fetchall()[0]
    if mixed:
        groups = "group" if mixed == 1 else "groups"
        raise TableError(
            f"{source.name}: column {column!r} fixes {name} and must hold one value in a whole "
            f"group; in {mixed:,} {groups} it does not."
        )
    if lowest is not None and (wrong := out_of_range(name, lowest, highest)):
        raise TableError(
            f"{source.name}: column {column!r} fixes {name}, which must be {wrong}; it holds "
            f"values from {lowest:g} to {highest:g}."
        )
