"""From a block of standardised datasets to the best maximum of each: all starts, side by side.

The search climbs from every start in single precision, on a sample of the points where those are
many. Every few steps it drops the climbs that arrive where another one already is, and those that
cannot reach what another one has in hand. The best ends are then climbed to the top, in the
precision of the data and with all of them.
"""

import dataclasses
import functools
import itertools
from typing import Any

import jax
import numpy as np

from mog_jax.fitting import coordinates, herd
from mog_jax.fitting.ascent import Ascent
from mog_jax.fitting.culling import SEARCH_TOLERANCE, worth_while
from mog_jax.fitting.directions import Direction
from mog_jax.fitting.herd import COMPILER, Array, Data, Herd, Rules
from mog_jax.fitting.reading import SEARCHED, padded_lengths
from mog_jax.fitting.starts import n_starts, window_lengths, window_starts
from mog_jax.kernel import Sums

# Steps between two looks at the whole herd: fewer while there is much to drop.
_SEARCH_ROUNDS = (4, 3, 3, 4, 6, 10)
_FINISH_ROUNDS = (4, 6, 10, 20)
# Nats by which a climb may trail the best and still be climbed to the top.
_TRAILING = 0.2
_TRAILING_UNFINISHED = 3.0
# What a sample may be wrong by, in nats.
_TRAILING_SAMPLE = 2.0
_FINISHED = 4
_SECOND_CHANCES = 4
# Datasets whose starts are sought together.
_STARTED = 256


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
        Which columns hold a dataset that is to be climbed, and not a stand-in: at least one.
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
    held : array, shape (5, b)
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
    held: Array

    @functools.cached_property
    def whole(self) -> Data:
        """What the finish climbs."""
        return Data(self.points, self.counts, self.n, self.free, self.points.dtype)

    @functools.cached_property
    def searched(self) -> Data:
        """What the search climbs: the data themselves where those are few."""
        single = np.dtype(np.float32)
        if self._is_sampled:
            return Data(self.sample, None, self.n_sample, self.free, single)
        return Data(self.points, self.counts, self.n, self.free, single)

    @functools.cached_property
    def scale(self) -> Array:
        """How many points of the dataset each point stands for that the search climbs."""
        return self.total / self.n_sample if self._is_sampled else np.ones(self.n.size)

    @property
    def _is_sampled(self) -> bool:
        return bool(self.points.shape[0] > SEARCHED)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """How to search and climb: hashable, one compiled program for each."""

    direction: Direction
    plan: str
    tolerance: float
    max_steps: int
    variance_floor: float
    min_points: float
    equal_variances: bool

    def rules(self, *, searching: bool) -> Rules:
        """How to climb, in the search or to the top."""
        return Rules(
            direction=self.direction,
            tolerance=SEARCH_TOLERANCE if searching else self.tolerance,
            max_steps=sum(_SEARCH_ROUNDS) if searching else self.max_steps,
            variance_floor=self.variance_floor,
            equal_variances=self.equal_variances,
            give_up=searching,
        )


@jax.jit
def information(theta: jax.Array, sums: Sums) -> jax.Array:
    """Observed information, shape (5, 5, *lanes), constraints left out of account."""
    return coordinates.information(tuple(theta), sums.unstacked()).dense()


def maximise(block: Block, options: Options) -> tuple[Ascent, Array]:
    """Find the best maximum of every dataset of a block.

    Returns
    -------
    Ascent
        NumPy arrays, shape (..., b): where the best climb ended.
    array of int, shape (b,)
        Passes over the data, summed over all its climbs.
    """
    theta = starts(block, options)
    found, passes = _search(theta, block, block.given, options)
    climbs, more = _finish(found, block, options)
    passes = passes + more
    doubtful = block.given & ~_settled(climbs, block, options)
    if doubtful.any():
        others, more = _look_again(theta, block, doubtful, options)
        climbs, passes = climbs.joined(others), passes + more
    best = _best_lanes(climbs, _grade(climbs.state, options, under_way=False), block.n.size)
    return climbs.take(best).state, passes


def starts(block: Block, options: Options) -> Array:
    """Give where the climbs begin, shape (5, starts, b): NaN where no dataset is given."""
    sizes = padded_lengths(block.n_sample)
    theta: Array = np.full((5, n_starts(options.plan), sizes.size), np.nan, np.float32)
    for rows in np.unique(sizes[block.given]):
        lengths = window_lengths(options.plan, int(rows))
        columns = np.flatnonzero(block.given & (sizes == rows))
        # So few datasets at a time that their sums stay in the cache.
        at_once = min(_STARTED, sizes.size)
        for lo in range(0, columns.size, at_once):
            some = columns[np.minimum(np.arange(lo, lo + at_once), columns.size - 1)]
            x = np.take(block.sample, some, axis=1)
            theta[:, :, some] = _starts(
                lengths,
                x,
                _running_sums(x),
                _running_sums(x**2),
                block.n_sample[some].astype(np.int32),
                plan=options.plan,
                narrowest=options.variance_floor,
            )
    if options.equal_variances:
        weight = 1 / (1 + np.exp(-theta[0]))
        pooled = weight * np.exp(theta[3]) + (1 - weight) * np.exp(theta[4])
        theta[3:] = np.log(np.maximum(pooled, options.variance_floor))
    if not block.free.all():
        # Which component is which now matters: each start is tried both ways.
        swapped = np.concatenate([-theta[:1], theta[[2, 1, 4, 3]]])
        theta = np.concatenate([theta, swapped], axis=1)
        theta = np.where(block.free[:, None], theta, block.held[:, None])
    return theta


def _running_sums(rows: Array) -> Array:
    """Give the sums of the first 0, 1, ..., n rows."""
    sums = np.empty((len(rows) + 1, *rows.shape[1:]))
    sums[0] = 0
    # Row by row, along the memory: several times faster than a cumulative sum over columns.
    for i, row in enumerate(rows):
        np.add(sums[i], row, out=sums[i + 1])
    return sums


@functools.partial(jax.jit, static_argnames=("plan", "narrowest"), compiler_options=COMPILER)
def _starts(*windows: Any, plan: str, narrowest: float) -> jax.Array:
    theta, _ = window_starts(*windows, plan=plan, narrowest=narrowest)
    return theta


def _search(
    theta: Array, block: Block, which: Array, options: Options, *, drop: bool = True
) -> tuple[Herd, Array]:
    """Climb from all starts of some datasets, and say how many passes each dataset took.

    In single precision; unless told otherwise, climbs that cannot be the best one are dropped.
    """
    shape = theta.shape[1:]
    data, margin = block.searched, _trailing(block)
    rules = options.rules(searching=True)
    start, dataset = np.indices(shape)
    climbed = which[dataset]
    climbs = herd.begin(theta[:, climbed], dataset[climbed], start[climbed], data.dtype)
    passes = np.zeros(block.n.size)
    for steps in _SEARCH_ROUNDS:
        climbs, made = _climb(climbs, data, rules, steps)
        passes += made
        if drop:
            climbs = climbs.take(_going(climbs, shape, block.scale, margin, options))
        if not climbs.state.climbing.any():
            break
    return climbs, passes


def _trailing(block: Block) -> Array:
    """Nats by which the search may be wrong about which of two climbs ends higher."""
    rounding = 4 * float(np.finfo(np.float32).eps) * block.total
    trailing: Array = _TRAILING + rounding + np.where(block.scale != 1, _TRAILING_SAMPLE, 0)
    return trailing


def _finish(found: Herd, block: Block, options: Options) -> tuple[Herd, Array]:
    """Climb to the top with all points, from the best ends of a search."""
    rank, promising = _rank(found, block, options)
    climbs, passes = _climb_to_the_top(found.take(promising), block, options)
    # What looked regular to the search may have ended elsewhere: then the next ones are climbed.
    settled = _settled(climbs, block, options)
    rest = ~promising & (rank <= _SECOND_CHANCES) & ~settled[found.dataset]
    if rest.any():
        others, more = _climb_to_the_top(found.take(rest), block, options)
        climbs, passes = climbs.joined(others), passes + more
    return climbs, passes


def _look_again(
    theta: Array, block: Block, doubtful: Array, options: Options
) -> tuple[Herd, Array]:
    """Climb to the end from all starts: only then can it be said that none leads to one."""
    found, passes = _search(theta, block, doubtful, options, drop=False)
    scale = block.scale[found.dataset]
    hopeful = _grade(found.state, options, under_way=True, scale=scale) == 0
    climbs, more = _climb_to_the_top(found.take(hopeful), block, options)
    return climbs, passes + more


def _settled(climbs: Herd, block: Block, options: Options) -> Array:
    """Whether a climb of the dataset has ended at a regular maximum."""
    settled: Array = np.zeros(block.n.size, bool)
    settled[climbs.dataset[_grade(climbs.state, options, under_way=False) == 0]] = True
    return settled


def _climb_to_the_top(found: Herd, block: Block, options: Options) -> tuple[Herd, Array]:
    data, b = block.whole, block.n.size
    # What is held is held in full precision.
    dataset, state = found.dataset, found.state
    theta = np.where(block.free[:, dataset], state.theta, block.held[:, dataset])
    # The floor of single precision may lie below.
    lowest = np.where(block.free[3:, dataset], np.log(options.variance_floor), -np.inf)
    theta[3:] = np.maximum(theta[3:], lowest)
    climbs = herd.begin(theta, dataset, found.start, data.dtype)
    rules = options.rules(searching=False)
    shape = (int(found.start.max(initial=0)) + 1, b)
    scale, margin = np.ones(b), np.full(b, _TRAILING)
    passes = np.zeros(b)
    rounds = itertools.chain(_FINISH_ROUNDS, itertools.repeat(_FINISH_ROUNDS[-1]))
    while climbs.state.climbing.any():
        steps = next(rounds)
        climbs, made = _climb(climbs, data, rules, steps)
        passes += made
        patient = steps < _FINISH_ROUNDS[-1]
        climbs = climbs.take(_going(climbs, shape, scale, margin, options, patient))
    return climbs, passes


def _climb(climbs: Herd, data: Data, rules: Rules, steps: int) -> tuple[Herd, Array]:
    moved = herd.climb(climbs, data, rules, steps)
    made = moved.state.n_steps - climbs.state.n_steps
    return moved, np.bincount(climbs.dataset, weights=made, minlength=data.n.size)


def _going(
    climbs: Herd,
    shape: tuple[int, int],
    scale: Array,
    margin: Array,
    options: Options,
    patient: bool = True,
) -> Array:
    return worth_while(
        climbs,
        shape,
        scale,
        margin,
        variance_floor=options.variance_floor,
        min_points=options.min_points,
        patient=patient,
    )


def _rank(found: Herd, block: Block, options: Options) -> tuple[Array, Array]:
    """Rank the climbs of each dataset, regular ones first, and say which are to go on."""
    b = block.n.size
    # The sample may have fewer points than the data: what is close is judged on the data's scale.
    scale, margin = block.scale[found.dataset], _trailing(block)[found.dataset]
    value = found.state.sums.log_likelihood * scale
    value = np.where(np.isfinite(value), value, -np.inf)
    grade = _grade(found.state, options, under_way=True, scale=scale)
    order = np.lexsort((-value, grade, found.dataset))
    dataset = found.dataset[order]
    first = np.searchsorted(dataset, np.arange(b))
    rank, best = np.empty(order.size, int), np.empty(order.size)
    rank[order] = np.arange(order.size) - first[dataset]
    best[order] = value[order][first[dataset]]
    # A climb that was stopped short may still rise, and a sample is not the data.
    unfinished = found.state.gain_left > SEARCH_TOLERANCE
    trailing = margin + np.where(unfinished, _TRAILING_UNFINISHED - _TRAILING, 0)
    close = (value >= best - trailing) & (grade == 0) & (rank < _FINISHED)
    # The best of those that are not regular comes right behind the first of those that are.
    irregular = np.flatnonzero(grade > 0)
    by_dataset = irregular[np.lexsort((rank[irregular], found.dataset[irregular]))]
    _, leading = np.unique(found.dataset[by_dataset], return_index=True)
    rank[by_dataset[leading]] = np.minimum(rank[by_dataset[leading]], 1)
    return rank, (rank == 0) | close


def _best_lanes(climbs: Herd, grade: Array, b: int) -> Array:
    value: Array = climbs.state.sums.log_likelihood
    value = np.where(np.isfinite(value), value, -np.inf)
    order = np.lexsort((-value, grade, climbs.dataset))
    # A column without a climb is given another one's.
    place = np.searchsorted(climbs.dataset[order], np.arange(b))
    return order[np.minimum(place, order.size - 1)]


def _grade(
    state: Ascent, options: Options, *, under_way: bool, scale: Array | float = 1.0
) -> Array:
    """0 for a regular maximum, 1 for an interior one, 2 for one on the floor, 3 for none.

    Of climbs under way none is graded 3.
    """
    few = state.sums.effective_counts.min(axis=0) * scale < options.min_points
    on_floor = state.theta[3:].min(axis=0) <= np.log(options.variance_floor) + 1e-6
    grade = np.where(on_floor, 2, np.where(few, 1, 0))
    return grade if under_way else np.where(arrived(state, options.tolerance), grade, 3)


def arrived(state: Ascent, tolerance: float) -> Array:
    """Whether less than the tolerance, or than rounding can tell, is left to be gained."""
    rounding = 32 * float(np.finfo(state.theta.dtype).eps)
    total = state.sums.effective_counts.sum(axis=0)
    enough: Array = state.gain_left <= np.maximum(tolerance, rounding * total)
    return enough
