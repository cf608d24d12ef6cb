"""Computes the starts of the climbs: the fits of the sample, as it is and smoothed.

A few points of the sample that are close by chance stand for many points, and may have a higher
likelihood than the true maximum. Means of neighbouring points have no such clusters; but they also
lose narrow components, so both samples are fitted.
"""

from typing import NamedTuple

import jax
import numpy as np

from mog_jax.arrays import Array, HostArray
from mog_jax.chunks.survey import Survey
from mog_jax.fitting import fit
from mog_jax.fitting.options import FitOptions
from mog_jax.fitting.parameterisation import theta_of, to_standard_scale
from mog_jax.mixture import Mixture

# Number of neighbours that are replaced by their mean in the smoothed sample.
_NEIGHBOURS = 64
# Logarithm of the ratio of weights beyond which one of them underflows.
_EMPTY = 700.0
# Two mixtures are the same if their means differ by less than this in standard deviations, and the
# logarithms of weights and variances by less than this.
_SAME_PLACE = 0.05


class Start(NamedTuple):
    """Coordinates of a start on the standard scale, and which are free; shape (5,) each."""

    theta: Array
    free: Array


def starts(data: Survey, known: Mixture, options: FitOptions) -> list[Start]:
    """Return the starts, no two of which are nearly the same mixture.

    Parameters
    ----------
    data : Survey
    known : Mixture, shape (1, 2)
        Fixed values, NaN where free.
    options : FitOptions
    """
    samples = [(data.values, data.counts)]
    if data.counts is not None and data.n_ends:
        samples.append(_smoothed(data.values, data.counts, data.n_ends))
    found: list[Start] = []
    for values, counts in samples:
        start = _fitted(values, counts, data, known, options)
        if not any(same_place(start.theta, other.theta) for other in found):
            found.append(start)
    return found


def same_place(one: Array, other: Array) -> bool:
    """Return whether coordinates are those of nearly the same mixture."""
    unit = np.ones(5)
    unit[1:3] = np.exp(-0.5 * np.maximum(one[3:], other[3:]))
    return bool(np.all(np.abs(one - other) * unit < _SAME_PLACE))


def _smoothed(values: HostArray, counts: HostArray, n_ends: int) -> tuple[HostArray, HostArray]:
    """Replace all points except those at either end by means of neighbours."""
    order = n_ends + np.argsort(values[n_ends:])
    edges = np.arange(0, order.size, _NEIGHBOURS)
    mass = np.add.reduceat(counts[order], edges)
    # About a point in the middle, so that a large offset costs no digits.
    middle = values[order[order.size // 2]]
    means = middle + np.add.reduceat(counts[order] * (values[order] - middle), edges) / mass
    return np.concatenate([values[:n_ends], means]), np.concatenate([counts[:n_ends], mass])


def _fitted(
    values: HostArray,
    counts: HostArray | None,
    data: Survey,
    known: Mixture,
    options: FitOptions,
) -> Start:
    """Return the fit of a sample as a start."""
    found = fit(
        values,
        counts=counts,
        starts=options.starts,
        tolerance=options.tolerance,
        variance_floor=options.variance_floor,
        min_points=options.min_points,
        equal_variances=options.equal_variances,
        choose=options.choose,
        fixed=jax.tree.map(lambda field: np.squeeze(field, axis=0), known),
    )
    free = ~np.asarray(found.fixed)
    with np.errstate(divide="ignore"):
        theta = theta_of(found.mixture)
    theta = to_standard_scale(theta, np.array(data.mean), np.array(data.scale))
    # A component that is empty in the sample may hold a few of all points.
    theta[0] = np.clip(theta[0], -_EMPTY, _EMPTY)
    lowest = np.where(free[3:], np.log(options.variance_floor), -np.inf)
    theta[3:] = np.maximum(theta[3:], lowest)
    return Start(theta, free)
