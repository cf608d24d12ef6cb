"""Finds the maximum of each dataset: a search with the penalty, then a climb without it."""

import dataclasses
import functools
import math
from typing import NamedTuple

import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.intervals.climb import (
    SINGULAR,
    Climbs,
    Ends,
    climb,
    effective_counts,
)
from mog_jax.fitting.intervals.observations import Intervals, coarsened
from mog_jax.fitting.intervals.starts import starts
from mog_jax.fitting.multistart import choice
from mog_jax.fitting.options import SEARCH_TOLERANCE, FitOptions
from mog_jax.fitting.parameterisation import swapped
from mog_jax.penalty import penalty_weight

_SEARCH_STEPS = 80
# Largest number of maxima of the penalised likelihood that are tried, best first.
_MOST_TRIED = 6
# Ends of the search that are nearer than this, in every coordinate and in nats, are one maximum.
_APART, _VALUE_APART = 0.3, 0.02
# Least number of points of a component.
LEAST_POINTS = 2
# A standard deviation below a quarter of an interval's width is not identified.
RESOLVED = 0.25
# Nats that the penalty may cost where there is no single maximum: half of what chi-squared allows
# in 95 % of cases. The standard deviation at its own is then an upper bound.
_SAME_RIDGE = 1.92
# Of the points that a component holds, those that it holds still when it ends below that.
_KEPT = 0.75
# A climb without the penalty is stopped at half of that: it would go on for ever.
_STOPPED = 0.5 * RESOLVED


class Maxima(NamedTuple):
    """The maximum found for each of b datasets.

    Attributes
    ----------
    ends : Ends
        Ends of the climbs, shape (b,).
    one : Ends
        The fit of a single Gaussian: two equal components of weight one half.
    is_below : array of bool, shape (b, 2)
        Which components have a standard deviation that is not identified.
    is_flat : array of bool, shape (b, 2)
        Which components have a place that is not identified, as one beyond a limit.
    is_on_floor : array of bool, shape (b,)
        Whether a component lies on the variance floor.
    is_kept : array of bool, shape (b,)
        Whether those below the resolution are the components of the penalised maximum.
    """

    ends: Ends
    one: Ends
    is_below: Array
    is_flat: Array
    is_on_floor: Array
    is_kept: Array


def maximise(
    data: Intervals, datasets: Array, options: FitOptions, free: Array, fixed: Array
) -> Maxima:
    """Find, for each dataset, the maximum that is the answer.

    Parameters
    ----------
    data : Intervals
    datasets : array of int, shape (b,)
        Which datasets.
    options : FitOptions
    free : array of bool, shape (b, 5)
        Which coordinates are not fixed.
    fixed : array, shape (b, 5)
        The values of the fixed coordinates.
    """
    one = _one_gaussian(data, datasets, options)
    ranked = _search(data, datasets, options, free, fixed)
    basis = bases(free, options.equal_variances)
    best: Maxima | None = None
    missing = np.arange(len(datasets))
    has_answer = np.zeros(len(datasets), bool)
    for rank in range(_MOST_TRIED):
        there = missing[np.isfinite(ranked[missing, rank]).all(axis=1)]
        if best is not None and not there.size:
            break
        own = one.chosen(there)
        found = _try(data, datasets[there], ranked[there, rank], basis[there], options, own)
        is_answer = _is_answer(found, data, datasets[there], free[there], options)
        if best is None:
            best = found
            # Any other maximum is better than one with a component of a single value.
            is_lone = _is_lone(best, data, datasets)
        elif options.choose == "regular":
            higher = found.ends.log_likelihood > best.ends.log_likelihood[there]
            better = is_answer & (higher | ~has_answer[there])
            _put(best, there[better], found, np.flatnonzero(better))
        else:
            better = is_answer | (is_lone[there] & ~_is_lone(found, data, datasets[there]))
            _put(best, there[better], found, np.flatnonzero(better))
            is_lone[there] &= ~better
        has_answer[there] |= is_answer
        if options.choose != "regular":
            missing = missing[~has_answer[missing]]
    assert best is not None
    return best


def bases(free: Array, equal_variances: bool) -> Array:
    """Return the directions in which climbs may go: columns of matrices, shape (b, 5, 5)."""
    basis = np.eye(5) * free[:, None, :]
    if equal_variances:
        basis[:, 4, 3] = basis[:, 4, 4]
        basis[:, 4, 4] = 0
    return basis


def _lowest(data: Intervals, datasets: Array, options: FitOptions) -> Array:
    return np.full(len(datasets), math.log(options.variance_floor))


def _one_gaussian(data: Intervals, datasets: Array, options: FitOptions) -> Ends:
    basis = np.zeros((len(datasets), 5, 5))
    basis[:, 1:3, 1] = basis[:, 3:5, 3] = 1
    climbs = Climbs(
        theta=np.zeros((len(datasets), 5)),
        dataset=datasets,
        basis=basis,
        penalty_weight=np.zeros(len(datasets)),
        penalty_unit=np.zeros((len(datasets), 2)),
        lowest=_lowest(data, datasets, options),
    )
    return climb(climbs, data, tolerance=options.tolerance, max_steps=options.max_steps)


def _search(
    data: Intervals, datasets: Array, options: FitOptions, free: Array, fixed: Array
) -> Array:
    """Return the maxima of the penalised likelihood, best first, shape (b, tried, 5)."""
    begun = starts(data, datasets, options.starts)
    begun = np.where(free[:, None], begun, fixed[:, None])
    if options.equal_variances:
        begun[..., 3:] = begun[..., 3:].max(axis=-1, keepdims=True)
    number = begun.shape[1]
    which = np.repeat(np.arange(len(datasets)), number)
    climbs = Climbs(
        theta=begun.reshape(-1, 5),
        dataset=datasets[which],
        basis=bases(free, options.equal_variances)[which],
        penalty_weight=penalty_weight(data.total[datasets], xp=np)[which],
        penalty_unit=np.zeros((which.size, 2)),
        lowest=_lowest(data, datasets, options)[which],
    )
    ends = climb(climbs, coarsened(data), tolerance=SEARCH_TOLERANCE, max_steps=_SEARCH_STEPS)
    return _distinct(ends.theta.reshape(-1, number, 5), ends.value.reshape(-1, number))


def _distinct(theta: Array, value: Array) -> Array:
    """Return the best distinct ends, by descending value; NaN where there are fewer."""
    b, number = value.shape
    order = np.argsort(-value, axis=1, kind="stable")
    theta = np.take_along_axis(theta, order[:, :, None], axis=1)
    value = np.take_along_axis(value, order, axis=1)
    # The components of equal ends may be in different order.
    swap = theta[..., 1] > theta[..., 2]
    exchanged = np.moveaxis(swapped(np.moveaxis(theta, -1, 0)), 0, -1)
    in_order = np.where(swap[..., None], exchanged, theta)
    kept = np.full((b, _MOST_TRIED, 5), np.nan)
    its_value = np.full((b, _MOST_TRIED), np.nan)
    count = np.zeros(b, np.int64)
    for place in range(number):
        gap = np.abs(kept - in_order[:, place, None]).max(axis=2)
        alike = (gap < _APART) & (its_value - value[:, place, None] < _VALUE_APART)
        is_new = ~alike.any(axis=1) & np.isfinite(value[:, place])
        rows = np.flatnonzero(is_new & (count < _MOST_TRIED))
        kept[rows, count[rows]] = in_order[rows, place]
        its_value[rows, count[rows]] = value[rows, place]
        count[rows] += 1
    return kept


def _try(
    data: Intervals, datasets: Array, begun: Array, basis: Array, options: FitOptions, one: Ends
) -> Maxima:
    """Climb with the penalty, then without it; where nothing is to be found there, go back."""
    lowest, weight = _lowest(data, datasets, options), penalty_weight(data.total[datasets], xp=np)
    unit = np.zeros((len(datasets), 2))
    go = functools.partial(
        climb, data=data, tolerance=options.tolerance, max_steps=options.max_steps
    )
    penalised = go(Climbs(begun, datasets, basis, weight, unit, lowest))
    stop = np.maximum(lowest, _stopped(data, datasets))
    ends = go(Climbs(penalised.theta, datasets, basis, np.zeros(len(datasets)), unit, stop))
    is_below, is_flat = below_resolution(ends, data, datasets), _flat(ends)
    is_kept = _is_kept(ends, penalised, is_below, data.total[datasets])
    passes = penalised.n_passes + ends.n_passes
    # On a flat ridge the penalty has a maximum, and without it there is no single one.
    is_narrow = is_below.any(axis=1)
    is_near = ends.log_likelihood - penalised.log_likelihood <= _SAME_RIDGE
    back = (is_narrow & is_near) | (~is_narrow & (ends.least_curvature <= SINGULAR))
    far = np.flatnonzero(is_narrow & ~is_near)
    if far.size:
        units = _units(ends, is_below, data, datasets)
        again = Climbs(ends.theta, datasets, basis, weight, units, lowest).chosen(far)
        resolved = go(again)
        _replace(ends, far, resolved)
        passes[far] += resolved.n_passes
    _replace(ends, np.flatnonzero(back), penalised.chosen(back))
    ends.n_passes[:] = passes
    # Where a component is below the resolution, the floor is no more than a place on the ridge.
    on_floor: Array = (ends.theta[:, 3:] <= lowest[:, None]) & ~is_below
    is_on_floor = np.asarray(on_floor.any(axis=1))
    return Maxima(ends, one, is_below, is_flat, is_on_floor, is_kept)


def _replace(ends: Ends, rows: Array, others: Ends) -> None:
    for field in dataclasses.fields(Ends):
        getattr(ends, field.name)[rows] = getattr(others, field.name)


def _units(ends: Ends, is_below: Array, data: Intervals, datasets: Array) -> Array:
    """Log-variances to which a penalty draws the components: half a width, or where one is.

    The likelihood is flat where a standard deviation is far below the width; this penalty has a
    single maximum there, and costs a part of a nat.
    """
    width = np.maximum(widths(ends, data, datasets), 1e-300)
    units: Array = np.where(is_below, 2 * np.log(0.5 * width), ends.theta[:, 3:])
    return units


def _is_kept(ends: Ends, penalised: Ends, is_below: Array, total: Array) -> Array:
    """Whether components that end below the resolution hold the points that they began with.

    Others have fallen into one value, a spike that the penalised likelihood has not.
    """
    before = effective_counts(penalised.theta, penalised.gradient, total)
    after = effective_counts(ends.theta, ends.gradient, total)
    is_lost: Array = is_below & (after <= _KEPT * before)
    return np.asarray(~is_lost.any(axis=1))


def _flat(ends: Ends) -> Array:
    """Return, for climbs that end flat, which component is the less determined, shape (b, 2)."""
    own = ends.weakest[:, 1:3] + ends.weakest[:, 3:]
    found: Array = ends.is_flat[:, None] & (own == own.max(axis=1, keepdims=True))
    return found


def _stopped(data: Intervals, datasets: Array) -> Array:
    """Return the log-variance at which a climb without the penalty stops, shape (b,).

    It is -inf for a dataset with exact values.
    """
    stop = np.full(len(datasets), -np.inf)
    for place, dataset in enumerate(datasets):
        _, half_width, counts = data.rows(dataset)
        finite = np.isfinite(half_width) & (counts > 0)
        if finite.any() and half_width[finite].min() > 0:
            stop[place] = 2 * math.log(_STOPPED * 2 * half_width[finite].min())
    return stop


def widths(ends: Ends, data: Intervals, datasets: Array) -> Array:
    """Return the mean width of the intervals of each component, shape (b, 2)."""
    total = np.array([_total_width(data, dataset) for dataset in datasets])
    share = 1 / (1 + np.exp(-ends.theta[:, 0]))
    first = ends.first_width + share * total
    counts = effective_counts(ends.theta, ends.gradient, data.total[datasets])
    both = np.stack([first, total - first], axis=1)
    found: Array = np.maximum(both, 0) / np.maximum(counts, 1e-300)
    return found


def _total_width(data: Intervals, dataset: int) -> float:
    _, half_width, counts = data.rows(dataset)
    finite = np.isfinite(half_width) & (counts > 0)
    return float(2 * (half_width[finite] @ counts[finite]))


def below_resolution(ends: Ends, data: Intervals, datasets: Array) -> Array:
    """Return which standard deviations are not identified, shape (b, 2)."""
    width = widths(ends, data, datasets)
    deviation = np.exp(0.5 * ends.theta[:, 3:])
    below = deviation < RESOLVED * width
    # If the information is singular, the narrower component is the cause, if it is narrow.
    singular = ends.least_curvature <= SINGULAR
    narrower = (deviation < 2 * RESOLVED * width) & (
        deviation == deviation.min(axis=1, keepdims=True)
    )
    found: Array = below | (singular[:, None] & narrower)
    return found


def beats_one(
    found: Maxima, data: Intervals, datasets: Array, free: Array, options: FitOptions
) -> Array:
    """Whether two components beat one by their BIC."""
    two, one = found.ends.log_likelihood, found.one.log_likelihood
    n_more = options.n_parameters(free.T) - 2
    beats: Array = choice.beats_one(two, one, data.total[datasets], n_more)
    return beats


def _is_lone(found: Maxima, data: Intervals, datasets: Array) -> Array:
    """Return whether a component holds less than two values, shape (b,)."""
    counts = effective_counts(found.ends.theta, found.ends.gradient, data.total[datasets])
    is_lone: Array = counts.min(axis=1) < LEAST_POINTS
    return is_lone


def _is_answer(
    found: Maxima, data: Intervals, datasets: Array, free: Array, options: FitOptions
) -> Array:
    """Return which maxima are accepted: `min_points` in each component, or two and a lower BIC."""
    counts = effective_counts(found.ends.theta, found.ends.gradient, data.total[datasets])
    least = counts.min(axis=1)
    enough = least >= options.min_points
    if options.choose == "regular":
        enough &= ~found.is_below.any(axis=1)
    else:
        enough |= (least >= LEAST_POINTS) & beats_one(found, data, datasets, free, options)
        enough &= found.is_kept
    is_answer: Array = enough & ~found.is_on_floor & np.isfinite(found.ends.value)
    return is_answer


def _put(best: Maxima, rows: Array, found: Maxima, places: Array) -> None:
    for field in dataclasses.fields(Ends):
        getattr(best.ends, field.name)[rows] = getattr(found.ends, field.name)[places]
    for mine, other in zip(best[2:], found[2:], strict=True):
        mine[rows] = other[places]
