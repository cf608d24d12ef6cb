"""Computes further starts for the second search: groups of points at the ends, and splits.

The first search starts from windows of a sample, if the data have many points, and may miss a
component of few points that lies apart. Such a component is at an end of the data, so the groups
are taken there, from all points. If many points have the same value, a window may cut them in two;
a *split* between two distinct values does not.
"""

from typing import NamedTuple

import numpy as np

from mog_jax.arrays import Array

# Numbers of points in a group; none holds more than half of the data.
_SIZES = np.array([2, 3, 4, 5, 6, 8, 12, 16, 24, 32])
# Number of edges at which each dataset is split.
_SPLITS = 15
_LOG_TWO_PI = float(np.log(2 * np.pi))


class Tails(NamedTuple):
    """Groups at the ends of datasets.

    Parameters
    ----------
    theta : array, shape (5, groups, b)
        Coordinates of the mixture whose first component is the group.
    score : array, shape (groups, b)
        The penalised log-likelihood of the points with their components known: a lower bound of
        that of the mixture. Minus infinity where there is no such group.
    height : array, shape (groups, b)
        The same without the penalty, for the group's own variance.
    points : array, shape (groups, b)
        Number of points in the group.
    """

    theta: Array
    score: Array
    height: Array
    points: Array


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def tails(
    points: Array, counts: Array | None, n: Array, total: Array, weight: Array, lowest: float
) -> Tails:
    """Return the groups of 2 to 32 points at either end.

    Parameters
    ----------
    points : array, shape (b, rows)
        Standardised and sorted.
    counts : array, shape (b, rows), or None
        How often each point was seen.
    n : array of int, shape (b,)
        Number of distinct points.
    total : array, shape (b,)
        Sum of the counts.
    weight : array, shape (b,)
        Weight of the penalty.
    lowest : float
        Lowest variance that a start may have.
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
    """Return mixtures of the points below and above an edge, for edges between values.

    Parameters
    ----------
    points : array, shape (b, rows)
        Standardised and sorted, each as often as it was seen.
    n : array of int, shape (b,)
        Number of points.
    lowest : float
        Lowest variance that a start may have.

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
    # The data are standardised: their sum is 0, and the sum of their squares is the total.
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
