"""Converts maxima on the standard scale to a `Fit` in the data's unit and order."""

import numpy as np

from mog_jax.arrays import Array
from mog_jax.fitting.climb.arrival import has_arrived
from mog_jax.fitting.intervals.climb import Ends, effective_counts
from mog_jax.fitting.intervals.maximise import LEAST_POINTS, Maxima, beats_one
from mog_jax.fitting.intervals.observations import Intervals
from mog_jax.fitting.options import FitOptions
from mog_jax.fitting.parameterisation import in_order, mixture_at
from mog_jax.fitting.results.fit import Fit, OneComponent, Status
from mog_jax.mixture import Mixture

# Components closer than this count as one; a component with fewer points counts as empty.
_COINCIDE = 1e-4
_EMPTY = 1e-3


# A weight may underflow.
@np.errstate(over="ignore", under="ignore", invalid="ignore")
def describe(
    maxima: Maxima,
    data: Intervals,
    usable: Array,
    is_finite: Array,
    free: Array,
    options: FitOptions,
) -> Fit:
    """Return the fits in the data's unit, with components by ascending mean, and their status.

    Parameters
    ----------
    maxima : Maxima
        Maxima of the usable datasets.
    data : Intervals
        All datasets.
    usable : array of int
        Which of them were fitted.
    is_finite : array of bool, shape (b,)
        Which have no infinite value.
    free : array of bool, shape (b, 5)
        Which coordinates are not fixed.
    options : FitOptions
    """
    b = len(data)
    ends, mean, scale = maxima.ends, data.mean[usable], data.scale[usable]
    unit = np.ones((5, usable.size))
    unit[1:3] = 1 / scale
    observed = np.moveaxis(ends.information, 0, -1) * (unit[:, None] * unit[None])
    hidden = (maxima.is_below | maxima.is_flat).T
    unknown = np.pad(np.tile(hidden, (2, 1)), ((1, 0), (0, 0)))
    observed = np.where(unknown[:, None] | unknown[None], np.nan, observed)
    theta, observed, own_free = in_order(ends.theta.T, observed, free[usable].T)
    all_free = free.copy()
    all_free[usable] = own_free.T
    standard = mixture_at(theta)
    jacobian = data.n_exact[usable] * np.log(scale)

    def spread(values: Array, nothing: float = np.nan) -> Array:
        whole = np.full((b, *values.shape[1:]), nothing, values.dtype)
        whole[usable] = values
        return whole

    one = maxima.one
    nowhere: Array = np.zeros(usable.size)
    n_points: Array = data.total
    n_missing: Array = data.n_missing
    return Fit(
        mixture=Mixture(
            weights=spread(standard.weights),
            means=spread(mean[:, None] + scale[:, None] * standard.means),
            variances=spread(np.square(scale)[:, None] * standard.variances),
        ),
        log_likelihood=spread(ends.log_likelihood - jacobian),
        status=_status(maxima, data, usable, is_finite, free, options),
        n_passes=spread(ends.n_passes.astype(np.int32), 0),
        gain_left=spread(ends.gain_left),
        n_points=n_points,
        n_missing=n_missing,
        information=spread(np.moveaxis(observed, -1, 0)),
        one_component=OneComponent(
            mean=spread(mean + scale * one.theta[:, 1]),
            variance=spread(np.square(scale) * np.exp(one.theta[:, 3])),
            log_likelihood=spread(one.log_likelihood - jacobian),
        ),
        fixed=~all_free,
        higher_by=spread(nowhere),
        higher_points=spread(nowhere),
        equal_variances=options.equal_variances,
        of_intervals=True,
    )


def _status(
    maxima: Maxima,
    data: Intervals,
    usable: Array,
    is_finite: Array,
    free: Array,
    options: FitOptions,
) -> Array:
    status = np.select(
        [~is_finite, (data.n_distinct < 2) & (data.total < 2), data.scale == 0],
        [Status.NOT_FINITE, Status.TOO_FEW_POINTS, Status.CONSTANT],
        Status.OUT_OF_RANGE,
    )
    ends = maxima.ends
    counts = effective_counts(ends.theta, ends.gradient, data.total[usable]).min(axis=1)
    is_few = (counts >= LEAST_POINTS) & beats_one(maxima, data, usable, free[usable], options)
    is_few &= options.choose == "penalised"
    n_free = options.n_parameters(free[usable].T)
    is_below = maxima.is_below.any(axis=1)
    status[usable] = np.select(
        [
            (data.n_distinct[usable] <= n_free) & ~is_below,
            _coincide(ends) | (counts < _EMPTY),
            counts < min(LEAST_POINTS - _EMPTY, options.min_points),
            is_below,
            maxima.is_flat.any(axis=1),
            maxima.is_on_floor,
            ~has_arrived(ends.gain_left, data.total[usable], options.tolerance),
            (counts < options.min_points) & is_few,
            counts < options.min_points,
        ],
        [
            Status.SATURATED,
            Status.DEGENERATE,
            Status.SPURIOUS,
            Status.BELOW_RESOLUTION,
            Status.BELOW_RESOLUTION,
            Status.VARIANCE_FLOOR,
            Status.STEP_LIMIT,
            Status.FEW_POINTS,
            Status.SPURIOUS,
        ],
        Status.CONVERGED,
    )
    found: Array = status.astype(np.int32)
    return found


def _coincide(ends: Ends) -> Array:
    log_variances = ends.theta[:, 3:]
    deviation = np.exp(0.5 * log_variances.max(axis=1))
    near = np.abs(ends.theta[:, 1] - ends.theta[:, 2]) < _COINCIDE * deviation
    alike: Array = near & (np.abs(log_variances[:, 0] - log_variances[:, 1]) < _COINCIDE)
    return alike
