"""The database of a run: where it lies, how it is opened, exported, and removed.

DuckDB's own connection is always in memory, and the file is attached to it under the name ``kept``.
No name of a function or a table in the package's SQL can therefore mean something that the file
defines: a database is data, and may come from anywhere.
"""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from mog_jax.tables.errors import TableError, first_line, out_of_space, writing
from mog_jax.tables.outputs import is_answers, refuse_foreign
from mog_jax.tables.paths import literal

# Above this DuckDB spills to disk; the other memory is for the fits.
MEMORY_LIMIT = "1GB"
# A DuckDB file begins with three blocks of headers. The process that made a shorter one was killed.
_HEADERS = 3 * 4096
_EXPORTS = {".parquet": "FORMAT parquet, COMPRESSION zstd", ".csv": "FORMAT csv, HEADER"}
# Nothing that is read or written needs an extension.
_CLOSED = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
_OURS = {"_run", "_groups", "fits"}
# A scratch folder always holds this file, which marks it as made by this package.
_MARK = "scratch_of_mog_jax"


def connect() -> duckdb.DuckDBPyConnection:
    """Open a connection in memory that loads no extensions."""
    return duckdb.connect(":memory:", config=dict(_CLOSED))


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Bar a connection from all files but those attached, permanently."""
    connection.execute("SET temp_directory = ''")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def attach(
    connection: duckdb.DuckDBPyConnection, database: Path | None, *, read_only: bool = False
) -> None:
    """Attach a database under the name ``kept`` (None: one in memory).

    Raises
    ------
    TableError
        If it is no database, is in use, or cannot be written.
    """
    # An absolute path has no prefix that DuckDB could take for another kind of database.
    where = ":memory:" if database is None else str(database.absolute())
    access = ", READ_ONLY" if read_only else ""
    try:
        connection.execute(f"ATTACH {literal(where)} AS kept (TYPE duckdb{access})")
    except duckdb.Error as error:
        if "Could not set lock" in str(error):
            raise TableError(f"{database} is in use by another process.") from None
        if "already attached" in str(error):
            raise TableError(f"{database} is in use: this process has it open.") from None
        if out_of_space(error) or not (database and database.exists()):
            raise TableError(f"cannot write {database}: {first_line(error)}.") from None
        raise TableError(f"cannot open {database}: {first_line(error)}.") from None


def plain_tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Name the tables of ``kept`` that hold data and compute nothing.

    A view is not among them, nor is a table with a generated column, a default, a constraint, an
    index or a trigger.
    """
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() t WHERE database_name = 'kept' "
        "AND schema_name = 'main' AND index_count = 0 AND NOT has_primary_key "
        "AND check_constraint_count = 0 AND NOT EXISTS (FROM duckdb_columns() c "
        "WHERE c.table_oid = t.table_oid AND c.database_name = 'kept' "
        "AND c.column_default IS NOT NULL) AND NOT EXISTS (FROM duckdb_triggers() g "
        "WHERE g.database_name = 'kept' AND g.table_name = t.table_name)"
    ).fetchall()
    return {row[0] for row in rows}


def database_of(out: Path) -> Path:
    """Return the path of the database for `out`: itself, or beside it until it is exported.

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
def opened(
    database: Path | None, *, overwrite: bool = False
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Open or create a database (None: in memory), with a scratch folder removed at the end.

    It is attached under the name ``kept``. A new database in which no run was begun is removed as
    well.

    Raises
    ------
    TableError
        If the file is not a database of ours (and `overwrite` does not give it up), is in use, or
        cannot be written; or if something of another's stands where the scratch folder should.
    """
    if database is None:
        scratch = Path(tempfile.mkdtemp(prefix="mog_jax_"))
        is_new = False
    else:
        scratch = database.with_name(database.name + ".tmp")
        _refuse_foreign_scratch(scratch)
        is_new = _make_way(database, overwrite=overwrite)
    connection = _connect(database)
    try:
        with writing(str(scratch)):
            _remove_scratch(scratch)
            scratch.mkdir(mode=0o700)  # a copy of standard input is readable by this user alone
            (scratch / _MARK).touch()
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(f"SET temp_directory = {literal(str(scratch / 'spill'))}")
        connection.execute("SET enable_progress_bar = false")
        yield connection, scratch
    finally:
        is_unused = False
        with contextlib.suppress(duckdb.Error):
            is_unused = is_new and not plain_tables(connection)
        with contextlib.suppress(duckdb.Error):
            connection.close()
        if is_unused and database is not None:
            discard(database)
        with contextlib.suppress(OSError):
            _remove_scratch(scratch)


def _make_way(database: Path, *, overwrite: bool) -> bool:
    """Refuse or remove a foreign file; give whether there is no file now."""
    if database.is_dir():
        raise TableError(f"cannot write {database}: it is a directory.")
    if database.is_file() and _is_stillborn(database):
        database.unlink()
    if database.exists():
        # Opened for reading: DuckDB would otherwise clean up a foreign database.
        try:
            _refuse_other_database(database)
        except TableError as error:
            if not overwrite or "in use" in str(error):
                raise
            refuse_foreign(database, lambda _: False, overwrite=True)
            discard(database)
    wal = database.with_name(database.name + ".wal")
    if not database.exists() and wal.exists():
        raise TableError(f"cannot write {database}: {wal} exists and belongs to another database.")
    return not database.exists()


def _refuse_other_database(database: Path) -> None:
    with contextlib.closing(connect()) as connection:
        attach(connection, database, read_only=True)
        lock(connection)
        held = connection.execute(
            "SELECT (SELECT count(*) FROM duckdb_tables() WHERE database_name = 'kept') + "
            "(SELECT count(*) FROM duckdb_views() WHERE database_name = 'kept' AND NOT internal)"
        ).fetchall()
        # The database of a process that was killed before its run holds nothing.
        if held[0][0] and not plain_tables(connection) >= _OURS:
            raise TableError(
                f"{database} holds other tables than fits; choose another --out, or replace it "
                "with --overwrite (overwrite=True)."
            )


def _is_stillborn(database: Path) -> bool:
    with database.open("rb") as file:
        head = file.read(_HEADERS)
    return len(head) < _HEADERS and (not head.strip(b"\0") or head[8:12] == b"DUCK")


def _connect(database: Path | None) -> duckdb.DuckDBPyConnection:
    connection = connect()
    try:
        attach(connection, database)
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_foreign_scratch(scratch: Path) -> None:
    if scratch.is_symlink() or (scratch.exists() and not _is_scratch(scratch)):
        raise TableError(
            f"cannot write: {scratch} exists and was not made by mog_jax; rename it, or "
            "choose another --out."
        )


def _is_scratch(folder: Path) -> bool:
    return folder.is_dir() and ((folder / _MARK).is_file() or not any(folder.iterdir()))


def _remove_scratch(scratch: Path) -> None:
    """Remove the folder, its mark last: if the process is killed, it is still recognised."""
    if not scratch.exists():
        return
    for path in scratch.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != _MARK:
            path.unlink(missing_ok=True)
    (scratch / _MARK).unlink(missing_ok=True)
    scratch.rmdir()


def export(
    connection: duckdb.DuckDBPyConnection,
    out: Path,
    run: dict[str, Any],
    scratch: Path,
    *,
    overwrite: bool = False,
) -> None:
    """Write the answers to a Parquet or CSV file beside its place, and rename it: never in part."""
    aside = scratch / "export"
    options, columns = _EXPORTS[out.suffix], "*"
    if out.suffix == ".parquet":
        options += f", KV_METADATA {{mog_jax: {literal(json.dumps(run))}}}"
    else:
        columns = "* EXCLUDE (histogram)"  # spreadsheets cannot use it
    with writing(str(out)):
        connection.execute(
            f"COPY (SELECT {columns} FROM kept.main.fits) TO {literal(str(aside))} ({options})"
        )
        # Hours may have passed since the first check.
        refuse_foreign(out, is_answers, overwrite=overwrite)
        aside.replace(out)


def discard(database: Path) -> None:
    """Remove a database whose export is complete."""
    # The log first: left alone it could not be told from the log of a foreign database.
    for path in (database.with_name(database.name + ".wal"), database):
        path.unlink(missing_ok=True)
