"""Looks up fits by the names of their datasets, and puts data given by name in their order."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mog_jax.arrays import HostArray
from mog_jax.suggestions import did_you_mean


def place_of(names: HostArray | None, index: Any) -> Any:
    """Return the index with a name, or a list of names, replaced by places.

    Raises
    ------
    KeyError
        If no dataset has that name.
    """
    if isinstance(index, str):
        return _place(names, index)
    several = isinstance(index, list) or (isinstance(index, np.ndarray) and index.ndim == 1)
    if several and len(index) and all(isinstance(each, str) for each in index):
        return np.array([_place(names, each) for each in index])
    return index


def in_order(names: Any, data: Any, argument: str) -> Any:
    """Return the rows of a mapping in the order of the fits' names; other data as they are.

    Raises
    ------
    ValueError
        If the fits have no names, or `data` does not have all of them.
    """
    if not isinstance(data, Mapping):
        return data
    if names is None or np.ndim(names) == 0:
        raise ValueError(
            f"`{argument}` must be an array of real numbers; got {type(data).__name__}: these fits "
            "have no names, so give its values, as a list of arrays."
        )
    for name in names:
        if name not in data:
            raise ValueError(f"`{argument}` must have the names of the fits; it has no {name!r}.")
    return [data[name] for name in names]


def _place(names: HostArray | None, name: str) -> int:
    if names is None:
        raise KeyError(f"{name!r}: these fits have no names; fit a mapping from name to values.")
    found = np.flatnonzero(names == name)
    if not found.size:
        hint = did_you_mean(name, names[:10_000], otherwise="")
        raise KeyError(f"no dataset is called {name!r}{hint}")
    return int(found[0])
