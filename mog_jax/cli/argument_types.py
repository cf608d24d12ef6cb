"""Argument types of the command line: numbers with a range."""

import argparse
import math
import re


def positive(text: str) -> float:
    """Read a positive number."""
    number = _read(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be positive and finite; got {text}")
    return number


def non_negative(text: str) -> float:
    """Read a non-negative number."""
    number = _read(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be non-negative and finite; got {text}")
    return number


def share(text: str) -> float:
    """Read a positive number of at most 0.1."""
    number = positive(text)
    if number > 0.1:
        raise argparse.ArgumentTypeError(f"must be at most 0.1; got {text}")
    return number


def count(text: str) -> int:
    """Read a whole number of at least 1."""
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number; got {text!r}") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1; got {text}")
    return number


def indices(text: str) -> tuple[int, ...]:
    """Read positions of arguments, such as ``0,2``."""
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise argparse.ArgumentTypeError(f"must be positions such as 0,2; got {text!r}")
    return tuple(map(int, text.split(",")))


def _read(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number; got {text!r}") from None


def pair(text: str) -> tuple[float | None, float | None]:
    """Read two numbers with a comma between them, of which one may be left out."""
    low, high = _two_parts(text)
    try:
        return _number_or_none(low), _number_or_none(high)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers; got {text!r}") from None


def limits(text: str) -> tuple[float | str | None, float | str | None]:
    """Read two numbers or names of columns with a comma between them; one may be left out."""
    low, high = _two_parts(text)
    return _number_or_name(low), _number_or_name(high)


def positive_or_column(text: str) -> float | str:
    """Read a positive number, or the name of a column."""
    found = _number_or_name(text)
    return positive(text) if isinstance(found, float) else text


def _two_parts(text: str) -> tuple[str, str]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not any(parts):
        raise argparse.ArgumentTypeError(
            f"must be LOW,HIGH, of which one may be left out, as in 0.05,50; got {text!r}"
        )
    return parts[0], parts[1]


def _number_or_none(text: str) -> float | None:
    return float(text) if text else None


def _number_or_name(text: str) -> float | str | None:
    try:
        return _number_or_none(text)
    except ValueError:
        return text
