"""Selects the points to draw, their range, and the bins of a histogram."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mog_jax.array_like import real_array
from mog_jax.fitting import Fit

# Larger values, and narrower ranges, would make densities or the ends of axes overflow.
_LARGEST, _NARROWEST = 1e300, 1e-300


def finite_points(
    data: ArrayLike, counts: ArrayLike | None = None
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the finite points with a positive count, and how often each was seen.

    Raises
    ------
    ValueError
        If shapes differ, or no point can be drawn.
    """
    points = np.asarray(real_array(data, "data"), dtype=np.float64)
    times = np.ones_like(points)
    if counts is not None:
        times = np.asarray(real_array(counts, "counts"), dtype=np.float64)
    if points.ndim != 1 or times.shape != points.shape:
        raise ValueError(
            "`data` must have shape (n,) and `counts` the same; got "
            f"{points.shape} and {times.shape}."
        )
    drawn = np.isfinite(points) & (times > 0)
    if not drawn.any():
        raise ValueError(f"`data` must have a finite point; got none in {points.size}.")
    points, times = points[drawn], times[drawn]
    if reason := why_not_drawn(points):
        raise ValueError(f"`data` must be of a size that can be drawn; got {reason}.")
    return points, times


def shown_ends(low: np.ndarray[Any, Any], high: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Return the range to draw, which holds all ends."""
    ends = finite_ends(low, high)
    if reason := why_not_drawn(ends):
        raise ValueError(f"`data` must be of a size that can be drawn; got {reason}.")
    return float(ends.min()), float(ends.max())


def finite_ends(low: np.ndarray[Any, Any], high: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the finite ends of intervals."""
    return np.concatenate([low[np.isfinite(low)], high[np.isfinite(high)]])


def why_not_drawn(points: np.ndarray[Any, Any]) -> str:
    """Return why finite points cannot be drawn; an empty string if they can."""
    if not points.size:
        return "no data"
    low, high = points.min(), points.max()
    if max(-low, high) > _LARGEST:
        return f"values beyond {_LARGEST:g}"
    return f"a range below {_NARROWEST:g}" if 0 < high - low < _NARROWEST else ""


def shown_range(points: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Return the range to draw: all points except a few that are far from the others."""
    ordered = np.sort(points)
    low, high = ordered[0], ordered[-1]
    few = len(points) // 100
    inner_low, inner_high = ordered[few], ordered[-1 - few]
    reach = 5 * (inner_high - inner_low)
    if reach > 0:
        inside = ordered[(ordered >= inner_low - reach) & (ordered <= inner_high + reach)]
        low, high = inside[0], inside[-1]
    return float(low), float(high)


def around_one_value(value: float) -> float:
    """Return half of the width in which a single value is drawn: 0.5, or more for large values."""
    return max(0.5, 1e-3 * abs(value))


def bin_edges(
    points: np.ndarray[Any, Any], times: np.ndarray[Any, Any], fit: Fit
) -> np.ndarray[Any, Any]:
    """Return the edges of bins by the rule of Freedman and Diaconis, for counted points."""
    low, high = shown_range(points)
    inside = (points >= low) & (points <= high)
    points, times = points[inside], times[inside]
    if low == high:
        return np.array([low - around_one_value(low), low + around_one_value(low)])
    # Only the proportions of the counts matter, and roughly their sum.
    largest = times.max()
    times = times / largest
    n = max(float(times.sum() * min(largest, _LARGEST)), 1.0)
    order = np.argsort(points)
    share = np.cumsum(times[order]) / times.sum()
    quartiles = points[order][np.searchsorted(share, [0.25, 0.75])]
    # With two clusters the quartiles may span both; within a Gaussian they are 1.349 standard
    # deviations apart.
    within = np.sqrt(np.sum(np.asarray(fit.mixture.weights) * np.asarray(fit.mixture.variances)))
    spread = np.fmin(quartiles[1] - quartiles[0], 1.349 * within)
    width = 2 * spread / n ** (1 / 3)
    # If half of the points are tied the rule gives a width of 0; Sturges' rule does not.
    if not width > 0:
        width = (high - low) / np.ceil(np.log2(n) + 1)
    width = np.clip(width, (high - low) / 200, (high - low) / 5)
    unit = np.diff(np.unique(points)).min()
    steps = (points - low) / unit
    if unit > 0.2 * width and np.abs(steps - np.rint(steps)).max() < 0.01:
        # Counts, or rounded values: each bin holds the same number of distinct values.
        width = unit * max(1, round(width / unit))
        low = low - 0.5 * unit
        number = int(np.ceil((high + 0.49 * unit - low) / width))
        return np.linspace(low, low + width * number, number + 1)
    return np.linspace(low, high, int(np.ceil((high - low) / width)) + 1)
