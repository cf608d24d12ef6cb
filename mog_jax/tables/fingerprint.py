"""The identity of a run: input, columns and settings; a different run with its name is refused."""

from typing import Any

import duckdb

import mog_jax
from mog_jax.fitting.options import OPTIONS
from mog_jax.tables.columns import ChosenColumns
from mog_jax.tables.errors import TableError
from mog_jax.tables.sources import TableSource


def describe(
    connection: duckdb.DuckDBPyConnection,
    source: TableSource,
    rows: ChosenColumns,
    options: dict[str, Any],
    fixed: dict[str, float | str],
) -> dict[str, Any]:
    """Describe a run in JSON; the table ``survey`` must exist.

    The input is identified by the sum of a hash over its rows, which does not depend on their order
    or on the name of the file: a file may be moved or rewritten between two attempts, but not
    changed.
    """
    n_rows, n_groups, digest = connection.execute(
        "SELECT sum(n_rows), count(*), sum(digest) FROM survey"
    ).fetchall()[0]
    null_rows = {
        name: connection.execute(
            f"SELECT coalesce(sum(n_rows), 0)::BIGINT FROM survey WHERE k{index} IS NULL"
        ).fetchall()[0][0]
        for index, name in enumerate(rows.keys)
    }
    return {
        "version": mog_jax.__version__,
        "source": {"name": source.name, "paths": source.paths},
        "input": {"n_rows": int(n_rows), "n_groups": int(n_groups), "digest": str(digest)},
        "null_rows": null_rows,
        "columns": rows.chosen,
        "reading": source.options.given(),
        "options": {**OPTIONS, **options, **({"fixed": fixed} if fixed else {})},
    }


def refuse_other(database: str, there: dict[str, Any], here: dict[str, Any]) -> None:
    """Raise `TableError` unless both are the same run."""
    fresh = (
        "take that one up with the command that began it, choose another --out, or replace it with "
        "--overwrite (overwrite=True)."
    )
    for kind in ("columns", "reading", "options"):
        for name in sorted({*there[kind], *here[kind]}):
            old, new = there[kind].get(name), here[kind].get(name)
            if old != new:
                raise TableError(
                    f"{database} holds a run with other settings ({name}: {old} there, {new} "
                    f"here); {fresh}"
                )
    if there["input"] != here["input"]:
        old, new = there["input"], here["input"]
        if (old["n_rows"], old["n_groups"]) == (new["n_rows"], new["n_groups"]):
            what = "as many rows and groups, but other contents"
        else:
            what = (
                f"{old['n_rows']:,} rows in {old['n_groups']:,} groups there, "
                f"{new['n_rows']:,} in {new['n_groups']:,} here"
            )
        raise TableError(f"{database} holds a run over another input ({what}); {fresh}")
    if there["version"] != here["version"]:
        raise TableError(
            f"{database} was begun with mog_jax {there['version']}, this is {here['version']}; "
            f"{fresh}"
        )
