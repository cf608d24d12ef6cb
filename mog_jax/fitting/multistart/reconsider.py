"""Whether the highest regular maximum is the answer, and the search for the answer if it is not.

In most datasets it can be told from that maximum that no other one ranks above it
(:mod:`mog_jax.fitting.multistart.choice`): there the penalty takes less than a nat, and no group of
points at an end of the data would be worth more as a component. All others are searched once more,
with the penalty.
"""

from typing import NamedTuple

import numpy as np

from mog_jax.arrays import Array
from mog_jax.fitting.climb.arrival import on_floor
from mog_jax.fitting.multistart.block import Block
from mog_jax.fitting.multistart.choice import (
    TWO_POINTS,
    Candidates,
    MostFrequent,
    beats_one,
    choose,
    most_frequent,
    one_log_likelihood,
)
from mog_jax.fitting.multistart.climbs import Climbs, begin_climbs
from mog_jax.fitting.multistart.groups import Tails, splits, tails
from mog_jax.fitting.multistart.polish import arrived, polish_all, regularity
from mog_jax.fitting.multistart.pruning import Drop
from mog_jax.fitting.multistart.search import Starts, search, search_further
from mog_jax.fitting.options import FitOptions
from mog_jax.fitting.parameterisation import swapped
from mog_jax.penalty import penalty, penalty_weight

# Nats that the penalty may take from a maximum that is not looked at again: another one that ranks
# above it is no lower than so much, in likelihood.
_NEGLIGIBLE = 0.5
# Nats that a mixture may gain on the same points shared out.
_SHARED = 2.0
# Groups at the ends of which each dataset's best are climbed from.
_GROUPS = 3
# Maxima of the penalised likelihood of each dataset that are climbed from, at most.
_SEARCHED = 8
# Two ends are the same maximum when no coordinate is apart by more, in standard deviations.
_SAME = 1e-4
# Nats by which a maximum that is higher is worth a remark.
_NOTICEABLE = 1e-3


class Reconsidered(NamedTuple):
    """The answers, and what lies above them.

    Parameters
    ----------
    best : Climbs
        At most one for each dataset.
    passes : array, shape (b,)
    higher_by : array, shape (b,)
        Nats by which another maximum was seen to lie higher; 0 for none.
    higher_points : array, shape (b,)
        Points in that one's smaller component.
    on_atom : array of bool, shape (b,)
        Whether a component is an atom.
    """

    best: Climbs
    passes: Array
    higher_by: Array
    higher_points: Array
    on_atom: Array


# What leaves the numbers compares as it should: it is looked at again.
@np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore")
def reconsider(best: Climbs, begun: Starts, block: Block, options: FitOptions) -> Reconsidered:
    """Choose among the maxima of each dataset.

    Parameters
    ----------
    best : Climbs
        The highest regular maximum of each dataset, or what there is in its place.
    begun : Starts
    block : Block
    options : FitOptions

    Returns
    -------
    Reconsidered
    """
    b = block.n.size
    weight = penalty_weight(block.total, xp=np)
    frequent = most_frequent(block.points, block.counts, block.n)
    ends = tails(block.points, block.counts, block.n, block.total, weight, options.variance_floor)
    narrow, apart = _doubtful(best, ends, weight, block, options)
    narrow |= ~np.isnan(frequent.value)
    passes = np.zeros(b)
    if not (narrow | apart).any():
        return Reconsidered(best, passes, np.zeros(b), np.zeros(b), np.zeros(b, bool))
    begin = _groups(ends, narrow | apart, block).joined(_at_values(frequent, block))
    begin = best.take((narrow | apart)[best.dataset]).joined(begin)
    risen, passes = polish_all(begin, block, options, penalised=True, drop=Drop.NONE)
    if narrow.any():
        regular, more = _searched_again(begun, narrow, block, options)
        risen, passes = risen.joined(regular), passes + more
    tops, more = polish_all(risen, block, options, drop=Drop.NONE)
    on_atom = _on_atom(tops, frequent, options)
    return _chosen(best, risen, tops, on_atom, passes + more, block, options)


def _doubtful(
    best: Climbs, ends: Tails, weight: Array, block: Block, options: FitOptions
) -> tuple[Array, Array]:
    """Say of which datasets other maxima are sought, and of which others at the ends are."""
    b = block.n.size
    taken, ranked, irregular = np.full(b, np.inf), np.full(b, -np.inf), np.ones(b, bool)
    theta = np.asarray(best.state.theta, np.float64)
    lost = penalty(theta, weight[best.dataset], xp=np)
    taken[best.dataset] = -lost - 2 * weight[best.dataset]
    ranked[best.dataset] = best.state.sums.log_likelihood + lost
    irregular[best.dataset] = regularity(best.state, options, under_way=False) > 0
    apart = ends.score.max(axis=0, initial=-np.inf) + _SHARED > ranked
    return irregular | ~(taken < _NEGLIGIBLE), apart


def _searched_again(
    begun: Starts, narrow: Array, block: Block, options: FitOptions
) -> tuple[Climbs, Array]:
    """Climb to the best maxima of the penalised likelihood of some datasets."""
    # The best may be spikes around tied points, which are no answer: so none is dropped that is
    # merely lower.
    found, passes = search(begun, block, narrow, options, penalised=True, drop=Drop.MET)
    which = np.flatnonzero(narrow)
    theta = splits(block.sample[which], block.n_sample[which], options.variance_floor)
    if not block.free.all():
        theta = np.concatenate([theta, swapped(theta)], axis=1)
        theta = np.where(block.free[:, None, which], theta, block.fixed[:, None, which])
    further, more = search_further(theta, which, block, options)
    found = found.joined(further)
    value = found.state.sums.log_likelihood
    order = np.lexsort((-np.where(np.isfinite(value), value, -np.inf), found.dataset))
    dataset = found.dataset[order]
    rank = np.arange(order.size) - np.searchsorted(dataset, dataset)
    best = found.take(order[rank < _SEARCHED])
    highest, again = polish_all(best, block, options, penalised=True, drop=Drop.MET)
    return highest, passes + more + again


def _groups(ends: Tails, which: Array, block: Block) -> Climbs:
    """Begin at the best groups at the ends of some datasets."""
    order = np.argsort(-ends.score, axis=0, kind="stable")[:_GROUPS]
    rank, dataset = np.nonzero(np.take_along_axis(ends.score, order, axis=0) > -np.inf)
    some = which[dataset]
    dataset, group = dataset[some], order[rank[some], dataset[some]]
    return _begin(ends.theta[:, group, dataset], dataset, block)


def _at_values(frequent: MostFrequent, block: Block) -> Climbs:
    """Begin at the values that many points share."""
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
    return _begin(np.stack(theta), dataset, block)


def _begin(theta: Array, dataset: Array, block: Block) -> Climbs:
    if not block.free.all():
        # Which component is which now matters: each start is tried both ways.
        theta, dataset = np.concatenate([theta, swapped(theta)], axis=1), np.tile(dataset, 2)
    start = np.arange(dataset.size)
    return begin_climbs(theta, dataset, start, block.whole.points.dtype)


def _on_atom(tops: Climbs, frequent: MostFrequent, options: FitOptions) -> Array:
    """Say which climbs have their narrower component on an atom."""
    theta = tops.state.theta
    narrower = np.where(theta[3] <= theta[4], theta[1], theta[2])
    value = np.where(frequent.is_atom, frequent.value, np.nan)[tops.dataset]
    near: Array = np.abs(narrower - value) <= np.sqrt(options.variance_floor)
    return near & on_floor(theta, options.variance_floor)


def _chosen(
    best: Climbs,
    risen: Climbs,
    tops: Climbs,
    on_atom: Array,
    passes: Array,
    block: Block,
    options: FitOptions,
) -> Reconsidered:
    b, state = block.n.size, tops.state
    found = Candidates(
        dataset=tops.dataset,
        penalised=np.where(np.isnan(risen.state.sums.log_likelihood), -np.inf, 0)
        + risen.state.sums.log_likelihood,
        value=np.asarray(state.sums.log_likelihood, np.float64),
        fewest=np.asarray(state.sums.effective_counts.min(axis=0), np.float64),
        on_floor=on_floor(state.theta, options.variance_floor),
        on_atom=on_atom,
        has_arrived=arrived(state, options.tolerance),
    )
    total = block.total[tops.dataset]
    one = one_log_likelihood(total)
    beats = beats_one(found.value, one, total, options.n_parameters(block.free)[tops.dataset] - 2)
    place = choose(found, beats, options.min_points, b)
    own = np.full(b, -1)
    own[best.dataset] = np.arange(best.dataset.size)
    # The same maximum is the same to the last bit: as the search without the penalty found it.
    both = np.flatnonzero((place >= 0) & (own >= 0))
    apart = tops.rows[:5, place[both]] - best.rows[:5, own[both]]
    scale = np.ones(apart.shape)
    scale[1:3] = np.exp(-0.5 * best.rows[3:5, own[both]])
    place[both[(np.abs(apart * scale) < _SAME).all(axis=0)]] = -1
    kept = place[best.dataset] < 0
    answer = best.take(kept).joined(tops.take(place[place >= 0]))
    higher_by, higher_points = _higher(answer, best.joined(tops), b)
    is_atom = np.zeros(b, bool)
    is_atom[tops.dataset[place[place >= 0]]] = on_atom[place[place >= 0]]
    return Reconsidered(answer, passes, higher_by, higher_points, is_atom)


def _higher(answer: Climbs, seen: Climbs, b: int) -> tuple[Array, Array]:
    """Say how much higher the highest of all maxima seen is, and how many points it holds."""
    level = np.full(b, np.nan)
    level[answer.dataset] = answer.state.sums.log_likelihood
    value = seen.state.sums.log_likelihood
    order = np.lexsort((-np.where(np.isfinite(value), value, -np.inf), seen.dataset))
    dataset, first = np.unique(seen.dataset[order], return_index=True)
    highest = order[first]
    by, points = np.zeros(b), np.zeros(b)
    by[dataset] = value[highest] - level[dataset]
    points[dataset] = seen.state.sums.effective_counts[:, highest].min(axis=0)
    is_higher = by > _NOTICEABLE
    return np.where(is_higher, by, 0), np.where(is_higher, points, 0)
