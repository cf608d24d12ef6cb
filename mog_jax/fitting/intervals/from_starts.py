"""Climbs on intervals from given starts, for `local_maximum` and for profile likelihoods."""

import math
from typing import Any

import jax
import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.climb.arrival import has_arrived
from mog_jax.fitting.data.interval_options import IntervalOptions
from mog_jax.fitting.data.intervals import read_intervals
from mog_jax.fitting.intervals.climb import Climbs, climb
from mog_jax.fitting.intervals.maximise import bases, below_resolution
from mog_jax.fitting.intervals.observations import standardised
from mog_jax.fitting.options import AscentOptions, FitOptions
from mog_jax.fitting.parameterisation import mixture_at, theta_of, to_standard_scale
from mog_jax.mixture import Mixture
from mog_jax.precision import is_traced


class IntervalClimbs:
    """Climbs on intervals with one coordinate fixed.

    Attributes
    ----------
    mean, scale : array, shape (b,)
        Mean and standard deviation of the centres, in the data's unit.
    log_unit : array, shape (b,)
        By how many nats the log-likelihood is higher on the standard scale: the density of exact
        values depends on the unit.
    """

    def __init__(
        self,
        data: Any,
        counts: Any,
        interval_options: IntervalOptions,
        place: int,
        options: FitOptions,
    ) -> None:
        _, datasets, _ = read_intervals(data, counts, interval_options)
        self._data = standardised(datasets)
        self._place, self._options = place, options
        self.mean, self.scale = self._data.mean, self._data.scale
        scale = np.where(self._data.is_usable, self.scale, 1)
        self.log_unit = self._data.n_exact * np.log(scale)

    def reached(self, rows: Array, theta: Array) -> Array:
        """Climb from coordinates on the standard scale, shape (5, lanes).

        Returns
        -------
        array, shape (lanes,)
            Log-likelihoods of the ends, in nats, on the standard scale.
        """
        free = np.ones((rows.size, 5), bool)
        free[:, self._place] = False
        climbs = Climbs(
            theta=theta.T,
            dataset=rows,
            basis=bases(free, equal_variances=False),
            penalty_weight=np.zeros(rows.size),
            penalty_unit=np.zeros((rows.size, 2)),
            lowest=np.full(rows.size, np.log(self._options.variance_floor)),
        )
        ends = climb(
            climbs,
            self._data,
            tolerance=self._options.tolerance,
            max_steps=self._options.max_steps,
        )
        return ends.log_likelihood


def interval_maximum(
    x: Any,
    start: Mixture,
    counts: Any,
    interval_options: IntervalOptions,
    options: AscentOptions,
    fixed: Mixture | None,
) -> Mixture:
    """Climb from a mixture to the maximum of the interval likelihood above it.

    Raises
    ------
    ValueError
        If an argument is traced by JAX, or has a wrong value.
    """
    if is_traced((x, start, counts, fixed, *interval_options)):
        raise ValueError(
            "on intervals `local_maximum` is no JAX function: give it numbers, outside of jit, "
            "vmap and grad."
        )
    source, datasets, _ = read_intervals(x, counts, interval_options)
    if not source.is_single:
        raise ValueError("`x` must have shape (n,): one dataset of at least one value.")
    data = standardised(datasets)
    begun = jax.tree.map(lambda field: np.asarray(field, np.float64), start)
    free = np.ones(5, bool)
    if fixed is not None:
        theta = theta_of(jax.tree.map(lambda field: np.asarray(field, np.float64), fixed))
        free = np.isnan(theta)
    coordinates = theta_of(begun)
    if fixed is not None:
        coordinates = np.where(free, coordinates, theta)
    nothing: Any = np.full(2, np.nan)
    if not data.is_usable[0]:
        return Mixture(weights=nothing, means=nothing, variances=nothing)
    begun_there = to_standard_scale(coordinates[:, None], data.mean, data.scale).T
    if options.equal_variances:
        begun_there[:, 3:] = begun_there[:, 3:].max()
    lowest = np.array([math.log(options.variance_floor)])
    climbs = Climbs(
        theta=begun_there,
        dataset=np.zeros(1, np.int64),
        basis=bases(free[None], options.equal_variances),
        penalty_weight=np.zeros(1),
        penalty_unit=np.zeros((1, 2)),
        lowest=lowest,
    )
    ends = climb(climbs, data, tolerance=options.tolerance, max_steps=options.max_steps)
    is_maximum = (
        has_arrived(ends.gain_left, data.total, options.tolerance)
        & (ends.theta[:, 3:].min(axis=1) > lowest)
        & ~below_resolution(ends, data, climbs.dataset).any(axis=1)
    )
    if not is_maximum[0]:
        return Mixture(weights=nothing, means=nothing, variances=nothing)
    found = mixture_at(ends.theta[0])
    scale, mean = float(data.scale[0]), float(data.mean[0])
    means: Any = mean + scale * np.asarray(found.means)
    variances: Any = scale**2 * np.asarray(found.variances)
    return Mixture(weights=found.weights, means=means, variances=variances)
