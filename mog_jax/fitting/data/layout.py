"""Checks whether the datasets were given as columns instead of rows, before anything is fitted."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from mog_jax.fitting.data.inputs import Datasets, Ragged


def check_layout(data: Any, source: Datasets, min_points: float) -> None:
    """Refuse rows of one value, and warn of rows that are too short for any fit to converge.

    A dataset of one value has no fit, whatever the options; so a batch of such datasets is taken
    for one dataset in a column. Rows of fewer values than two components of `min_points` points
    need may be intended, and are fitted; there is a warning if the columns are long enough. Nothing
    is checked if the datasets are given as `Ragged` or by name: then the layout is explicit.

    Parameters
    ----------
    data : as given to `fit`
    source : Datasets
        The datasets read from it.
    min_points : float
        Least number of points in each component of a regular maximum.

    Raises
    ------
    ValueError
        If there are several datasets, of one value each.
    """
    shape = _shape(data, source)
    if shape is None:
        return
    b, n = shape
    if n == 1 and b > 1:
        one = _one_dataset(data)
        also = "" if source.counts is None else ", and `counts` likewise"
        raise ValueError(
            f"`data` must have a dataset in each row; got shape ({b}, 1), {b} datasets of one "
            f"value. If they are one dataset, give `{one}`{also}."
        )
    # With counts, a few distinct values may stand for many points.
    if source.counts is None and 1 < n < 2 * min_points <= b:
        warnings.warn(
            f"`data` has {b} rows, each a dataset, of at most {n} values: too few for two "
            f"components of {min_points:g} points (`min_points`), so that no fit can converge. If "
            f"the datasets are the columns, give {_columns(data)}.",
            stacklevel=3,
        )


def _shape(data: Any, source: Datasets) -> tuple[int, int] | None:
    """Return the number of datasets and their length; None if their layout is not in doubt."""
    if source.is_single or isinstance(data, Ragged | Mapping) or not len(source):
        return None
    lengths = source.lengths(np.arange(len(source)))
    return (len(source), int(lengths[0])) if (lengths == lengths[0]).all() else None


def _one_dataset(data: Any) -> str:
    if hasattr(data, "columns"):
        return "frame.to_numpy().ravel()"
    return "data.ravel()" if hasattr(data, "ravel") else "np.ravel(data)"


def _columns(data: Any) -> str:
    if hasattr(data, "columns"):
        return "`frame.to_numpy().T`, or call `mog_jax.fit_table(frame, columns=[...])`"
    return "`data.T`" if hasattr(data, "T") else "`np.transpose(data)`"
