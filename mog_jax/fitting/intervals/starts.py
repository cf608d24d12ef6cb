"""Computes the starts of climbs: the point fitter's windows, on points that stand for intervals."""

import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.intervals.observations import Intervals, sample
from mog_jax.fitting.multistart.starts import n_starts, running_sums, window_starts
from mog_jax.lane_shapes import pad_rows

# Lowest variance of a start, on the standard scale.
_NARROWEST = 1e-4


def starts(data: Intervals, datasets: Array, plan: str) -> Array:
    """Return the coordinates at which climbs begin, shape (datasets, starts, 5).

    Parameters
    ----------
    data : Intervals
    datasets : array of int
        Which datasets.
    plan : "thorough" or "quick"
        Set of starts.
    """
    points = [sample(data, dataset) for dataset in datasets]
    rows = np.array([pad_rows(each.size) for each in points], np.int64)
    theta = np.empty((len(points), n_starts(plan), 5))
    for length in np.unique(rows):
        some = np.flatnonzero(rows == length)
        n = np.array([points[i].size for i in some])
        x = np.empty((some.size, n.max()))
        for place, i in enumerate(some):
            x[place] = points[i][-1]
            x[place, : n[place]] = points[i]
        found, _ = window_starts(
            x, n, running_sums(x), rows=int(length), plan=plan, narrowest=_NARROWEST
        )
        theta[some] = np.moveaxis(found, -1, 0).swapaxes(1, 2)
    # A component much narrower than the intervals could not be told from a point.
    widest = np.array([_usual_width(data, dataset) for dataset in datasets])
    with np.errstate(divide="ignore"):
        least = np.log(np.square(widest) / 4)
    theta[..., 3:] = np.maximum(theta[..., 3:], np.minimum(least, -1.0)[:, None, None])
    return theta


def _usual_width(data: Intervals, dataset: int) -> float:
    """Return the median width of the finite intervals: 0 if most are points."""
    _, half_width, counts = data.rows(dataset)
    finite = np.isfinite(half_width) & (counts > 0)
    if not finite.any():
        return 0.0
    order = np.argsort(half_width[finite])
    mass = np.cumsum(counts[finite][order])
    return float(2 * half_width[finite][order][np.searchsorted(mass, 0.5 * mass[-1])])
