"""Chooses the answer among the maxima that the climbs reached, by the rule of the fitter."""

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
    """Return the answer among some climbs of one dataset.

    The fitter ranks maxima by climbs with the penalty; here a lower bound of the value that such a
    climb would reach ranks them, as another climb would cost more passes.
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
    """Return whether the narrower component is the atom of the sample, on the variance floor."""
    theta = np.asarray(climb.state.theta)
    if not np.isfinite(theta).all() or not on_floor(theta[:, None], options.variance_floor)[0]:
        return False
    return bool(is_narrower_at(theta, data.atom, options.variance_floor))


def higher_than(answer: Climb, climbs: Sequence[Climb]) -> Higher:
    """Return by how many nats another climb ended higher, and the points of its smaller component.

    Both are 0 if none did.
    """

    def value(climb: Climb) -> float:
        return float(climb.state.sums.log_likelihood)

    highest = max(climbs, key=value)
    by = value(highest) - value(answer)
    if not by > NOTICEABLE:
        return Higher(np.zeros(1), np.zeros(1))
    points: Array = np.asarray(highest.state.sums.effective_counts).min()
    return Higher(np.array([by]), np.array([points]))
