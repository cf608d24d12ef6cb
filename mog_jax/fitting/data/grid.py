"""Detects whether values lie on a grid, as rounded values do."""

import numpy as np

from mog_jax.arrays import HostArray as Array

# Least number of values, and least number of values for each distinct value, on average.
_FEWEST, _PER_LEVEL = 20, 3
# Largest number of steps for each distinct value: with more, any values lie near some grid.
_SPARSEST = 20
# Largest distance of a value from the grid, in steps: it allows for rounding in the file.
_OFF = 1e-3


def most_levels(total: float) -> int:
    """Return the largest number of distinct values among `total` for which a grid is looked for."""
    return int(total // _PER_LEVEL)


def grid_step(levels: Array, total: float) -> float:
    """Return the step of the grid on which values lie, in their unit; NaN if there is no grid.

    Parameters
    ----------
    levels : array, shape (d,)
        The distinct values, sorted and finite.
    total : float
        Number of values. NaN is returned if too large a share of them is distinct.

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
    # The smallest gap has the rounding error of its two ends; dividing the range reduces it.
    step = whole / np.rint(whole / np.diff(levels).min())
    if whole > _SPARSEST * step * levels.size:
        return float("nan")
    steps = (levels - levels[0]) / step
    if np.abs(steps - np.rint(steps)).max() > _OFF:
        return float("nan")
    return float(f"{step:.6g}")
