"""Reads data and counts in all accepted forms into a `Datasets`."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.array_like import real_array
from mog_jax.arrays import Array as Array

# Up to this number of points the search uses all; beyond, a sample of means of neighbours.
SEARCHED = 2048


@dataclasses.dataclass(frozen=True, eq=False)
class Ragged:
    """Datasets of different lengths, one after the other.

    Parameters
    ----------
    values : array-like, shape (total,)
        The points of the first dataset, then those of the second, and so on.
    lengths : array-like of int, shape (b,)
        Number of points of each dataset; they sum to `total`.

    Examples
    --------
    >>> import mog_jax
    >>> x = mog_jax.datasets.faithful()
    >>> len(mog_jax.fit(mog_jax.Ragged([*x, *x[:100]], [272, 100])))
    2
    """

    values: ArrayLike
    lengths: ArrayLike


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Datasets:
    """All datasets, as they were given.

    Parameters
    ----------
    values : array, shape (b, n) or (total,)
        A dataset in each row, or one dataset after the other.
    counts : array of the same shape, or None
        How often each value was seen.
    offsets : array of int, shape (b + 1,), or None
        Where each dataset begins in `values`, if they are one after the other.
    is_single : bool
        Whether one dataset was given, not a batch of one.
    names : array of str, shape (b,), or None
        Names of the datasets, if they were given by a mapping.
    """

    values: Array
    counts: Array | None
    offsets: Array | None
    is_single: bool
    names: Array | None = None

    def __len__(self) -> int:
        return len(self.values) if self.offsets is None else len(self.offsets) - 1

    def rows(self, index: Array) -> tuple[Array, Array | None]:
        """Return some datasets as rows of a matrix, padded with NaN, and their counts."""
        if self.offsets is None:
            return self.values[index], None if self.counts is None else self.counts[index]
        begin, end = self.offsets[index], self.offsets[index + 1]
        column = np.arange(max(1, int((end - begin).max(initial=0))))
        inside = begin[:, None] + column < end[:, None]
        at = np.where(inside, begin[:, None] + column, 0)
        if self.values.size == 0:
            return np.full(at.shape, np.nan), None if self.counts is None else np.zeros(at.shape)
        values = np.where(inside, self.values[at], np.nan)
        return values, None if self.counts is None else np.where(inside, self.counts[at], 0)

    def lengths(self, index: Array) -> Array:
        """Return the number of values of some datasets, including missing ones."""
        if self.offsets is None:
            return np.full(len(index), self.values.shape[1])
        return self.offsets[index + 1] - self.offsets[index]

    def widths(self) -> Array:
        """Return the lengths by which datasets are divided into blocks, shape (b,).

        In a matrix, missing values are not counted.
        """
        if self.offsets is not None:
            return np.diff(self.offsets)
        widths = np.empty(len(self), np.int64)
        for lo in range(0, len(self), 128):
            some = slice(lo, lo + 128)
            widths[some] = np.count_nonzero(~np.isnan(self.values[some]), axis=1)
        return widths


def read(data: Any, counts: Any) -> Datasets:
    """Validate `data` and `counts`, in any form that `fit` accepts.

    Raises
    ------
    ValueError
        If they are not real numbers, or have a wrong shape; or if a count is negative or not
        finite.
    """
    offsets = names = None
    if isinstance(data, Mapping):
        names = _read_names(data)
        data, counts = _read_mapping(data, counts)
        values, offsets = _read_list(data, names)
    elif isinstance(data, Ragged):
        values, offsets = _read_ragged(data)
    elif isinstance(data, list | tuple) and any(map(_holds_values, data)):
        values, offsets = _read_list(data)
    else:
        values = _floats(data, "data")
        if values.ndim not in (1, 2):
            raise ValueError(
                f"`data` must have shape (n,) or (b, n), one dataset or one in each row; got "
                f"{values.shape}."
            )
    if counts is not None:
        counts = _read_counts(counts, data, values, offsets)
    is_single = values.ndim == 1 and offsets is None
    if is_single:
        values = values[None]
        counts = None if counts is None else counts[None]
    return Datasets(values=values, counts=counts, offsets=offsets, is_single=is_single, names=names)


def _holds_values(row: Any) -> bool:
    # Attributes are tested because converting to an array may take long.
    if hasattr(row, "ndim"):
        return bool(row.ndim)
    return hasattr(row, "__array__") or (
        hasattr(row, "__len__") and not isinstance(row, str | bytes)
    )


def _read_ragged(data: Ragged) -> tuple[Array, Array]:
    values, lengths = _floats(data.values, "values"), np.asarray(data.lengths)
    if values.ndim != 1 or lengths.ndim != 1:
        raise ValueError(
            "`Ragged` takes values of shape (total,) and lengths of shape (b,); got "
            f"{values.shape} and {lengths.shape}."
        )
    if lengths.size and (lengths.dtype.kind not in "iu" or lengths.min() < 0):
        raise ValueError("`lengths` must be non-negative whole numbers.")
    if lengths.sum() != values.size:
        raise ValueError(
            f"`lengths` must sum to the number of values, {values.size}; got {lengths.sum()}."
        )
    return values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _read_names(data: Any) -> Array:
    for name in data:
        if not isinstance(name, str):
            raise ValueError(
                f"`data`, a mapping, must go from names, which are texts, to values; got {name!r}: "
                "give {str(name): values for name, values in data.items()}."
            )
    return np.array([str(name) for name in data], dtype=object)


def _read_mapping(data: Any, counts: Any) -> tuple[list[Any], list[Any] | None]:
    """Return the datasets of a mapping, and their counts in the same order."""
    if counts is None:
        return list(data.values()), None
    if not isinstance(counts, Mapping) or set(counts) != set(data):
        raise ValueError("`counts` must be a mapping with the names of `data`, as `data` is one.")
    return list(data.values()), [counts[name] for name in data]


def _read_list(data: Any, names: Any = None) -> tuple[Array, Array]:
    labels = range(len(data)) if names is None else names
    rows = [_floats(row, f"data[{label!r}]") for label, row in zip(labels, data, strict=True)]
    kind = "list" if names is None else "mapping"
    for label, row in zip(labels, rows, strict=True):
        if row.ndim != 1:
            raise ValueError(
                f"`data`, a {kind} of datasets, must hold arrays of shape (n,); got "
                f"data[{label!r}] of shape {row.shape}."
            )
    offsets = np.concatenate([[0], np.cumsum([row.size for row in rows])]).astype(np.int64)
    return np.concatenate(rows) if rows else np.zeros(0), offsets


def _read_counts(counts: Any, data: Any, values: Array, offsets: Array | None) -> Array:
    lengths = None if offsets is None else np.diff(offsets).tolist()
    if isinstance(counts, Ragged):
        if np.asarray(counts.lengths).tolist() != lengths:
            raise ValueError("`counts` must have the lengths of `data`, dataset by dataset.")
        counts = counts.values
    elif lengths is not None and not isinstance(data, Ragged):
        if not isinstance(counts, list | tuple) and np.ndim(counts) == 0:
            raise ValueError(
                f"`counts` must be a list of arrays, as `data` is; got {type(counts).__name__}."
            )
        rows = [_floats(row, f"counts[{i}]") for i, row in enumerate(counts)]
        if [row.size for row in rows] != lengths:
            raise ValueError("`counts` must have the lengths of `data`, dataset by dataset.")
        counts = np.concatenate(rows)
    counts = _floats(counts, "counts")
    if counts.shape != values.shape:
        raise ValueError(
            f"`counts` must have the shape of `data`, {values.shape}; got {counts.shape}."
        )
    # The count of a missing value is not used.
    counts = np.where(np.isnan(values), 0, counts)
    wrong = ~((counts >= 0) & (counts < np.inf))
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = ", ".join(map(str, at))
        raise ValueError(
            f"`counts` must be non-negative and finite; got counts[{place}] = {counts[at]}."
        )
    return counts.astype(np.float64)


def _floats(value: Any, name: str) -> Array:
    array = real_array(value, name)
    if isinstance(array, jax.core.Tracer):
        raise ValueError(
            f"`{name}` is traced by JAX, and a fit is no JAX function: inside jit, vmap or grad "
            "climb from a start with `mog_jax.local_maximum`."
        )
    # JAX has small floating-point types that NumPy's functions do not know.
    array = real_array(np.asarray(array), name)
    if array.dtype in (np.float32, np.float64):
        return array
    return array.astype(np.float32 if array.dtype == np.float16 else np.float64)
