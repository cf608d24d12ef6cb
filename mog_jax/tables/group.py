"""The values of one group, fetched from the source again: to draw them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mog_jax.tables.database import opened
from mog_jax.tables.errors import TableError, reading
from mog_jax.tables.rows import choose
from mog_jax.tables.sources import literal, open_source

Array = np.ndarray[Any, Any]


def group_values(
    source: Any, columns: Mapping[str, Any], key: Sequence[Any]
) -> tuple[Array, Array | None]:
    """Fetch the values of one group, ascending, and their counts; missing ones are left out.

    Parameters
    ----------
    source : path or frame
        See `fit_table`.
    columns : mapping
        The choice of columns: by, value, count, columns.
    key : sequence
        One entry for each key column; None is null.

    Raises
    ------
    TableError
        If the source cannot be read or has no such group.
    """
    with opened(None) as (connection, scratch):
        readable = open_source(connection, source, scratch)
        rows = choose(
            readable,
            by=columns["by"],
            value=columns["value"],
            count=columns["count"],
            columns=columns["columns"] or None,
        )
        condition = " AND ".join(
            f"k{index} IS NULL" if part is None else f"k{index}::VARCHAR = {literal(str(part))}"
            for index, part in enumerate(key)
        )
        with reading(readable.name):
            found = connection.sql(
                f"SELECT value, count FROM ({rows.sql}) WHERE {condition} AND value IS NOT NULL "
                f"{'AND count IS NOT NULL ' if rows.has_counts else ''}ORDER BY value, count"
            ).to_arrow_table()
    if not found.num_rows:
        name = ", ".join(map(str, key))
        raise TableError(f"{readable.name} has no values for {name}: did the source change?")
    counts = found["count"].to_numpy() if rows.has_counts else None
    return found["value"].to_numpy(), counts


def recorded_source(run: Mapping[str, Any] | None, name: str) -> str | list[str]:
    """Say where the values of a run came from, if it is still there."""
    if run is None:
        raise TableError(
            f"{name} does not say where its values came from; a .duckdb or .parquet does."
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
