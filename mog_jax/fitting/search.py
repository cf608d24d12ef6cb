"""From a block of standardised datasets to the best maximum of each: all starts, side by side.

The search climbs from every start in single precision; lanes that arrive where another one already
is are dropped, and what is left is packed anew every few steps, so that the slowest datasets do not
set the price for all. The best ends are then climbed to the top in the precision of the data.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.fitting import ascent, coordinates
from mog_jax.fitting.ascent import Ascent, Lanes
from mog_jax.fitting.directions import Direction
from mog_jax.fitting.reading import Array
from mog_jax.fitting.starts import window_starts
from mog_jax.kernel import Sums, Totals

# XLA uses vectors of half the width that the machine has, unless told otherwise.
_COMPILER = {"xla_cpu_prefer_vector_width": 512}

# Steps between two packings: a packing costs about one.
_STEPS = 6
_SEARCH_STEPS = 30
# Points that one program is given at most, so that memory stays bounded for long datasets.
_TILE_POINTS = 2**22
# Nats left at which the search leaves a lane to the finish.
_SEARCH_TOLERANCE = 1e-3
# Nats by which a lane may trail the best and still be climbed to the top.
_TRAILING = 0.2
_TRAILING_UNFINISHED = 3.0
_TRAILING_SAMPLE = 3.0
_FINISHED = 4
_SECOND_CHANCES = 4
# Two climbs have met when they are closer than this, in nats by the information, and in value.
_SAME_PLACE = 0.1
_SAME_VALUE = 0.1


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Block:
    """Datasets of similar length, standardised and sorted, the points on the leading axis.

    Parameters
    ----------
    points : array, shape (n, b)
        Each dataset fills up its column with its last point.
    counts : array, shape (n, b), or None
        How often each point was seen; 0 for what fills up.
    n : array of int, shape (b,)
        How many points there are.
    total : array, shape (b,)
        Sum of the counts.
    sample : array, shape (m, b)
        Points of equal count that stand for the dataset in the search: the data themselves where
        they are few. Sorted, and filled up likewise.
    n_sample : array of int, shape (b,)
    free : array of bool, shape (5, b)
        The coordinates that are not held fixed.
    held : array, shape (5, b)
        The values of those that are.
    """

    points: Array
    counts: Array | None
    n: Array
    total: Array
    sample: Array
    n_sample: Array
    free: Array
    held: Array


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
    found = _search(theta, block, options)
    return _finish(found, block, options)


def starts(block: Block, options: Options) -> Array:
    """Give where the climbs begin, shape (5, starts, b)."""
    zero = np.zeros((1, block.sample.shape[1]))
    row = np.arange(block.sample.shape[0])[:, None]
    present = np.where(row < block.n_sample, block.sample, 0)
    sums = [np.concatenate([zero, np.cumsum(power, axis=0)]) for power in (present, present**2)]
    theta = np.array(
        _starts(
            *sums,
            block.n_sample.astype(np.int32),
            plan=options.plan,
            narrowest=options.variance_floor,
        )
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


@functools.partial(jax.jit, static_argnames=("plan", "narrowest"), compiler_options=_COMPILER)
def _starts(*sums: jax.Array, plan: str, narrowest: float) -> jax.Array:
    return window_starts(*sums, plan=plan, narrowest=narrowest)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _Group:
    """Lanes of a block under way: which dataset each climbs, and where it stands (NumPy arrays)."""

    dataset: Array
    state: Ascent


def _search(theta: Array, block: Block, options: Options) -> _Group:
    """Climb from all starts in single precision, dropping those that meet."""
    n_starts, b = theta.shape[1:]
    sample = _Data(block.sample, None, block.n_sample, block.free, np.dtype(np.float32))
    group = _begin(theta.reshape(5, -1), np.tile(np.arange(b), n_starts), sample)
    while group.state.climbing.any() and group.state.n_steps.max() < _SEARCH_STEPS:
        group = _climb(
            group,
            sample,
            options,
            tolerance=_SEARCH_TOLERANCE,
            max_steps=_SEARCH_STEPS,
            give_up=True,
        )
        group = _drop_twins(group, n_starts, b)
    return group


def _finish(found: _Group, block: Block, options: Options) -> tuple[Ascent, Array]:
    b = block.n.shape[0]
    passes = np.bincount(found.dataset, weights=found.state.n_steps, minlength=b)
    data = _Data(block.points, block.counts, block.n, block.free, block.points.dtype)
    rank, promising = _rank(found, block, options)
    # What is held is held in full precision.
    exact: Array = np.where(
        block.free[:, found.dataset], found.state.theta, block.held[:, found.dataset]
    )
    found = dataclasses.replace(found, state=dataclasses.replace(found.state, theta=exact))
    group = _climb_to_the_top(found, promising, data, options)
    # What looked regular to the search may have ended elsewhere: then the next ones are climbed.
    settled = np.zeros(b, bool)
    settled[group.dataset[_grade(group.state, options, under_way=False) == 0]] = True
    rest = ~promising & (rank <= _SECOND_CHANCES) & ~settled[found.dataset]
    if rest.any():
        group = _join(group, _climb_to_the_top(found, rest, data, options))
    passes += np.bincount(group.dataset, weights=group.state.n_steps, minlength=b)
    best = _best_lanes(group, _grade(group.state, options, under_way=False), b)
    return _take(group.state, best), passes.astype(np.int32)


def _climb_to_the_top(found: _Group, chosen: Array, data: "_Data", options: Options) -> _Group:
    chosen = np.flatnonzero(chosen)
    group = _begin(found.state.theta[:, chosen], found.dataset[chosen], data)
    while group.state.climbing.any():
        group = _climb(
            group,
            data,
            options,
            tolerance=options.tolerance,
            max_steps=options.max_steps,
            give_up=False,
        )
    return group


def _rank(found: _Group, block: Block, options: Options) -> tuple[Array, Array]:
    """Rank the lanes of each dataset, regular ones first, and say which are to be climbed on."""
    b = block.n.shape[0]
    # The sample may have fewer points than the data: what is close is judged on the data's scale.
    scale = (block.total / block.n_sample)[found.dataset]
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
    trailing = np.where(found.state.gain_left > _SEARCH_TOLERANCE, _TRAILING_UNFINISHED, _TRAILING)
    trailing = trailing + np.where(scale > 1, _TRAILING_SAMPLE, 0) + 1e-6 * np.abs(best)
    close = (value >= best - trailing) & (grade == 0) & (rank < _FINISHED)
    # The best of those that are not regular comes right behind the first of those that are.
    irregular = np.flatnonzero(grade > 0)
    by_dataset = irregular[np.lexsort((rank[irregular], found.dataset[irregular]))]
    _, leading = np.unique(found.dataset[by_dataset], return_index=True)
    rank[by_dataset[leading]] = np.minimum(rank[by_dataset[leading]], 1)
    return rank, (rank == 0) | close


def _best_lanes(group: _Group, grade: Array, b: int) -> Array:
    value: Array = group.state.sums.log_likelihood
    value = np.where(np.isfinite(value), value, -np.inf)
    order = np.lexsort((-value, grade, group.dataset))
    return order[np.searchsorted(group.dataset[order], np.arange(b))]


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


def _drop_twins(group: _Group, n_starts: int, b: int) -> _Group:
    """Of lanes of a dataset that have met, keep the one that is furthest up."""
    state = group.state
    order = np.lexsort((-state.sums.log_likelihood, group.dataset))
    theta = state.theta[:, order]
    counts = state.sums.effective_counts[:, order]
    value = state.sums.log_likelihood[order]
    dataset = group.dataset[order]
    keep = np.ones(order.size, bool)
    # Information distance, to each of the next better lanes of the same dataset.
    weight = np.concatenate(
        [
            (counts.prod(axis=0) / counts.sum(axis=0))[None],
            counts * np.exp(-theta[3:]),
            0.5 * counts,
        ]
    )
    for back in range(1, n_starts):
        here, there = slice(back, None), slice(None, -back)
        if back >= order.size:
            break
        same = dataset[here] == dataset[there]
        if not same.any():
            break
        apart = theta[:, here] - theta[:, there]
        mirrored = theta[:, there][[0, 2, 1, 4, 3]].copy()
        mirrored[0] *= -1
        apart_mirrored = theta[:, here] - mirrored
        near = (
            np.minimum(
                (weight[:, here] * apart**2).sum(axis=0),
                (weight[:, here] * apart_mirrored**2).sum(axis=0),
            )
            < 0.5
        )
        close = np.abs(value[here] - value[there]) < _SAME_VALUE
        keep[here] &= ~(same & near & close)
    kept = np.sort(order[keep])
    return _Group(dataset=group.dataset[kept], state=_take(state, kept))


def _join(group: _Group, other: _Group) -> _Group:
    joined: Ascent = jax.tree.map(
        lambda *leaves: np.concatenate(leaves, axis=-1), group.state, other.state
    )
    return _Group(dataset=np.concatenate([group.dataset, other.dataset]), state=joined)


@dataclasses.dataclass(frozen=True, eq=False)
class _Data:
    """A block's points in one precision, from which any lanes can be gathered."""

    points: Array
    counts: Array | None
    n: Array
    free: Array
    dtype: np.dtype[Any]

    @functools.cached_property
    def columns(self) -> Lanes:
        rows = self.points.shape[0]
        points = self.points.astype(self.dtype)
        row = np.arange(rows)[:, None]
        weight = (row < self.n).astype(np.float64) if self.counts is None else self.counts
        count = weight.sum(axis=0)
        mean = (weight * points).sum(axis=0) / np.maximum(count, 1e-30)
        variance = (weight * (points - mean) ** 2).sum(axis=0) / np.maximum(count, 1e-30)
        lanes = Lanes(
            x=points,
            totals=Totals(count=count, mean=mean, variance=variance),
            counts=self.counts,
            padding=None if self.counts is not None else rows - self.n,
            free=None if self.free.all() else self.free,
        )
        columns: Lanes = jax.tree.map(
            lambda leaf: jnp.asarray(leaf if leaf.dtype == bool else leaf.astype(self.dtype)),
            lanes,
        )
        return columns


def _tile(data: "_Data", n_lanes: int) -> int:
    """Lanes that one program climbs: few sizes, so that there are few programs."""
    tile = 512 if data.dtype == np.float32 and n_lanes > 128 else 128
    while tile > 8 and tile * data.points.shape[0] > _TILE_POINTS:
        tile //= 2
    return tile


def _begin(theta: Array, dataset: Array, data: "_Data") -> _Group:
    return _Group(dataset=dataset, state=ascent.begin(theta.astype(data.dtype)))


def _climb(
    group: _Group,
    data: _Data,
    options: Options,
    *,
    tolerance: float,
    max_steps: int,
    give_up: bool,
) -> _Group:
    """Climb a few steps with all lanes that are not done yet."""
    active = np.flatnonzero(group.state.climbing)
    state = jax.tree.map(np.copy, group.state)
    tile = _tile(data, active.size)
    for lo in range(0, active.size, tile):
        hi = min(lo + tile, active.size)
        index = active[np.minimum(np.arange(lo, lo + tile), hi - 1)]
        moved = _climb_tile(
            _take(group.state, index),
            data.columns,
            group.dataset[index],
            # When few are left, packing them anew saves nothing.
            np.int32(_STEPS if active.size > tile else max_steps),
            direction=options.direction,
            tolerance=tolerance,
            variance_floor=options.variance_floor,
            max_steps=max_steps,
            equal_variances=options.equal_variances,
            give_up=give_up,
        )
        for old, new in zip(
            jax.tree.leaves(state), jax.tree.leaves(jax.device_get(moved)), strict=True
        ):
            old[..., index[: hi - lo]] = new[..., : hi - lo]
    return _Group(dataset=group.dataset, state=state)


@functools.partial(
    jax.jit,
    static_argnames=(
        "direction",
        "tolerance",
        "variance_floor",
        "max_steps",
        "equal_variances",
        "give_up",
    ),
    compiler_options=_COMPILER,
)
def _climb_tile(
    state: Ascent, columns: Lanes, dataset: jax.Array, steps: jax.Array, **options: Any
) -> Ascent:
    return ascent.ascend(state, _gather(columns, dataset), steps=steps, **options)


def _gather(columns: Lanes, dataset: jax.Array) -> Lanes:
    gathered: Lanes = jax.tree.map(lambda leaf: jnp.take(leaf, dataset, axis=-1), columns)
    return gathered


def _take(state: Ascent, index: Any) -> Ascent:
    taken: Ascent = jax.tree.map(lambda leaf: leaf[..., index], state)
    return taken
