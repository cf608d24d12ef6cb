"""A path, a glob, standard input or a frame becomes a table expression of DuckDB."""

import csv
import dataclasses
import glob
import io
import itertools
import shutil
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow

from mog_jax.tables.errors import TableError, reading

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_PARQUET = b"PAR1"
_SUFFIXES = (".parquet", ".pq")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """Something that DuckDB can read, as often as needed.

    Parameters
    ----------
    name : str
        What to call it in messages.
    sql : str
        A table expression, to stand after FROM.
    types : dict of str to str
        DuckDB's type of each column, in order.
    paths : list of str
        The files, absolute; empty for a frame and for standard input.
    is_text : bool
        Whether every column is text because the format knows nothing else (CSV).
    """

    name: str
    sql: str
    types: dict[str, str]
    paths: list[str]
    is_text: bool = False


def identifier(name: str) -> str:
    """Quote a column's name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def open_source(connection: duckdb.DuckDBPyConnection, source: Any, scratch: Path) -> Source:
    """Make `source` readable by `connection`.

    Parameters
    ----------
    connection : duckdb connection
        Frames are registered with it.
    source : path, list of paths, "-" or frame
        See `fit_table`.
    scratch : path
        A folder for what can be read only once (standard input).

    Returns
    -------
    Source

    Raises
    ------
    TableError
        If there is no such file, or it cannot be read.
    """
    if isinstance(source, list | tuple):
        names = [str(path) for path in source]
        return _files(connection, ", ".join(names), [*itertools.chain(*map(_expand, names))])
    if not isinstance(source, str | Path):
        return _frame(connection, source)
    if str(source) == "-":
        spool = scratch / "standard_input"
        with spool.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
        return _files(connection, "standard input", [str(spool)], kept=False)
    return _files(connection, str(source), _expand(str(source)))


def _expand(path: str) -> list[str]:
    if Path(path).is_file() or Path(path).is_fifo():
        return [path]
    if Path(path).is_dir():
        raise TableError(
            f"cannot read {path}: it is a directory; name its files, as in '{path}/*.parquet'."
        )
    # Path.glob takes no absolute pattern.
    matches = glob.glob(path, recursive=True)  # noqa: PTH207
    found = sorted(name for name in matches if Path(name).is_file())
    if not found:
        what = "no file matches the pattern" if glob.has_magic(path) else "no such file"
        raise TableError(f"cannot read {path}: {what}.")
    return found


def _frame(connection: duckdb.DuckDBPyConnection, frame: Any) -> Source:
    if isinstance(frame, pyarrow.RecordBatchReader | duckdb.DuckDBPyRelation):
        # It can be read once, and may be larger than memory: it goes to DuckDB's own disk.
        connection.register("incoming", pyarrow.RecordBatchReader.from_stream(frame))
        connection.execute("CREATE OR REPLACE TEMP TABLE source AS SELECT * FROM incoming")
        connection.unregister("incoming")
    elif hasattr(frame, "__arrow_c_stream__"):
        connection.register("source", pyarrow.table(frame))
    else:
        hint = "; collect() it first." if hasattr(frame, "collect") else "."
        raise TableError(
            "`source` must be a path, '-' for standard input, or a frame that speaks Arrow "
            f"(pandas, polars, pyarrow, DuckDB); got {type(frame).__name__}{hint}"
        )
    return _described(connection, name="the table", sql="source", paths=[])


def _files(
    connection: duckdb.DuckDBPyConnection, name: str, paths: list[str], *, kept: bool = True
) -> Source:
    absolute = [str(Path(path).resolve()) for path in paths]
    names = "[" + ", ".join(literal(path) for path in absolute) + "]"
    try:
        with Path(paths[0]).open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise TableError(f"cannot read {name}: {error.strerror}.") from None
    if not head:
        raise TableError(f"{name} is empty; it should have a header line and values.")
    where: dict[str, Any] = {"name": name, "paths": absolute if kept else []}
    if head == _PARQUET or paths[0].endswith(_SUFFIXES):
        return _described(connection, sql=f"read_parquet({names})", **where)
    packing = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "none")
    first = _first_lines(name, paths[0], packing)
    if first.lstrip()[:1] in ("{", "["):
        sql = f"read_json({names}, compression = '{packing}', sample_size = -1)"
        return _described(connection, sql=sql, **where)

    header, delimiter = _header(name, paths[0], first)
    for other in paths[1:]:
        if _header(name, other, _first_lines(name, other, packing))[0] != header:
            raise TableError(f"{name}: {other} has other columns than {paths[0]}.")
    columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in header)
    sql = (
        f"read_csv({names}, auto_detect = false, header = true, columns = {{{columns}}}, "
        f"delim = {literal(delimiter)}, quote = '\"', escape = '\"', compression = '{packing}', "
        "max_line_size = 16777216)"
    )
    return _described(connection, sql=sql, is_text=True, **where)


def _described(connection: duckdb.DuckDBPyConnection, *, sql: str, **fields: Any) -> Source:
    with reading(fields["name"]):
        rows = connection.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()
    return Source(sql=sql, types={row[0]: row[1] for row in rows}, **fields)


def _first_lines(name: str, path: str, packing: str) -> str:
    try:
        kind = None if packing == "none" else packing
        with pyarrow.input_stream(path, compression=kind) as file:
            head: bytes = file.read(1 << 20)
            return head.decode("utf-8-sig", errors="replace")
    except (OSError, pyarrow.ArrowInvalid):
        raise TableError(f"cannot read {name}: {path} is not a whole {packing} file.") from None


def _header(name: str, path: str, text: str) -> tuple[list[str], str]:
    line = text.splitlines()[0] if text.strip() else ""
    # The header settles what separates: DuckDB's sniffer would be led astray by a ragged row.
    delimiter = max(",\t;|", key=line.count)
    if path.endswith((".tsv", ".tab", ".tsv.gz", ".tsv.zst")):
        delimiter = "\t"
    header = [cell.strip() for cell in next(csv.reader(io.StringIO(text), delimiter=delimiter), [])]
    if not any(header):
        raise TableError(f"{name} is empty; it should have a header line and values.")
    if "�" in "".join(header):
        raise TableError(f"cannot read {name}: it is not a text file in UTF-8.")
    lowered = [column.lower() for column in header]
    for index, column in enumerate(lowered):
        if column in lowered[:index]:
            raise TableError(
                f"{name} has two columns called {header[index]!r} (case aside); rename one."
            )
    return header, delimiter
