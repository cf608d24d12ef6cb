"""Further starts for the datasets that are looked at again: groups at the ends, and splits.

The search begins at windows of some points, in a sample of the data where those are many. What lies
apart holds few points, and stands at an end: so it is looked for there, among all points. And where
many points have the same value a window may cut it in two, which a *split* between two values does
not.
"""

from typing import NamedTuple

import numpy as np

from mog_jax.arrays import Array

# Points of a group; none holds more than half of the data.
_SIZES = np.array([2, 3, 4, 5, 6, 8, 12, 16, 24, 32])
# Edges of which each dataset is split at.
_SPLITS = 15
_LOG_TWO_PI = float(np.log(2 * np.pi))


class Tails(NamedTuple):
    """Groups at the ends of datasets.

    Parameters
    ----------
    theta : array, shape (5, groups, b)
        Coordinates of the mixture whose first component is the group.
    score : array, shape (groups, b)
        The penalised log-likelihood there, were each point known to belong to its own component:
        that of the mixture is not lower. Minus infinity where there is no such group.
    height : array, shape (groups, b)
        The same without the penalty, for the group's own variance.
    points : array, shape (groups, b)
        How many the group holds.
    """

    theta: Array
    score: Array
    height: Array
    points: Array


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def tails(
    points: Array, counts: Array | None, n: Array, total: Array, weight: Array, lowest: float
) -> Tails:
    """Give the groups of 2 to 32 points at either end.

    Parameters
    ----------
    points : array, shape (b, rows)
        Standardised and sorted.
    counts : array, shape (b, rows), or None
        How often each point was seen.
    n : array of int, shape (b,)
    total : array, shape (b,)
        Sum of the counts.
    weight : array, shape (b,)
        Of the penalty.
    lowest : float
        Lowest variance to begin with.
    """
    b, most = n.size, int(min(_SIZES[-1], points.shape[1]))
    sizes = _SIZES[: np.searchsorted(_SIZES, most, side="right")]
    if not sizes.size:
        return Tails(np.zeros((5, 0, b)), *np.zeros((3, 0, b)))
    from_top = np.maximum(n[:, None] - 1 - np.arange(most), 0)
    groups: list[Tails] = []
    for ends in (points[:, :most], np.take_along_axis(points, from_top, axis=1)):
        times = np.ones(ends.shape)
        if counts is not None:
            from_here = np.arange(most)[None] if not groups else from_top
            times = np.take_along_axis(counts, np.broadcast_to(from_here, ends.shape), axis=1)
            times = times.astype(np.float64)
        sums = [np.cumsum(times * ends**p, axis=1)[:, sizes - 1].T for p in range(3)]
        groups.append(_group(sums, sizes, n, total, weight, lowest))
    return Tails(*(np.concatenate(fields, axis=-2) for fields in zip(*groups, strict=True)))


def splits(points: Array, n: Array, lowest: float) -> Array:
    """Give mixtures of the points below and above an edge, for edges between values.

    Parameters
    ----------
    points : array, shape (b, rows)
        Standardised and sorted, each as often as it was seen.
    n : array of int, shape (b,)
    lowest : float
        Lowest variance to begin with.

    Returns
    -------
    array, shape (5, edges, b)
        NaN where an edge has no points on one side.
    """
    theta = np.full((5, _SPLITS, n.size), np.nan)
    for row in range(n.size):
        x = points[row, : n[row]].astype(np.float64)
        between = np.flatnonzero(x[1:] > x[:-1]) + 1
        if not between.size:
            continue
        wanted = x.size * (np.arange(_SPLITS) + 1) / (_SPLITS + 1)
        edges = between
        if between.size > _SPLITS:
            edges = between[np.argmin(np.abs(between[:, None] - wanted), axis=0)]
        sums = [np.cumsum(x**p) for p in range(3)]
        below = [each[edges - 1] for each in sums]
        above = [each[-1] - part for each, part in zip(sums, below, strict=True)]
        means = [side[1] / side[0] for side in (below, above)]
        variances = [
            np.maximum(side[2] / side[0] - np.square(mean), lowest)
            for side, mean in zip((below, above), means, strict=True)
        ]
        theta[:, : edges.size, row] = [np.log(below[0] / above[0]), *means, *np.log(variances)]
    return theta


def _group(
    sums: list[Array], sizes: Array, n: Array, total: Array, weight: Array, lowest: float
) -> Tails:
    inside, outside = sums[0], total - sums[0]
    score, height = -2 * weight * np.ones(inside.shape), np.zeros(inside.shape)
    means, variances = [], []
    # The data are standardised: their sums are 0 and the total.
    for held, first, second in (
        (inside, sums[1], sums[2]),
        (outside, -sums[1], total - sums[2]),
    ):
        mean = first / held
        squares = np.maximum(second - held * np.square(mean), 0)
        variance = (squares + 2 * weight) / (held + 2 * weight)
        share = held * (np.log(held / total) - 0.5 * _LOG_TWO_PI)
        score += share - 0.5 * (held * np.log(variance) + squares / variance)
        height += share - 0.5 * held * (np.log(np.maximum(squares / held, lowest)) + 1)
        score -= weight * (1 / variance + np.log(variance) - 1)
        means.append(mean)
        variances.append(np.maximum(variance, lowest))
    there = (sizes[:, None] <= n // 2) & (inside > 0) & (outside > 0)
    theta = np.stack([np.log(inside / outside), *means, *np.log(variances)])
    usable = there & np.isfinite(score) & np.isfinite(theta).all(axis=0)
    score = np.where(usable, score, -np.inf)
    return Tails(np.where(usable, theta, 0), score, height, inside)
