"""Finds the best maximum of each dataset of a standardised block."""

from typing import NamedTuple

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
from mog_jax.fitting.multistart.pruning import Drop, RunnersUp
from mog_jax.fitting.multistart.reconsider import reconsider
from mog_jax.fitting.multistart.search import Starts, search, starts
from mog_jax.fitting.options import FitOptions
from mog_jax.penalty import penalty_weight


class Maxima(NamedTuple):
    """The best maximum of each dataset of a block.

    Parameters
    ----------
    end : Ascent
        NumPy arrays, shape (..., b): the end of the best climb. NaN for a dataset none of whose
        climbs had a finite likelihood.
    passes : array of int, shape (b,)
        Passes over the data, summed over all its climbs.
    higher_by : array, shape (b,)
        Nats by which another maximum that was found is higher; 0 if none is.
    higher_points : array, shape (b,)
        Points in the smaller component of that maximum.
    on_atom : array of bool, shape (b,)
        Whether a component is an atom: one value that many points have.
    """

    end: Ascent
    passes: Array
    higher_by: Array
    higher_points: Array
    on_atom: Array


def maximise(block: Block, options: FitOptions) -> Maxima:
    """Find the best maximum of every dataset of a block."""
    begun = starts(block, options)
    b = block.n.size
    # Those that the search gives up matter where the highest may not be the answer.
    choosing = options.choose == "penalised"
    runners_up = RunnersUp(penalty_weight(block.total, xp=np)) if choosing else None
    found, passes = search(begun, block, np.ones(b, bool), options, runners_up=runners_up)
    climbs, more = polish(found, block, options)
    passes = passes + more
    doubtful = ~has_regular(climbs, block, options)
    if doubtful.any():
        others, more = _exhaustive_search(begun, block, doubtful, options)
        climbs, passes = climbs.joined(others), passes + more
    best = best_of_each(climbs, regularity(climbs.state, options, under_way=False))
    if runners_up is None:
        return Maxima(best.of_all_datasets(b), passes, np.zeros(b), np.zeros(b), np.zeros(b, bool))
    answer = reconsider(best, found, runners_up, begun, block, options)
    return Maxima(
        answer.best.of_all_datasets(b),
        passes + answer.passes,
        answer.higher_by,
        answer.higher_points,
        answer.on_atom,
    )


def _exhaustive_search(
    begun: Starts, block: Block, doubtful: Array, options: FitOptions
) -> tuple[Climbs, Array]:
    """Climb from all starts to the end, without pruning, to look for regular maxima."""
    found, passes = search(begun, block, doubtful, options, drop=Drop.NONE)
    scale = block.bounds.scale[found.dataset]
    hopeful = regularity(found.state, options, under_way=True, scale=scale) == 0
    climbs, more = polish_all(found.take(hopeful), block, options)
    return climbs, passes + more
