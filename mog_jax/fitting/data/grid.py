"""Whether values lie on a grid, as rounded ones do: noticed without being told."""

import numpy as np

from mog_jax.arrays import HostArray as Array

# Values that are needed to say so, and how many of them a level holds on average.
_FEWEST, _PER_LEVEL = 20, 3
# Of a step, that rounding in the file leaves.
_OFF = 1e-3


def grid_step(values: Array, counts: Array | None = None) -> float:
    """Give the step of the grid on which values lie; NaN where there is none, or levels are many.

    Parameters
    ----------
    values : array, shape (n,)
        NaN is missing.
    counts : array, shape (n,), optional

    Examples
    --------
    >>> grid_step(np.array([0.1, 0.2, 0.4, 0.5] * 10))
    0.1
    >>> grid_step(np.linspace(0, 1, 40) ** 2)
    nan
    """
    seen = np.isfinite(values)
    if counts is not None:
        seen &= counts > 0
    total = float(np.sum(seen) if counts is None else counts[seen].sum())
    levels = np.unique(np.asarray(values[seen], np.float64))
    if total < _FEWEST or levels.size < 3 or total < _PER_LEVEL * levels.size:
        return float("nan")
    gaps = np.diff(levels)
    step = gaps.min()
    # The smallest gap has the error of its two ends; from one end to the other it is divided.
    step = (levels[-1] - levels[0]) / np.rint((levels[-1] - levels[0]) / step)
    steps = (levels - levels[0]) / step
    if np.abs(steps - np.rint(steps)).max() > _OFF:
        return float("nan")
    return float(f"{step:.6g}")
