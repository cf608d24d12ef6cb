"""From a block of standardised datasets to the best maximum of each."""

import numpy as np

from mog_jax.arrays import Array
from mog_jax.fitting.climb.ascent import Ascent
from mog_jax.fitting.multistart.block import Block
from mog_jax.fitting.multistart.climbs import Climbs
from mog_jax.fitting.multistart.polish import (
    best_of_each,
    has_regular,
    polish,
    polish_all,
    regularity,
)
from mog_jax.fitting.multistart.search import Starts, search, starts
from mog_jax.fitting.options import FitOptions


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
    found, passes = search(begun, block, np.ones(block.n.size, bool), options)
    climbs, more = polish(found, block, options)
    passes = passes + more
    doubtful = ~has_regular(climbs, block, options)
    if doubtful.any():
        others, more = _exhaustive_search(begun, block, doubtful, options)
        climbs, passes = climbs.joined(others), passes + more
    best = best_of_each(climbs, regularity(climbs.state, options, under_way=False))
    return best.of_all_datasets(block.n.size), passes


def _exhaustive_search(
    begun: Starts, block: Block, doubtful: Array, options: FitOptions
) -> tuple[Climbs, Array]:
    """Climb to the end from all starts: only then can it be said that none leads to one."""
    found, passes = search(begun, block, doubtful, options, drop=False)
    scale = block.bounds.scale[found.dataset]
    hopeful = regularity(found.state, options, under_way=True, scale=scale) == 0
    climbs, more = polish_all(found.take(hopeful), block, options)
    return climbs, passes + more
