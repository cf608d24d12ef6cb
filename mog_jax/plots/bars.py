"""Draws bars of values that are intervals: bins, and values beyond a limit."""

from typing import Any

import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting import Fit
from mog_jax.plots import style
from mog_jax.plots.points import bin_edges, finite_ends

# Of the range: the width of a bar for what lies somewhere beyond a limit, and that below which an
# interval has no bar of its own.
_BEYOND, _NARROW = 0.06, 1 / 60


def draw_bars(
    axes: Any, lower: Array, upper: Array, times: Array, fit: Fit, *, share: float = 1.0
) -> float:
    """Draw wide intervals as bars of their own, others in bins, half-lines beside their end.

    Parameters
    ----------
    axes : matplotlib axes
    lower, upper : array, shape (n,)
        Ends; both are equal for an exact value.
    times : array, shape (n,)
        How often each was seen.
    fit : Fit
        Its spread says how wide bins are.
    share : float
        Of all values, those that could be seen.

    Returns
    -------
    float
        The highest bar.
    """
    ends = finite_ends(lower, upper)
    low, high = float(ends.min()), float(ends.max())
    beyond = _BEYOND * ((high - low) or 1.0)
    mass = times / times.sum() * share
    places, heights = _steps(*_boxes(lower, upper, mass, _NARROW * (high - low), fit))
    if heights.size:
        axes.bar(
            places[:-1],
            heights,
            np.diff(places),
            align="edge",
            color=style.BARS,
            edgecolor="white",
            linewidth=0.5 if places.size < 80 else 0,
        )
    tallest = float(heights.max(initial=0))
    sides = (("below", np.isinf(lower), low - beyond), ("above", np.isinf(upper), high))
    for side, is_there, start in sides:
        if is_there.any():
            there = float(mass[is_there].sum())
            axes.bar(
                start,
                there / beyond,
                beyond,
                align="edge",
                color="white",
                edgecolor="#888888",
                hatch="///",
                label=f"{side} a limit: {there:.1%}",
            )
            # One that holds much runs out of the picture rather than flattening all the rest.
            tallest = max(tallest, min(there / beyond, 2 * tallest or np.inf))
    return tallest


def _boxes(
    lower: Array, upper: Array, mass: Array, narrow: float, fit: Fit
) -> tuple[Array, Array, Array]:
    """Return boxes, begin, end and mass: one for each interval, or for a bin of narrow ones."""
    finite = np.isfinite(lower) & np.isfinite(upper)
    begin, end, mass = lower[finite], upper[finite], mass[finite]
    is_narrow = end - begin <= narrow
    boxes = [(begin[~is_narrow], end[~is_narrow], mass[~is_narrow])]
    if is_narrow.any():
        middle = 0.5 * begin[is_narrow] + 0.5 * end[is_narrow]
        edges = bin_edges(middle, mass[is_narrow], fit)
        held, _ = np.histogram(middle, edges, weights=mass[is_narrow])
        boxes.append((edges[:-1], edges[1:], held))
    begin, end, mass = (np.concatenate(each) for each in zip(*boxes, strict=True))
    return begin, end, mass


def _steps(begin: Array, end: Array, mass: Array) -> tuple[Array, Array]:
    """Add boxes up where they lie over each other: places, and the height after each."""
    height = mass / (end - begin)
    places, at = np.unique(np.concatenate([begin, end]), return_inverse=True)
    changes = np.bincount(at, np.concatenate([height, -height]), minlength=places.size)
    return places, np.maximum(np.cumsum(changes)[:-1], 0)
