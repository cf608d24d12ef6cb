"""What a run is: its input, its columns and its settings; and refusing another under its name."""

import inspect
import json
from typing import Any

import duckdb

import mog_jax
from mog_jax.parameters import PARAMETERS
from mog_jax.tables.errors import TableError, no_such
from mog_jax.tables.rows import Rows
from mog_jax.tables.sources import Source


def describe(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    rows: Rows,
    options: dict[str, Any],
    fixed: dict[str, float | str],
) -> dict[str, Any]:
    """Say in JSON what is about to be done; ``survey`` must be there.

    The input is known by the sum of a hash over its rows, which knows neither their order nor the
    name of the file: a file may be moved or rewritten between two attempts, but not changed.
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
        "options": {**_settings(options), **({"fixed": fixed} if fixed else {})},
    }


def refuse_other(database: str, there: dict[str, Any], here: dict[str, Any]) -> None:
    """Raise `TableError` unless both are the same run."""
    fresh = (
        "take that one up with the command that began it, choose another --out, or replace it with "
        "--overwrite (overwrite=True)."
    )
    for kind in ("columns", "options"):
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


def read_record(text: Any, name: str) -> dict[str, Any]:
    """Read what `describe` has written, which a file may hold and anyone may have changed.

    Raises
    ------
    TableError
        If it is not such a record.
    """
    try:
        record = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        record = None
    if not _is_record(record):
        raise TableError(f"{name}: its record of what was fitted is damaged.")
    checked: dict[str, Any] = record
    return checked


def _is_record(record: Any) -> bool:
    def is_map(there: Any, **kinds: Any) -> bool:
        return isinstance(there, dict) and all(
            is_a(there.get(name)) for name, is_a in kinds.items()
        )

    def is_text(value: Any) -> bool:
        return isinstance(value, str)

    def is_count(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0

    def is_texts(value: Any) -> bool:
        return isinstance(value, list) and all(map(is_text, value))

    return is_map(
        record,
        version=is_text,
        source=lambda source: is_map(source, name=is_text, paths=is_texts),
        input=lambda given: is_map(given, n_rows=is_count, n_groups=is_count, digest=is_text),
        null_rows=lambda rows: isinstance(rows, dict) and all(map(is_count, rows.values())),
        columns=lambda columns: is_map(
            columns,
            by=is_texts,
            value=lambda value: value is None or is_text(value),
            columns=lambda value: value is None or is_texts(value),
            count=lambda value: value is None or is_text(value),
        ),
        options=lambda options: isinstance(options, dict) and _is_fixed(options.get("fixed", {})),
    )


def _is_fixed(fixed: Any) -> bool:
    return isinstance(fixed, dict) and all(
        name in PARAMETERS and isinstance(value, str | int | float) for name, value in fixed.items()
    )


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    from mog_jax.fitting import fit

    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(fit).parameters.items()
        if name not in ("data", "counts", "progress", "dtype", "fixed")
    }
    for name in options:
        if name not in defaults:
            # The door is above this module.
            from mog_jax.tables.door import fit_table

            own = {*inspect.signature(fit_table).parameters} - {"source", "options"}
            there = [*sorted(own), *defaults]
            raise TypeError(str(no_such("option", name, there, source="fit_table")))
    return {**defaults, **options}
