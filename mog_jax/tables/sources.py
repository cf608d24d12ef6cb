"""A path, a glob, standard input or a frame becomes a table expression of DuckDB."""

import dataclasses
import glob
import itertools
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import duckdb
import pyarrow

from mog_jax.tables import h5ad
from mog_jax.tables.arrays import opened_batches
from mog_jax.tables.errors import TableError, first_line, reading
from mog_jax.tables.formats import File, inspect
from mog_jax.tables.paths import path_literal
from mog_jax.tables.read_options import ReadOptions
from mog_jax.tables.text_files import Text, csv_expression, open_text, transcoded


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableSource:
    """Something that DuckDB can read, as often as needed.

    Parameters
    ----------
    name : str
        What to call it in messages.
    sql : str
        A table expression, to stand after FROM; its columns are called c0, c1, ...
    types : dict of str to str
        DuckDB's type of each column by its own name, in order.
    paths : list of str
        The files, absolute; empty for a frame and for standard input.
    options : ReadOptions
        What was said of it.
    is_text : bool
        Whether every column is text because the format knows nothing else (CSV).
    is_long : bool
        Whether it has a row for each cell and variable of AnnData.
    decimal : str
        The decimal mark of numbers that are written as text.
    columns : dict of str to str
        The column's name in `sql` by its own name, which may hold anything.
    unnamed : frozenset of str
        The columns that had no name, and were given one.
    """

    name: str
    sql: str
    types: dict[str, str]
    paths: list[str]
    options: ReadOptions
    columns: dict[str, str]
    unnamed: frozenset[str]
    is_text: bool = False
    is_long: bool = False
    decimal: str = "."


def open_source(
    connection: duckdb.DuckDBPyConnection, source: Any, scratch: Path, options: ReadOptions
) -> TableSource:
    """Make `source` readable by `connection`.

    Parameters
    ----------
    connection : duckdb connection
        Frames are registered with it.
    source : path, list of paths, "-" or frame
        See `fit_table`.
    scratch : path
        A folder for what can be read only once (standard input), or must be written anew.
    options : ReadOptions
        What was said of it.

    Returns
    -------
    TableSource

    Raises
    ------
    TableError
        If there is no such file, or it cannot be read.
    """
    if isinstance(source, list | tuple):
        names = [str(path) for path in source]
        name, paths = ", ".join(names), [*itertools.chain(*map(_expand, names))]
    elif isinstance(source, str | Path):
        name, paths = str(source), [] if str(source) == "-" else _expand(str(source))
    else:
        return _frame(connection, source, options)
    if paths == [] and name == "-":
        name, spooled = "standard input", _spooled(sys.stdin.buffer, scratch)
        return _files(connection, name, [spooled], scratch, options, kept=False)
    if not paths:
        raise TableError("`source` is an empty list; it should name files.")
    if any(Path(path).is_fifo() for path in paths):
        return _files(connection, name, [*_read_once(paths, scratch)], scratch, options, kept=False)
    return _files(connection, name, paths, scratch, options)


def _expand(path: str) -> list[str]:
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = ascii(path)
        raise TableError(f"cannot read {shown}: the name is not UTF-8; rename the file.") from None
    if "\0" in path:
        raise TableError(f"cannot read {path!r}: no file has such a name.")
    # A file that exists is meant, whatever its name looks like.
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


def _spooled(stream: IO[bytes], scratch: Path, name: str = "standard_input") -> str:
    spool = scratch / name
    with spool.open("wb") as file:
        shutil.copyfileobj(stream, file, 1 << 20)
    return str(spool)


def _read_once(paths: Sequence[str], scratch: Path) -> Iterator[str]:
    """Keep what comes through pipes, such as the shell's ``<(zcat ...)``."""
    for index, path in enumerate(paths):
        if Path(path).is_fifo():
            with Path(path).open("rb") as stream:
                yield _spooled(stream, scratch, f"pipe_{index}")
        else:
            yield path


def _frame(connection: duckdb.DuckDBPyConnection, frame: Any, options: ReadOptions) -> TableSource:
    options.refuse_for("the table", "a frame")
    names = None
    if isinstance(frame, pyarrow.RecordBatchReader | duckdb.DuckDBPyRelation):
        # It can be read once, and may be larger than memory: it goes to DuckDB's own disk.
        reader = pyarrow.RecordBatchReader.from_stream(frame)
        names = _stored(connection, "the table", reader, is_first=True)
    elif hasattr(frame, "__arrow_c_stream__"):
        try:
            table = pyarrow.table(frame)
        except (pyarrow.ArrowException, TypeError) as error:
            raise TableError(
                f"the table cannot be converted to Arrow: {first_line(error)}."
            ) from None
        names = table.column_names
        connection.register("source", _numbered(table))
    else:
        hint = "; collect() it first." if hasattr(frame, "collect") else "."
        if hasattr(frame, "obs") and hasattr(frame, "var"):
            hint = "; of AnnData, `mog_jax.anndata.fit` fits each feature."
        raise TableError(
            "`source` must be a path, '-' for standard input, or a frame that converts to Arrow "
            f"(pandas, polars, pyarrow, DuckDB); got {type(frame).__name__}{hint}"
        )
    return _described(
        connection,
        names,
        name="the table",
        sql="source",
        paths=[],
        options=options,
        decimal=options.decimal or ".",
    )


def _stored(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    reader: pyarrow.RecordBatchReader,
    *,
    is_first: bool,
) -> list[str]:
    """Write a stream of rows into DuckDB's table ``source``; give the names of its columns."""
    if not len(reader.schema):
        raise TableError(f"{name} has no columns.")
    numbered = pyarrow.schema(
        [field.with_name(f"c{place}") for place, field in enumerate(reader.schema)]
    )
    batches = (_renamed(batch, numbered) for batch in reader)
    connection.register("incoming", pyarrow.RecordBatchReader.from_batches(numbered, batches))
    begin = "CREATE OR REPLACE TEMP TABLE source AS" if is_first else "INSERT INTO source"
    connection.execute(f"{begin} SELECT * FROM incoming")
    connection.unregister("incoming")
    names: list[str] = reader.schema.names
    return names


def _renamed(batch: pyarrow.RecordBatch, schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    return pyarrow.RecordBatch.from_arrays(batch.columns, schema=schema)


def _numbered(table: pyarrow.Table) -> pyarrow.Table:
    return table.rename_columns([f"c{index}" for index in range(table.num_columns)])


def _files(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    paths: list[str],
    scratch: Path,
    options: ReadOptions,
    *,
    kept: bool = True,
) -> TableSource:
    absolute = [str(Path(path).resolve()) for path in paths]
    files = [inspect(name, path) for path in absolute]
    where: dict[str, Any] = {
        "name": name,
        "paths": absolute if kept else [],
        "options": options,
        "decimal": options.decimal or ".",
    }
    kinds = dict.fromkeys(file.kind for file in files)
    if len(kinds) > 1:
        raise TableError(f"{name} are files of different kinds ({', '.join(kinds)}); give one.")
    if files[0].kind == "text":
        texts = [open_text(file, options) for file in files]
        if not texts[0].is_json:
            options.refuse_for(name, "CSV")
            with reading(name):
                sql, names, decimal = csv_expression(connection, texts, options, scratch)
            where["decimal"] = options.decimal or decimal or "."
            return _described(connection, names, sql=sql, is_text=True, **where)
        sql = _json_expression(texts, options, scratch)
        return _described(connection, None, sql=sql, **where)
    if files[0].kind == "h5ad":
        options.refuse_for(name, "AnnData")
        sql, names = h5ad.store(connection, files, options)
        return _described(connection, names, sql=sql, is_long=True, **where)
    options.refuse_for(name, files[0].kind)
    if files[0].kind == "parquet":
        listed = ", ".join(map(path_literal, absolute))
        return _described(connection, None, sql=f"read_parquet([{listed}])", **where)
    return _described(connection, _stored_files(connection, files), sql="source", **where)


def _stored_files(connection: duckdb.DuckDBPyConnection, files: list[File]) -> list[str]:
    names: list[str] = []
    for file in files:
        with reading(file.name), opened_batches(file) as batches:
            if names and batches.schema.names != names:
                raise TableError(
                    f"{file.name}: {file.path} has other columns than {files[0].path}."
                )
            names = _stored(connection, file.name, batches, is_first=not names)
    return names


def _json_expression(texts: list[Text], options: ReadOptions, scratch: Path) -> str:
    name = texts[0].file.name
    options.refuse_for(name, "JSON")
    are_plain = all(text.encoding == "utf-8" for text in texts)
    packings = {text.file.packing for text in texts}
    if are_plain and len(packings) == 1 and packings <= {"none", "gzip", "zstd"}:
        packing, paths = packings.pop(), [text.file.path for text in texts]
    else:
        packing, paths = "none", [str(transcoded(text, scratch)) for text in texts]
    listed = ", ".join(map(path_literal, paths))
    return f"read_json([{listed}], compression = '{packing}', sample_size = -1)"


def _described(
    connection: duckdb.DuckDBPyConnection, names: list[str] | None, *, sql: str, **fields: Any
) -> TableSource:
    with reading(fields["name"]):
        rows = connection.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()
    there = [row[0] for row in rows]
    # Beyond its own columns a file may have those that the names of its folders hold.
    given = there if names is None else [*names, *there[len(names) :]]
    unique = _unique(given)
    numbered = [f"c{index}" for index in range(len(unique))]
    return TableSource(
        sql=f"{sql} AS t({', '.join(numbered)})",
        types={name: row[1] for name, row in zip(unique, rows, strict=True)},
        columns=dict(zip(unique, numbered, strict=True)),
        unnamed=frozenset(name for name, own in zip(unique, given, strict=True) if not own),
        **fields,
    )


def _unique(given: Sequence[str]) -> list[str]:
    """Name columns without a name by their place, as DuckDB does, and number those of one name.

    Every one of these: which is meant by the bare name is not for us to say.
    """
    named = [name or f"column{index}" for index, name in enumerate(given)]
    times = Counter(named)
    taken = {name for name in named if times[name] == 1}
    unique = []
    for index, name in enumerate(named):
        if times[name] > 1:
            number = named[: index + 1].count(name)
            while (new := f"{name}_{number}") in taken:
                number += 1
            name = new
            taken.add(name)
        unique.append(name)
    return unique
