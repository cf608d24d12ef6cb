"""Numbers out of files: a column of a CSV, with every way in which it can be wrong said plainly."""

import csv
import difflib
import math
from pathlib import Path
from typing import Any

import numpy as np


class TableError(ValueError):
    """A file that cannot be used; the message says why and what to do, in one line."""


# What people write for "no value"; compared without case or surrounding blanks.
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "."})


def read_column(path: str | Path, column: str | None = None) -> np.ndarray[Any, Any]:
    """Read one numeric column of a CSV file with a header line.

    Parameters
    ----------
    path : path
        A comma-separated file in UTF-8; its first line names the columns.
    column : str, optional
        Which column. May be left out if there is only one.

    Returns
    -------
    array, shape (n,)
        float64; empty cells and NA, NaN, null are NaN.

    Raises
    ------
    TableError
        If the file, the column or a value in it cannot be used.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            # Blank lines are lines in a one-column file: there they are missing cells.
            rows = csv.reader(file)
            header = [name.strip() for name in next(rows, [])]
            if not header:
                raise TableError(f"{path} is empty; it should have a header line and values.")
            index = _find(path, header, column)
            values = [
                _number(path, rows.line_num, header[index], row, index)
                for row in rows
                if row or len(header) == 1
            ]
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror or error}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path} is not a CSV file in UTF-8: {error}.") from None
    if not values:
        raise TableError(f"{path} has a header line but no rows.")
    return np.asarray(values, dtype=np.float64)


def _find(path: Path, header: list[str], column: str | None) -> int:
    names = ", ".join(header)
    if column is None:
        if len(header) > 1:
            raise TableError(f"{path} has several columns ({names}); choose one with --value.")
        return 0
    if column not in header:
        near = difflib.get_close_matches(column, header, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise TableError(f"{path} has no column {column!r}; it has {names}{hint}")
    return header.index(column)


def _number(path: Path, line: int, column: str, row: list[str], index: int) -> float:
    if len(row) > 0 and index >= len(row):
        raise TableError(f"{path}, line {line}: the row has only {len(row)} of its columns.")
    text = row[index].strip() if row else ""
    if text.lower() in _MISSING:
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise TableError(
            f"{path}, line {line}: column {column!r} should hold numbers; got {text!r}."
        ) from None
