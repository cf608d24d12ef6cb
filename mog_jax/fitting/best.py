"""From a block of standardised datasets to the best maximum of each."""

import jax

from mog_jax.fitting import coordinates
from mog_jax.fitting.ascent import Ascent
from mog_jax.fitting.block import Block
from mog_jax.fitting.herd import Array, Herd
from mog_jax.fitting.options import FitOptions
from mog_jax.fitting.search import Starts, search, starts
from mog_jax.fitting.summit import best_of_each, climb_to_the_top, finish, grade_of, settled_by
from mog_jax.kernel import Sums


@jax.jit
def information(theta: jax.Array, sums: Sums) -> jax.Array:
    """Observed information, shape (5, 5, *lanes), constraints left out of account."""
    return coordinates.information(tuple(theta), sums.unstacked()).dense()


def maximise(block: Block, options: FitOptions) -> tuple[Ascent, Array]:
    """Find the best maximum of every dataset of a block.

    Returns
    -------
    Ascent
        NumPy arrays, shape (..., b): where the best climb ended. NaN for a dataset of which no
        climb has seen a finite likelihood.
    array of int, shape (b,)
        Passes over the data, summed over all its climbs.
    """
    begun = starts(block, options)
    found, passes = search(begun, block, block.given, options)
    climbs, more = finish(found, block, options)
    passes = passes + more
    doubtful = block.given & ~settled_by(climbs, block, options)
    if doubtful.any():
        others, more = _look_again(begun, block, doubtful, options)
        climbs, passes = climbs.joined(others), passes + more
    best = best_of_each(climbs, grade_of(climbs.state, options, under_way=False))
    return best.of_all_datasets(block.n.size), passes


def _look_again(
    begun: Starts, block: Block, doubtful: Array, options: FitOptions
) -> tuple[Herd, Array]:
    """Climb to the end from all starts: only then can it be said that none leads to one."""
    found, passes = search(begun, block, doubtful, options, drop=False)
    scale = block.doubt.scale[found.dataset]
    hopeful = grade_of(found.state, options, under_way=True, scale=scale) == 0
    climbs, more = climb_to_the_top(found.take(hopeful), block, options)
    return climbs, passes + more
