r"""Computes the interval likelihood of two components, and its derivatives in closed form.

In the formulas for points, each power :math:`z^j` of a standardised residual is replaced by the
truncated moment :math:`m_j`, its mean over the interval. At a half-width of 0 the formulas are
those of points, so a dataset may hold both; a point contributes its density, an interval its
probability.

Coordinates are those of the fitter, :math:`\theta=(\log\pi_1/\pi_2,\ \mu_1,\ \mu_2,\
\log\sigma_1^2,\ \log\sigma_2^2)`. Each function takes one dataset: `centre`, `half_width` and
`counts` of shape (n,), defined in :mod:`mog_jax.intervals.moments`. A window outside which nothing
was recorded is an interval whose count is minus the number of values.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mog_jax.intervals.moments import (
    Moments,
    is_half_line,
    narrow_moments,
    truncated_moments,
)

Theta = Sequence[jax.Array] | jax.Array
# Rows and columns of the entries of a symmetric matrix's upper triangle, in the order of `Terms`.
UPPER = [(i, j) for i in range(5) for j in range(i, 5)]


class Terms(NamedTuple):
    """Contribution of each interval to the log-likelihood, its gradient and its information.

    Attributes
    ----------
    log_probability : array, shape (n,)
        In nats; for a point, the log-density.
    gradient : tuple of 5 arrays, shape (n,)
    information : tuple of 15 arrays, shape (n,)
        The upper triangle, in the order of `UPPER`.
    """

    log_probability: jax.Array
    gradient: tuple[jax.Array, ...]
    information: tuple[jax.Array, ...]


def log_likelihood(
    theta: Theta, centre: jax.Array, half_width: jax.Array, counts: jax.Array
) -> jax.Array:
    r"""Log-likelihood of intervals and points, :math:`\sum_ic_i\log\sum_k\pi_kP_{ik}`, in nats.

    It has no derivative rule of its own: the functions below are tested against JAX's derivatives
    of it.

    References
    ----------
    Equation (48) of ``derivation.md``.
    """
    at = constants(theta)
    joint = _log_joint(at, _both(at, centre, half_width), half_width)
    return jnp.sum(counts * _log_of_sum(*joint))


def gradient(
    theta: Theta, centre: jax.Array, half_width: jax.Array, counts: jax.Array
) -> jax.Array:
    r"""Gradient of the log-likelihood, shape (5,).

    References
    ----------
    Equation (51) of ``derivation.md``.
    """
    terms = interval_terms(theta, centre, half_width).gradient
    return jnp.stack([jnp.sum(counts * term) for term in terms])


def observed_information(
    theta: Theta, centre: jax.Array, half_width: jax.Array, counts: jax.Array
) -> jax.Array:
    r"""Minus the Hessian of the log-likelihood, shape (5, 5).

    References
    ----------
    Equations (52) and (53) of ``derivation.md``.
    """
    terms = interval_terms(theta, centre, half_width).information
    total = {place: jnp.sum(counts * term) for place, term in zip(UPPER, terms, strict=True)}
    return jnp.stack([jnp.stack([total[min(i, j), max(i, j)] for j in range(5)]) for i in range(5)])


def em_step(theta: Theta, centre: jax.Array, half_width: jax.Array, counts: jax.Array) -> jax.Array:
    r"""Coordinates after one EM step, shape (5,); the likelihood is not lower.

    The counts must not be negative: the step does not hold for a window.

    References
    ----------
    Equation (54) of ``derivation.md``.
    """
    at = constants(theta)
    moments = _both(at, centre, half_width)
    log_joint = _log_joint(at, moments, half_width)
    log_total = jnp.logaddexp(*log_joint)
    size, means, log_variances = [], [], []
    for k, (found, joint) in enumerate(zip(moments, log_joint, strict=True)):
        seen = counts * jnp.exp(joint - log_total)
        total = jnp.sum(seen)
        shift = jnp.sum(seen * found.m1) / total
        spread = jnp.sum(seen * found.m2) / total - jnp.square(shift)
        size.append(total)
        means.append(theta[1 + k] + jnp.exp(0.5 * theta[3 + k]) * shift)
        log_variances.append(theta[3 + k] + jnp.log(spread))
    return jnp.stack([jnp.log(size[0] / size[1]), *means, *log_variances])


class Constants(NamedTuple):
    """The constants that the terms of all intervals share; arrays of the shape of the lanes.

    Attributes
    ----------
    weights : pair of arrays
    log_weights : pair of arrays
    means : pair of arrays
    precisions : pair of arrays
        One over the standard deviations.
    log_deviations : pair of arrays
    """

    weights: tuple[jax.Array, jax.Array]
    log_weights: tuple[jax.Array, jax.Array]
    means: tuple[jax.Array, jax.Array]
    precisions: tuple[jax.Array, jax.Array]
    log_deviations: tuple[jax.Array, jax.Array]


def constants(theta: Theta) -> Constants:
    """Return the constants that the terms of all intervals share."""
    logit, mean_1, mean_2, log_variance_1, log_variance_2 = theta
    return Constants(
        weights=(1 / (1 + jnp.exp(-logit)), 1 / (1 + jnp.exp(logit))),
        log_weights=(-jnp.log1p(jnp.exp(-logit)), -jnp.log1p(jnp.exp(logit))),
        means=(mean_1, mean_2),
        precisions=(jnp.exp(-0.5 * log_variance_1), jnp.exp(-0.5 * log_variance_2)),
        log_deviations=(0.5 * log_variance_1, 0.5 * log_variance_2),
    )


def interval_terms(
    theta: Theta, centre: jax.Array, half_width: jax.Array, *, unrolled: bool = False
) -> Terms:
    r"""Return the contribution of each interval to value, gradient and information.

    Parameters
    ----------
    theta : five arrays, of any shape that broadcasts with the intervals
    centre, half_width : array, of one shape
    unrolled : bool
        As for :func:`mog_jax.intervals.truncated_moments`.

    References
    ----------
    Equations (48), (51), (52) and (53) of ``derivation.md``.
    """
    at = constants(theta)
    return terms_at(at, _both(at, centre, half_width, unrolled=unrolled), half_width)


def narrow_terms(at: Constants, centre: jax.Array, half_width: jax.Array) -> Terms:
    """Return the terms of intervals that are narrow for both components.

    As :func:`mog_jax.intervals.moments.narrow_moments` wants them.
    """
    first, second = (
        narrow_moments((centre - mean) * precision, half_width * precision)
        for mean, precision in zip(at.means, at.precisions, strict=True)
    )
    return terms_at(at, (first, second), half_width)


def any_terms(at: Constants, centre: jax.Array, half_width: jax.Array) -> Terms:
    """Return the terms of any intervals, by a long program that is one loop."""
    return terms_at(at, _both(at, centre, half_width, unrolled=True), half_width)


def terms_at(at: Constants, moments: tuple[Moments, Moments], half_width: jax.Array) -> Terms:
    """Return the terms of intervals from their moments under both components."""
    is_point = half_width == 0
    # Weights are factors, and no logarithms: far out, little would be left of them in a sum.
    largest = jnp.maximum(moments[0].exponent, moments[1].exponent)
    joint = [
        weight * jnp.where(is_point, precision, 1) * each.factor * jnp.exp(each.exponent - largest)
        for weight, precision, each in zip(at.weights, at.precisions, moments, strict=True)
    ]
    total = joint[0] + joint[1]
    r1, r2 = joint[0] / total, joint[1] / total
    p1, p2 = at.weights
    both = r1 * r2
    a1, b1, *own1 = _component(at.precisions[0], moments[0])
    a2, b2, *own2 = _component(at.precisions[1], moments[1])
    information = {
        (0, 0): p1 * p2 - both,
        (0, 1): -both * a1,
        (0, 2): both * a2,
        (0, 3): -both * b1,
        (0, 4): both * b2,
        (1, 1): r1 * (r1 * a1 * a1 - own1[0]),
        (1, 2): both * a1 * a2,
        (1, 3): r1 * (r1 * a1 * b1 - own1[1]),
        (1, 4): both * a1 * b2,
        (2, 2): r2 * (r2 * a2 * a2 - own2[0]),
        (2, 3): both * a2 * b1,
        (2, 4): r2 * (r2 * a2 * b2 - own2[1]),
        (3, 3): r1 * (r1 * b1 * b1 - own1[2]),
        (3, 4): both * b1 * b2,
        (4, 4): r2 * (r2 * b2 * b2 - own2[2]),
    }
    return Terms(
        log_probability=largest + jnp.log(total),
        # As r1 - p1, of which less is left than of this where both are nearly 1.
        gradient=(r1 * p2 - r2 * p1, r1 * a1, r2 * a2, r1 * b1, r2 * b2),
        information=tuple(information[place] for place in UPPER),
    )


def log_odds(
    theta: Theta, centre: jax.Array, half_width: jax.Array, *, unrolled: bool = False
) -> jax.Array:
    r"""Logarithm of the posterior odds of the first component, :math:`\log\pi_1P_1/\pi_2P_2`.

    Parameters
    ----------
    theta, centre, half_width, unrolled
        As for `interval_terms`.
    """
    at = constants(theta)
    one, other = _log_joint(at, _both(at, centre, half_width, unrolled=unrolled), half_width)
    return one - other


def _log_of_sum(one: jax.Array, other: jax.Array) -> jax.Array:
    # `largest` is a constant to the derivative: its terms outside and inside the sum cancel.
    largest = jnp.maximum(*jax.lax.stop_gradient((one, other)))
    return largest + jnp.log(jnp.exp(one - largest) + jnp.exp(other - largest))


def _component(
    precision: jax.Array, m: Moments
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]:
    """First and second derivatives of one component's probability, relative to itself."""
    return (
        precision * m.m1,
        0.5 * (m.m2 - 1),
        jnp.square(precision) * (m.m2 - 1),
        0.5 * precision * (m.m3 - 3 * m.m1),
        0.25 * (m.m4 - 4 * m.m2 + 1),
    )


def _both(
    at: Constants, centre: jax.Array, half_width: jax.Array, *, unrolled: bool = False
) -> tuple[Moments, Moments]:
    """Return the moments of the intervals under each component."""
    # An infinite half-width is so in any unit: the derivative leaves it out.
    half_width = jnp.asarray(half_width)
    is_open = is_half_line(half_width)
    finite = jnp.where(is_open, 0, half_width)
    found = []
    for mean, scale in zip(at.means, at.precisions, strict=True):
        half = jnp.where(is_open, half_width, finite * scale)
        found.append(truncated_moments((centre - mean) * scale, half, unrolled=unrolled))
    return found[0], found[1]


def _log_joint(
    at: Constants, moments: tuple[Moments, Moments], half_width: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return the logarithm of each component's weight times its probability, or density."""
    is_point = half_width == 0
    one, other = (
        log_weight + each.log_mass - jnp.where(is_point, log_deviation, 0)
        for log_weight, each, log_deviation in zip(
            at.log_weights, moments, at.log_deviations, strict=True
        )
    )
    return one, other
