r"""Standard errors and Wald intervals of the parameters, by the delta method.

Everything here starts from a covariance in the coordinates
:math:`(\log\pi_1/\pi_2,\ \mu_1,\ \mu_2,\ \log\sigma_1^2,\ \log\sigma_2^2)`, as
`mog_jax.inference.covariance` gives it.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.inference.batches import answer
from mog_jax.inference.reasons import Reason
from mog_jax.mixture import Mixture


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class StandardErrors:
    """Standard errors of weights, means, variances and standard deviations.

    Parameters
    ----------
    weights, means, variances, standard_deviations : array, shape (..., 2)
        In the unit of the parameter. The two weights have the same standard error, because they
        sum to 1. 0 for a fixed parameter.
    reason : array of int, shape (...,)
        Why they are NaN: values of `Reason`, 0 where they are not.
    """

    weights: jax.Array
    means: jax.Array
    variances: jax.Array
    standard_deviations: jax.Array
    reason: jax.Array

    def __repr__(self) -> str:
        return _described(self, "StandardErrors")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ConfidenceIntervals:
    """Intervals that cover each parameter, one at a time, with the probability asked for.

    Parameters
    ----------
    weights, means, variances, standard_deviations : array, shape (..., 2, 2)
        In the unit of the parameter: components, then lower and upper end.
    reason : array of int, shape (...,)
        Why they are NaN: values of `Reason`, 0 where they are not.
    """

    weights: jax.Array
    means: jax.Array
    variances: jax.Array
    standard_deviations: jax.Array
    reason: jax.Array

    def __repr__(self) -> str:
        return _described(self, "ConfidenceIntervals")


def standard_errors(
    mixture: Mixture, covariance: ArrayLike, reason: ArrayLike = 0
) -> StandardErrors:
    r"""Standard errors of weights, means, variances and standard deviations.

    With :math:`e_j=\sqrt{C_{jj}}` in the coordinates of this module,

    .. math:: \mathrm{se}(\pi_k)=\pi_1\pi_2\,e_1,\quad\mathrm{se}(\mu_k)=e_{1+k},\quad
              \mathrm{se}(\sigma_k^2)=\sigma_k^2\,e_{3+k},\quad
              \mathrm{se}(\sigma_k)=\tfrac12\sigma_k\,e_{3+k}.

    Parameters
    ----------
    mixture : Mixture, shape (..., 2)
        The maximum.
    covariance : array-like, shape (..., 5, 5)
        Of the estimates there.
    reason : array-like of int, shape (...,)
        Where not 0, the answer is NaN for this `Reason`; NaN in the covariance is `SINGULAR`.

    Returns
    -------
    StandardErrors

    Raises
    ------
    ValueError
        If the arguments have different batches.

    Accuracy
    --------
    Published standard errors to six digits, and the Jacobian of the parameters to eight. Measured
    by ``tests/inference/test_errors.py``; how often intervals cover, by
    ``benchmarks/coverage.py``.

    References
    ----------
    Equation (29) of ``derivation.md``.

    Examples
    --------
    >>> mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 5], variances=[1, 4])
    >>> standard_errors(mixture, np.diag([0.16, 0.01, 0.04, 0.25, 0.09])).standard_deviations
    array([0.25, 0.3 ])
    """
    return _standard_errors(mixture, covariance, reason)


def confidence_intervals(
    mixture: Mixture, covariance: ArrayLike, reason: ArrayLike = 0, *, level: float = 0.95
) -> ConfidenceIntervals:
    r"""Wald intervals, each on the scale where the likelihood is closest to a parabola.

    :math:`\hat\theta_j\pm z\,e_j` in the coordinates, taken back to weights, variances and
    standard deviations: a weight stays between 0 and 1, a variance stays positive.

    Parameters
    ----------
    mixture : Mixture, shape (..., 2)
        The maximum.
    covariance : array-like, shape (..., 5, 5)
        Of the estimates there.
    reason : array-like of int, shape (...,)
        Where not 0, the answer is NaN for this `Reason`; NaN in the covariance is `SINGULAR`.
    level : float
        Probability with which each interval is to cover its parameter, between 0 and 1.

    Returns
    -------
    ConfidenceIntervals

    Raises
    ------
    ValueError
        If `level` is not between 0 and 1.

    Accuracy
    --------
    The ends of an interval of a mean lie within 12 digits of the normal quantile. Measured by
    ``tests/inference/test_errors.py``; how often the intervals cover, by
    ``benchmarks/coverage.py``.

    References
    ----------
    Equation (30) of ``derivation.md``.

    Examples
    --------
    >>> mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 5], variances=[1, 4])
    >>> intervals = confidence_intervals(mixture, np.diag([0.16, 0.01, 0.04, 0.25, 0.09]))
    >>> intervals.weights[0].round(3)
    array([0.313, 0.687])
    """
    check_probability("level", level)
    return _confidence_intervals(mixture, covariance, reason, level)


@answer(core=(1, 2, 0))
def _standard_errors(mixture: Mixture, covariance: jax.Array, reason: jax.Array) -> StandardErrors:
    errors, reason = _coordinate_errors(covariance, reason)
    return StandardErrors(
        weights=jnp.prod(mixture.weights) * jnp.stack([errors[0], errors[0]]),
        means=errors[1:3],
        variances=mixture.variances * errors[3:],
        standard_deviations=0.5 * jnp.sqrt(mixture.variances) * errors[3:],
        reason=reason,
    )


@answer(core=(1, 2, 0, 0))
def _confidence_intervals(
    mixture: Mixture, covariance: jax.Array, reason: jax.Array, level: jax.Array
) -> ConfidenceIntervals:
    errors, reason = _coordinate_errors(covariance, reason)
    z = jax.scipy.stats.norm.ppf(0.5 + 0.5 * level.astype(errors.dtype))
    reach = jnp.outer(z * errors, jnp.asarray([-1, 1], errors.dtype))
    # The logit of the second weight is minus that of the first, with the same standard error.
    log_weights = jnp.log(mixture.weights)
    odds = (log_weights - log_weights[::-1])[:, None] + reach[:1]
    variances = mixture.variances[:, None] * jnp.exp(reach[3:])
    return ConfidenceIntervals(
        weights=jax.nn.sigmoid(odds),
        means=mixture.means[:, None] + reach[1:3],
        variances=variances,
        standard_deviations=jnp.sqrt(variances),
        reason=reason,
    )


def check_probability(name: str, value: float) -> None:
    """Refuse a number that is not strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ValueError(f"`{name}` must lie between 0 and 1; got {value}.")


def _coordinate_errors(covariance: jax.Array, reason: jax.Array) -> tuple[jax.Array, jax.Array]:
    variances = jnp.diagonal(covariance)
    reason = known_or_singular(covariance, reason)
    # Of a component below the resolution the variances are NaN themselves.
    is_there = (reason == int(Reason.KNOWN)) | (reason == int(Reason.BELOW_RESOLUTION))
    return jnp.where(is_there, jnp.sqrt(variances), jnp.nan), reason


def known_or_singular(covariance: jax.Array, reason: jax.Array) -> jax.Array:
    """Return the reason as an int; where there is none but the covariance is NaN, `SINGULAR`."""
    # It is a float here, as `compiled` makes all arguments floats.
    reason = reason.astype(jnp.int32)
    is_singular = (reason == int(Reason.KNOWN)) & jnp.isnan(covariance[0, 0])
    return jnp.where(is_singular, jnp.int32(Reason.SINGULAR), reason)


def _described(values: Any, name: str) -> str:
    reasons = np.asarray(values.reason)
    if reasons.ndim == 0:
        if reasons not in (Reason.KNOWN, Reason.BELOW_RESOLUTION):
            return f"{name}(NaN: {Reason(int(reasons)).message})"
        fields = ("weights", "means", "variances", "standard_deviations")
        shown = ", ".join(
            f"{field}={np.array2string(np.asarray(getattr(values, field)), precision=4)}"
            for field in fields
        )
        return f"{name}({shown})"
    known = int((reasons == Reason.KNOWN).sum())
    return f"{name} of {reasons.size} fits: {known} known, {reasons.size - known} NaN"
