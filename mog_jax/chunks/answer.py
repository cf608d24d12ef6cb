"""Which of the maxima that were climbed to is the answer: the choice of the fitter."""

from collections.abc import Sequence

import numpy as np

from mog_jax.arrays import Array
from mog_jax.chunks.climb import Climb
from mog_jax.chunks.survey import Survey
from mog_jax.fitting.climb.arrival import has_arrived, on_floor
from mog_jax.fitting.multistart.choice import (
    NOTICEABLE,
    Candidates,
    beats_one,
    choose,
    is_narrower_at,
    one_log_likelihood,
    rank_bound,
)
from mog_jax.fitting.multistart.polish import regularity
from mog_jax.fitting.options import FitOptions
from mog_jax.fitting.results.describe import Higher
from mog_jax.penalty import penalty_weight


def answer_of(climbs: Sequence[Climb], data: Survey, options: FitOptions) -> Climb:
    """Give the answer among some climbs of one dataset.

    Where the fitter climbs once more with the penalty, a bound on what that would reach ranks them
    here: another climb would be as many more passes.
    """
    highest = min(
        climbs,
        key=lambda climb: (
            regularity(climb.state, options, under_way=False),
            -climb.state.sums.log_likelihood,
        ),
    )
    if options.choose == "regular":
        return highest
    theta = np.stack([climb.state.theta for climb in climbs], axis=1)
    held = np.stack([climb.state.sums.effective_counts for climb in climbs], axis=1)
    value = np.array([climb.state.sums.log_likelihood for climb in climbs])
    total = np.full(value.size, data.total)
    free = np.stack([climb.free for climb in climbs], axis=1)
    found = Candidates(
        dataset=np.zeros(value.size, int),
        penalised=rank_bound(theta, held, value, penalty_weight(total, xp=np)),
        value=value,
        fewest=held.min(axis=0),
        on_floor=on_floor(theta, options.variance_floor),
        on_atom=np.array([is_on_atom(climb, data, options) for climb in climbs]),
        has_arrived=has_arrived(
            np.array([climb.state.gain_left for climb in climbs]), total, options.tolerance
        ),
    )
    beats = beats_one(value, one_log_likelihood(total), total, options.n_parameters(free) - 2)
    (place,) = choose(found, beats, options.min_points, 1)
    return highest if place < 0 else climbs[place]


def is_on_atom(climb: Climb, data: Survey, options: FitOptions) -> bool:
    """Whether a component is one value that a tenth of the sample has, and no other nearly has."""
    theta = np.asarray(climb.state.theta)
    if not np.isfinite(theta).all() or not on_floor(theta[:, None], options.variance_floor)[0]:
        return False
    return bool(is_narrower_at(theta, data.atom, options.variance_floor))


def higher_than(answer: Climb, climbs: Sequence[Climb]) -> Higher:
    """Say whether another climb has ended higher, and how many points its smaller component has."""

    def value(climb: Climb) -> float:
        return float(climb.state.sums.log_likelihood)

    highest = max(climbs, key=value)
    by = value(highest) - value(answer)
    if not by > NOTICEABLE:
        return Higher(np.zeros(1), np.zeros(1))
    points: Array = np.asarray(highest.state.sums.effective_counts).min()
    return Higher(np.array([by]), np.array([points]))
