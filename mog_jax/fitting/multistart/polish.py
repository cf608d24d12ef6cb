"""From the best ends of a search to the top: with all points, in the precision of the data."""

import itertools

import numpy as np

from mog_jax.arrays import Array
from mog_jax.fitting.climb.arrival import has_arrived, on_floor
from mog_jax.fitting.climb.ascent import Ascent
from mog_jax.fitting.multistart.block import TRAILING, Block
from mog_jax.fitting.multistart.climbs import Climbs, begin_climbs
from mog_jax.fitting.multistart.pruning import Drop, ValueBounds, climb_and_prune
from mog_jax.fitting.options import SEARCH_TOLERANCE, FitOptions

# Steps between two looks at the whole population; the last is repeated.
_ROUNDS = (3, 5, 10, 20)
# Where few climbs are left that are not looked at in between.
_ROUNDS_AGAIN = (5, 45)
# Nats by which a climb that was stopped short may trail the best.
_TRAILING_UNFINISHED = 3.0
# Climbs of a dataset that are climbed to the top at most, and next, should none be regular.
_FINISHED = 4
_SECOND_CHANCES = 4


def polish(found: Climbs, block: Block, options: FitOptions) -> tuple[Climbs, Array]:
    """Climb to the top with all points, from the best ends of a search."""
    rank, promising = _rank(found, block, options)
    climbs, passes = polish_all(found.take(promising), block, options)
    # What looked regular to the search may have ended elsewhere: then the next ones are climbed.
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
    """Climb to the top with all points, from any ends of a search.

    Unless told otherwise, without the penalty, climbs that cannot be the best one are dropped, and
    all others go on for as many steps as they may; if not `patient`, for some fifty.
    """
    data, b = block.whole, block.n.size
    # What is fixed is so in full precision.
    dataset, state = found.dataset, found.state
    theta = np.where(block.free[:, dataset], state.theta, block.fixed[:, dataset])
    # The floor of single precision may lie below.
    lowest = np.where(block.free[3:, dataset], np.log(options.variance_floor), -np.inf)
    theta[3:] = np.maximum(theta[3:], lowest)
    climbs = begin_climbs(theta, dataset, found.start, data.points.dtype)
    ascent = options.ascent(searching=False, penalised=penalised)
    bounds = ValueBounds(scale=np.ones(b), margin=np.full(b, TRAILING), jitter=np.zeros(b))
    rounds = itertools.chain(_ROUNDS, (40 * 2**i for i in range(30))) if patient else _ROUNDS_AGAIN
    return climb_and_prune(climbs, data, rounds, ascent, options, bounds, drop=drop)


def has_regular(climbs: Climbs, block: Block, options: FitOptions) -> Array:
    """Whether a climb of the dataset has ended at a regular maximum."""
    settled: Array = np.zeros(block.n.size, bool)
    settled[climbs.dataset[regularity(climbs.state, options, under_way=False) == 0]] = True
    return settled


def _rank(found: Climbs, block: Block, options: FitOptions) -> tuple[Array, Array]:
    """Rank the climbs of each dataset, regular ones first, and say which are to go on."""
    b = block.n.size
    # The sample may have fewer points than the data: what is close is judged on the data's scale.
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
    # A climb that was stopped short may still rise, and a sample is not the data.
    unfinished = found.state.gain_left > SEARCH_TOLERANCE
    trailing = margin + np.where(unfinished, _TRAILING_UNFINISHED - TRAILING, 0)
    close = (value >= best - trailing) & (grade == 0) & (rank < _FINISHED)
    # The best of those that are not regular comes right behind the first of those that are.
    irregular = np.flatnonzero(grade > 0)
    by_dataset = irregular[np.lexsort((rank[irregular], found.dataset[irregular]))]
    _, leading = np.unique(found.dataset[by_dataset], return_index=True)
    rank[by_dataset[leading]] = np.minimum(rank[by_dataset[leading]], 1)
    return rank, (rank == 0) | close


def best_of_each(climbs: Climbs, grade: Array) -> Climbs:
    """Give the best climb of each dataset that has one: of those of the lowest grade the highest.

    A dataset of which no climb has seen a finite likelihood has none.
    """
    seen = np.flatnonzero(np.isfinite(climbs.state.sums.log_likelihood))
    climbs, grade = climbs.take(seen), grade[seen]
    order = np.lexsort((-climbs.state.sums.log_likelihood, grade, climbs.dataset))
    _, first = np.unique(climbs.dataset[order], return_index=True)
    return climbs.take(order[first])


def regularity(
    state: Ascent, options: FitOptions, *, under_way: bool, scale: Array | float = 1.0
) -> Array:
    """0 for a regular maximum, 1 for an interior one, 2 for one on the floor, 3 for none.

    Of climbs under way none is graded 3.
    """
    few = state.sums.effective_counts.min(axis=0) * scale < options.min_points
    fallen = on_floor(state.theta, options.variance_floor)
    grade = np.where(fallen, 2, np.where(few, 1, 0))
    return grade if under_way else np.where(arrived(state, options.tolerance), grade, 3)


def arrived(state: Ascent, tolerance: float) -> Array:
    """Say which climbs have arrived."""
    return has_arrived(state.gain_left, state.sums.effective_counts.sum(axis=0), tolerance)
