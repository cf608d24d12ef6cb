"""Standardises datasets: sorted, mean 0 and variance 1, padded to one length, a row for each."""

import dataclasses
from typing import Any

import numpy as np

from mog_jax.fitting.data.inputs import SEARCHED, Array, Datasets
from mog_jax.lane_shapes import pad_to_turn

# Number of means of neighbours that stand for a dataset of more than SEARCHED points.
_SAMPLE = 1024

# Least and largest sum of counts: in between, the search's single precision does not overflow.
_LEAST_TOTAL, _MOST_TOTAL = 1e-30, 1e30
# Largest variance, in units of the data's, that a component of little weight is expected to have.
_WIDEST = 1e6

# Number of points that fit into a core's cache with room to spare.
_CACHED = 2**16


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Standardised:
    """Datasets on their standard scale, one in each row, sorted and padded.

    Parameters
    ----------
    points : array, shape (b, n)
        Each row is padded with the dataset's last point.
    counts : array, shape (b, n), or None
        How often each point was seen; 0 for padding.
    n : array of int, shape (b,)
        Points with a positive count.
    total : array, shape (b,)
        Sum of the counts.
    n_missing : array of int, shape (b,)
        NaNs left out.
    mean, scale : array, shape (b,)
        Mean and standard deviation of the data, in their unit: x = mean + scale * point.
    is_finite, is_constant : array of bool, shape (b,)
        Whether the data hold no infinity, and whether all points are equal.
    in_range : array of bool, shape (b,)
        Whether the sum of the counts and the square of the scale neither overflow nor underflow.
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
        # A single point, or none, is constant.
        usable: Array = self.is_finite & ~self.is_constant & self.in_range
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
        """Return one dataset without its points, which are elsewhere, from the other fields."""
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
        """Return for which datasets a precision can hold all means and variances of a fit."""
        limits = np.finfo(precision)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            variance = np.square(self.scale)
            held: Array = (
                (variance_floor * variance >= limits.tiny)
                & (variance <= limits.max / _WIDEST)
                & (np.abs(self.mean) <= limits.max / _WIDEST)
            )
        return held


def standardise(source: Datasets, index: Array) -> Standardised:
    """Sort and standardise some datasets; NaN is a missing value.

    Parameters
    ----------
    source : Datasets
    index : array of int, shape (b,)
        Which datasets, at least one.

    Returns
    -------
    Standardised
        The row of a dataset depends on that dataset alone, to the last bit.
    """
    given, b = source.lengths(index), len(index)
    length = pad_to_turn(int(given.max(initial=1)))
    points = np.empty((b, length))
    times = None if source.counts is None else np.zeros((b, length))
    # Few enough datasets at a time that they stay in the cache.
    at_once = max(1, _CACHED // length)
    parts = []
    for lo in range(0, b, at_once):
        some = slice(lo, lo + at_once)
        values, counts = source.rows(index[some])
        own_times = None if times is None else times[some]
        parts.append(_standardise_rows(values, counts, given[some], points[some], own_times))
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    # Without missing values the longest dataset may be shorter.
    longest = pad_to_turn(int(found["n"].max(initial=1)))
    return Standardised(
        points=points[:, :longest],
        counts=None if times is None else times[:, :longest],
        **found,
    )


# A dataset whose values overflow is marked as out of range.
@np.errstate(over="ignore", under="ignore", invalid="ignore")
def _standardise_rows(
    values: Array, counts: Array | None, given: Array, rows: Array, times: Array | None
) -> dict[str, Array]:
    """Fill in points and counts, and return the other fields of :class:`Standardised`."""
    seen = ~np.isnan(values)
    n_missing = given - np.sum(seen, axis=1)
    is_finite = ~np.isinf(values).any(axis=1)
    sorted_rows = rows[:, : values.shape[1]]
    if counts is None or times is None:
        sorted_rows[:] = np.sort(values, axis=1)
        total = n = np.where(is_finite, given - n_missing, 0)
    else:
        seen &= (counts > 0) & is_finite[:, None]
        order = np.argsort(np.where(seen, values, np.nan), axis=1)
        sorted_rows[:] = np.take_along_axis(values, order, axis=1)
        times[:, : values.shape[1]] = np.take_along_axis(np.where(seen, counts, 0), order, axis=1)
        n = np.sum(seen, axis=1)
        total = row_sums(times, n)
    rows[n == 0] = 0
    low, high, mean, scale = _rescale(rows, times, n, total)
    is_constant = low == high
    square = np.square(scale)
    in_range = (square >= np.finfo(np.float64).tiny) & (square < np.inf)
    in_range &= (total >= _LEAST_TOTAL) & (total <= _MOST_TOTAL)
    return {
        "n": n,
        "total": total,
        "n_missing": n_missing,
        "mean": mean,
        "scale": np.where(in_range, scale, 1),
        "is_finite": is_finite,
        "is_constant": is_constant,
        "in_range": in_range | is_constant,
    }


def row_sums(rows: Array, n: Array) -> Array:
    """Return the sum of the first `n` entries of each row; the entries after them have no effect.

    `np.sum` would not do, as the order of its additions depends on the length of the row.
    """
    width = rows.shape[1]
    begin = width * np.arange(len(rows))
    edges = np.stack([begin, begin + n], axis=1).reshape(-1)
    # `reduceat` takes no edge beyond the end of the array.
    edges = edges[:-1] if edges[-1] == rows.size else edges
    sums: Array = np.where(n > 0, np.add.reduceat(rows.reshape(-1), edges)[::2], 0)
    return sums


def _rescale(
    rows: Array, times: Array | None, n: Array, total: Array
) -> tuple[Array, Array, Array, Array]:
    """Standardise sorted rows in place, and pad each with its last point.

    Returns
    -------
    lowest, highest, mean, scale : array, shape (b,)
        Of the rows before, in the data's unit.
    """
    # All padding is beyond the end of the shortest row.
    shortest = int(n.min(initial=rows.shape[1]))
    fills, filling = np.arange(shortest, rows.shape[1]) >= n[:, None], rows[:, shortest:]
    last = np.arange(len(rows)), np.maximum(n - 1, 0)

    def average(rows: Array) -> Array:
        return row_sums(rows if times is None else times * rows, n) / np.maximum(total, 1e-300)

    # The data are centred and divided by half their range before anything is squared: so neither a
    # large offset nor an extreme unit costs digits or overflows.
    low, high = rows[:, 0].copy(), rows[last]
    middle = 0.5 * low + 0.5 * high
    np.copyto(filling, middle[:, None], where=fills)
    rows -= middle[:, None]
    farthest = np.maximum(np.abs(rows[:, 0]), np.abs(rows[last]))
    reach = np.maximum(farthest, np.finfo(np.float64).smallest_subnormal)
    rows /= reach[:, None]
    mean = average(rows)
    rows -= mean[:, None]
    deviation = np.sqrt(average(rows**2))
    rows /= np.where(deviation > 0, deviation, 1)[:, None]
    np.copyto(filling, rows[last][:, None], where=fills)
    return low, high, middle + reach * mean, reach * deviation


def sample(data: Standardised) -> tuple[Array, Array]:
    """Return points of equal count that stand for the data in the search.

    They are the data themselves, each point as often as it was seen, if those are few; else the
    means of equal shares of the sorted data.

    Returns
    -------
    array, shape (b, m)
        Sorted, and padded with the last point.
    array of int, shape (b,)
        Number of points of each dataset.
    """
    if data.counts is None and data.points.shape[1] <= SEARCHED:
        return data.points, data.n
    whole = data.total <= SEARCHED
    if data.counts is not None:
        whole &= (data.counts == np.rint(data.counts)).all(axis=1)
    sizes = np.where(whole, data.total, _SAMPLE).astype(np.int64)
    points = np.zeros((len(sizes), pad_to_turn(int(sizes.max(initial=1)))))
    usable = data.is_usable
    if data.counts is None:
        long = usable & ~whole
        points[long, :_SAMPLE] = _shares(data.points[long], data.n[long])
        points[whole] = data.points[whole, : points.shape[1]]
    else:
        for i in np.flatnonzero(usable):
            row, counts = (each[i, : data.n[i]] for each in (data.points, data.counts))
            points[i, : sizes[i]] = _counted_sample(row, counts, data.total[i], whole[i])
    last = points[np.arange(sizes.size), np.maximum(sizes, 1) - 1]
    beyond = np.arange(points.shape[1]) >= sizes[:, None]
    np.copyto(points, last[:, None], where=beyond)
    return points, sizes


def _shares(points: Array, n: Array) -> Array:
    """Return the means of equal shares of sorted points, shape (b, 1024)."""
    # The sum of the first t points, for a t that need not be whole.
    edges = n[:, None] * (np.arange(_SAMPLE + 1) / _SAMPLE)
    below = np.minimum(edges.astype(np.int64), n[:, None] - 1)
    sums = np.zeros((len(n), points.shape[1] + 1))
    np.cumsum(points, axis=1, out=sums[:, 1:])
    partial = np.take_along_axis(sums, below, axis=1)
    partial += (edges - below) * np.take_along_axis(points, below, axis=1)
    shares: Array = np.diff(partial, axis=1) / (n / _SAMPLE)[:, None]
    return shares


def _counted_sample(row: Array, counts: Array, total: float, is_whole: bool) -> Array:
    """Return sorted points, each as often as it was seen, or means of equal shares of them."""
    if is_whole:
        return np.repeat(row, counts.astype(np.int64))
    edges = np.linspace(0, total, _SAMPLE + 1)
    mass = np.concatenate([[0], np.cumsum(counts)])
    moment = np.concatenate([[0], np.cumsum(counts * row)])
    shares: Array = np.diff(np.interp(edges, mass, moment)) / np.diff(edges)
    return shares
