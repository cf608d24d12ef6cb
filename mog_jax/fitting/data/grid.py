"""Whether values lie on a grid, as rounded ones do: noticed without being told."""

import numpy as np

from mog_jax.arrays import HostArray as Array

# Values that are needed to say so, and how many of them a level holds on average.
_FEWEST, _PER_LEVEL = 20, 3
# Steps for each level, beyond which any levels lie on some grid.
_SPARSEST = 20
# Of a step, that rounding in the file leaves.
_OFF = 1e-3


def most_levels(total: float) -> int:
    """Give how many levels so many values may have; with more, `grid_step` finds no grid."""
    return int(total // _PER_LEVEL)


def grid_step(levels: Array, total: float) -> float:
    """Give the step of the grid on which values lie; NaN where there is none, or levels are many.

    Parameters
    ----------
    levels : array, shape (d,)
        The distinct values, sorted and finite.
    total : float
        How many values there are.

    Examples
    --------
    >>> grid_step(np.array([0.1, 0.2, 0.4, 0.5]), 40)
    0.1
    >>> grid_step(np.linspace(0, 1, 40) ** 2, 400)
    nan
    """
    if total < _FEWEST or levels.size < 3 or levels.size > most_levels(total):
        return float("nan")
    whole = levels[-1] - levels[0]
    # The smallest gap has the error of its two ends; from one end to the other it is divided.
    step = whole / np.rint(whole / np.diff(levels).min())
    if whole > _SPARSEST * step * levels.size:
        return float("nan")
    steps = (levels - levels[0]) / step
    if np.abs(steps - np.rint(steps)).max() > _OFF:
        return float("nan")
    return float(f"{step:.6g}")
