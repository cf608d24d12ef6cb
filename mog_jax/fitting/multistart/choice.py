"""Which maximum is the answer: one rule, a pure function of the maxima that were found.

The likelihood has high maxima that say nothing: a component of a few points that happen to lie
close together. The penalised likelihood (:mod:`mog_jax.penalty`) has none of these, and ranks the
others; its maxima are then climbed from without the penalty, so that the answer is an ordinary
maximum of the likelihood. Best first, the first of these is the answer that

- holds `min_points` points in each component, above the variance floor; or
- holds at least two, above the floor, and beats one Gaussian by its BIC; or
- lies on the floor because a component is an *atom*: one value that a tenth of the points have,
  and five times as many as any other.
"""

from typing import NamedTuple

import numpy as np

from mog_jax.arrays import Array

# Points of a component below which it is a lone one: two hold a little less than two, where the
# other component has some part in them.
TWO_POINTS = 1.5
# An atom holds so much of the points, and so many times as many as any other value.
_ATOM_SHARE = 0.1
_ATOM_LEAD = 5.0
# Nats by which a maximum that is higher is worth a remark.
NOTICEABLE = 1e-3


class Candidates(NamedTuple):
    """Maxima of the likelihood, of any number of datasets, each climbed from a penalised one.

    Parameters
    ----------
    dataset : array of int, shape (c,)
    penalised : array, shape (c,)
        The penalised log-likelihood where the climb without the penalty began.
    value : array, shape (c,)
        The log-likelihood.
    fewest : array, shape (c,)
        Points in the smaller component.
    on_floor : array of bool, shape (c,)
        Whether a variance is the lowest that is allowed.
    on_atom : array of bool, shape (c,)
        Whether that component is an atom.
    has_arrived : array of bool, shape (c,)
    """

    dataset: Array
    penalised: Array
    value: Array
    fewest: Array
    on_floor: Array
    on_atom: Array
    has_arrived: Array


def beats_one(value: Array, one: Array, n_points: Array, n_more: Array | int) -> Array:
    """Say whether two components have a lower BIC than one.

    Parameters
    ----------
    value, one : array, shape (...,)
        Log-likelihood of two components, and of one.
    n_points : array, shape (...,)
    n_more : array of int, shape (...,)
        How many more parameters two have.

    Returns
    -------
    array of bool, shape (...,)
    """
    better: Array = 2 * (value - one) > n_more * np.log(n_points)
    return better


def widened(theta: Array, held: Array, weight: Array) -> Array:
    """Take the variances of the first EM step with the penalty, for points that are held.

    Newton's method would take many steps from a narrow component, where the penalty is steep.

    Parameters
    ----------
    theta : array, shape (5, ...)
    held : array, shape (2, ...)
        Points in each component.
    weight : array, shape (...,)
        Of the penalty.

    Returns
    -------
    array, shape (5, ...)
    """
    variance = (held * np.exp(theta[3:]) + 2 * weight) / (held + 2 * weight)
    return np.concatenate([theta[:3], np.log(variance)])


def rank_bound(theta: Array, held: Array, value: Array, weight: Array) -> Array:
    """Bound from below the penalised likelihood that a climb with the penalty reaches.

    It is what the first EM step makes of the variances: :math:`Q` of equation (16), with each
    point's responsibilities as they are.

    Parameters
    ----------
    theta : array, shape (5, ...)
        Coordinates of a maximum of the likelihood, above the variance floor.
    held : array, shape (2, ...)
        Points in each component.
    value : array, shape (...,)
        The log-likelihood.
    weight : array, shape (...,)
        Of the penalty.

    Returns
    -------
    array, shape (...,)
    """
    wider = widened(theta, held, weight)[3:]
    log_ratio = theta[3:] - wider
    change = 0.5 * held * (log_ratio + 1 - np.exp(log_ratio)) - weight * (np.exp(-wider) + wider)
    bound: Array = value + change.sum(axis=0)
    return bound


def one_log_likelihood(total: Array) -> Array:
    """Give the log-likelihood of one Gaussian of standardised data."""
    value: Array = -0.5 * total * (np.log(2 * np.pi) + 1)
    return value


def is_narrower_at(theta: Array, value: Array, variance_floor: float) -> Array:
    """Say whether the narrower component lies at a value.

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
    """Say which maxima are accepted although a component holds few points.

    Parameters
    ----------
    fewest : array, shape (...,)
        Points in the smaller component.
    min_points : float
        Below which they are few.
    beats : array of bool, shape (...,)
        Whether the maximum beats one Gaussian.

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
        Which beat one Gaussian.
    min_points : float
        Points that a component holds at least, or they are few.
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
        How many have it.
    is_atom : array of bool, shape (b,)
        Whether they are many times as many as have any other.
    """

    value: Array
    points: Array
    is_atom: Array


def most_frequent(points: Array, counts: Array | None, n: Array) -> MostFrequent:
    """Look for a value that a tenth of the points have, or more.

    Parameters
    ----------
    points : array, shape (b, rows)
        Each row sorted, and filled up beyond its first `n`.
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
    """Say which datasets may have such a value, at a fraction of what it costs to look for it."""
    if counts is not None:
        often = counts.max(axis=1) >= _ATOM_SHARE * counts.sum(axis=1)
        tied = (points[:, 1:] == points[:, :-1]) & (counts[:, 1:] > 0)
        may: Array = often | tied.any(axis=1)
        return may & (n > 1)
    # A run of a tenth of the points covers two neighbours of a comb with twice as many teeth.
    teeth = np.linspace(0, 1, int(2 / _ATOM_SHARE) + 1)
    places = np.rint(teeth * np.maximum(n - 1, 0)[:, None]).astype(np.int64)
    comb = np.take_along_axis(points, places, axis=1)
    may = ((comb[:, 1:] == comb[:, :-1]) & (places[:, 1:] > places[:, :-1])).any(axis=1)
    return may & (n > 1)
