"""Datasets to be fitted side by side, and what climbs of them look at."""

import dataclasses
import functools

import numpy as np

from mog_jax.fitting.data.inputs import SEARCHED
from mog_jax.fitting.multistart.climbs import Array, BlockPoints
from mog_jax.fitting.multistart.pruning import ValueBounds

# The search's precision.
SINGLE = np.dtype(np.float32)
# Nats by which a climb may trail the best and still be climbed to the top, ...
TRAILING = 0.2
# ... and what a sample may be wrong by.
_TRAILING_SAMPLE = 2.0
# What a coreset may be wrong by: some, and some for each point.
_TRAILING_CORESET = 3.0
_PER_POINT = 0.002


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Block:
    """Datasets of similar length, standardised and sorted, the points on the leading axis.

    Parameters
    ----------
    points : array, shape (n, b)
        Each dataset fills up its column with its last point.
    counts : array, shape (n, b), or None
        How often each point was seen; 0 for what fills up.
    given : array of bool, shape (b,)
        Which columns hold a dataset that is to be climbed, and not a stand-in.
    n : array of int, shape (b,)
        How many points there are.
    total : array, shape (b,)
        Sum of the counts.
    sample : array, shape (m, b)
        Points of equal count that stand for the dataset where its climbs begin, and where it has
        many points in the search as well. Sorted, and filled up likewise.
    n_sample : array of int, shape (b,)
    free : array of bool, shape (5, b)
        The coordinates that are not held fixed.
    fixed : array, shape (5, b)
        The values of those that are.
    """

    points: Array
    counts: Array | None
    given: Array
    n: Array
    total: Array
    sample: Array
    n_sample: Array
    free: Array
    fixed: Array

    @functools.cached_property
    def whole(self) -> BlockPoints:
        """What the finish climbs."""
        return BlockPoints(self.points, self.counts, self.n, self.free, self.points.dtype)

    @functools.cached_property
    def searched(self) -> BlockPoints:
        """What the search climbs: the data themselves where those are few."""
        if self._is_sampled:
            return BlockPoints(self.sample, None, self.n_sample, self.free, SINGLE)
        return BlockPoints(self.points, self.counts, self.n, self.free, SINGLE)

    @functools.cached_property
    def bounds(self) -> ValueBounds:
        """How far values can be trusted that the search found."""
        margin = TRAILING + 4 * float(np.finfo(SINGLE).eps) * self.total
        if self._is_sampled:
            margin = margin + _TRAILING_SAMPLE
        scale = self.total / self.n_sample if self._is_sampled else np.ones(self.n.size)
        return ValueBounds(scale=scale, margin=margin, jitter=np.zeros(self.n.size))

    @functools.cached_property
    def coreset_bounds(self) -> ValueBounds:
        """How far values can be trusted of which each was found on a coreset of its own."""
        return ValueBounds(
            scale=self.total / self.n_sample,
            margin=self.bounds.margin + _TRAILING_CORESET + _PER_POINT * self.total,
            jitter=_PER_POINT * self.total,
        )

    @property
    def _is_sampled(self) -> bool:
        return bool(self.points.shape[0] > SEARCHED)
