r"""Intervals from the profile likelihood: what the data themselves say about one parameter.

A parameter is held at a value, all others are fitted again, and the values at which twice the
log-likelihood falls short of its maximum by no more than a quantile of chi-squared are kept. Unlike
Wald's, such an interval does not depend on the scale, follows a likelihood that is no parabola, and
is open on the side where the data set no bound.
"""

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mog_jax.fitting import Fit, Ragged, fit
from mog_jax.fitting.points import in_rows
from mog_jax.inference import Reason
from mog_jax.inference.errors import check_probability
from mog_jax.mixture import Mixture

Array = np.ndarray[Any, Any]

_PLACES = {"weights": 0, "means": 1, "variances": 3, "standard_deviations": 3}
_MAX_ROUNDS = 30
# Of the square root of the deviance, whose target is some 2: four digits of the interval's ends.
_TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ProfileInterval:
    """An interval for one parameter of each dataset.

    Parameters
    ----------
    lower, upper : array, shape (...,)
        In the unit of the parameter. At the end of the parameter's range (0 or 1 for a weight, 0
        or infinity for a variance, infinity for a mean) where the data set no bound.
    reason : array of int, shape (...,)
        Why they are NaN: values of `Reason`, 0 where they are not.
    """

    lower: Array
    upper: Array
    reason: Array


def profile_interval(
    data: ArrayLike | Ragged,
    parameter: str,
    component: int,
    *,
    level: float = 0.95,
    counts: ArrayLike | Ragged | None = None,
    **options: Any,
) -> ProfileInterval:
    r"""Profile-likelihood interval of one parameter, for each dataset.

    .. math:: \Big\{\vartheta:\ 2\big[\mathcal L_{\max}-\max_{\theta:\,\theta_j=\vartheta}
              \mathcal L(\theta)\big]\le\chi^2_{1}(\text{level})\Big\}

    Parameters
    ----------
    data : as for :func:`mog_jax.fit`
        One dataset, or many.
    parameter : "weights", "means", "variances" or "standard_deviations"
        Of what.
    component : 0 or 1
        Of the lower or of the upper component.
    level : float
        Probability with which the interval is to cover the parameter.
    counts : as for :func:`mog_jax.fit`, optional
        How often each point was seen.
    **options
        Further arguments of :func:`mog_jax.fit`; not `fixed` or `equal_variances`.

    Returns
    -------
    ProfileInterval

    Raises
    ------
    ValueError
        If an argument has a wrong value.

    Notes
    -----
    A component is known by its mean. Where the two can trade places on the way, because the data
    hardly tell them apart, the interval covers both.

    References
    ----------
    Equation (43) of ``derivation.md``.
    D. J. Venzon and S. H. Moolgavkar, Appl. Statist. 37 (1988) 87-94.
    """
    if parameter not in _PLACES:
        known = ", ".join(map(repr, _PLACES))
        raise ValueError(f"`parameter` must be one of {known}; got {parameter!r}.")
    if component not in (0, 1):
        raise ValueError(f"`component` must be 0 or 1; got {component!r}.")
    check_probability("level", level)
    refused = {"fixed", "equal_variances"} & set(options)
    if refused:
        raise ValueError(f"`{min(refused)}` cannot be combined with a profile.")
    from scipy.stats import norm

    fits = fit(data, counts=counts, **options)
    points = in_rows(data, np.shape(fits.n_points), counts)
    values, times = np.atleast_2d(points.values), points.counts
    times = None if times is None else np.atleast_2d(times)
    reason = np.atleast_1d(np.asarray(fits.reason))
    centre, step = _estimate_and_error(fits, parameter, component)
    reason = np.where((reason == Reason.KNOWN) & np.isnan(step), int(Reason.SINGULAR), reason)
    usable = np.flatnonzero(reason == Reason.KNOWN)
    ends = np.full((2, reason.size), np.nan)
    if usable.size:
        rows = np.tile(usable, 2)
        sides = np.repeat([-1.0, 1.0], usable.size)
        best = np.atleast_1d(np.asarray(fits.log_likelihood, dtype=np.float64))

        def shortfall(theta: Array, lanes: Array) -> Array:
            """Signed-root deviance with the parameter held at theta."""
            chosen = rows[lanes]
            held = fit(
                values[chosen],
                counts=None if times is None else times[chosen],
                fixed=_held_at(theta, parameter, component),
                **options,
            )
            drop = best[chosen] - np.asarray(held.log_likelihood)
            deviance: Array = 2 * np.maximum(drop, 0)
            return np.sqrt(deviance)

        found = _search(
            shortfall, centre[rows], sides * step[rows], float(norm.ppf(0.5 + level / 2))
        )
        ends[:, usable] = found.reshape(2, -1)
    lower, upper = (_to_natural(end, parameter) for end in ends)
    shape = np.shape(fits.n_points)
    return ProfileInterval(
        lower=lower.reshape(shape)[()],
        upper=upper.reshape(shape)[()],
        reason=reason.reshape(shape)[()],
    )


def _search(shortfall: Any, centre: Array, step: Array, target: float) -> Array:
    """Find where the shortfall reaches the target, walking from each centre in steps.

    The shortfall rises nearly linearly from 0, so that the secant's rule needs few rounds; it is
    kept between a place known to be inside and one known to be outside.
    """
    inside, its_value = centre.copy(), np.zeros_like(centre)
    outside = np.full_like(centre, np.nan)
    outside_value = np.full_like(centre, np.nan)
    guess = centre + target * step
    found = np.full_like(centre, np.nan)
    active = np.ones(centre.shape, dtype=bool)
    for _ in range(_MAX_ROUNDS):
        lanes = np.flatnonzero(active)
        if not lanes.size:
            break
        value = shortfall(guess[lanes], lanes)
        near = np.abs(value - target) < _TOLERANCE
        found[lanes[near]] = guess[lanes[near]]
        is_outside = value >= target
        outside[lanes[is_outside]] = guess[lanes[is_outside]]
        outside_value[lanes[is_outside]] = value[is_outside]
        inside[lanes[~is_outside]] = guess[lanes[~is_outside]]
        its_value[lanes[~is_outside]] = value[~is_outside]
        active[lanes[near]] = False
        bounded = ~np.isnan(outside)
        share = (target - its_value) / np.where(bounded, outside_value - its_value, 1)
        # Off the ends, or the slower side would keep the same end for ever.
        between = inside + np.clip(share, 0.05, 0.95) * (outside - inside)
        # With no bound yet: by the slope so far, at least a fifth farther and at most three times.
        slope = np.where(its_value > 0, target / np.where(its_value > 0, its_value, 1), 3)
        beyond = centre + (inside - centre) * np.clip(slope, 1.2, 3)
        beyond = np.where(inside == centre, guess, beyond)
        guess = np.where(bounded, between, beyond)
        # Five hundred standard errors and no bound: there is none.
        endless = active & ~bounded & (np.abs(guess - centre) > 500 * np.abs(step))
        found[endless] = np.sign(step[endless]) * math.inf
        active &= ~endless
    found[active] = guess[active]
    return found


def _estimate_and_error(fits: Fit, parameter: str, component: int) -> tuple[Array, Array]:
    """Estimate and standard error, in the coordinate of the parameter: logit, mean or log."""
    place = _PLACES[parameter]
    covariance = np.asarray(fits.covariance(), dtype=np.float64).reshape(-1, 5, 5)
    index = place if parameter == "weights" else place + component
    field = "variances" if place == 3 else parameter
    value = np.asarray(getattr(fits.mixture, field), dtype=np.float64).reshape(-1, 2)
    at = value[:, component]
    if parameter == "weights":
        at = np.log(at) - np.log(value[:, 1 - component])
    elif place == 3:
        at = np.log(at)
    return at, np.sqrt(covariance[:, index, index])


def _held_at(theta: Array, parameter: str, component: int) -> Mixture:
    """Give what is held, as a mixture of NaN but for the parameter."""
    fields: dict[str, Any] = {
        name: np.full((theta.size, 2), np.nan) for name in ("weights", "means", "variances")
    }
    field = "variances" if parameter == "standard_deviations" else parameter
    scale = "variances" if parameter == "standard_deviations" else parameter
    fields[field][:, component] = _to_natural(theta, scale)
    return Mixture(**fields)


def _to_natural(theta: Array, parameter: str) -> Array:
    if parameter == "weights":
        return 0.5 * (1 + np.tanh(0.5 * theta))
    if parameter == "means":
        return theta
    return np.exp(0.5 * theta if parameter == "standard_deviations" else theta)
