"""The dialect of a CSV file, from its first lines: separator, header, names, decimal mark.

One step, in Python alone, before anything else reads the file. Where the file is ambiguous, an
error names the option that decides.
"""

import csv
import dataclasses
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from mog_jax.tables.cells import decimal_mark, is_missing, is_number, may_be_names
from mog_jax.tables.errors import TableError
from mog_jax.tables.read_options import ReadOptions

# A blank comes last: texts contain blanks as well.
_SEPARATORS = (",", "\t", ";", "|", " ")
_BLANKS = re.compile(r'"((?:[^"]|"")*)"(?!\S)|(\S+)')
_QUOTED = re.compile(r'"[^"]*"([,;|\s]+"[^"]*")*')
# Number of records that are examined; the others must agree with them.
_RECORDS = 2000
_TITLES = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a CSV file is written.

    Parameters
    ----------
    separator : str
        One character; a blank for runs of blanks.
    names : tuple of str
        Of its columns, as written; "" for one without a name.
    skipped_lines : int
        Lines above the header.
    has_header : bool
        Whether a record of names precedes the values.
    decimal : str or None
        The decimal mark, where the first lines show it.
    """

    separator: str
    names: tuple[str, ...]
    skipped_lines: int
    has_header: bool
    decimal: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Layout:
    """Records cut by a separator: titles, perhaps a header, and rows of one width."""

    separator: str
    n_titles: int
    header: list[str]  # the first record, with the width of the rows
    rows: list[list[str]]
    is_certain: bool

    @property
    def rank(self) -> tuple[bool, bool, float, int]:
        """Rank of a reading: several columns, not by blanks, many numbers, many columns."""
        cells = [cell for row in self.rows for cell in row if cell.strip()]
        numeric = sum(map(is_number, cells)) / max(len(cells), 1)
        return len(self.header) > 1, self.separator != " ", numeric, len(self.header)


def records(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    """Cut lines (with their ends) into records; an empty line is an empty record."""
    if separator != " ":
        return csv.reader(lines, delimiter=separator, strict=False)
    return (
        [
            quoted.replace('""', '"') if quoted or not bare else bare
            for quoted, bare in _BLANKS.findall(line)
        ]
        for line in lines
    )


def find_dialect(
    name: str, lines: Sequence[str], options: ReadOptions, *, is_whole: bool
) -> Dialect:
    """Find the dialect of a file from its first lines.

    Parameters
    ----------
    name : str
        What to call the file in messages.
    lines : sequence of str
        Its first lines, whole, with their ends.
    options : ReadOptions
        Options of the caller.
    is_whole : bool
        Whether the lines are the whole file.

    Raises
    ------
    TableError
        If the file is empty, or can be read in two ways.
    """
    skipped, commented = _leading_comments(lines, options.comment or "#")
    body = [line for line in lines[skipped:] if not is_comment(line, options.comment)]
    if not any(line.strip(" ,;|\t\r\n") for line in body):
        raise TableError(f"{name} is empty; it should have a header line and values.")
    layout = _best_layout(name, body, options, is_whole)
    titles = _lines_of(body, layout.separator, layout.n_titles)
    above = _names_in_comment(commented, layout) if options.comment is None else None
    if above and not _is_header(layout.header):
        # "# name x" above a line of values: the comment is the header.
        names, has_header = above, False
    else:
        has_header = _has_header(name, layout, body[titles:], options)
        names = layout.header if has_header else [""] * len(layout.header)
    values = layout.rows if has_header else [layout.header, *layout.rows]
    cells = [cell.strip() for row in values for cell in row]
    return Dialect(
        separator=layout.separator,
        names=tuple(cell.strip() for cell in names),
        skipped_lines=skipped + titles,
        has_header=has_header,
        decimal=options.decimal or decimal_mark(cells),
    )


def is_comment(line: str, comment: str | None) -> bool:
    """Return whether a line is a comment by the option `comment`."""
    return comment is not None and line.lstrip().startswith(comment)


def _leading_comments(lines: Sequence[str], comment: str) -> tuple[int, str | None]:
    """Count the empty lines and comments on top, and give the last comment without its mark."""
    last = None
    for index, line in enumerate(lines):
        text = line.strip()
        if text.startswith(comment):
            last = line.lstrip()
            # "# a b" is a comment that names columns; "#,name" and "#chrom" are names themselves.
            if last[len(comment) :][:1] in (" ", "\t"):
                last = last[len(comment) :].lstrip(" ")
        elif text:
            return index, last
    return len(lines), last


def _names_in_comment(commented: str | None, layout: _Layout) -> list[str] | None:
    if commented is None:
        return None
    found = next(records([commented], layout.separator), [])
    fits = len(found) == len(layout.header) and not all(map(is_number, found))
    return found if fits else None


def _first_records(body: Sequence[str], separator: str, *, is_whole: bool) -> list[list[str]]:
    """Cut the first lines into records that are not empty; none if this separator cannot."""
    try:
        every = (r for r in records(body, separator) if any(map(str.strip, r)))
        found = [*itertools.islice(every, _RECORDS)]
    except csv.Error:  # a cell of over 131,072 characters
        return []
    # The last record may go on after the last line.
    is_cut = not is_whole and 2 <= len(found) < _RECORDS
    return found[:-1] if is_cut else found


def _lines_of(body: Sequence[str], separator: str, n_records: int) -> int:
    """Count the lines that the first records (empty ones not counted) take."""
    if n_records == 0:
        return 0
    reached, iterator = 0, iter(body)

    def counted() -> Iterator[str]:
        nonlocal reached
        for line in iterator:
            reached += 1
            yield line

    found = (record for record in records(counted(), separator) if any(record))
    for _ in itertools.islice(found, n_records):
        pass
    return reached


def _best_layout(name: str, body: Sequence[str], options: ReadOptions, is_whole: bool) -> _Layout:
    separators = _SEPARATORS if options.separator is None else (options.separator,)
    layouts = []
    for separator in separators:
        found = _first_records(body, separator, is_whole=is_whole)
        if found and (layout := _layout(separator, found, options)):
            layouts.append(layout)
    certain = [layout for layout in layouts if layout.is_certain]
    if certain and max(certain, key=lambda layout: layout.rank).rank[0]:
        return max(certain, key=lambda layout: layout.rank)
    if options.decimal is None and options.separator is None:
        _refuse_loose_commas(name, body)
    # The reader reports a ragged row; the header shows the separator.
    ragged = [layout for layout in layouts if not layout.is_certain]
    if ragged:
        return max(ragged, key=lambda layout: layout.rank)
    if certain:
        return certain[-1] if options.decimal == "," else certain[0]
    raise TableError(
        f"cannot read {name}: no separator gives all of its lines the same number of cells; "
        "name the separator with `separator` (--separator), if there is one."
    )


def _refuse_loose_commas(name: str, body: Sequence[str]) -> None:
    """One name above lines such as ``1,5``: refuse to choose a meaning for the comma."""
    found = _first_records(body, ",", is_whole=True)
    rows = found[1:]
    if (
        rows
        and len(found[0]) == 1
        and all(len(row) <= 2 for row in rows)
        and any(len(row) == 2 for row in rows)
        and all(is_number(cell) for row in rows for cell in row)
    ):
        raise TableError(
            f"cannot read {name}: the first line has one cell and a later one is "
            f"{','.join(next(row for row in rows if len(row) == 2))!r}; if the comma is the "
            "decimal mark, say so with `decimal` (--decimal ,), else name every column."
        )


def _layout(separator: str, found: list[list[str]], options: ReadOptions) -> _Layout | None:
    """Shape the records as a table; None if this separator gives none."""
    n_titles = _titles(found) if options.header is None else 0
    header, rows = found[n_titles], found[n_titles + 1 :]
    if separator == "," and options.decimal == "," and not any("," in c for r in rows for c in r):
        # Commas that are not inside quotes would be decimal marks.
        return _one_column(found)
    if separator == " " and not any(is_number(cell) for row in found for cell in row):
        return None
    widths = Counter(len(row) for row in rows) or Counter([len(header)])
    (width, times) = widths.most_common(1)[0]
    is_even = times == len(rows) or not rows
    fitted = _fitted(header, rows, width, separator, options) if is_even else None
    if fitted is not None:
        return _Layout(
            separator=separator, n_titles=n_titles, header=fitted, rows=rows, is_certain=True
        )
    if options.separator is None and (len(header) < 2 or separator == " "):
        return None
    return _Layout(
        separator=separator, n_titles=n_titles, header=header, rows=rows, is_certain=False
    )


def _one_column(found: list[list[str]]) -> _Layout | None:
    if any(len(record) > 1 for record in found):
        return None
    return _Layout(separator=",", n_titles=0, header=found[0], rows=found[1:], is_certain=True)


def _titles(found: list[list[str]]) -> int:
    """Count the titles on top: lone cells above a whole header above a row with numbers."""
    lone = [*itertools.takewhile(lambda r: sum(map(bool, map(str.strip, r))) == 1, found)]
    at = len(lone)
    if not 0 < at <= _TITLES or at + 1 >= len(found):
        return 0
    header, row = found[at], found[at + 1]
    is_whole = len(header) > 1 and not any(is_number(c) or is_missing(c) for c in header)
    fits = len(row) == len(header) and any(map(is_number, row))
    return at if is_whole and fits and not any(is_number("".join(r)) for r in lone) else 0


def _fitted(
    header: list[str], rows: list[list[str]], width: int, separator: str, options: ReadOptions
) -> list[str] | None:
    """Return the header at the width of the rows, or None where that is ambiguous."""
    if len(header) == width:
        return header
    if len(header) > width:
        is_trailing = width > 0 and not any(map(str.strip, header[width:]))
        return header[:width] if is_trailing else None
    if not any(cell.strip() for row in rows for cell in row[len(header) :]):
        return header + [""] * (width - len(header))
    if len(header) == width - 1 and _are_row_names([row[0] for row in rows], width):
        # R's write.table: the rows have names, and that column has none.
        return ["", *header]
    return None


def _are_row_names(cells: list[str], width: int) -> bool:
    """Return whether no two cells are the same, and they are texts or count 1, 2, 3.

    Of two columns, a counting one might be the digits before a decimal comma.
    """
    if len(cells) < 2 or len(set(cells)) < len(cells):
        return False
    counted = all(cell == str(index) for index, cell in enumerate(cells, 1))
    return (counted and width > 2) or not any(map(is_number, cells))


def _has_header(name: str, layout: _Layout, lines: Sequence[str], options: ReadOptions) -> bool:
    """Return whether the first record holds names; `lines` begin with it."""
    if options.header is not None:
        return options.header
    header, rows = [cell.strip() for cell in layout.header], layout.rows
    full = [cell for cell in header if not is_missing(cell, options.missing)]
    if layout.n_titles or not full or not all(map(is_number, full)):
        return True
    written = [line for line in lines[:2] if line.strip()]
    if len(written) == 2 and _is_quoted(written[0]) and not _is_quoted(written[1]):
        return True  # R: names in quotes, numbers without
    has_index = not header[0] and len(full) == len(header) - 1 and any(r[0].strip() for r in rows)
    if has_index and may_be_names(full):
        return True  # pandas: an index without a name, and columns that are numbered
    if has_index or (len(full) == len(header) and may_be_names(full)):
        shown = ", ".join(header[:4]) + (", ..." if len(header) > 4 else "")
        raise TableError(
            f"{name}: the first line ({shown}) may hold names or numbers; say which with `header` "
            "(--header yes, --header no)."
        )
    return False


def _is_header(record: list[str]) -> bool:
    return not any(map(is_number, record)) and not all(map(is_missing, record))


def _is_quoted(line: str) -> bool:
    """Return whether all cells of a line stand in quotes."""
    return bool(_QUOTED.fullmatch(line.strip()))
