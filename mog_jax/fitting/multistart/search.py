"""Climbs from all starts of all datasets of a block, side by side, and prunes the climbs.

The search runs in single precision. Each climb first uses the coreset of its start
(:mod:`mog_jax.fitting.multistart.coreset`), then all points, or a sample if there are many. Every
few steps the search drops the climbs that have met another one, and those that cannot become the
best of their dataset.
"""

import dataclasses
import functools

import numpy as np

from mog_jax.arrays import Array
from mog_jax.fitting.data.buckets import padded_lengths
from mog_jax.fitting.multistart.block import SINGLE, Block
from mog_jax.fitting.multistart.climbs import Climbs, begin_climbs
from mog_jax.fitting.multistart.coreset import FEWEST, ROWS, coresets
from mog_jax.fitting.multistart.packing import PointSource, as_slice
from mog_jax.fitting.multistart.pruning import Drop, RunnersUp, climb_and_prune
from mog_jax.fitting.multistart.starts import n_starts, running_sums, window_starts
from mog_jax.fitting.options import FitOptions
from mog_jax.fitting.parameterisation import swapped, with_shared_variance
from mog_jax.lane_shapes import TURN

# Steps between two prunings: fewer while there are many climbs to drop.
_ROUNDS = (4, 3, 3, 4, 6, 10)
# The same for climbs on coresets, ...
_ROUNDS_FROM_AFAR = (5, 4, 5, 8)
# ... and for those that go on from their ends; the first round finds the ones that have met.
_LAST_ROUNDS = (1, 3, 6, 10)
# The second search has few climbs: pruning and packing more often costs more than it saves.
_ROUNDS_AGAIN = (8, 22)
# Number of points whose starts are computed together: their sums stay in the cache.
_AT_ONCE = 2**16


@dataclasses.dataclass(frozen=True, eq=False)
class Starts:
    """The starts of a block's climbs.

    Parameters
    ----------
    theta : array, shape (5, starts, b)
        Their coordinates.
    coresets : PointSource
        The coreset of each start; unused, and not filled in, for datasets of few points.
    """

    theta: Array
    coresets: PointSource


def starts(block: Block, options: FitOptions) -> Starts:
    """Return the starts of a block's climbs."""
    b, number = block.n.size, n_starts(options.starts)
    theta = np.empty((5, number, b), np.float32)
    means = np.empty((ROWS, number, b), SINGLE)
    sizes = np.empty((ROWS // TURN, number, b), SINGLE)
    lengths = padded_lengths(block.n_sample)
    for rows in np.unique(lengths).tolist():
        alike = np.flatnonzero(lengths == rows)
        at_once = max(_AT_ONCE // rows, 1)
        for lo in range(0, alike.size, at_once):
            some = as_slice(alike[lo : lo + at_once])
            x, n = block.sample[some, :rows], block.n_sample[some]
            sums = running_sums(x)
            theta[..., some], windows = window_starts(
                x, n, sums, rows=rows, plan=options.starts, narrowest=options.variance_floor
            )
            if rows > FEWEST:
                means[..., some], sizes[..., some] = coresets(sums.points, n, windows)
    if options.equal_variances:
        theta = with_shared_variance(theta)
        theta[3:] = np.maximum(theta[3:], np.float32(np.log(options.variance_floor)))
    if not block.free.all():
        # A fixed parameter belongs to one component: so each start is tried in both orders.
        theta = np.concatenate([theta, swapped(theta)], axis=1)
        theta = np.where(block.free[:, None], theta, block.fixed[:, None])
    seen = PointSource(
        points=means.reshape(ROWS, -1),
        n=np.full(number * b, ROWS),
        totals=np.tile(block.searched.totals, number),
        free=block.free,
        sizes=sizes.reshape(len(sizes), -1),
    )
    return Starts(theta, seen)


def search(
    begun: Starts,
    block: Block,
    which: Array,
    options: FitOptions,
    *,
    drop: Drop = Drop.BEATEN,
    penalised: bool = False,
    runners_up: RunnersUp | None = None,
) -> tuple[Climbs, Array]:
    """Climb from all starts of some datasets, in single precision.

    Parameters
    ----------
    begun : Starts
    block : Block
    which : array of bool, shape (b,)
        Which datasets to search.
    options : FitOptions
    drop : Drop
        Which climbs to give up.
    penalised : bool
        Whether to maximise the penalised likelihood.
    runners_up : RunnersUp, optional
        Where to note climbs that were given up and have not met another one.

    Returns
    -------
    Climbs, and array of passes, shape (b,)
    """
    start, dataset = np.indices(begun.theta.shape[1:])

    def from_all(which: Array) -> Climbs:
        some = which[dataset]
        return begin_climbs(begun.theta[:, some], dataset[some], start[some], SINGLE)

    ascent = options.ascent(searching=True, penalised=penalised)
    climb = functools.partial(
        climb_and_prune, ascent=ascent, options=options, drop=drop, runners_up=runners_up
    )
    from_afar = which & (block.n_sample > FEWEST)
    climbs, passes = climb(
        from_all(which & ~from_afar), block.searched, _ROUNDS, bounds=block.bounds
    )
    if from_afar.any():
        far, more = climb(
            from_all(from_afar), begun.coresets, _ROUNDS_FROM_AFAR, bounds=block.coreset_bounds
        )
        # Each climb used a coreset of its own: their ends are compared on the same points.
        again = begin_climbs(far.state.theta, far.dataset, far.start, SINGLE)
        near, last = climb(again, block.searched, _LAST_ROUNDS, bounds=block.bounds)
        climbs, passes = climbs.joined(near), passes + more + last
    return climbs, passes


def search_further(
    theta: Array, dataset: Array, block: Block, options: FitOptions, *, penalised: bool
) -> tuple[Climbs, Array]:
    """Climb from further starts, in single precision.

    Parameters
    ----------
    theta : array, shape (5, k)
        NaN for a start that does not exist.
    dataset : array of int, shape (k,)
        Dataset of each start.
    block : Block
    options : FitOptions
    penalised : bool
        Whether to maximise the penalised likelihood; then climbs that have met a better one are
        dropped. Without it no climb is dropped.

    Returns
    -------
    Climbs, and array of passes, shape (b,)
    """
    if options.equal_variances:
        theta = with_shared_variance(theta)
    some = np.isfinite(theta).all(axis=0)
    # Starts of the first search have the numbers below these.
    number = np.arange(some.sum()) + 2 * n_starts(options.starts)
    climbs = begin_climbs(theta[:, some], dataset[some], number, SINGLE)
    ascent = options.ascent(searching=True, penalised=penalised)
    drop = Drop.MET if penalised else Drop.NONE
    return climb_and_prune(
        climbs, block.searched, _ROUNDS_AGAIN, ascent, options, block.bounds, drop=drop
    )
