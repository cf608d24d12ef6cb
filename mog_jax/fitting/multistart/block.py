"""Defines a block of datasets that are fitted side by side, and the points that its climbs use."""

import dataclasses
import functools

import numpy as np

from mog_jax.arrays import Array
from mog_jax.fitting.data.standardise import row_sums
from mog_jax.fitting.multistart.packing import PointSource, columns_of, standardised_points
from mog_jax.fitting.multistart.pruning import ValueBounds

# The search's precision.
SINGLE = np.dtype(np.float32)
# A climb may trail the best by this many nats and still be polished; ...
TRAILING = 0.2
# ... by this many more if the search used a sample.
_TRAILING_SAMPLE = 2.0
# Error of a value found on a coreset, in nats: a constant, and a term for each point.
_TRAILING_CORESET = 3.0
_PER_POINT = 0.002


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Block:
    """Datasets that can be fitted, standardised and sorted, one in each row.

    Parameters
    ----------
    points : array, shape (b, n)
        Each row is padded with the dataset's last point. The dtype is the precision of the polish.
    counts : array, shape (b, n), or None
        How often each point was seen; 0 for padding.
    n : array of int, shape (b,)
        Number of points.
    total : array, shape (b,)
        Sum of the counts.
    sample : array, shape (b, m)
        Points of equal count that stand for the dataset in the search: all its points if those are
        few. Sorted, and padded likewise.
    n_sample : array of int, shape (b,)
        Number of points of the sample.
    free : array of bool, shape (5, b)
        The coordinates that are not fixed.
    fixed : array, shape (5, b)
        The values of the fixed coordinates.
    """

    points: Array
    counts: Array | None
    n: Array
    total: Array
    sample: Array
    n_sample: Array
    free: Array
    fixed: Array

    @functools.cached_property
    def whole(self) -> PointSource:
        """All points, which the polish uses."""
        return standardised_points(
            self.points, self.counts, n=self.n, total=self.total, free=self.free
        )

    @functools.cached_property
    def searched(self) -> PointSource:
        """The sample, which the search uses: all points of a dataset that has few."""
        n = np.maximum(self.n_sample, 1)
        mean = row_sums(self.sample, n) / n
        square = row_sums(np.square(self.sample), n) / n
        return PointSource(
            points=columns_of(self.sample, SINGLE),
            n=self.n_sample,
            totals=np.stack([self.n_sample, mean, square - np.square(mean)]),
            free=self.free,
        )

    @functools.cached_property
    def bounds(self) -> ValueBounds:
        """How far log-likelihoods can be trusted that the search found."""
        margin = TRAILING + 4 * float(np.finfo(SINGLE).eps) * self.total
        return ValueBounds(
            scale=self.total / self.n_sample,
            margin=margin + np.where(self.total == self.n_sample, 0, _TRAILING_SAMPLE),
            jitter=np.zeros(self.n.size),
        )

    @functools.cached_property
    def coreset_bounds(self) -> ValueBounds:
        """How far log-likelihoods can be trusted that were each found on a coreset of its own."""
        return ValueBounds(
            scale=self.total / self.n_sample,
            margin=self.bounds.margin + _TRAILING_CORESET + _PER_POINT * self.total,
            jitter=_PER_POINT * self.total,
        )
