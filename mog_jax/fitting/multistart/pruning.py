"""Prunes climbs: drops those that have met a better one, and those that cannot become the best.

Most of a search's time would go to climbs that end where another one has already ended, or lower.
So all climbs of a dataset are compared with each other every few steps.
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

# Below this Newton decrement, in nats, a climb's end can be predicted: it gains at most this many
# times the decrement.
_PREDICTABLE_DECREMENT = 1.0
_PREDICTION_FACTOR = 3.0
# Below this decrement a climb's value may rule out others before it has arrived.
_TRUSTED_DECREMENT = 0.1
# After a round of at least this many steps a climb that trails another one is dropped.
_PATIENCE = 20
# Two climbs have met if they are closer than this: in nats by the information, and in value.
_SAME_PLACE = 0.5
_SAME_VALUE = 0.1


class Drop(enum.IntEnum):
    """Which climbs are dropped: those of a member, and those of the members before it."""

    NONE = 0
    MET = 1
    BEATEN = 2


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ValueBounds:
    """How far the log-likelihoods of climbs can be trusted, for each dataset.

    Parameters
    ----------
    scale : array, shape (b,)
        Ratio of the dataset's points to the points that its climbs use.
    margin : array, shape (b,)
        Nats by which the values of two climbs may differ that end at the same value.
    jitter : array, shape (b,)
        Nats by which two climbs to one maximum may end apart if each uses points of its own.
    """

    scale: Array
    margin: Array
    jitter: Array


@dataclasses.dataclass(frozen=True, eq=False)
class RunnersUp:
    """The climbs that were dropped, and their ranks by the penalised likelihood.

    Parameters
    ----------
    weight : array, shape (b,)
        Weight of the penalty.
    given_up : list
        Grows as climbs are dropped: their datasets, their ranks in nats, their coordinates, and the
        number of points in each component.
    """

    weight: Array
    given_up: list[tuple[Array, Array, Array, Array]] = dataclasses.field(default_factory=list)

    # A climb whose coordinates overflow has no finite rank and is left out.
    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def add(self, climbs: Climbs, which: Array, scale: Array) -> None:
        """Add climbs that were dropped; each point that they use stands for `scale` points."""
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
        """Return the highest rank, in nats, shape (b,)."""
        top = np.full(self.weight.size, -np.inf)
        for dataset, rank, *_ in self.given_up:
            np.maximum.at(top, dataset, rank)
        return top

    def best(self, which: Array, number: int, least: Array) -> tuple[Array, Array]:
        """Return starts of climbs with the penalty: the `number` highest climbs of some datasets.

        Climbs that rank below `least`, shape (b,), are left out.

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
        The points that the climbs use.
    rounds : iterable of int
        Number of steps between two prunings.
    ascent : AscentOptions
        How to climb.
    options : FitOptions
        Define a regular maximum.
    bounds : ValueBounds
    drop : Drop
        Which climbs to drop: those that have met another one, or also those that cannot become the
        best.
    runners_up : RunnersUp, optional
        Where to note those that are dropped and have not met another one.

    Returns
    -------
    Climbs
        Those that were not dropped.
    array, shape (b,)
        Passes over the data of each dataset: the steps of all its climbs.
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


# A climb whose values overflow compares as not finite, and is dropped.
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
    """Return which climbs are to go on, and which have met another one.

    Parameters
    ----------
    climbs : Climbs
    bounds : ValueBounds
    variance_floor : float
        In units of the data's variance.
    min_points : float
        Least number of points in each component of a regular maximum.
    patient : bool
        Whether a climb that is lower than a nearly converged one goes on while its own end cannot
        be predicted.
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

    # Only a climb that has arrived is sure to stay regular: others may still become irregular.
    arrived = regular & (gain_left < SEARCH_TOLERANCE)
    sure = highest(arrived)
    kept = arrived & (value >= sure)
    settling = gain_left < _PREDICTABLE_DECREMENT
    # At least twice the points of a regular maximum: a climb may still lose some.
    promising = regular & (gain_left < _TRUSTED_DECREMENT) & (fewest >= 2 * min_points)
    in_hand = np.maximum(sure, highest(promising))
    beaten = value + _PREDICTION_FACTOR * gain_left + margin < in_hand
    # A climb close to its end with far too few points in a component will not be regular.
    too_few = (fewest < 0.7 * min_points) & (in_hand > -np.inf)
    dropped = settling & (beaten | too_few)
    if not patient:
        dropped |= value + np.where(settling, gain_left, 0) < in_hand
    return there & ~met & (kept | ~dropped), met


def _met(climbs: Climbs, value: Array, counts: Array, regular: Array, jitter: Array) -> Array:
    """Return which climbs have met a better one of their dataset: both lead to one maximum."""
    met: Array = np.zeros(value.size, bool)
    one, other = _level(climbs.dataset, value, _SAME_VALUE + jitter)
    # Of two, the regular one is kept, even if it is lower; of equals, the one with the lower start.
    leads = np.where(
        regular[one] == regular[other],
        (value[one] > value[other])
        | ((value[one] == value[other]) & (climbs.start[one] < climbs.start[other])),
        regular[one],
    )
    worse, better = np.where(leads, other, one), np.where(leads, one, other)
    # Distance by the complete-data information of the worse one: the cost of a step, in nats.
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
    """Return all pairs of climbs of one dataset whose values are finite and nearly equal."""
    # NumPy sorts short integers by radix sort, which is faster.
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
