"""Cells of a text file: numbers, missing values, texts."""

import itertools
import re
from collections.abc import Sequence

# Common marks of a missing value; compared without case or surrounding blanks. Marks that may have
# a meaning are not among them: "-" is nil in official statistics, "<LOD" a small value.
MISSING = (
    *("", "na", "n/a", "nan", "null", "none", ".", "missing", "<na>", "#na", "#n/a", "#n/a n/a"),
    *("-nan", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
)
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+(e[+-]?\d+)?", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


def is_number(cell: str) -> bool:
    """Return whether a cell is a number, with a decimal point or comma."""
    return bool(_NUMBER.fullmatch(cell.strip()))


def is_missing(cell: str, missing: Sequence[str] = ()) -> bool:
    """Return whether a cell holds no value; `missing` are further marks of that."""
    word = cell.strip().lower()
    return word in MISSING or word in missing


def decimal_mark(cells: list[str]) -> str | None:
    """Find the decimal mark of these cells: "." or ","; None if they leave it open.

    A comma before three digits may also group thousands, so that it proves nothing.
    """
    if any(_DECIMAL_POINT.fullmatch(cell) for cell in cells):
        return "."
    commas = [cell for cell in cells if _DECIMAL_COMMA.fullmatch(cell)]
    return "," if any(not _THOUSANDS.fullmatch(cell) for cell in commas) else None


def may_be_names(cells: list[str]) -> bool:
    """Return whether these numbers may be names of columns: equal steps, as 0, 1, 2 or 2019, 2020.

    A single 0 is pandas' name of a column without a name.
    """
    try:
        numbers = [float(cell.replace(",", ".")) for cell in cells]
    except ValueError:
        return False
    if len(numbers) == 1:
        return cells == ["0"]
    step = numbers[1] - numbers[0]
    if len(numbers) == 2:
        return step == 1 and all(cell.isdigit() for cell in cells)
    return step > 0 and all(
        abs(right - left - step) <= 1e-9 * step for left, right in itertools.pairwise(numbers)
    )
