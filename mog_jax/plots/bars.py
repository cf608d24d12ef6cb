"""Draws bars of values that are intervals: bins, and values beyond a limit."""

from typing import Any

import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.plots import style

# Width of the bar for values beyond a limit, as a share of the range.
_BEYOND = 0.06


def draw_bars(axes: Any, lower: Array, upper: Array, times: Array) -> tuple[float, float, float]:
    """Draw each interval as a bar over its own width, and half-lines as hatched bars beside it.

    Parameters
    ----------
    axes : matplotlib axes
    lower, upper : array, shape (n,)
        Ends; both are equal for an exact value.
    times : array, shape (n,)
        How often each was seen.

    Returns
    -------
    low, high, tallest : float
        The range that is drawn, and the highest bar.
    """
    ends = np.concatenate([lower[np.isfinite(lower)], upper[np.isfinite(upper)]])
    low, high = float(ends.min()), float(ends.max())
    beyond = _BEYOND * ((high - low) or 1.0)
    from_below, to_above = np.isinf(lower), np.isinf(upper)
    edges = np.unique(ends)
    # A point has no width: it is drawn with a sixtieth of the range.
    narrow = max((high - low) / 60, 1e-12) if edges.size > 1 else 1.0
    heights = np.zeros(0)
    finite = ~(from_below | to_above)
    if finite.any():
        starts, widths = lower[finite], np.maximum(upper[finite] - lower[finite], narrow)
        starts = np.where(upper[finite] > lower[finite], starts, starts - 0.5 * narrow)
        # Where intervals overlap, their densities are added.
        places = np.unique(np.concatenate([starts, starts + widths]))
        middle = 0.5 * (places[1:] + places[:-1])
        over = (starts <= middle[:, None]) & (middle[:, None] <= starts + widths)
        heights = over @ (times[finite] / widths) / times.sum()
        axes.bar(
            places[:-1],
            heights,
            np.diff(places),
            align="edge",
            color=style.BARS,
            edgecolor="white",
            linewidth=0.5 if places.size < 80 else 0,
        )
    for is_there, start in ((from_below, low - beyond), (to_above, high)):
        if is_there.any():
            share = float(times[is_there].sum() / times.sum())
            height = share / beyond
            axes.bar(
                start,
                height,
                beyond,
                align="edge",
                color="white",
                edgecolor="#888888",
                hatch="///",
                label=f"beyond a limit: {share:.1%}",
            )
            heights = np.append(heights, min(height, 2 * heights.max(initial=height)))
    shown = (
        low - beyond if from_below.any() else low,
        high + beyond if to_above.any() else high,
    )
    return *shown, float(heights.max(initial=0))
