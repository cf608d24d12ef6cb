"""The options of a fit, as the functions that fit tables take them."""

from collections.abc import Mapping
from typing import Any

from mog_jax.fitting.intervals.inputs import of_each_dataset, pair_of_each
from mog_jax.fitting.options import OPTIONS, WORDS, checked_options, refuse_unknown

# What says in a table what `counts` says beside an array, and what only an array has.
_BY_COLUMN = {
    "counts": "say count=..., the name of the column",
    "dtype": "a table is fitted in float64",
    "data": "the table is the first argument",
}
# What may be said of the values of all groups, as numbers.
_WORDS = {*WORDS} - {"upper"}


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
    known = (*OPTIONS, *_WORDS)
    unknown = [name for name in given if name not in known]
    refuse_unknown(function, unknown, (*own, *known), _BY_COLUMN)
    checked_options(**{name: value for name, value in given.items() if name in OPTIONS})
    for name in _WORDS & set(given):
        if given[name] is not None:
            (of_each_dataset if name == "resolution" else pair_of_each)(name, given[name], 1)


def words_of(given: Mapping[str, Any]) -> list[str]:
    """Return the names of the given arguments for intervals; they apply to all groups."""
    return sorted(name for name in _WORDS if given.get(name) is not None)


def plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as a record in JSON holds them."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if not (name in _WORDS and value is None)
    }
