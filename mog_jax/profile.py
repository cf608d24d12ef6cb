r"""Intervals from the profile likelihood of one parameter.

A parameter is fixed at a value and all others are fitted again. The interval holds the values at
which twice the log-likelihood is below its maximum by no more than a quantile of chi-squared.
Unlike Wald's interval, it does not depend on the scale, follows a likelihood that is not a
parabola, and is open on the side where the data set no bound.
"""

import dataclasses
import math
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting import Fit, Ragged, fit
from mog_jax.fitting.climb.directions import DIRECTIONS
from mog_jax.fitting.data.inputs import Datasets, read
from mog_jax.fitting.data.interval_options import IntervalOptions
from mog_jax.fitting.data.standardise import standardise
from mog_jax.fitting.intervals.from_starts import IntervalClimbs
from mog_jax.fitting.multistart.climbs import advance, begin_climbs
from mog_jax.fitting.multistart.packing import standardised_points
from mog_jax.fitting.options import FitOptions, options_of
from mog_jax.fitting.parameterisation import theta_of, to_standard_scale
from mog_jax.inference import Reason
from mog_jax.inference.errors import check_probability

_PLACES = {"weights": 0, "means": 1, "variances": 3, "standard_deviations": 3}
_MAX_ROUNDS = 30
_MAX_STEPS = 500
# Tolerance of the square root of the deviance, whose target is about 2: four digits of the ends.
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

    def __repr__(self) -> str:
        if np.ndim(self.lower) == 0:
            return f"ProfileInterval({self.lower:.6g}, {self.upper:.6g})"
        known = int((~np.isnan(self.lower)).sum())
        return (
            f"ProfileInterval of {self.lower.size} fits: {known} known, "
            f"{self.lower.size - known} NaN"
        )


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

    Accuracy
    --------
    At its ends twice the log-likelihood has fallen by the quantile to 0.001, by a maximiser that
    shares no code. Measured by ``tests/test_profile.py``.

    References
    ----------
    Equation (39) of ``derivation.md``.
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
    checked = options_of("profile_interval", options)
    from scipy.stats import norm

    fits = fit(data, counts=counts, **options)
    shape = np.shape(fits.n_points)
    place = _PLACES[parameter] + (0 if parameter == "weights" else component)
    interval_options = IntervalOptions.of(options)
    climbs: _PointClimbs | IntervalClimbs
    if interval_options.are_given:
        climbs = IntervalClimbs(data, counts, interval_options, place, checked)
    else:
        climbs = _PointClimbs(read(data, counts), place, checked)
    branch = _Branch(fits, climbs, place, checked.variance_floor)
    step = np.sqrt(branch.covariance[:, place, place])
    reason = np.atleast_1d(np.asarray(fits.reason))
    reason = np.where((reason == Reason.KNOWN) & np.isnan(step), int(Reason.SINGULAR), reason)
    # The place and the width of an atom are not estimated.
    reason = np.where((reason == Reason.KNOWN) & (step == 0), int(Reason.BOUNDARY), reason)
    usable = np.flatnonzero(reason == Reason.KNOWN)
    ends = np.full((2, reason.size), np.nan)
    if usable.size:
        rows, sides = np.tile(usable, 2), np.repeat([-1.0, 1.0], usable.size)
        found = _search(
            lambda theta, lanes: branch.shortfall(rows[lanes], theta),
            branch.theta[rows, place],
            sides * step[rows],
            float(norm.ppf(0.5 + level / 2)),
        )
        ends[:, usable] = found.reshape(2, -1)
    if parameter == "weights" and component == 1:
        # The coordinate is the logit of the first weight.
        ends = -ends[::-1]
    lower, upper = (_to_natural(end, parameter) for end in ends)
    return ProfileInterval(
        lower=lower.reshape(shape)[()],
        upper=upper.reshape(shape)[()],
        reason=reason.reshape(shape)[()],
    )


class _Branch:
    """The fits of a batch, and their maxima when one coordinate is fixed elsewhere.

    Each climb begins at the maximum of the likelihood's parabola around the fit. It therefore stays
    at the fit's own maximum, and the two components keep their order.
    """

    def __init__(
        self, fits: Fit, climbs: "_PointClimbs | IntervalClimbs", place: int, variance_floor: float
    ) -> None:
        self._climbs, self._place, self._variance_floor = climbs, place, variance_floor
        mixture = jax.tree.map(
            lambda field: np.asarray(field, dtype=np.float64).reshape(-1, 2), fits.mixture
        )
        # Datasets in rows, as everything else of a batch.
        self.theta = theta_of(mixture).T
        self.covariance = np.asarray(fits.covariance(), dtype=np.float64).reshape(-1, 5, 5)
        log_likelihood = np.atleast_1d(np.asarray(fits.log_likelihood, dtype=np.float64))
        # On the standard scale, where the climbs are.
        self._best = log_likelihood + climbs.log_unit

    def shortfall(self, rows: Array, value: Array) -> Array:
        """Root of the deviance of each dataset in `rows`, with the coordinate fixed at `value`."""
        place = self._place
        theta, covariance = self.theta[rows], self.covariance[rows]
        along = covariance[:, :, place] / covariance[:, place, place][:, None]
        theta = theta + along * (value - theta[:, place])[:, None]
        theta[:, place] = value
        begun = to_standard_scale(theta.T, self._climbs.mean[rows], self._climbs.scale[rows])
        begun[3:] = np.maximum(begun[3:], np.log(self._variance_floor))
        deviance: Array = 2 * np.maximum(self._best[rows] - self._climbs.reached(rows, begun), 0)
        return np.sqrt(deviance)


class _PointClimbs:
    """Climbs on points with one coordinate fixed.

    Attributes
    ----------
    mean, scale : array, shape (b,)
        Of the standard scale.
    log_unit : array, shape (b,)
        What the log-likelihood is higher by on that scale.
    """

    def __init__(self, source: Datasets, place: int, options: FitOptions) -> None:
        data = standardise(source, np.arange(len(source)))
        free = np.ones((5, len(source)), bool)
        free[place] = False
        self.mean, self.scale = data.mean, data.scale
        self.log_unit = data.total * np.log(data.scale)
        self._points = standardised_points(
            data.points, data.counts, n=data.n, total=data.total, free=free
        )
        self._options = dataclasses.replace(
            options.ascent(searching=False), direction=DIRECTIONS["newton"], max_steps=_MAX_STEPS
        )

    def reached(self, rows: Array, theta: Array) -> Array:
        """Climb from coordinates on the standard scale, shape (5, lanes): log-likelihoods."""
        starts = np.arange(rows.size)
        with jax.enable_x64(True):
            climbs = begin_climbs(theta, rows, starts, np.dtype(np.float64))
            ends = advance(climbs, self._points, self._options, _MAX_STEPS)
        return np.asarray(ends.state.sums.log_likelihood)


def _search(shortfall: Any, centre: Array, step: Array, target: float) -> Array:
    """Find where the shortfall reaches the target, walking from each centre in steps.

    The shortfall rises nearly linearly from 0, so that the secant rule needs few rounds; each guess
    lies between a point known to be inside and one known to be outside.
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
        # Away from the ends: otherwise one end might never move.
        between = inside + np.clip(share, 0.05, 0.95) * (outside - inside)
        # With no bound yet: by the slope so far, at least a fifth farther and at most three times.
        slope = np.where(its_value > 0, target / np.where(its_value > 0, its_value, 1), 3)
        beyond = centre + (inside - centre) * np.clip(slope, 1.2, 3)
        beyond = np.where(inside == centre, guess, beyond)
        guess = np.where(bounded, between, beyond)
        # No bound within five hundred standard errors: the interval is open.
        endless = active & ~bounded & (np.abs(guess - centre) > 500 * np.abs(step))
        found[endless] = np.sign(step[endless]) * math.inf
        active &= ~endless
    found[active] = guess[active]
    return found


def _to_natural(theta: Array, parameter: str) -> Array:
    if parameter == "weights":
        return 0.5 * (1 + np.tanh(0.5 * theta))
    if parameter == "means":
        return theta
    return np.exp(0.5 * theta if parameter == "standard_deviations" else theta)
