"""CSV files as table expressions of DuckDB.

The dialect describes the first lines. DuckDB reads the file itself if it reads these lines in the
same way; every other file (blanks as separators, comments, UTF-16, bz2, different line ends) is
rewritten into the scratch folder, in one dialect that is unambiguous.
"""

import codecs
import contextlib
import csv
import dataclasses
import io
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from mog_jax.tables.dialect import Dialect, find_dialect, is_comment, records
from mog_jax.tables.errors import TableError, not_encoded, ragged
from mog_jax.tables.formats import File, encoding_by_bytes, is_json, refuse_markup, refuse_unknown
from mog_jax.tables.paths import literal, path_literal
from mog_jax.tables.read_options import ReadOptions

_HEAD = 1 << 20
_LONGEST_LINE = 1 << 24
_COMPARED_ROWS = 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Text:
    """A text file, its encoding, and its first lines.

    Parameters
    ----------
    file : File
        Where it lies and how it is packed.
    encoding : str
        Python's name of it.
    lines : list of str
        The first lines, whole, with their ends.
    is_whole : bool
        Whether they are all.
    """

    file: File
    encoding: str
    lines: list[str]
    is_whole: bool

    @property
    def is_json(self) -> bool:
        """Whether it holds JSON rather than CSV."""
        return is_json("".join(self.lines[:99]))


def open_text(file: File, options: ReadOptions) -> Text:
    """Read the first lines of a text file.

    Raises
    ------
    TableError
        If they are in another encoding, or a line is too long.
    """
    head = file.read(_HEAD)
    encoding = options.encoding or encoding_by_bytes(head)
    if encoding is None:
        refuse_unknown(file.name, head)
        encoding = "utf-8"
    for size in (_HEAD, _LONGEST_LINE):
        head = head if size == _HEAD else file.read(size)
        text = _decoded(file.name, head, encoding, is_whole=len(head) < size)
        lines = [*io.StringIO(text, newline="")]
        if len(head) < size:
            return Text(file=file, encoding=encoding, lines=lines, is_whole=True)
        if len(lines) > 3:
            refuse_markup(file.name, text)
            return Text(file=file, encoding=encoding, lines=lines[:-1], is_whole=False)
    raise TableError(f"cannot read {file.name}: a line of it is longer than 16,777,216 bytes.")


def transcoded(text: Text, scratch: Path) -> Path:
    """Rewrite a text in UTF-8, unpacked."""
    target = _fresh(scratch)
    try:
        with _opened_lines(text) as lines, target.open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)
    except UnicodeError:
        raise _wrongly_encoded(text.file.name, text.encoding, 1) from None
    return target


def csv_expression(
    connection: duckdb.DuckDBPyConnection,
    texts: Sequence[Text],
    options: ReadOptions,
    scratch: Path,
) -> tuple[str, list[str], str | None]:
    """Return a table expression for CSV files of the same columns, their names, the decimal mark.

    Raises
    ------
    TableError
        If one cannot be read, or they have not the same columns.
    """
    dialects: list[Dialect] = []
    expressions: list[tuple[str, str]] = []  # quotes in DuckDB's arguments, and in a path
    for text in texts:
        file = text.file
        refuse_markup(file.name, "".join(text.lines[:9]))
        dialect = find_dialect(file.name, text.lines, options, is_whole=text.is_whole)
        if dialects and dialect.names != dialects[0].names:
            first = texts[0].file.path
            raise TableError(f"{file.name}: {file.path} has other columns than {first}.")
        dialects.append(dialect)
        arguments = _arguments(dialect, text)
        if not _agrees(connection, text, dialect, arguments, options):
            path = str(_rewritten(text, dialect, options, scratch))
            expressions.append((_arguments(_plain(dialect), None), path))
        else:
            expressions.append((arguments, file.path))
    parts = [
        f"read_csv([{', '.join(path_literal(path) for _, path in group)}], {arguments})"
        for arguments, group in itertools.groupby(expressions, key=lambda pair: pair[0])
    ]
    sql = parts[0]
    if len(parts) > 1:
        sql = "(" + " UNION ALL ".join(f"SELECT * FROM {part}" for part in parts) + ")"
    marks = {dialect.decimal for dialect in dialects} - {None}
    return sql, [*dialects[0].names], marks.pop() if len(marks) == 1 else None


def _decoded(name: str, head: bytes, encoding: str, *, is_whole: bool) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head, final=is_whole)
    except UnicodeError as error:
        at = getattr(error, "start", 0)
        raise _wrongly_encoded(name, encoding, head[:at].count(b"\n") + 1) from None


def _wrongly_encoded(name: str, encoding: str, line: int) -> TableError:
    shown = encoding.upper().removesuffix("-SIG")
    return TableError(f"cannot read {name}: {not_encoded(shown, line)}")


def _plain(dialect: Dialect) -> Dialect:
    return dataclasses.replace(dialect, separator=",", skipped_lines=0, has_header=False)


def _arguments(dialect: Dialect, text: Text | None) -> str:
    """Return all arguments that DuckDB would otherwise guess."""
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(dialect.names)))
    packing = text.file.packing if text is not None else "none"
    # DuckDB would use the first line end of the file, also one inside quotes.
    last = text.lines[-1] if text is not None else "\n"
    ends = [end for end in ("\r\n", "\n", "\r") if last.endswith(end)]
    new_line = f"new_line = '{ends[0].encode('unicode_escape').decode()}', " if ends else ""
    return (
        f"auto_detect = false, header = false, columns = {{{columns}}}, "
        f"skip = {dialect.skipped_lines + dialect.has_header}, "
        f"delim = {literal(dialect.separator)}, quote = '\"', escape = '\"', "
        f"{new_line}compression = {literal(packing)}, max_line_size = {_LONGEST_LINE}"
    )


def _agrees(
    connection: duckdb.DuckDBPyConnection,
    text: Text,
    dialect: Dialect,
    arguments: str,
    options: ReadOptions,
) -> bool:
    """Return whether DuckDB reads the same first rows as the dialect."""
    if (
        text.encoding not in ("utf-8", "utf-8-sig")
        or text.file.packing not in ("none", "gzip", "zstd")
        or dialect.separator == " "
        or options.comment
    ):
        return False
    try:
        query = f"SELECT * FROM read_csv({path_literal(text.file.path)}, {arguments}) LIMIT "
        width = len(dialect.names)
        found = connection.execute(f"{query} {_COMPARED_ROWS}").fetchall()
    except duckdb.Error:
        return False
    rows = (row for _, row in _rows(text.lines, dialect, options) if row)
    ours = [*itertools.islice(rows, _COMPARED_ROWS)]
    if not text.is_whole and len(ours) < _COMPARED_ROWS:
        ours, found = ours[:-1], found[: len(ours) - 1]
    return len(found) == len(ours) and all(
        [cell or "" for cell in theirs[:width]] == row
        for theirs, row in zip(found, ours, strict=True)
    )


def _rows(
    lines: Iterator[str] | Sequence[str], dialect: Dialect, options: ReadOptions
) -> Iterator[tuple[int, list[str]]]:
    """Return the rows of values, with the number of the line on which each ends."""
    number = 0

    def counted() -> Iterator[str]:
        nonlocal number
        for line in lines:
            number += 1
            if number > dialect.skipped_lines and not is_comment(line, options.comment):
                yield line

    found = records(counted(), dialect.separator)
    if dialect.has_header:
        next((record for record in found if any(record)), None)
    for record in found:
        yield number, record


def _rewritten(text: Text, dialect: Dialect, options: ReadOptions, scratch: Path) -> Path:
    """Rewrite the rows: commas, UTF-8, no header, no empty lines."""
    target, width, name = _fresh(scratch), len(dialect.names), text.file.name
    with _opened_lines(text) as lines, target.open("w", encoding="utf-8", newline="") as file:
        # All cells in quotes: a carriage return in a cell could end a line.
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        number = 0
        try:
            for number, row in _rows(lines, dialect, options):
                if len(row) > width and not any(map(str.strip, row[width:])):
                    row = row[:width]
                if len(row) == width:
                    writer.writerow(row)
                elif any(map(str.strip, row)):
                    raise TableError(f"cannot read {name}: {ragged(number, len(row), width)}")
        except UnicodeError:
            raise _wrongly_encoded(name, text.encoding, number + 1) from None
        except csv.Error as error:
            raise TableError(f"cannot read {name}: line {number + 1}: {error}.") from None
    return target


@contextlib.contextmanager
def _opened_lines(text: Text) -> Iterator[Iterator[str]]:
    """Open a text from its beginning, as lines with their ends."""
    with text.file.opened() as packed:
        wrapper = io.TextIOWrapper(packed, encoding=text.encoding, newline="")
        try:
            yield wrapper
        finally:
            wrapper.detach()


def _fresh(scratch: Path) -> Path:
    return next(
        path
        for path in (scratch / f"text_{index}" for index in itertools.count())
        if not path.exists()
    )
