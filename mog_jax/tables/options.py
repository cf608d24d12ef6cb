"""The options of a fit, as the functions that fit tables take them."""

from collections.abc import Mapping
from typing import Any

from mog_jax.fitting.options import INTERVAL_OPTIONS, OPTIONS, checked_options, refuse_unknown

# What says in a table what `counts` says beside an array, and what only an array has.
_BY_COLUMN = {
    "counts": "say count=..., the name of the column",
    "dtype": "a table is fitted in float64",
    "data": "the table is the first argument",
}


def table_options(function: str, given: Mapping[str, Any], own: tuple[str, ...]) -> None:
    """Check the options that are passed on to `fit`, before any work.

    Parameters
    ----------
    function : str
        Whose options they are.
    given : mapping
        From name to value.
    own : tuple of str
        Arguments that the function has besides.

    Raises
    ------
    UnknownOptionError
        If there is no such option.
    ValueError
        If a value has a wrong type or range.
    """
    known = (*OPTIONS, *INTERVAL_OPTIONS)
    unknown = [name for name in given if name not in known]
    refuse_unknown(function, unknown, (*own, *known), _BY_COLUMN)
    checked_options(**{name: value for name, value in given.items() if name in OPTIONS})


def plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options except interval options, as a record in JSON holds them."""
    return {name: value for name, value in given.items() if name not in INTERVAL_OPTIONS}
