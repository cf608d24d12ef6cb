"""Chooses the answer among the maxima of the likelihood that were found.

Some high maxima of the likelihood are spurious: a component holds a few points that happen to lie
close together. The penalised likelihood (:mod:`mog_jax.penalty`) has no such maxima, and it ranks
the others. From each of its maxima a climb without the penalty leads to an ordinary maximum of the
likelihood. The answer is the first of these, in the order of the ranks, that

- holds `min_points` points in each component, above the variance floor; or
- holds at least two in each, above the floor, and has a lower BIC than one Gaussian; or
- lies on the floor because a component is an *atom*: one value that a tenth of the points have,
  and five times as many points as any other value.
"""

from typing import NamedTuple

import numpy as np

from mog_jax.arrays import Array

# A component with fewer points than this holds a single point. The bound is below two because the
# other component has some share in two points as well.
TWO_POINTS = 1.5
# Least share of the points that an atom holds, and least ratio to the points of any other value.
_ATOM_SHARE = 0.1
_ATOM_LEAD = 5.0
# A maximum that is higher by this many nats is worth a remark.
NOTICEABLE = 1e-3


class Candidates(NamedTuple):
    """Maxima of the likelihood of any number of datasets, each climbed from a penalised maximum.

    Parameters
    ----------
    dataset : array of int, shape (c,)
        The dataset of each maximum.
    penalised : array, shape (c,)
        The penalised log-likelihood, in nats, where the climb without the penalty began.
    value : array, shape (c,)
        The log-likelihood, in nats.
    fewest : array, shape (c,)
        Points in the smaller component.
    on_floor : array of bool, shape (c,)
        Whether a variance is the lowest that is allowed.
    on_atom : array of bool, shape (c,)
        Whether the narrower component is an atom.
    has_arrived : array of bool, shape (c,)
        Whether the climb has converged.
    """

    dataset: Array
    penalised: Array
    value: Array
    fewest: Array
    on_floor: Array
    on_atom: Array
    has_arrived: Array


def beats_one(value: Array, one: Array, n_points: Array, n_more: Array | int) -> Array:
    """Return whether two components have a lower BIC than one.

    Parameters
    ----------
    value, one : array, shape (...,)
        Log-likelihood of two components, and of one, in nats.
    n_points : array, shape (...,)
        Number of points.
    n_more : array of int, shape (...,)
        Number of parameters that two components have beyond those of one.

    Returns
    -------
    array of bool, shape (...,)
    """
    better: Array = 2 * (value - one) > n_more * np.log(n_points)
    return better


def widened(theta: Array, held: Array, weight: Array) -> Array:
    """Replace the variances by those of the first EM step with the penalty.

    Newton's method would take many steps from a narrow component, where the penalty is steep.

    Parameters
    ----------
    theta : array, shape (5, ...)
    held : array, shape (2, ...)
        Points in each component.
    weight : array, shape (...,)
        Weight of the penalty.

    Returns
    -------
    array, shape (5, ...)
    """
    variance = (held * np.exp(theta[3:]) + 2 * weight) / (held + 2 * weight)
    return np.concatenate([theta[:3], np.log(variance)])


def rank_bound(theta: Array, held: Array, value: Array, weight: Array) -> Array:
    """Return a lower bound of the penalised log-likelihood that a climb with the penalty reaches.

    The bound is the value after the first EM step of the variances: :math:`Q` of equation (16),
    with the responsibilities unchanged.

    Parameters
    ----------
    theta : array, shape (5, ...)
        Coordinates of a maximum of the likelihood, above the variance floor.
    held : array, shape (2, ...)
        Points in each component.
    value : array, shape (...,)
        The log-likelihood, in nats.
    weight : array, shape (...,)
        Weight of the penalty.

    Returns
    -------
    array, shape (...,)
        In nats.
    """
    wider = widened(theta, held, weight)[3:]
    log_ratio = theta[3:] - wider
    change = 0.5 * held * (log_ratio + 1 - np.exp(log_ratio)) - weight * (np.exp(-wider) + wider)
    bound: Array = value + change.sum(axis=0)
    return bound


def one_log_likelihood(total: Array) -> Array:
    """Return the log-likelihood, in nats, of one Gaussian fitted to standardised data."""
    value: Array = -0.5 * total * (np.log(2 * np.pi) + 1)
    return value


def is_narrower_at(theta: Array, value: Array, variance_floor: float) -> Array:
    """Return whether the mean of the narrower component is at a value.

    Parameters
    ----------
    theta : array, shape (5, ...)
    value : array, shape (...,)
        On the standard scale; NaN for none.
    variance_floor : float

    Returns
    -------
    array of bool, shape (...,)
    """
    narrower = np.where(theta[3] <= theta[4], theta[1], theta[2])
    near: Array = np.abs(narrower - value) <= np.sqrt(variance_floor)
    return near


def is_few_points(fewest: Array, min_points: float, beats: Array) -> Array:
    """Return which maxima are accepted although a component holds few points.

    Parameters
    ----------
    fewest : array, shape (...,)
        Points in the smaller component.
    min_points : float
        A component with fewer points holds few.
    beats : array of bool, shape (...,)
        Whether the maximum has a lower BIC than one Gaussian.

    Returns
    -------
    array of bool, shape (...,)
    """
    few: Array = (fewest >= TWO_POINTS) & (fewest < min_points) & beats
    return few


def choose(found: Candidates, beats: Array, min_points: float, b: int) -> Array:
    """Choose one of the candidates of each dataset.

    Parameters
    ----------
    found : Candidates
    beats : array of bool, shape (c,)
        Which have a lower BIC than one Gaussian.
    min_points : float
        A component with fewer points holds few.
    b : int
        Number of datasets.

    Returns
    -------
    array of int, shape (b,)
        The place of the chosen one among the candidates; -1 where none is acceptable.
    """
    holds = (found.fewest >= min_points) | is_few_points(found.fewest, min_points, beats)
    acceptable = np.where(found.on_floor, found.on_atom & (found.fewest >= TWO_POINTS), holds)
    places = np.flatnonzero(acceptable & found.has_arrived & np.isfinite(found.penalised))
    order = places[
        np.lexsort((-found.value[places], -found.penalised[places], found.dataset[places]))
    ]
    datasets, first = np.unique(found.dataset[order], return_index=True)
    chosen = np.full(b, -1)
    chosen[datasets] = order[first]
    return chosen


class MostFrequent(NamedTuple):
    """The most frequent value of each dataset, where many points share it.

    Parameters
    ----------
    value : array, shape (b,)
        NaN where no value holds a tenth of the points.
    points : array, shape (b,)
        Number of points that have it.
    is_atom : array of bool, shape (b,)
        Whether it has at least five times as many points as any other value.
    """

    value: Array
    points: Array
    is_atom: Array


def most_frequent(points: Array, counts: Array | None, n: Array) -> MostFrequent:
    """Find, for each dataset, a value that at least a tenth of the points have.

    Parameters
    ----------
    points : array, shape (b, rows)
        Each row is sorted; entries beyond its first `n` are padding.
    counts : array, shape (b, rows), or None
        How often each point was seen.
    n : array of int, shape (b,)

    Returns
    -------
    MostFrequent
    """
    found = MostFrequent(np.full(n.size, np.nan), np.zeros(n.size), np.zeros(n.size, bool))
    for row in np.flatnonzero(_may_have_one(points, counts, n)):
        x = points[row, : n[row]]
        begin = np.flatnonzero(np.append(True, x[1:] != x[:-1]))
        own = np.ones(x.size) if counts is None else counts[row, : n[row]].astype(np.float64)
        times = np.add.reduceat(own, begin)
        most = int(np.argmax(times))
        others = np.delete(times, most).max(initial=0)
        if times[most] >= max(_ATOM_SHARE * times.sum(), TWO_POINTS):
            found.value[row], found.points[row] = x[begin[most]], times[most]
            found.is_atom[row] = times[most] >= _ATOM_LEAD * others
    return found


def _may_have_one(points: Array, counts: Array | None, n: Array) -> Array:
    """Return which datasets may have such a value: a cheap test before the search for it."""
    if counts is not None:
        often = counts.max(axis=1) >= _ATOM_SHARE * counts.sum(axis=1)
        tied = (points[:, 1:] == points[:, :-1]) & (counts[:, 1:] > 0)
        may: Array = often | tied.any(axis=1)
        return may & (n > 1)
    # Compare twenty equally spaced order statistics: a run of a tenth of the points covers two
    # neighbours among them.
    teeth = np.linspace(0, 1, int(2 / _ATOM_SHARE) + 1)
    places = np.rint(teeth * np.maximum(n - 1, 0)[:, None]).astype(np.int64)
    comb = np.take_along_axis(points, places, axis=1)
    may = ((comb[:, 1:] == comb[:, :-1]) & (places[:, 1:] > places[:, :-1])).any(axis=1)
    return may & (n > 1)
