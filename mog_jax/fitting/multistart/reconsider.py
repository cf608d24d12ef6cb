"""Searches again, with the penalty, where the highest regular maximum may not be the answer.

In most datasets bounds show that no other maximum ranks above the highest regular one
(:mod:`mog_jax.fitting.multistart.choice`): no climb that the search dropped, no group of points at
an end of the data, and not one Gaussian. All other datasets are searched once more.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from mog_jax.arrays import Array
from mog_jax.fitting.climb.arrival import on_floor
from mog_jax.fitting.multistart.block import Block
from mog_jax.fitting.multistart.choice import (
    NOTICEABLE,
    TWO_POINTS,
    Candidates,
    MostFrequent,
    beats_one,
    choose,
    is_narrower_at,
    most_frequent,
    one_log_likelihood,
    rank_bound,
    widened,
)
from mog_jax.fitting.multistart.climbs import Climbs, begin_climbs
from mog_jax.fitting.multistart.groups import Tails, splits, tails
from mog_jax.fitting.multistart.polish import arrived, polish_all, regularity
from mog_jax.fitting.multistart.pruning import Drop, RunnersUp
from mog_jax.fitting.multistart.search import Starts, search, search_further
from mog_jax.fitting.options import FitOptions
from mog_jax.fitting.parameterisation import swapped, with_shared_variance
from mog_jax.penalty import penalty_weight

# A dataset is searched again unless its maximum ranks above one Gaussian by this many nats.
_NEGLIGIBLE = 0.5
# Nats that a mixture may gain over the same points with known components.
_SHARED = 2.0
# Number of groups at the ends of a dataset, the best ones, that are starts.
_GROUPS = 2
# Number of runners-up that are starts of climbs with the penalty. Of 7,200 hard datasets 192 ended
# below the best known with one, 68 with four, 41 with eight; four take no longer than one.
_RUNNERS_UP = 4
# Largest number of maxima of a dataset's penalised likelihood from which a climb without the
# penalty starts; and that number where the search was made anew from all starts.
_SEARCHED, _SEARCHED_ANEW = 1, 8
# Two ends are the same maximum if no coordinate differs by more, in standard deviations.
_SAME = 1e-4
# The same in single precision, at the end of a search.
_NEAR = 0.02


class Reconsidered(NamedTuple):
    """The answers, and the highest maxima that were not chosen.

    Parameters
    ----------
    best : Climbs
        At most one for each dataset.
    passes : array, shape (b,)
        Passes over the data.
    higher_by : array, shape (b,)
        Nats by which another maximum that was found is higher; 0 if none is.
    higher_points : array, shape (b,)
        Points in the smaller component of that maximum.
    on_atom : array of bool, shape (b,)
        Whether a component is an atom.
    """

    best: Climbs
    passes: Array
    higher_by: Array
    higher_points: Array
    on_atom: Array


# A dataset whose values overflow does not compare as better, and is searched again.
@np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore")
def reconsider(
    best: Climbs,
    found: Climbs,
    runners_up: RunnersUp,
    begun: Starts,
    block: Block,
    options: FitOptions,
) -> Reconsidered:
    """Choose among the maxima of each dataset.

    Parameters
    ----------
    best : Climbs
        The highest regular maximum of each dataset, or else the best irregular one.
    found : Climbs
        The ends of the search.
    runners_up : RunnersUp
        The ranks of the climbs that the search dropped.
    begun : Starts
    block : Block
    options : FitOptions

    Returns
    -------
    Reconsidered
    """
    b = block.n.size
    frequent = most_frequent(block.points, block.counts, block.n)
    ends = tails(
        block.points,
        block.counts,
        block.n,
        block.total,
        runners_up.weight,
        options.variance_floor,
    )
    rank, narrow, apart = _doubtful(best, found, runners_up, ends, block, options)
    tied = ~np.isnan(frequent.value)
    # If many points have one value, or no maximum is regular, the first search may have failed.
    astray = tied | _irregular(best, b, options)
    wanted = narrow | apart | astray
    if not wanted.any():
        return Reconsidered(best, np.zeros(b), np.zeros(b), np.zeros(b), np.zeros(b, bool))
    # Datasets that were searched on a sample, or whose ties make high spikes, are climbed with the
    # penalty on all points.
    whole = tied | (wanted & (block.total != block.n_sample))
    groups = _groups(ends, apart | astray, block)
    own = best.take(wanted[best.dataset])
    starts = [
        (_widened(own, runners_up.weight), own.dataset),
        runners_up.best(wanted, _RUNNERS_UP, rank),
        _some(groups, ~whole),
        _splits(tied, block, options),
    ]
    found, passes = _searched_again(starts, runners_up, begun, apart, astray, block, options)
    of_whole = whole[found.dataset]
    near, more = _without_penalty(found.take(~of_whole), best, block, options)
    passes += more
    starts = [
        _some(groups, whole),
        _at_values(frequent, block),
        (found.take(of_whole).state.theta, found.dataset[of_whole]),
        _some(starts[0], whole),
    ]
    begin = _begin(starts, block, options)
    patient = options.is_slow
    risen, more = polish_all(begin, block, options, penalised=True, drop=Drop.NONE, patient=patient)
    tops, again = polish_all(risen, block, options, drop=Drop.NONE, patient=patient)
    passes += more + again
    ranks = [each.state.sums.log_likelihood for each in (found.take(~of_whole), risen)]
    tops = near.joined(tops)
    return _chosen(best, np.concatenate(ranks), tops, frequent, passes, block, options)


def _doubtful(
    best: Climbs,
    found: Climbs,
    runners_up: RunnersUp,
    ends: Tails,
    block: Block,
    options: FitOptions,
) -> tuple[Array, Array, Array]:
    """Return the rank of the best, which datasets are searched again, and which at their ends."""
    b = block.n.size
    rank, start = np.full(b, -np.inf), np.full(b, -1)
    rank[best.dataset] = rank_bound(
        np.asarray(best.state.theta, np.float64),
        best.state.sums.effective_counts,
        best.state.sums.log_likelihood,
        runners_up.weight[best.dataset],
    )
    start[best.dataset] = best.start
    # The other ends of the search are ranked as the dropped climbs are.
    runners_up.add(found, found.start != start[found.dataset], block.bounds.scale)
    one = one_log_likelihood(block.total)
    # The penalised likelihood of one Gaussian: of two components that coincide.
    least = one - 2 * runners_up.weight
    doubtful: Array = ~(rank > np.maximum(runners_up.highest(), least + _NEGLIGIBLE))
    # A group of few points has to beat one Gaussian; a larger one the first search looks for too.
    n_more = options.n_parameters(block.free) - 2
    few = ends.points < options.min_points
    worth = ~few | beats_one(ends.height + _SHARED, one, block.total, n_more)
    apart = worth & (ends.score + np.where(few, _SHARED, 0) > np.maximum(rank, least))
    return rank, doubtful, apart.any(axis=0)


def _irregular(best: Climbs, b: int, options: FitOptions) -> Array:
    """Return which datasets have no regular maximum."""
    irregular = np.ones(b, bool)
    irregular[best.dataset] = regularity(best.state, options, under_way=False) > 0
    return irregular


def _some(starts: tuple[Array, Array], which: Array) -> tuple[Array, Array]:
    """Return those of some datasets."""
    theta, dataset = starts
    some = np.flatnonzero(which[dataset])
    return theta[:, some], dataset[some]


def _searched_again(
    starts: list[tuple[Array, Array]],
    runners_up: RunnersUp,
    begun: Starts,
    apart: Array,
    anew: Array,
    block: Block,
    options: FitOptions,
) -> tuple[Climbs, Array]:
    """Climb to the best maxima of the penalised likelihood of some datasets.

    The climbs start at `starts`; of the datasets `anew`, also at all starts of the first search.
    """
    theta, dataset = (np.concatenate(each, axis=-1) for each in zip(*starts, strict=True))
    found, passes = search_further(theta, dataset, block, options, penalised=True)
    if anew.any():
        # The best climbs may be spikes around tied points, which are not accepted as answers: so a
        # climb is not dropped for being lower.
        wide = dataclasses.replace(
            begun, theta=_widened_starts(begun.theta, runners_up, block, options)
        )
        further, more = search(wide, block, anew, options, penalised=True, drop=Drop.MET)
        found, passes = found.joined(further), passes + more
    value = found.state.sums.log_likelihood
    order = np.lexsort((-np.where(np.isfinite(value), value, -np.inf), found.dataset))
    dataset_of = found.dataset[order]
    rank = np.arange(order.size) - np.searchsorted(dataset_of, dataset_of)
    number = np.where(apart, _SEARCHED + _GROUPS, _SEARCHED)
    number = np.where(anew, _SEARCHED_ANEW, number)[dataset_of]
    return found.take(order[rank < number]), passes


def _without_penalty(
    found: Climbs, best: Climbs, block: Block, options: FitOptions
) -> tuple[Climbs, Array]:
    """Climb without the penalty from maxima of the penalised likelihood.

    A climb that comes near the best maximum of its dataset is replaced by it.

    Returns
    -------
    Climbs
        One for each of `found`, in the same order.
    array, shape (b,)
        Passes over the data.
    """
    theta = np.asarray(found.state.theta, np.float64)
    near, passes = search_further(theta, found.dataset, block, options, penalised=False)
    own = np.full(block.n.size, -1)
    own[best.dataset] = np.arange(best.dataset.size)
    place = own[near.dataset]
    is_own = (place >= 0) & _is_near(near.state.theta, best.state.theta[:, place], _NEAR)
    tops, more = polish_all(
        near.take(~is_own), block, options, drop=Drop.NONE, patient=options.is_slow
    )
    # In the order of `found`.
    rows = np.empty((near.rows.shape[0], near.dataset.size), best.rows.dtype)
    rows[:, is_own], rows[:, ~is_own] = best.rows[:, place[is_own]], tops.rows
    return dataclasses.replace(near, rows=rows), passes + more


def _widened_starts(
    theta: Array, runners_up: RunnersUp, block: Block, options: FitOptions
) -> Array:
    weights = np.stack([1 / (1 + np.exp(-theta[0])), 1 / (1 + np.exp(theta[0]))])
    wide = widened(theta, weights * block.total, runners_up.weight)
    if options.equal_variances:
        wide = with_shared_variance(wide)
    return np.asarray(np.where(block.free[:, None], wide, theta), theta.dtype)


def _widened(climbs: Climbs, weight: Array) -> Array:
    """Return the coordinates from which to climb with the penalty, shape (5, lanes)."""
    theta, held = climbs.state.theta, climbs.state.sums.effective_counts
    return widened(np.asarray(theta, np.float64), held, weight[climbs.dataset])


def _is_near(theta: Array, other: Array, tolerance: float) -> Array:
    """Return whether no coordinate differs by more than the tolerance, in standard deviations.

    The components may be in either order.
    """
    unit = np.ones(theta.shape)
    unit[1:3] = np.exp(-0.5 * other[3:])
    near, crossed = (
        (np.abs(each - other) * unit < tolerance).all(axis=0) for each in (theta, swapped(theta))
    )
    return np.asarray(near | crossed)


def _groups(ends: Tails, which: Array, block: Block) -> tuple[Array, Array]:
    """Return starts at the best groups at the ends of some datasets."""
    order = np.argsort(-ends.score, axis=0, kind="stable")[:_GROUPS]
    rank, dataset = np.nonzero(np.take_along_axis(ends.score, order, axis=0) > -np.inf)
    some = which[dataset]
    dataset, group = dataset[some], order[rank[some], dataset[some]]
    return _both_ways(ends.theta[:, group, dataset], dataset, block)


def _splits(which: Array, block: Block, options: FitOptions) -> tuple[Array, Array]:
    """Return starts at splits of some datasets."""
    dataset = np.flatnonzero(which)
    theta = splits(block.sample[dataset], block.n_sample[dataset], options.variance_floor)
    begin, of = _both_ways(theta.reshape(5, -1), np.tile(dataset, theta.shape[1]), block)
    return np.where(block.free[:, of], begin, block.fixed[:, of]), of


def _at_values(frequent: MostFrequent, block: Block) -> tuple[Array, Array]:
    """Return starts whose first component is the value that many points share."""
    dataset = np.flatnonzero(~np.isnan(frequent.value))
    value, held = frequent.value[dataset], frequent.points[dataset]
    weight = penalty_weight(block.total[dataset], xp=np)
    rest = np.maximum(block.total[dataset] - held, TWO_POINTS)
    mean = -held * value / rest
    left = block.total[dataset] - held * np.square(value) - rest * np.square(mean)
    theta = [
        np.log(held / rest),
        value,
        mean,
        np.log(2 * weight / (held + 2 * weight)),
        np.log((np.maximum(left, 0) + 2 * weight) / (rest + 2 * weight)),
    ]
    return _both_ways(np.stack(theta), dataset, block)


def _both_ways(theta: Array, dataset: Array, block: Block) -> tuple[Array, Array]:
    """Add each start with its components exchanged, if parameters are fixed."""
    if block.free.all():
        return theta, dataset
    return np.concatenate([theta, swapped(theta)], axis=1), np.tile(dataset, 2)


def _begin(starts: list[tuple[Array, Array]], block: Block, options: FitOptions) -> Climbs:
    theta, dataset = (np.concatenate(each, axis=-1) for each in zip(*starts, strict=True))
    if options.equal_variances:
        theta = with_shared_variance(theta)
    return begin_climbs(theta, dataset, np.arange(dataset.size), block.whole.points.dtype)


def _on_atom(tops: Climbs, frequent: MostFrequent, options: FitOptions) -> Array:
    """Return which climbs have their narrower component on an atom."""
    theta = tops.state.theta
    value = np.where(frequent.is_atom, frequent.value, np.nan)[tops.dataset]
    near = is_narrower_at(theta, value, options.variance_floor)
    return near & on_floor(theta, options.variance_floor)


def _chosen(
    best: Climbs,
    rank: Array,
    tops: Climbs,
    frequent: MostFrequent,
    passes: Array,
    block: Block,
    options: FitOptions,
) -> Reconsidered:
    b, state = block.n.size, tops.state
    found = Candidates(
        dataset=tops.dataset,
        penalised=np.where(np.isnan(rank), -np.inf, rank),
        value=np.asarray(state.sums.log_likelihood, np.float64),
        fewest=np.asarray(state.sums.effective_counts.min(axis=0), np.float64),
        on_floor=on_floor(state.theta, options.variance_floor),
        on_atom=_on_atom(tops, frequent, options),
        has_arrived=arrived(state, options.tolerance),
    )
    total = block.total[tops.dataset]
    one = one_log_likelihood(total)
    beats = beats_one(found.value, one, total, options.n_parameters(block.free)[tops.dataset] - 2)
    place = choose(found, beats, options.min_points, b)
    own = np.full(b, -1)
    own[best.dataset] = np.arange(best.dataset.size)
    # If both searches found one maximum, the first one's numbers are kept, to the last bit.
    both = np.flatnonzero((place >= 0) & (own >= 0))
    there, here = tops.state.theta[:, place[both]], best.state.theta[:, own[both]]
    place[both[_is_near(there, here, _SAME)]] = -1
    kept = place[best.dataset] < 0
    answer = best.take(kept).joined(tops.take(place[place >= 0]))
    higher_by, higher_points = _higher(answer, best.joined(tops), b)
    is_atom = np.zeros(b, bool)
    is_atom[answer.dataset] = _on_atom(answer, frequent, options)
    return Reconsidered(answer, passes, higher_by, higher_points, is_atom)


def _higher(answer: Climbs, seen: Climbs, b: int) -> tuple[Array, Array]:
    """Return by how many nats the highest maximum found is above the answer, and its points.

    The points are those of the smaller component; both are 0 where no maximum is higher.
    """
    level = np.full(b, np.nan)
    level[answer.dataset] = answer.state.sums.log_likelihood
    value = seen.state.sums.log_likelihood
    order = np.lexsort((-np.where(np.isfinite(value), value, -np.inf), seen.dataset))
    dataset, first = np.unique(seen.dataset[order], return_index=True)
    highest = order[first]
    by, points = np.zeros(b), np.zeros(b)
    by[dataset] = value[highest] - level[dataset]
    points[dataset] = seen.state.sums.effective_counts[:, highest].min(axis=0)
    is_higher = by > NOTICEABLE
    return np.where(is_higher, by, 0), np.where(is_higher, points, 0)
