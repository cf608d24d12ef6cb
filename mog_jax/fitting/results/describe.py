"""Converts the ends of climbs, on the standard scale, to a `Fit` in the data's units and order."""

import math
from typing import Any, NamedTuple

import numpy as np

from mog_jax.fitting.climb.ascent import Ascent
from mog_jax.fitting.data.inputs import Array
from mog_jax.fitting.data.standardise import Standardised
from mog_jax.fitting.multistart.choice import beats_one, is_few_points, one_log_likelihood
from mog_jax.fitting.options import FitOptions
from mog_jax.fitting.parameterisation import in_order, mixture_at
from mog_jax.fitting.results.fit import Fit, OneComponent, Status
from mog_jax.mixture import Mixture

_LOG_TWO_PI = math.log(2 * math.pi)


class Ended(NamedTuple):
    """How climbs have ended, tested in their own precision; arrays of bool, shape (b,)."""

    has_arrived: Array
    on_floor: Array
    on_atom: Array


class Higher(NamedTuple):
    """A higher maximum than the answer: by how many nats, and points in its smaller component.

    Both are 0 where there is none.
    """

    by: Array
    points: Array


# A weight may underflow, and the sum of counts overflow.
@np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore")
def describe(
    end: Ascent,
    ended: Ended,
    observed: Array,
    passes: Array,
    data: Standardised,
    free: Array,
    options: FitOptions,
    precision: np.dtype[Any],
    higher: Higher,
) -> Fit:
    """Return the fits in the data's units, with components by ascending mean, and their status."""
    total, scale = data.total.astype(np.float64), data.scale
    fitted = np.isfinite(end.sums.log_likelihood)
    theta, observed, free = in_order(end.theta, observed, free)
    standard = mixture_at(theta)
    unit = np.ones((5, len(passes)))
    unit[1:3] = 1 / scale
    observed = observed * (unit[:, None] * unit[None])
    # The constant of the change of units.
    jacobian = total * np.log(scale)

    def known(values: Array, dtype: Any = precision) -> Array:
        """Return the values with the batch axis first, NaN where nothing was fitted."""
        values = np.where(fitted, values, np.nan).astype(dtype)
        return np.moveaxis(values, -1, 0)

    counted = (data.n >= 1) & data.is_finite & (fitted | data.is_constant)
    variance = np.where(data.is_constant, 0, scale**2)
    # The fit of one Gaussian, in closed form.
    with np.errstate(divide="ignore", invalid="ignore"):
        one_log_likelihood = -0.5 * total * (_LOG_TWO_PI + np.log(variance) + 1)
    one: dict[str, Array] = {
        "mean": np.where(counted, data.mean, np.nan).astype(precision),
        "variance": np.where(counted, variance, np.nan).astype(precision),
        "log_likelihood": np.where(fitted, one_log_likelihood, np.nan).astype(precision),
    }
    n_passes: Array = np.where(fitted, passes, 0).astype(np.int32)
    fixed: Array = ~free.T
    return Fit(
        mixture=Mixture(
            weights=known(standard.weights.T),
            means=known(data.mean + scale * standard.means.T),
            variances=known(scale**2 * standard.variances.T),
        ),
        log_likelihood=known(end.sums.log_likelihood - jacobian),
        status=_status(end, ended, fitted, data, free, options),
        n_passes=n_passes,
        gain_left=known(end.gain_left),
        n_points=data.total,
        n_missing=data.n_missing,
        information=known(observed),
        one_component=OneComponent(**one),
        fixed=fixed,
        higher_by=known(higher.by),
        higher_points=known(higher.points),
        equal_variances=options.equal_variances,
    )


def _status(
    end: Ascent, ended: Ended, fitted: Array, data: Standardised, free: Array, options: FitOptions
) -> Array:
    counts = end.sums.effective_counts
    log_variances = end.theta[3:]
    deviation = np.exp(0.5 * log_variances.max(axis=0))
    coincide = (np.abs(end.theta[1] - end.theta[2]) < 1e-4 * deviation) & (
        np.abs(log_variances[0] - log_variances[1]) < 1e-4
    )
    fewest = counts.min(axis=0)
    emptied = fewest < 1e-3
    beats = beats_one(
        end.sums.log_likelihood,
        one_log_likelihood(data.total),
        data.total,
        options.n_parameters(free) - 2,
    )
    is_few = is_few_points(fewest, options.min_points, beats) & (options.choose == "penalised")
    status = np.select(
        [
            ~data.is_finite,
            data.n < 2,
            data.is_constant,
            ~fitted,
            coincide | emptied,
            ended.on_floor & ended.on_atom,
            ended.on_floor,
            ~ended.has_arrived,
            is_few,
            fewest < options.min_points,
        ],
        [
            Status.NOT_FINITE,
            Status.TOO_FEW_POINTS,
            Status.CONSTANT,
            Status.OUT_OF_RANGE,
            Status.DEGENERATE,
            Status.ATOM,
            Status.VARIANCE_FLOOR,
            Status.STEP_LIMIT,
            Status.FEW_POINTS,
            Status.SPURIOUS,
        ],
        Status.CONVERGED,
    )
    return status.astype(np.int32)


def nothing(b: int, precision: np.dtype[Any], equal_variances: bool) -> Fit:
    """Return the fits of `b` datasets with uninitialised arrays, to be filled in."""

    def empty(shape: tuple[int, ...] = (b,), dtype: Any = precision) -> Array:
        return np.empty(shape, dtype)

    def pair() -> Array:
        return empty((b, 2))

    def one(dtype: Any = precision) -> Array:
        return empty((b,), dtype)

    return Fit(
        mixture=Mixture(weights=pair(), means=pair(), variances=pair()),
        log_likelihood=one(),
        status=one(np.int32),
        n_passes=one(np.int32),
        gain_left=one(),
        n_points=one(np.float64),
        n_missing=one(np.int64),
        information=empty((b, 5, 5)),
        one_component=OneComponent(mean=one(), variance=one(), log_likelihood=one()),
        fixed=empty((b, 5), bool),
        higher_by=one(),
        higher_points=one(),
        equal_variances=equal_variances,
    )
