"""The database of a run: where it lies, how it is opened, exported, and removed."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from mog_jax.tables.errors import TableError, first_line, out_of_space, writing
from mog_jax.tables.paths import literal

# Beyond this DuckDB spills to disk; the rest of the machine is the fitter's.
MEMORY_LIMIT = "1GB"
# A file of DuckDB begins with three blocks of headers. A shorter one was killed at birth.
_HEADERS = 3 * 4096
_EXPORTS = {".parquet": "FORMAT parquet, COMPRESSION zstd", ".csv": "FORMAT csv, HEADER"}


def database_of(out: Path) -> Path:
    """Give the path of the database for `out`: itself, or beside it until it is exported.

    Raises
    ------
    TableError
        If `out` has another ending, or lies in a folder that does not exist.
    """
    if out.suffix not in (".duckdb", *_EXPORTS):
        raise TableError(f"cannot write {out}: the name must end in .duckdb, .parquet or .csv.")
    if not out.parent.is_dir():
        raise TableError(f"cannot write {out}: there is no folder {out.parent}.")
    if out.is_dir():
        raise TableError(f"cannot write {out}: it is a directory.")
    return out if out.suffix == ".duckdb" else out.with_name(out.name + ".duckdb")


@contextlib.contextmanager
def opened(database: Path | None) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Open or create a database (None: in memory), with a scratch folder that goes in the end.

    Raises
    ------
    TableError
        If the file is not a database of ours, is in use, or cannot be written.
    """
    if database is None:
        scratch = Path(tempfile.mkdtemp(prefix="mog_jax_"))
    else:
        if database.is_file() and _is_stillborn(database):
            database.unlink()
        scratch = database.with_name(database.name + ".tmp")
    connection = _connect(database)
    try:
        with writing(str(scratch)):
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(f"SET temp_directory = {literal(str(scratch / 'spill'))}")
        connection.execute("SET enable_progress_bar = false")
        yield connection, scratch
    finally:
        with contextlib.suppress(duckdb.Error):
            connection.close()
        shutil.rmtree(scratch, ignore_errors=True)


def _is_stillborn(database: Path) -> bool:
    with database.open("rb") as file:
        head = file.read(_HEADERS)
    return len(head) < _HEADERS and (not head.strip(b"\0") or head[8:12] == b"DUCK")


def _connect(database: Path | None) -> duckdb.DuckDBPyConnection:
    if database is None:
        return duckdb.connect(":memory:")
    try:
        connection = duckdb.connect(str(database))
        tables = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
    except duckdb.Error as error:
        if "lock" in str(error).lower():
            raise TableError(f"{database} is in use by another process.") from None
        if out_of_space(error) or not database.exists():
            raise TableError(f"cannot write {database}: {first_line(error)}.") from None
        raise TableError(f"cannot open {database}: {first_line(error)}.") from None
    if tables and "_run" not in tables:
        connection.close()
        raise TableError(f"{database} is a database of something else; choose another --out.")
    return connection


def export(connection: duckdb.DuckDBPyConnection, out: Path, run: dict[str, Any]) -> None:
    """Write the answers to a Parquet or CSV file: aside first, then renamed, so never in part."""
    aside = out.with_name(out.name + ".partial")
    options, columns = _EXPORTS[out.suffix], "*"
    if out.suffix == ".parquet":
        options += f", KV_METADATA {{mog_jax: {literal(json.dumps(run))}}}"
    else:
        columns = "* EXCLUDE (histogram)"  # a spreadsheet has no use for it
    with writing(str(out)):
        try:
            connection.execute(
                f"COPY (SELECT {columns} FROM fits) TO {literal(str(aside))} ({options})"
            )
            aside.replace(out)
        finally:
            aside.unlink(missing_ok=True)


def discard(database: Path) -> None:
    """Remove a database whose export is complete."""
    for path in (database, database.with_name(database.name + ".wal")):
        path.unlink(missing_ok=True)
