"""The known name that a misspelt one resembles."""

import difflib
from collections.abc import Iterable
from typing import Any


def nearest(name: Any, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest to `name`; None if none resembles it."""
    near = difflib.get_close_matches(str(name), known, n=1)
    return near[0] if near else None


def did_you_mean(name: Any, known: Iterable[str], *, otherwise: str = ".") -> str:
    """End a message on an unknown name with the nearest known one.

    Examples
    --------
    >>> "no column 'meen'" + did_you_mean("meen", ["mean", "sd"])
    "no column 'meen'; did you mean 'mean'?"
    >>> "no column 'x'" + did_you_mean("x", ["mean", "sd"])
    "no column 'x'."
    """
    near = nearest(name, known)
    return otherwise if near is None else f"; did you mean {near!r}?"
