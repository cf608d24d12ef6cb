"""Writes remarks on a fit, as sentences: a higher maximum, a grid, narrow components, misfit."""

from typing import Any

import numpy as np

from mog_jax.arrays import Array
from mog_jax.fitting.data.grid import grid_step
from mog_jax.fitting.results.map_intervals import IntervalValues
from mog_jax.fitting.results.map_points import Points
from mog_jax.mixture import Mixture

# Bound of the Kolmogorov distance times the root of the number of points. One dataset in a hundred
# exceeds it if its distribution is known beforehand; fewer do if the distribution is fitted.
_FAR_OFF = 1.63


def higher(by: float, points: float) -> list[str]:
    """Return the remark that another maximum is higher, in a list; an empty list if none is.

    Parameters
    ----------
    by : float
        Nats; 0, or NaN, if there is none.
    points : float
        Points in the smaller component of that maximum.
    """
    if not by > 0:
        return []
    return [
        f"a maximum {by:.3g} nats higher has a component of {points:.3g} points, tied or close "
        "together: it is not the answer"
    ]


def about_data(distinct: Array, n_points: float, deviations: Array, *, is_atom: bool) -> list[str]:
    """Compare a fit with its data.

    Parameters
    ----------
    distinct : array, shape (d,)
        The distinct values that were fitted, sorted.
    n_points : float
        Number of points.
    deviations : array, shape (2,)
        Standard deviations of the components.
    is_atom : bool
        Whether one component is an atom: then it is known to be narrow.
    """
    said = []
    step = grid_step(distinct[np.isfinite(distinct)], n_points)
    if not np.isnan(step):
        said.append(f"the values lie on a grid of {step:g}: give resolution={step:g}")
    if distinct.size < n_points and distinct.size > 1 and not is_atom:
        step = float(np.diff(distinct).min())
        said += [
            f"component {k + 1}, of standard deviation {deviations[k]:.3g}, is narrower than the "
            f"step between values, {step:.3g}"
            for k in np.flatnonzero(np.asarray(deviations) < step)
        ]
    return said


def about_distances(distances: tuple[float, float], n_points: float) -> list[str]:
    """Return remarks on datasets where neither one Gaussian nor two describe the data.

    Parameters
    ----------
    distances : pair of float
        Kolmogorov distances, of one Gaussian and of two.
    n_points : float
    """
    if not min(distances) * np.sqrt(n_points) > _FAR_OFF:
        return []
    return [
        "neither one Gaussian nor two describe the data: the distribution functions are "
        f"{distances[0]:.2g} and {distances[1]:.2g} apart"
    ]


def remarks_of(fit: Any, points: Points | IntervalValues | None) -> list[Any]:
    """Return the remarks on a fit, or a list of them for each fit of a batch.

    Parameters
    ----------
    fit : Fit
    points : Points or IntervalValues, optional
        What was fitted. Of intervals, those that are exact are looked at as points are.
    """
    by, held = (np.atleast_1d(each) for each in (fit.higher_by, fit.higher_points))
    said = [higher(float(by[i]), float(held[i])) for i in range(by.size)]
    if points is not None:
        distances = [
            np.atleast_1d(points.kolmogorov_distance(mixture))
            for mixture in (_one_gaussian(fit), fit.mixture)
        ]
        totals = np.atleast_1d(np.asarray(fit.n_points))
        deviations = np.sqrt(np.asarray(fit.mixture.variances)).reshape(-1, 2)
        is_atom = np.atleast_1d(np.asarray(fit.status_name) == "atom")
        for i, of_fit in enumerate(said):
            apart = float(distances[0][i]), float(distances[1][i])
            values, number = points.exact(i)
            of_fit += about_data(values, number, deviations[i], is_atom=bool(is_atom[i]))
            of_fit += about_distances(apart, float(totals[i]))
    return said if np.ndim(fit.higher_by) else said[0]


def _one_gaussian(fit: Any) -> Mixture:
    one = fit.one_component
    fields: dict[str, Any] = {
        "weights": np.broadcast_to([1.0, 0.0], np.shape(fit.mixture.means)),
        "means": np.stack([one.mean, one.mean], axis=-1),
        "variances": np.stack([one.variance, one.variance], axis=-1),
    }
    return Mixture(**fields)
