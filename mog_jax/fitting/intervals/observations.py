"""Defines the data of the climbs: distinct intervals of each dataset, on its standard scale."""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.data.intervals import Observed

# Largest number of points that stand for a dataset while starts are computed.
_SAMPLE = 512
# Intervals of one piece, which one lane of a program goes through.
ROWS = 64
# A dataset of more distinct intervals is searched on as many groups of neighbours.
_SEARCHED = 512


class Pieces(NamedTuple):
    """At most `ROWS` intervals of a dataset each; p pieces.

    Attributes
    ----------
    start, length : array of int, shape (p,)
        Of their rows.
    low, high : array, shape (p,)
        The range of their centres.
    widest : array, shape (p,)
        The largest half-width; infinite where one is open.
    first, number : array of int, shape (b,)
        Of each dataset its first piece, and how many it has.
    """

    start: Array
    length: Array
    low: Array
    high: Array
    widest: Array
    first: Array
    number: Array


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Intervals:
    """Datasets one after the other, each on its standard scale, (x - mean) / scale.

    Attributes
    ----------
    centre, half_width, counts : array, shape (total rows,)
        Of each dataset first those that are neither open nor a window.
    offsets : array of int, shape (b + 1,)
        Where each dataset begins.
    total : array, shape (b,)
        Sum of the counts, without the negative count of a window.
    n_missing : array of int, shape (b,)
        Number of missing values.
    mean, scale : array, shape (b,)
        Mean and standard deviation of the centres, in the data's unit.
    n_exact : array, shape (b,)
        Sum of the counts of exact values, whose density depends on the unit.
    n_distinct : array of int, shape (b,)
        Number of distinct intervals.
    """

    centre: Array
    half_width: Array
    counts: Array
    offsets: Array
    total: Array
    n_missing: Array
    mean: Array
    scale: Array
    n_exact: Array
    n_distinct: Array

    def __len__(self) -> int:
        return len(self.total)

    @property
    def is_usable(self) -> Array:
        """Which datasets have at least two centres, at a distance that does not overflow."""
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            square = np.square(self.scale)
        usable: Array = (square >= np.finfo(np.float64).tiny) & (square < np.inf)
        return usable

    @functools.cached_property
    def pieces(self) -> Pieces:
        """All datasets cut into pieces; what is open or a window has pieces of its own."""
        apart = np.isinf(self.half_width) | (self.counts < 0)
        row = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        n_apart = np.bincount(row, apart, minlength=len(self)).astype(np.int64)
        sizes = np.stack([np.diff(self.offsets) - n_apart, n_apart], axis=1)
        begin = np.stack([self.offsets[:-1], self.offsets[1:] - n_apart], axis=1)
        number = -(-sizes // ROWS)
        # A dataset without any interval has a piece of none.
        number[number.sum(axis=1) == 0, 0] = 1
        part = np.repeat(np.arange(number.size), number.ravel())
        before = np.cumsum(number.ravel()) - number.ravel()
        start = begin.ravel()[part] + ROWS * (np.arange(part.size) - before[part])
        length = np.minimum((begin + sizes).ravel()[part] - start, ROWS)
        # With one more than there is, for datasets of none at the end; it adds nothing to the last.
        centre, half = (
            np.append(each, each[-1:] if each.size else 0.0)
            for each in (self.centre, self.half_width)
        )
        low, high = (each.reduceat(centre, start) for each in (np.minimum, np.maximum))
        widest = np.maximum.reduceat(np.abs(half), start)
        of_each = number.sum(axis=1)
        return Pieces(start, length, low, high, widest, np.cumsum(of_each) - of_each, of_each)

    def rows(self, dataset: int) -> tuple[Array, Array, Array]:
        """Return centres, half-widths and counts of one dataset."""
        some = slice(self.offsets[dataset], self.offsets[dataset + 1])
        return self.centre[some], self.half_width[some], self.counts[some]


def standardised(datasets: list[Observed]) -> Intervals:
    """Return datasets on their standard scales, one after the other."""
    mean, scale = np.zeros((2, len(datasets)))
    for place, one in enumerate(datasets):
        mean[place], scale[place] = _mean_and_scale(one)
    sizes = np.array([one.centre.size for one in datasets], np.int64)
    row = np.repeat(np.arange(sizes.size), sizes)
    unit = np.where(scale > 0, scale, 1)[row]
    half_width = _joined([one.half_width for one in datasets])
    counts = _joined([one.counts for one in datasets])
    exact = np.where(half_width == 0, counts, 0)
    centre = (_joined([one.centre for one in datasets]) - mean[row]) / unit
    order = np.lexsort((np.isinf(half_width) | (counts < 0), row))
    return Intervals(
        centre=centre[order],
        half_width=(half_width / unit)[order],
        counts=counts[order],
        offsets=np.concatenate([[0], np.cumsum(sizes)]),
        total=np.array([one.total for one in datasets], np.float64),
        n_missing=np.array([one.n_missing for one in datasets], np.int64),
        mean=mean,
        scale=scale,
        n_exact=np.bincount(row, exact, minlength=sizes.size),
        n_distinct=np.bincount(row, counts > 0, minlength=sizes.size).astype(np.int64),
    )


def _joined(parts: list[Array]) -> Array:
    return np.concatenate(parts).astype(np.float64) if parts else np.zeros(0)


# A dataset that overflows has the scale NaN, and the status OUT_OF_RANGE.
@np.errstate(over="ignore", invalid="ignore")
def _mean_and_scale(one: Observed) -> tuple[float, float]:
    """Return mean and standard deviation of the centres: 0 if all are equal, NaN out of range."""
    seen = one.counts > 0
    if not seen.any():
        return 0.0, 0.0
    x, counts = one.centre[seen], one.counts[seen]
    middle = 0.5 * x.min() + 0.5 * x.max()
    reach = np.abs(x - middle).max()
    if not 0 < reach < np.inf:
        return float(middle), 0.0 if reach == 0 else float("nan")
    z = (x - middle) / reach
    mean = counts @ z / counts.sum()
    deviation = np.sqrt(counts @ np.square(z - mean) / counts.sum())
    return float(middle + reach * mean), float(reach * deviation)


def sample(data: Intervals, dataset: int) -> Array:
    """Return sorted points of equal count that stand for a dataset while starts are computed."""
    centre, _, counts = data.rows(dataset)
    seen = counts > 0
    order = np.argsort(centre[seen], kind="stable")
    x, mass = centre[seen][order], np.cumsum(counts[seen][order])
    size = int(np.clip(np.rint(mass[-1]), 2, _SAMPLE))
    at = np.searchsorted(mass, (np.arange(size) + 0.5) * (mass[-1] / size))
    points: Array = x[np.minimum(at, x.size - 1)]
    return points


def coarsened(data: Intervals) -> Intervals:
    """Return the data for the search: many distinct intervals are grouped with neighbours."""
    parts = [_grouped(*data.rows(dataset)) for dataset in range(len(data))]
    sizes = [part[0].size for part in parts]
    if sum(sizes) == data.centre.size:
        return data
    centre, half_width, counts = (_joined([part[i] for part in parts]) for i in range(3))
    return dataclasses.replace(
        data,
        centre=centre,
        half_width=half_width,
        counts=counts,
        offsets=np.concatenate([[0], np.cumsum(sizes)]),
    )


def _grouped(centre: Array, half_width: Array, counts: Array) -> tuple[Array, Array, Array]:
    """Average neighbours in groups of equal counts; half-lines and windows are left as they are."""
    if centre.size <= _SEARCHED:
        return centre, half_width, counts
    apart = np.isinf(half_width) | (counts < 0)
    order = np.flatnonzero(~apart)[np.argsort(centre[~apart], kind="stable")]
    mass = np.cumsum(counts[order])
    group = np.minimum((mass - 0.5 * counts[order]) * (_SEARCHED / mass[-1]), _SEARCHED - 1)
    group = np.unique(group.astype(np.int64), return_inverse=True)[1]
    total = np.bincount(group, counts[order])
    means = [
        np.bincount(group, counts[order] * each[order]) / total for each in (centre, half_width)
    ]
    lone = np.flatnonzero(apart)
    kept = [
        np.concatenate([mean, each[lone]])
        for mean, each in zip(means, (centre, half_width), strict=True)
    ]
    return kept[0], kept[1], np.concatenate([total, counts[lone]])
