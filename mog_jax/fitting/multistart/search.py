"""The search: climbs from all starts of all datasets of a block, side by side.

It climbs in single precision, and at first sees of each dataset what matters where the climb began
(:mod:`mog_jax.fitting.multistart.coreset`), then all its points, or a sample of them where they are
many. Every few steps it drops the climbs that arrive where another one already is, and those that
cannot reach what another one has in hand.
"""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np

from mog_jax.fitting.data.buckets import padded_lengths
from mog_jax.fitting.multistart.block import SINGLE, Block
from mog_jax.fitting.multistart.climbs import Array, Climbs, begin_climbs
from mog_jax.fitting.multistart.coreset import FEWEST, Coresets
from mog_jax.fitting.multistart.pruning import climb_and_prune
from mog_jax.fitting.multistart.starts import n_starts, window_lengths, window_starts
from mog_jax.fitting.options import FitOptions
from mog_jax.fitting.parameterisation import swapped
from mog_jax.precision import COMPILER

# Steps between two looks at the whole population: fewer while there is much to drop.
_ROUNDS = (4, 3, 3, 4, 6, 10)
_ROUNDS_FROM_AFAR = (5, 4, 5, 8)
# From where those have led, at first only to see which are the same.
_LAST_ROUNDS = (1, 3, 6, 10)
# Datasets whose starts are sought together.
_STARTED = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Starts:
    """Where the climbs of a block begin.

    Parameters
    ----------
    theta : array, shape (5, starts, b)
        NaN where no dataset is given.
    coresets : Coresets
        What each climb sees of its dataset from the window where it begins.
    """

    theta: Array
    coresets: Coresets


def starts(block: Block, options: FitOptions) -> Starts:
    """Give where the climbs begin."""
    sizes = padded_lengths(block.n_sample)
    n = n_starts(options.starts)
    theta: Array = np.full((5, n, sizes.size), np.nan, np.float32)
    windows: Array = np.ones((n, 2, sizes.size), np.int32)
    for rows in np.unique(sizes[block.given]):
        lengths = window_lengths(options.starts, int(rows))
        columns = np.flatnonzero(block.given & (sizes == rows))
        # So few datasets at a time that their sums stay in the cache.
        at_once = min(_STARTED, sizes.size)
        for lo in range(0, columns.size, at_once):
            some = columns[np.minimum(np.arange(lo, lo + at_once), columns.size - 1)]
            theta[:, :, some], windows[:, :, some] = _starts(
                lengths,
                np.take(block.sample, some, axis=1),
                block.n_sample[some].astype(np.int32),
                plan=options.starts,
                narrowest=options.variance_floor,
            )
    if options.equal_variances:
        weight = 1 / (1 + np.exp(-theta[0]))
        pooled = weight * np.exp(theta[3]) + (1 - weight) * np.exp(theta[4])
        theta[3:] = np.log(np.maximum(pooled, options.variance_floor))
    if not block.free.all():
        # Which component is which now matters: each start is tried both ways.
        theta = np.concatenate([theta, swapped(theta)], axis=1)
        theta = np.where(block.free[:, None], theta, block.fixed[:, None])
        windows = np.concatenate([windows, windows])
    return Starts(theta, Coresets(block.sample, block.n_sample, windows, block.free))


@functools.partial(jax.jit, static_argnames=("plan", "narrowest"), compiler_options=COMPILER)
def _starts(*windows: Any, plan: str, narrowest: float) -> tuple[jax.Array, jax.Array]:
    return window_starts(*windows, plan=plan, narrowest=narrowest)


def search(
    begun: Starts, block: Block, which: Array, options: FitOptions, *, drop: bool = True
) -> tuple[Climbs, Array]:
    """Climb from all starts of some datasets, and say how many passes each dataset took.

    In single precision; unless told otherwise, climbs that cannot be the best one are dropped.
    """
    start, dataset = np.indices(begun.theta.shape[1:])

    def from_all(which: Array) -> Climbs:
        some = which[dataset]
        return begin_climbs(begun.theta[:, some], dataset[some], start[some], SINGLE)

    ascent = options.ascent(searching=True)
    climb = functools.partial(climb_and_prune, ascent=ascent, options=options, drop=drop)
    from_afar = which & (block.n_sample > FEWEST)
    climbs, passes = climb(
        from_all(which & ~from_afar), block.searched, _ROUNDS, bounds=block.bounds
    )
    if from_afar.any():
        far, more = climb(
            from_all(from_afar), begun.coresets, _ROUNDS_FROM_AFAR, bounds=block.coreset_bounds
        )
        # Each saw a coreset of its own: what they found is compared on the same points.
        again = begin_climbs(far.state.theta, far.dataset, far.start, SINGLE)
        near, last = climb(again, block.searched, _LAST_ROUNDS, bounds=block.bounds)
        climbs, passes = climbs.joined(near), passes + more + last
    return climbs, passes
