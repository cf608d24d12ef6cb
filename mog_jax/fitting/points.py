"""Data that a fit is asked about: put in the rows of its batch."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray[Any, Any]


def in_rows(data: ArrayLike, batch: tuple[int, ...]) -> tuple[Array, list[int] | None]:
    """Put points in rows, one for each fit of the batch, or one for all.

    Parameters
    ----------
    data : array-like, shape (n,) or (b, n), or a sequence of b arrays
        In the unit of the means.
    batch : () or (b,)
        Of the fits.

    Returns
    -------
    array, shape (n,) or (b, n)
        Rows of unequal length are filled up with NaN.
    list of int or None
        Their lengths, where they were unequal.

    Raises
    ------
    ValueError
        If there are not as many rows as fits, or the points are not real numbers.
    """
    lengths = None
    if isinstance(data, list | tuple) and data and all(np.ndim(row) == 1 for row in data):
        rows = [_real("data", row) for row in data]
        lengths = [len(row) for row in rows]
        array = np.full((len(rows), max(lengths)), np.nan, np.result_type(*rows))
        for row, filled in zip(rows, array, strict=True):
            filled[: len(row)] = row
    else:
        array = _real("data", data)
    if array.ndim == 0 or array.shape[:-1] not in ((), batch):
        wanted = "(n,)" if not batch else f"(n,) or ({batch[0]}, n)"
        raise ValueError(f"`data` must have shape {wanted}, as the fits do; got {array.shape}.")
    return array, lengths


def present(
    data: ArrayLike, counts: ArrayLike | None, batch: tuple[int, ...]
) -> tuple[Array, Array]:
    """Give points in rows with their counts, 0 for those that are missing.

    Parameters
    ----------
    data, counts : array-like, shape (n,) or (b, n), or a sequence of b arrays
        In the form in which they were fitted.
    batch : () or (b,)
        Of the fits.

    Returns
    -------
    points, counts : arrays, shape (n,) or (b, n)
        Finite where a point is missing, too: NaN would poison sums even when multiplied by 0.

    Raises
    ------
    ValueError
        If the shapes do not agree.
    """
    points, lengths = in_rows(data, batch)
    is_present = ~np.isnan(points)
    if counts is None:
        times = is_present.astype(points.dtype)
    else:
        times, its_lengths = in_rows(counts, batch)
        if times.shape != points.shape or its_lengths != lengths:
            raise ValueError(
                f"`counts` must have the shape of `data`, {points.shape}; got {times.shape}."
            )
        times = np.where(is_present, times, 0).astype(points.dtype)
    return np.where(is_present, points, 0), times


def _real(name: str, value: ArrayLike) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"`{name}` must be real numbers; got dtype {array.dtype}.")
    return array.astype(np.float32 if array.dtype == np.float32 else np.float64, copy=False)
