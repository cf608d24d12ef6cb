"""Which climbs to give up: those that have met a better one, and those that cannot become the best.

Most of what a search costs are climbs that end where another one has already arrived, or lower. A
dataset's climbs are compared every few steps, all of them with each other.
"""

import dataclasses
import enum
from collections.abc import Iterable

import numpy as np

from mog_jax.arrays import Array
from mog_jax.fitting.climb.arrival import on_floor
from mog_jax.fitting.multistart.choice import rank_bound, widened
from mog_jax.fitting.multistart.climbs import Climbs, advance
from mog_jax.fitting.multistart.packing import PointSource
from mog_jax.fitting.options import SEARCH_TOLERANCE, AscentOptions, FitOptions
from mog_jax.fitting.parameterisation import swapped

# Nats left at which a climb's end can be foretold, and how many times as much it may still gain.
_PREDICTABLE_DECREMENT = 1.0
_PREDICTION_FACTOR = 3.0
# Nats left at which a climb may be held against others before it has arrived.
_TRUSTED_DECREMENT = 0.1
# In rounds of so many steps a climb that trails another one has had its time.
_PATIENCE = 20
# Two climbs have met when they are closer than this, in nats by the information, and in value.
_SAME_PLACE = 0.5
_SAME_VALUE = 0.1


class Drop(enum.IntEnum):
    """Which climbs are given up: each of these, and those before it."""

    NONE = 0
    MET = 1
    BEATEN = 2


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ValueBounds:
    """How far the log-likelihoods of climbs can be trusted, for each dataset.

    Parameters
    ----------
    scale : array, shape (b,)
        How many points of the dataset each point stands for that its climbs see.
    margin : array, shape (b,)
        Nats by which two climbs may seem apart that end at the same height.
    jitter : array, shape (b,)
        Nats by which two climbs to one place may end apart, where each sees points of its own.
    """

    scale: Array
    margin: Array
    jitter: Array


@dataclasses.dataclass(frozen=True, eq=False)
class RunnersUp:
    """The climbs that were given up, and how high they would rank by the penalised likelihood.

    Parameters
    ----------
    weight : array, shape (b,)
        Of the penalty.
    given_up : list
        Written over as climbs are given up: their datasets, ranks in nats, coordinates, and how
        many points each component held.
    """

    weight: Array
    given_up: list[tuple[Array, Array, Array, Array]] = dataclasses.field(default_factory=list)

    # Those that have left all bounds rank nowhere.
    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def add(self, climbs: Climbs, which: Array, scale: Array) -> None:
        """Take in climbs that were given up; each point they see stands for `scale` points."""
        some, state = np.flatnonzero(which), climbs.state
        dataset, theta = climbs.dataset[some], np.take(state.theta, some, axis=1)
        times, weight = (each.astype(theta.dtype)[dataset] for each in (scale, self.weight))
        held = np.take(state.sums.effective_counts, some, axis=1) * times
        left = np.minimum(state.gain_left[some], _PREDICTABLE_DECREMENT)
        value = (state.sums.log_likelihood[some] + _PREDICTION_FACTOR * left) * times
        rank = rank_bound(theta, held, value, weight)
        rank = np.where(np.isfinite(rank), rank, -np.inf)
        self.given_up.append((dataset, rank, theta, held))

    def highest(self) -> Array:
        """Give the highest rank, shape (b,)."""
        top = np.full(self.weight.size, -np.inf)
        for dataset, rank, *_ in self.given_up:
            np.maximum.at(top, dataset, rank)
        return top

    def best(self, which: Array, number: int, least: Array) -> tuple[Array, Array]:
        """Give so many of the highest of some datasets: where to climb from with the penalty.

        Those that rank below `least`, shape (b,), are left out.

        Returns
        -------
        array, shape (5, k)
        array of int, shape (k,)
            Their datasets.
        """
        dataset, rank, theta, held = (
            np.concatenate(fields, axis=-1) for fields in zip(*self.given_up, strict=True)
        )
        some = np.flatnonzero(which[dataset] & (rank >= least[dataset]) & (rank > -np.inf))
        order = some[np.lexsort((-rank[some], dataset[some]))]
        own = dataset[order]
        order = order[np.arange(own.size) - np.searchsorted(own, own) < number]
        own = dataset[order]
        return widened(theta[:, order], held[:, order], self.weight[own]), own


def climb_and_prune(
    climbs: Climbs,
    data: PointSource,
    rounds: Iterable[int],
    ascent: AscentOptions,
    options: FitOptions,
    bounds: ValueBounds,
    *,
    drop: Drop = Drop.BEATEN,
    runners_up: RunnersUp | None = None,
) -> tuple[Climbs, Array]:
    """Climb until all climbs have arrived, or the rounds are over.

    Parameters
    ----------
    climbs : Climbs
    data : PointSource
    rounds : iterable of int
        How many steps to make between two looks at the whole population.
    ascent : AscentOptions
        How to climb.
    options : FitOptions
        What a regular maximum is.
    bounds : ValueBounds
    drop : Drop
        Which climbs to give up: those that have met another one, or those as well that cannot
        become the best.
    runners_up : RunnersUp, optional
        Where to note those that are given up and have not met another one.

    Returns
    -------
    Climbs
        Those that were not given up.
    array of int, shape (b,)
        Steps that were made for each dataset.
    """
    passes = np.zeros(data.n_datasets)
    for steps in rounds:
        if not climbs.state.climbing.any():
            break
        moved = advance(climbs, data, ascent, steps)
        made = moved.state.n_steps - climbs.state.n_steps
        passes += np.bincount(climbs.dataset, weights=made, minlength=passes.size)
        climbs = moved
        if drop:
            kept, met = keep_mask(
                climbs,
                bounds,
                variance_floor=options.variance_floor,
                min_points=options.min_points,
                patient=steps < _PATIENCE,
                drop=drop,
            )
            if runners_up is not None:
                runners_up.add(climbs, ~kept & ~met, bounds.scale)
            climbs = climbs.take(kept)
    return climbs, passes


# What has left all bounds compares as it should: it is dropped.
@np.errstate(over="ignore", invalid="ignore")
def keep_mask(
    climbs: Climbs,
    bounds: ValueBounds,
    *,
    variance_floor: float,
    min_points: float,
    patient: bool = True,
    drop: Drop = Drop.BEATEN,
) -> tuple[Array, Array]:
    """Say which climbs are to go on, and which have met another one.

    Parameters
    ----------
    climbs : Climbs
    bounds : ValueBounds
    variance_floor : float
        In units of the data's variance.
    min_points : float
        What each component of a regular maximum holds.
    patient : bool
        Whether a climb may go on below another one that is nearly at its end, for as long as it
        cannot be foretold where it will end itself.
    drop : Drop
        Not NONE.

    Returns
    -------
    kept, met : array of bool, shape (lanes,)
        Which are to go on, and which have met a better one.
    """
    state, dataset = climbs.state, climbs.dataset
    scale, margin, jitter = (
        each.astype(climbs.rows.dtype)[dataset]
        for each in (bounds.scale, bounds.margin, bounds.jitter)
    )
    counts = state.sums.effective_counts * scale
    value, gain_left = state.sums.log_likelihood * scale, state.gain_left * scale
    there = np.isfinite(value)
    fewest = counts.min(axis=0)
    regular = (fewest >= min_points) & ~on_floor(state.theta, variance_floor) & there
    met = _met(climbs, value, counts, regular, jitter)
    if drop == Drop.MET:
        return there & ~met, met

    def highest(among: Array) -> Array:
        top = np.full(bounds.scale.size, -np.inf, value.dtype)
        np.maximum.at(top, dataset[among], value[among])
        return top[dataset]

    # What has arrived is in hand, and stays so: others may still leave a ridge to become irregular.
    arrived = regular & (gain_left < SEARCH_TOLERANCE)
    sure = highest(arrived)
    kept = arrived & (value >= sure)
    settling = gain_left < _PREDICTABLE_DECREMENT
    # Twice the points that it must hold: it may lose some on its way.
    promising = regular & (gain_left < _TRUSTED_DECREMENT) & (fewest >= 2 * min_points)
    in_hand = np.maximum(sure, highest(promising))
    beaten = value + _PREDICTION_FACTOR * gain_left + margin < in_hand
    # A component that is about to settle with far too few points will not be regular.
    too_few = (fewest < 0.7 * min_points) & (in_hand > -np.inf)
    dropped = settling & (beaten | too_few)
    if not patient:
        dropped |= value + np.where(settling, gain_left, 0) < in_hand
    return there & ~met & (kept | ~dropped), met


def _met(climbs: Climbs, value: Array, counts: Array, regular: Array, jitter: Array) -> Array:
    """Say which climbs have met a better one of their dataset, on its way to the same place."""
    met: Array = np.zeros(value.size, bool)
    one, other = _level(climbs.dataset, value, _SAME_VALUE + jitter)
    # The regular one of two is kept, be it the lower one; of equals, the one that began first.
    leads = np.where(
        regular[one] == regular[other],
        (value[one] > value[other])
        | ((value[one] == value[other]) & (climbs.start[one] < climbs.start[other])),
        regular[one],
    )
    worse, better = np.where(leads, other, one), np.where(leads, one, other)
    # The complete-data information of the worse: what a step away from it costs, in nats.
    first, second = np.take(counts, worse, axis=1)
    place, its = (np.take(climbs.state.theta, index, axis=1) for index in (worse, better))
    weights = [
        first * second / (first + second),
        first * np.exp(-place[3]),
        second * np.exp(-place[4]),
        0.5 * first,
        0.5 * second,
    ]
    apart = [
        sum(w * np.square(a - b) for w, a, b in zip(weights, place, them, strict=True))
        for them in (its, swapped(its))
    ]
    met[worse[np.minimum(*apart) < _SAME_PLACE + 2 * jitter[worse]]] = True
    return met


def _level(dataset: Array, value: Array, nearly: Array) -> tuple[Array, Array]:
    """Give all pairs of climbs of a dataset that are nearly as high, and finite."""
    # Short integers are sorted digit by digit, at once.
    short = dataset.astype(np.min_scalar_type(dataset.max(initial=0)))
    order = np.argsort(short, kind="stable")
    of, height, nearly = dataset[order], value[order], nearly[order]
    pairs = [np.empty((2, 0), int)]
    for ahead in range(1, np.bincount(of).max(initial=0)):
        at = np.flatnonzero(np.abs(height[ahead:] - height[:-ahead]) < nearly[ahead:])
        at = at[of[at] == of[at + ahead]]
        pairs.append(order[[at, at + ahead]])
    one, other = np.concatenate(pairs, axis=1)
    return one, other
