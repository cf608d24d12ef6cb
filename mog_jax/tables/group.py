"""The values of one group, fetched from the source again: to draw them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mog_jax.arrays import HostArray as Array
from mog_jax.tables.columns import choose
from mog_jax.tables.database import opened
from mog_jax.tables.errors import TableError, reading
from mog_jax.tables.fixed import columns_of
from mog_jax.tables.read_options import read_options
from mog_jax.tables.sources import open_source


def group_values(
    source: Any, run: Mapping[str, Any], key: Sequence[Any]
) -> tuple[Array, Array | None, dict[str, float]]:
    """Fetch the values of one group, ascending, their counts, and what is fixed of it.

    Missing values are left out.

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
    columns, fixed = run["columns"], run["options"].get("fixed", {})
    with opened(None) as (connection, scratch):
        readable = open_source(connection, source, scratch, read_options(**run["reading"]))
        rows = choose(
            readable,
            by=columns["by"],
            value=columns["value"],
            count=columns["count"],
            columns=columns["columns"] or None,
            fixed=columns_of(fixed),
        )
        held = "".join(f", fixed_{name}" for name in rows.fixed)
        # Compared by the column's type: as texts, 0.0 and -0.0 or two notations of a time differ.
        types = [*(readable.types[name] for name in columns["by"]), "VARCHAR"]
        condition = " AND ".join(
            f"k{index} IS NULL" if part is None else f"k{index} = TRY_CAST($k{index} AS {kind})"
            for index, (part, kind) in enumerate(zip(key, types, strict=False))
        )
        given = {f"k{index}": part for index, part in enumerate(key) if part is not None}
        with reading(readable.name):
            found = connection.sql(
                f"SELECT value, count{held} FROM ({rows.sql}) "
                f"WHERE {condition} AND value IS NOT NULL "
                f"{'AND count IS NOT NULL ' if rows.has_counts else ''}ORDER BY value, count",
                params=given,
            ).to_arrow_table()
    if not found.num_rows:
        name = ", ".join(map(str, key))
        raise TableError(f"{readable.name} has no values for {name}: did the source change?")
    counts = found["count"].to_numpy() if rows.has_counts else None
    own = {name: found[f"fixed_{name}"][0].as_py() for name in rows.fixed}
    known = {name: value for name, value in {**fixed, **own}.items() if value is not None}
    return found["value"].to_numpy(), counts, known


def recorded_source(run: Mapping[str, Any] | None, name: str) -> str | list[str]:
    """Give the source of the values of a run, if it still exists."""
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
