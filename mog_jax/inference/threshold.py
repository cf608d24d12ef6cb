r"""Thresholds: where a posterior crosses a given value, and the error rates of a cut there.

The log-odds of the components, :math:`d(x)=\log\frac{f_1(x)}{f_2(x)}`, are a quadratic in
:math:`x` where the variances differ. So a posterior is crossed twice or never, and turns back
beyond the vertex: far enough out everything belongs to the wider component. The vertex lies beyond
the narrower component's mean, on the side away from the wider one's; so at most one crossing lies
between the means, and that is the one to cut at.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.array_like import real_array
from mog_jax.explained import Explained
from mog_jax.inference.batches import answer
from mog_jax.inference.errors import check_probability, known_or_singular
from mog_jax.inference.reasons import Reason
from mog_jax.inference.two_components import on_last_axis, responsibilities_of_each
from mog_jax.mixture import Mixture


class Crossing(Explained):
    """Where the posterior crosses the given probability; ``message`` explains it in a sentence."""

    BETWEEN_MEANS = 0, "the threshold lies between the means"
    OUTSIDE_MEANS = 1, "no crossing lies between the means: one component holds both"
    NEVER = 2, "the posterior never crosses: one component is more probable everywhere"
    NOTHING_FITTED = 3, "there is no fit"


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Threshold:
    """A threshold between the lower and the upper component, and its error rates.

    Parameters
    ----------
    value : array, shape (...,)
        The cut, in the unit of the data. NaN where none lies between the means.
    standard_error : array, shape (...,)
        Of `value`. NaN where it is, or where the fit has no standard errors.
    other : array, shape (...,)
        The crossing on the far side of the narrower component, beyond which the wider one takes
        over again: infinite where the variances are equal, NaN where there is no `value`.
    roots : array, shape (..., 2)
        All crossings in ascending order, also where none lies between the means.
    false_positive_rate : array, shape (...,)
        Probability that a point of the lower component falls above `value`.
    false_negative_rate : array, shape (...,)
        Probability that a point of the upper component falls below `value`.
    crossing : array of int, shape (...,)
        Where the posterior crosses: values of `Crossing`.
    reason : array of int, shape (...,)
        Why the standard error is NaN where the value is not: values of `Reason`.
    """

    value: jax.Array
    standard_error: jax.Array
    other: jax.Array
    roots: jax.Array
    false_positive_rate: jax.Array
    false_negative_rate: jax.Array
    crossing: jax.Array
    reason: jax.Array

    def __repr__(self) -> str:
        crossings = np.asarray(self.crossing)
        if crossings.ndim:
            number = int((crossings == Crossing.BETWEEN_MEANS).sum())
            return f"Threshold of {crossings.size} fits: {number} between the means"
        if crossings != Crossing.BETWEEN_MEANS:
            return f"Threshold(NaN: {Crossing(int(crossings)).message})"
        return (
            f"Threshold({float(self.value):.6g}, standard error {float(self.standard_error):.3g}, "
            f"other {float(self.other):.6g}; false positives {float(self.false_positive_rate):.3g},"
            f" false negatives {float(self.false_negative_rate):.3g})"
        )


def threshold(
    mixture: Mixture,
    covariance: ArrayLike,
    reason: ArrayLike = 0,
    *,
    posterior: float = 0.5,
    monotone: bool = False,
) -> Threshold:
    r"""Find where the upper component's posterior crosses a value; at one half, where they tie.

    Parameters
    ----------
    mixture : Mixture, shape (..., 2)
        Components by ascending mean.
    covariance : array-like, shape (..., 5, 5)
        Of its estimates, in the coordinates of `mog_jax.inference.covariance`.
    reason : array-like of int, shape (...,)
        Why there is no covariance: values of `Reason`, 0 where there is one.
    posterior : float
        Posterior probability of the upper component at the threshold, between 0 and 1.
    monotone : bool
        Whether the posterior is held at its extreme beyond its vertex, as by
        `monotone_responsibilities`; then there is no other crossing.

    Returns
    -------
    Threshold

    Raises
    ------
    ValueError
        If `posterior` is not between 0 and 1.

    Accuracy
    --------
    In 50 digits the posterior crosses the value asked for at each root, but where two roots touch
    or one lies a thousand standard deviations away. Its standard error agrees with autodiff to six
    digits. Measured by ``tests/inference/test_threshold.py``.

    References
    ----------
    Equations (31) and (32) of ``derivation.md``.

    Examples
    --------
    >>> mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 5], variances=[1, 4])
    >>> threshold(mixture, np.diag([0.01] * 5))
    Threshold(1.93326, standard error 0.102, other -5.2666; false positives 0.0266,
    false negatives 0.0626)
    """
    check_probability("posterior", posterior)
    log_odds = math.log1p(-posterior) - math.log(posterior)
    return _threshold(mixture, covariance, reason, log_odds, monotone)


def quantile_threshold(
    mixture: Mixture,
    covariance: ArrayLike,
    reason: ArrayLike = 0,
    *,
    false_positive_rate: float,
) -> Threshold:
    r"""Find the point that a given share of the lower component exceeds, :math:`\mu_1+z\,\sigma_1`.

    Parameters
    ----------
    mixture : Mixture, shape (..., 2)
        Components by ascending mean.
    covariance : array-like, shape (..., 5, 5)
        Of its estimates, in the coordinates of `mog_jax.inference.covariance`.
    reason : array-like of int, shape (...,)
        Why there is no covariance: values of `Reason`, 0 where there is one.
    false_positive_rate : float
        That share, between 0 and 1.

    Returns
    -------
    Threshold
        Its `roots` and `other` are NaN: no posterior is asked for.

    Raises
    ------
    ValueError
        If `false_positive_rate` is not between 0 and 1.

    Accuracy
    --------
    The rate asked for is kept to 12 digits, and the standard error to nine. Measured through
    `Fit.threshold` and `quantile_threshold` by ``tests/inference/test_threshold.py``.

    References
    ----------
    Equation (33) of ``derivation.md``.
    """
    check_probability("false_positive_rate", false_positive_rate)
    return _quantile_threshold(mixture, covariance, reason, false_positive_rate)


def monotone_responsibilities(mixture: Mixture, x: ArrayLike) -> jax.Array:
    r"""Responsibilities that never turn back: the farther up, the more the upper component's.

    With unequal variances the wider component takes both tails, and a point beyond the narrower
    component, on the side away from the wider one, counts as the wider one's. Here such a point is
    given the responsibilities of the vertex :math:`x_*` of the log-odds, where they are extreme.

    Parameters
    ----------
    mixture : Mixture, shape (..., 2)
        Components by ascending mean.
    x : array-like, shape (..., n)
        The points, in the unit of the means.

    Returns
    -------
    array, shape (..., n, 2)

    Raises
    ------
    ValueError
        If `x` holds no numbers, or its batch is another than that of `mixture`.

    Accuracy
    --------
    Equal to `responsibilities` between the means to 1e-9, and never falling by more than 1e-12.
    Measured by ``tests/inference/test_threshold.py``.

    References
    ----------
    Equation (34) of ``derivation.md``.

    Examples
    --------
    >>> mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 5], variances=[1, 4])
    >>> monotone_responsibilities(mixture, [-100.0, 0.0, 100.0]).round(3)
    array([[0.992, 0.008], [0.979, 0.021], [0.   , 1.   ]])
    """
    return _monotone_responsibilities(mixture, real_array(x, "x"))


@answer(core=(1, 2, 0, 0, 0))
def _threshold(
    mixture: Mixture,
    covariance: jax.Array,
    reason: jax.Array,
    log_odds: jax.Array,
    monotone: jax.Array,
) -> Threshold:
    means, variances = mixture.means, mixture.variances
    odds = _quadratic(mixture)
    # Away from the wider component; by the components' order where the means are equal.
    outward = jnp.where(odds.low_is_narrow, -1, 1).astype(means.dtype)
    constant = odds.constant + outward * log_odds.astype(means.dtype)
    size = jnp.abs(odds.slope) + jnp.sqrt(jnp.square(odds.slope) - 4 * odds.square * constant)
    near = odds.narrow_mean - outward * 2 * constant / size
    # Components that coincide but for their weights cross at infinity, which is nowhere.
    near = jnp.where(jnp.isfinite(near), near, jnp.nan)
    far = odds.narrow_mean - outward * 0.5 * size / odds.square
    far = jnp.where(odds.square < 0, far, jnp.inf)
    far = jnp.where(jnp.isnan(near) | monotone.astype(bool), jnp.nan, far)

    is_between = (near >= means[0]) & (near <= means[1])
    crossing = jnp.select(
        [is_between, ~jnp.isnan(near), ~jnp.isnan(means[0])],
        [
            jnp.int32(Crossing.BETWEEN_MEANS),
            jnp.int32(Crossing.OUTSIDE_MEANS),
            jnp.int32(Crossing.NEVER),
        ],
        jnp.int32(Crossing.NOTHING_FITTED),
    )
    value = jnp.where(is_between, near, jnp.nan)
    deviations = jnp.sqrt(variances)
    z = (value - means) / deviations
    sign = jnp.asarray([1, -1], z.dtype)
    # How the log-odds at the threshold change with the parameters, and with the threshold.
    by_parameter = jnp.concatenate(
        [jnp.ones((1,), z.dtype), sign * z / deviations, sign * 0.5 * (jnp.square(z) - 1)]
    )
    along = jnp.sum(-sign * z / deviations)
    return Threshold(
        value=value,
        standard_error=_delta_error(by_parameter / along, covariance, reason),
        other=jnp.where(is_between, far, jnp.nan),
        roots=jnp.sort(jnp.stack([near, far])),
        false_positive_rate=jax.scipy.stats.norm.cdf(-z[0]),
        false_negative_rate=jax.scipy.stats.norm.cdf(z[1]),
        crossing=crossing,
        reason=known_or_singular(covariance, reason),
    )


@answer(core=(1, 2, 0, 0))
def _quantile_threshold(
    mixture: Mixture, covariance: jax.Array, reason: jax.Array, false_positive_rate: jax.Array
) -> Threshold:
    means, deviations = mixture.means, jnp.sqrt(mixture.variances)
    z = -jax.scipy.stats.norm.ppf(false_positive_rate.astype(means.dtype))
    value = means[0] + z * deviations[0]
    zero = jnp.zeros_like(value)
    missing = zero + jnp.nan
    is_between = (value >= means[0]) & (value <= means[1])
    return Threshold(
        value=value,
        standard_error=_delta_error(
            jnp.stack([zero, zero + 1, zero, 0.5 * deviations[0] * z, zero]), covariance, reason
        ),
        other=missing,
        roots=jnp.stack([missing, missing]),
        false_positive_rate=jax.scipy.stats.norm.cdf(-z) + 0 * value,
        false_negative_rate=jax.scipy.stats.norm.cdf((value - means[1]) / deviations[1]),
        crossing=jnp.select(
            [is_between, ~jnp.isnan(value)],
            [jnp.int32(Crossing.BETWEEN_MEANS), jnp.int32(Crossing.OUTSIDE_MEANS)],
            jnp.int32(Crossing.NOTHING_FITTED),
        ),
        reason=known_or_singular(covariance, reason),
    )


@on_last_axis
def _monotone_responsibilities(mixture: Mixture, x: jax.Array) -> list[jax.Array]:
    odds = _quadratic(mixture)
    vertex = odds.narrow_mean + jnp.where(odds.square < 0, -0.5 * odds.slope / odds.square, 0)
    held = jnp.where(odds.low_is_narrow, jnp.maximum(x, vertex), jnp.minimum(x, vertex))
    held = jnp.where(odds.square < 0, held, x)
    return responsibilities_of_each(mixture, held)


def _delta_error(slopes: jax.Array, covariance: jax.Array, reason: jax.Array) -> jax.Array:
    error = jnp.sqrt(slopes @ covariance @ slopes)
    return jnp.where(known_or_singular(covariance, reason) == int(Reason.KNOWN), error, jnp.nan)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _Quadratic:
    """Log-odds of the narrower component: square u² + slope u + constant, with u from its mean."""

    low_is_narrow: jax.Array
    narrow_mean: jax.Array
    square: jax.Array
    slope: jax.Array
    constant: jax.Array


def _quadratic(mixture: Mixture) -> _Quadratic:
    low_is_narrow = mixture.variances[0] <= mixture.variances[1]

    def narrow_and_wide(pair: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jnp.where(low_is_narrow, pair[0], pair[1]), jnp.where(
            low_is_narrow, pair[1], pair[0]
        )

    log_weight, wide_log_weight = narrow_and_wide(jnp.log(mixture.weights))
    mean, wide_mean = narrow_and_wide(mixture.means)
    variance, wide_variance = narrow_and_wide(mixture.variances)
    offset = mean - wide_mean
    return _Quadratic(
        low_is_narrow=low_is_narrow,
        narrow_mean=mean,
        # A difference of precisions would lose digits where the variances are close.
        square=0.5 * ((variance - wide_variance) / variance) / wide_variance,
        slope=offset / wide_variance,
        constant=(log_weight - wide_log_weight)
        + 0.5 * (jnp.log(wide_variance) - jnp.log(variance))
        + 0.5 * offset * (offset / wide_variance),
    )
