"""Climbs from the best ends of a search to the maximum, on all points, in the data's precision."""

import itertools

import numpy as np

from mog_jax.arrays import Array
from mog_jax.fitting.climb.arrival import has_arrived, on_floor
from mog_jax.fitting.climb.ascent import Ascent
from mog_jax.fitting.multistart.block import TRAILING, Block
from mog_jax.fitting.multistart.climbs import Climbs, begin_climbs
from mog_jax.fitting.multistart.pruning import Drop, ValueBounds, climb_and_prune
from mog_jax.fitting.options import SEARCH_TOLERANCE, FitOptions

# Steps between two prunings; the last is repeated.
_ROUNDS = (3, 5, 10, 20)
# The same for the second search, which has few climbs.
_ROUNDS_AGAIN = (5, 45)
# A climb that had not converged may trail the best by this many nats and still be polished.
_TRAILING_UNFINISHED = 3.0
# Largest number of a dataset's climbs that are polished, and of those polished next if none of the
# first ends at a regular maximum.
_FINISHED = 4
_SECOND_CHANCES = 4


def polish(found: Climbs, block: Block, options: FitOptions) -> tuple[Climbs, Array]:
    """Climb to the maximum on all points, from the best ends of a search.

    Returns
    -------
    Climbs, and array of passes, shape (b,)
    """
    rank, promising = _rank(found, block, options)
    climbs, passes = polish_all(found.take(promising), block, options)
    # A climb that the search took for regular may end at another maximum: then the next are tried.
    settled = has_regular(climbs, block, options)
    rest = ~promising & (rank <= _SECOND_CHANCES) & ~settled[found.dataset]
    if rest.any():
        others, more = polish_all(found.take(rest), block, options)
        climbs, passes = climbs.joined(others), passes + more
    return climbs, passes


def polish_all(
    found: Climbs,
    block: Block,
    options: FitOptions,
    *,
    penalised: bool = False,
    drop: Drop = Drop.BEATEN,
    patient: bool = True,
) -> tuple[Climbs, Array]:
    """Climb to the maximum on all points, from the given ends of a search.

    Parameters
    ----------
    found : Climbs
    block : Block
    options : FitOptions
    penalised : bool
        Whether to maximise the penalised likelihood.
    drop : Drop
        Which climbs to give up.
    patient : bool
        Whether to go on until the step limit; if not, for 50 steps.

    Returns
    -------
    Climbs, and array of passes, shape (b,)
    """
    data, b = block.whole, block.n.size
    # Fixed values are put in again, now in full precision.
    dataset, state = found.dataset, found.state
    theta = np.where(block.free[:, dataset], state.theta, block.fixed[:, dataset])
    # The floor rounded to single precision may be lower than the floor itself.
    lowest = np.where(block.free[3:, dataset], np.log(options.variance_floor), -np.inf)
    theta[3:] = np.maximum(theta[3:], lowest)
    climbs = begin_climbs(theta, dataset, found.start, data.points.dtype)
    ascent = options.ascent(searching=False, penalised=penalised)
    bounds = ValueBounds(scale=np.ones(b), margin=np.full(b, TRAILING), jitter=np.zeros(b))
    rounds = itertools.chain(_ROUNDS, (40 * 2**i for i in range(30))) if patient else _ROUNDS_AGAIN
    return climb_and_prune(climbs, data, rounds, ascent, options, bounds, drop=drop)


def has_regular(climbs: Climbs, block: Block, options: FitOptions) -> Array:
    """Return whether a climb of each dataset has ended at a regular maximum, shape (b,)."""
    settled: Array = np.zeros(block.n.size, bool)
    settled[climbs.dataset[regularity(climbs.state, options, under_way=False) == 0]] = True
    return settled


def _rank(found: Climbs, block: Block, options: FitOptions) -> tuple[Array, Array]:
    """Return the rank of each climb in its dataset, regular ones first, and which to polish."""
    b = block.n.size
    # The sample may have fewer points than the data: differences are taken on the data's scale.
    scale, margin = block.bounds.scale[found.dataset], block.bounds.margin[found.dataset]
    value = found.state.sums.log_likelihood * scale
    value = np.where(np.isfinite(value), value, -np.inf)
    grade = regularity(found.state, options, under_way=True, scale=scale)
    order = np.lexsort((-value, grade, found.dataset))
    dataset = found.dataset[order]
    first = np.searchsorted(dataset, np.arange(b))
    rank, best = np.empty(order.size, int), np.empty(order.size)
    rank[order] = np.arange(order.size) - first[dataset]
    best[order] = value[order][first[dataset]]
    # A climb that has not converged may still rise, and a sample is not the data.
    unfinished = found.state.gain_left > SEARCH_TOLERANCE
    trailing = margin + np.where(unfinished, _TRAILING_UNFINISHED - TRAILING, 0)
    close = (value >= best - trailing) & (grade == 0) & (rank < _FINISHED)
    # The best irregular climb comes directly after the first regular one.
    irregular = np.flatnonzero(grade > 0)
    by_dataset = irregular[np.lexsort((rank[irregular], found.dataset[irregular]))]
    _, leading = np.unique(found.dataset[by_dataset], return_index=True)
    rank[by_dataset[leading]] = np.minimum(rank[by_dataset[leading]], 1)
    return rank, (rank == 0) | close


def best_of_each(climbs: Climbs, grade: Array) -> Climbs:
    """Return the best climb of each dataset: the highest of those with the lowest grade.

    A dataset none of whose climbs has a finite likelihood has none.
    """
    seen = np.flatnonzero(np.isfinite(climbs.state.sums.log_likelihood))
    climbs, grade = climbs.take(seen), grade[seen]
    order = np.lexsort((-climbs.state.sums.log_likelihood, grade, climbs.dataset))
    _, first = np.unique(climbs.dataset[order], return_index=True)
    return climbs.take(order[first])


def regularity(
    state: Ascent, options: FitOptions, *, under_way: bool, scale: Array | float = 1.0
) -> Array:
    """Return the grade of each climb, shape (lanes,).

    0 for a regular maximum, 1 for one with too few points in a component, 2 for one on the variance
    floor, 3 for a climb that has not arrived. With `under_way`, no climb is graded 3.
    """
    few = state.sums.effective_counts.min(axis=0) * scale < options.min_points
    fallen = on_floor(state.theta, options.variance_floor)
    grade = np.where(fallen, 2, np.where(few, 1, 0))
    return grade if under_way else np.where(arrived(state, options.tolerance), grade, 3)


def arrived(state: Ascent, tolerance: float) -> Array:
    """Return which climbs have converged."""
    return has_arrived(state.gain_left, state.sums.effective_counts.sum(axis=0), tolerance)
