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

from mog_jax.intervals.moments import Moments, is_half_line, truncated_moments

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
    joint = _log_joint(theta, *_both(theta, centre, half_width), half_width)
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
    moments = _both(theta, centre, half_width)
    log_joint = _log_joint(theta, *moments, half_width)
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
    moments = _both(theta, centre, half_width, unrolled=unrolled)
    log_joint = _log_joint(theta, *moments, half_width)
    log_odds = log_joint[0] - log_joint[1]
    r1, r2 = 1 / (1 + jnp.exp(-log_odds)), 1 / (1 + jnp.exp(log_odds))
    p1, p2 = 1 / (1 + jnp.exp(-theta[0])), 1 / (1 + jnp.exp(theta[0]))
    both = r1 * r2
    a1, b1, *own1 = _component(theta[3], moments[0])
    a2, b2, *own2 = _component(theta[4], moments[1])
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
        log_probability=_log_of_sum(*log_joint),
        # The first is r1 - p1, in a form that does not cancel where both are nearly 1.
        gradient=(r1 * p2 - r2 * p1, r1 * a1, r2 * a2, r1 * b1, r2 * b2),
        information=tuple(information[place] for place in UPPER),
    )


def _log_of_sum(one: jax.Array, other: jax.Array) -> jax.Array:
    # `largest` is a constant to the derivative: its terms outside and inside the sum cancel.
    largest = jnp.maximum(*jax.lax.stop_gradient((one, other)))
    return largest + jnp.log(jnp.exp(one - largest) + jnp.exp(other - largest))


def _component(
    log_variance: jax.Array, m: Moments
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]:
    """Return first and second derivatives of one component's probability, divided by it."""
    precision = jnp.exp(-0.5 * log_variance)
    return (
        precision * m.m1,
        0.5 * (m.m2 - 1),
        jnp.square(precision) * (m.m2 - 1),
        0.5 * precision * (m.m3 - 3 * m.m1),
        0.25 * (m.m4 - 4 * m.m2 + 1),
    )


def _both(
    theta: Theta, centre: jax.Array, half_width: jax.Array, *, unrolled: bool = False
) -> tuple[Moments, Moments]:
    """Return the moments of the intervals under each component."""
    # An infinite half-width is so in any unit: the derivative leaves it out.
    half_width = jnp.asarray(half_width)
    is_open = is_half_line(half_width)
    finite = jnp.where(is_open, 0, half_width)
    found = []
    for mean, log_variance in zip(theta[1:3], theta[3:5], strict=True):
        scale = jnp.exp(-0.5 * log_variance)
        half = jnp.where(is_open, half_width, finite * scale)
        found.append(truncated_moments((centre - mean) * scale, half, unrolled=unrolled))
    return found[0], found[1]


def _log_joint(
    theta: Theta, first: Moments, second: Moments, half_width: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return the logarithm of each component's weight times its probability, or density."""
    is_point = half_width == 0
    log_weights = -jnp.log1p(jnp.exp(-theta[0])), -jnp.log1p(jnp.exp(theta[0]))
    one, other = (
        log_weight + moments.log_mass - jnp.where(is_point, 0.5 * log_variance, 0)
        for log_weight, moments, log_variance in zip(
            log_weights, (first, second), (theta[3], theta[4]), strict=True
        )
    )
    return one, other
