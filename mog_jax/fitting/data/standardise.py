"""Datasets on their standard scale: sorted, filled up to one length, a column for each."""

import dataclasses
from typing import Any

import numpy as np

from mog_jax.fitting.data.inputs import SEARCHED, Array, Source
from mog_jax.kernel import pad_rows

# Means of neighbours that stand for a dataset of more than SEARCHED points.
_SAMPLE = 1024

# Sums of counts that the search's single precision can square and divide by.
_LEAST_TOTAL, _MOST_TOTAL = 1e-30, 1e30
# A component of little weight may have more than the data's variance, but hardly by more than this.
_WIDEST = 1e6

# Points that a core's cache holds with room to spare, and those that one line of it does.
_CACHED = 2**16
_LINE = 8


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Standardised:
    """Datasets on their standard scale, one in each column, sorted and filled up.

    Parameters
    ----------
    points : array, shape (n, b)
    counts : array, shape (n, b), or None
    n : array of int, shape (b,)
        Points with a positive count.
    total : array, shape (b,)
        Sum of the counts.
    n_missing : array of int, shape (b,)
        NaNs left out.
    mean, scale : array, shape (b,)
        Of the data: x = mean + scale * point.
    is_finite, is_constant : array of bool, shape (b,)
    in_range : array of bool, shape (b,)
        Whether the sum of the counts and the square of the scale are numbers to compute with.
    """

    points: Array
    counts: Array | None
    n: Array
    total: Array
    n_missing: Array
    mean: Array
    scale: Array
    is_finite: Array
    is_constant: Array
    in_range: Array

    @property
    def is_usable(self) -> Array:
        """Which datasets can be standardised."""
        usable: Array = self.is_finite & ~self.is_constant & self.in_range & (self.n >= 2)
        return usable

    @classmethod
    def without_points(
        cls,
        *,
        n: int,
        total: float,
        n_missing: int,
        mean: float,
        scale: float,
        is_finite: bool,
        is_constant: bool,
    ) -> "Standardised":
        """Give one dataset of which the points are elsewhere, and the rest is known."""
        with np.errstate(over="ignore", under="ignore"):
            square = np.square(np.float64(scale))
        in_range = np.finfo(np.float64).tiny <= square < np.inf
        in_range &= n == 0 or _LEAST_TOTAL <= total <= _MOST_TOTAL
        fields = {
            "n": n,
            "total": total,
            "n_missing": n_missing,
            "mean": mean,
            "scale": scale if in_range and not is_constant else 1.0,
            "is_finite": is_finite,
            "is_constant": is_constant,
            "in_range": bool(in_range) or is_constant,
        }
        columns = {name: np.array([value]) for name, value in fields.items()}
        return cls(points=np.empty((0, 1)), counts=None, **columns)

    def holds_answers(self, precision: np.dtype[Any], variance_floor: float) -> Array:
        """For which datasets a precision holds the means and variances that a fit may have."""
        limits = np.finfo(precision)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            variance = np.square(self.scale)
            held: Array = (
                (variance_floor * variance >= limits.tiny)
                & (variance <= limits.max / _WIDEST)
                & (np.abs(self.mean) <= limits.max / _WIDEST)
            )
        return held


def standardise(source: Source, index: Array, least: int = 0) -> Standardised:
    """Sort and standardise some datasets, NaN being missing.

    Parameters
    ----------
    source : Source
    index : array of int, shape (b,)
        Of at least one.
    least : int
        Length to which the datasets are padded at least.
    """
    given, b = source.lengths(index), len(index)
    length = max(pad_rows(int(given.max(initial=1))), least)
    points = np.empty((length, b))
    times = None if source.counts is None else np.empty((length, b))
    # So few datasets at a time that they stay in the cache.
    at_once = max(_LINE, _CACHED // length)
    parts = []
    for lo in range(0, b, at_once):
        some = slice(lo, lo + at_once)
        values, counts = source.rows(index[some])
        rows, row_times, fields = _standardised(values, counts, given[some], length)
        _transpose(rows, points[:, some])
        if times is not None:
            _transpose(row_times, times[:, some])
        parts.append(fields)
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    # Without what is missing the longest may be shorter.
    longest = max(pad_rows(int(found["n"].max(initial=1))), least)
    return Standardised(
        points=points[:longest], counts=None if times is None else times[:longest], **found
    )


# What overflows is out of range, and said to be.
@np.errstate(over="ignore", under="ignore", invalid="ignore")
def _standardised(
    values: Array, counts: Array | None, given: Array, length: int
) -> tuple[Array, Array | None, dict[str, Array]]:
    """Give points and counts as rows of a length, and the other fields of :class:`Standardised`."""
    seen = ~np.isnan(values)
    n_missing = given - np.sum(seen, axis=1)
    is_finite = ~np.isinf(values).any(axis=1)
    rows, times = np.empty((len(values), length)), None
    sorted_rows = rows[:, : values.shape[1]]
    if counts is None:
        sorted_rows[:] = np.sort(values, axis=1)
        total = n = np.where(is_finite, given - n_missing, 0)
    else:
        seen &= (counts > 0) & is_finite[:, None]
        order = np.argsort(np.where(seen, values, np.nan), axis=1)
        sorted_rows[:] = np.take_along_axis(values, order, axis=1)
        times = np.zeros(rows.shape)
        times[:, : values.shape[1]] = np.take_along_axis(np.where(seen, counts, 0), order, axis=1)
        n, total = np.sum(seen, axis=1), times.sum(axis=1)
    rows[n == 0] = 0
    low, high, mean, scale = _rescale(rows, times, n, total)
    is_constant = low == high
    square = np.square(scale)
    in_range = (square >= np.finfo(np.float64).tiny) & (square < np.inf)
    in_range &= (n == 0) | ((total >= _LEAST_TOTAL) & (total <= _MOST_TOTAL))
    fields = {
        "n": n,
        "total": total,
        "n_missing": n_missing,
        "mean": mean,
        "scale": np.where(is_constant | ~in_range, 1, scale),
        "is_finite": is_finite,
        "is_constant": is_constant,
        "in_range": in_range | is_constant,
    }
    return rows, times, fields


def _rescale(
    rows: Array, times: Array | None, n: Array, total: Array
) -> tuple[Array, Array, Array, Array]:
    """Standardise sorted rows in place, and fill each up with its last point.

    Returns
    -------
    lowest, highest, mean, scale : array, shape (b,)
        Of the rows as they were.
    """
    # What fills up a row lies beyond the end of the shortest.
    shortest = int(n.min(initial=rows.shape[1]))
    fills, filling = np.arange(shortest, rows.shape[1]) >= n[:, None], rows[:, shortest:]
    last = np.arange(len(rows)), np.maximum(n - 1, 0)

    def average(rows: Array) -> Array:
        return np.sum(rows if times is None else times * rows, axis=1) / np.maximum(total, 1e-300)

    # Centred, and in units of the range, before anything is squared: neither a large offset nor an
    # extreme unit then costs digits or overflows.
    low, high = rows[:, 0].copy(), rows[last]
    middle = 0.5 * low + 0.5 * high
    np.copyto(filling, middle[:, None], where=fills)
    rows -= middle[:, None]
    farthest = np.maximum(np.abs(rows[:, 0]), np.abs(rows[last]))
    reach = np.maximum(farthest, np.finfo(np.float64).smallest_subnormal)
    rows /= reach[:, None]
    mean = average(rows)
    rows -= mean[:, None]
    np.copyto(filling, 0, where=fills)
    deviation = np.sqrt(average(rows**2))
    rows /= np.where(deviation > 0, deviation, 1)[:, None]
    np.copyto(filling, rows[last][:, None], where=fills)
    return low, high, middle + reach * mean, reach * deviation


def _transpose(rows: Array, columns: Array) -> None:
    """Write rows into columns, as many at a time as fill a cache line."""
    for lo in range(0, len(rows), _LINE):
        columns[:, lo : lo + _LINE] = rows[lo : lo + _LINE].T


def sample(data: Standardised) -> tuple[Array, Array]:
    """Points of equal count that stand for the data while the best maximum is sought.

    The data themselves, each as often as it was seen, where those are few; else the means of equal
    shares of the sorted data.

    Returns
    -------
    array, shape (m, b)
    array of int, shape (b,)
        How many there are.
    """
    if data.counts is None and data.points.shape[0] <= SEARCHED:
        return data.points, data.n
    if data.counts is None:
        return _shares(data.points, data.n)
    usable = data.is_usable
    whole = (data.counts == np.rint(data.counts)).all(axis=0) & (data.total <= SEARCHED)
    sizes = np.where(whole, data.total, _SAMPLE).astype(np.int64)
    rows = pad_rows(int(sizes.max(initial=1)))
    points = np.zeros((rows, len(sizes)))
    for i, n in enumerate(sizes):
        if n == 0 or not usable[i]:
            continue
        if whole[i]:
            column = np.repeat(data.points[:, i], data.counts[:, i].astype(np.int64))
        else:
            edges = np.linspace(0, data.total[i], n + 1)
            mass = np.concatenate([[0], np.cumsum(data.counts[:, i])])
            moment = np.concatenate([[0], np.cumsum(data.counts[:, i] * data.points[:, i])])
            column = np.diff(np.interp(edges, mass, moment)) / np.diff(edges)
        points[:n, i] = column
        points[n:, i] = column[-1]
    return points, sizes


def _shares(points: Array, n: Array) -> tuple[Array, Array]:
    """Means of equal shares of the sorted points, in datasets that have many."""
    sizes = np.where(n > SEARCHED, _SAMPLE, n)
    rows = pad_rows(int(sizes.max(initial=1)))
    # The sum of the first t points, for a t that need not be whole.
    edges = n * np.minimum(np.arange(rows + 1)[:, None], sizes) / np.maximum(sizes, 1)
    below = np.minimum(edges.astype(np.int64), np.maximum(n - 1, 0))
    sums = np.concatenate([np.zeros((1, len(n))), np.cumsum(points, axis=0)])
    partial = np.take_along_axis(sums, below, axis=0)
    partial += (edges - below) * np.take_along_axis(points, below, axis=0)
    shares = np.diff(partial, axis=0) / (np.maximum(n, 1) / np.maximum(sizes, 1))
    last = np.minimum(np.arange(rows)[:, None], np.maximum(sizes - 1, 0))
    return np.take_along_axis(shares, last, axis=0), sizes
