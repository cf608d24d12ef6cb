"""Climbing in rounds of a few steps: after each, what is not worth while is dropped."""

from collections.abc import Iterable

import numpy as np

from mog_jax.fitting import herd
from mog_jax.fitting.culling import Doubt, worth_while
from mog_jax.fitting.herd import Array, Herd, Seen
from mog_jax.fitting.options import AscentOptions, FitOptions

# In rounds of so many steps a climb that trails another one has had its time.
_PATIENCE = 20


def climb_in_rounds(
    climbs: Herd,
    data: Seen,
    rounds: Iterable[int],
    ascent: AscentOptions,
    options: FitOptions,
    doubt: Doubt,
    *,
    drop: bool = True,
) -> tuple[Herd, Array]:
    """Climb until all climbs have arrived, or the rounds are over.

    Parameters
    ----------
    climbs : Herd
    data : Seen
    rounds : iterable of int
        How many steps to make between two looks at the whole herd.
    ascent : AscentOptions
        How to climb.
    options : FitOptions
        What a regular maximum is.
    doubt : Doubt
    drop : bool
        Whether to give up climbs that are not worth while.

    Returns
    -------
    Herd
        Those that were not given up.
    array of int, shape (b,)
        Steps that were made for each dataset.
    """
    passes = np.zeros(data.n.size)
    for steps in rounds:
        if not climbs.state.climbing.any():
            break
        moved = herd.climb(climbs, data, ascent, steps)
        made = moved.state.n_steps - climbs.state.n_steps
        passes += np.bincount(climbs.dataset, weights=made, minlength=passes.size)
        climbs = moved
        if drop:
            kept = worth_while(
                climbs,
                doubt,
                variance_floor=options.variance_floor,
                min_points=options.min_points,
                patient=steps < _PATIENCE,
            )
            climbs = climbs.take(kept)
    return climbs, passes
