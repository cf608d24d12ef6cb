r"""Computes a penalty on variances that are far from the data's, which bounds the likelihood.

.. math:: p(\theta)=-a\sum_k\Big(\frac{s^2}{\sigma_k^2}+\log\frac{\sigma_k^2}{s^2}\Big),\qquad
          a=\frac{\text{strength}}{\sqrt m}

with the data's variance :math:`s^2` and number of points :math:`m` (Chen, Tan and Zhang 2008). It
is highest where both variances are the data's, and falls without bound as one goes to 0, faster
than the likelihood of two or more points can rise. A penalised climb behaves as if each component
held :math:`2a` points more, with the data's variance.

The functions take the five coordinates :math:`(\log\pi_1/\pi_2,\ \mu_1,\ \mu_2,\
\log\sigma_1^2,\ \log\sigma_2^2)`, as five arrays or one with five rows. Of the data they need only
:math:`s^2`, so that they can be added to any likelihood. They work on arrays of JAX, and of NumPy
with ``xp=numpy``. A penalty of `weight` 0 changes nothing.
"""

from typing import Any

import jax.numpy as jnp

from mog_jax.arrays import Array

# Indices of the log-variances, the only coordinates that are penalised.
LOG_VARIANCES = (3, 4)


def penalty_weight(n_points: Array, strength: Array | float = 1.0, xp: Any = jnp) -> Array:
    """Return the weight :math:`a` of the penalty for `n_points` points.

    Parameters
    ----------
    n_points : array, shape (*lanes)
        Sum of the counts.
    strength : array or float
        1 for the usual penalty, 0 for none.
    xp : module
        `jax.numpy` or `numpy`.

    Returns
    -------
    array, shape (*lanes)

    References
    ----------
    Equation (43) of ``derivation.md``.
    """
    weight: Array = strength / xp.sqrt(n_points)
    return weight


def penalty(theta: Any, weight: Array, variance: Array | float = 1.0, xp: Any = jnp) -> Array:
    """Return the penalty, in nats, which is added to the log-likelihood.

    Parameters
    ----------
    theta : five arrays, shape (*lanes)
    weight : array, shape (*lanes)
        From :func:`penalty_weight`.
    variance : array, shape (*lanes)
        Variance of the data: 1 if they are standardised.
    xp : module
        `jax.numpy` or `numpy`.

    Returns
    -------
    array, shape (*lanes)
        At most ``-2 * weight``.

    References
    ----------
    Equation (43) of ``derivation.md``.

    Examples
    --------
    >>> import numpy as np
    >>> float(penalty(np.zeros(5), 0.1, xp=np))
    -0.2
    """
    one, other = (xp.log(variance) - theta[i] for i in LOG_VARIANCES)
    value: Array = -weight * ((xp.exp(one) - one) + (xp.exp(other) - other))
    return value


def penalty_slopes(
    theta: Any, weight: Array, variance: Array | float = 1.0, xp: Any = jnp
) -> tuple[Array, Array]:
    """Return the penalty's derivatives by the two log-variances; those by the others are 0.

    Parameters
    ----------
    theta : five arrays, shape (*lanes)
    weight, variance : array, shape (*lanes)
        As for :func:`penalty`.
    xp : module
        `jax.numpy` or `numpy`.

    Returns
    -------
    pair of arrays, shape (*lanes)

    References
    ----------
    Equation (44) of ``derivation.md``.
    """
    one, other = (weight * xp.expm1(xp.log(variance) - theta[i]) for i in LOG_VARIANCES)
    return one, other


def penalty_information(
    theta: Any, weight: Array, variance: Array | float = 1.0, xp: Any = jnp
) -> tuple[Array, Array]:
    """Return minus the penalty's second derivatives by the two log-variances; the others are 0.

    Parameters
    ----------
    theta : five arrays, shape (*lanes)
    weight, variance : array, shape (*lanes)
        As for :func:`penalty`.
    xp : module
        `jax.numpy` or `numpy`.

    Returns
    -------
    pair of arrays, shape (*lanes)
        Both positive: two entries on the diagonal of the information.

    References
    ----------
    Equation (45) of ``derivation.md``.
    """
    one, other = (weight * xp.exp(xp.log(variance) - theta[i]) for i in LOG_VARIANCES)
    return one, other


def penalised_variance(
    squares: Array, points: Array, weight: Array, variance: Array | float = 1.0, n_shared: int = 1
) -> Array:
    """Return the variance of a component after a penalised EM step.

    Parameters
    ----------
    squares : array, shape (*lanes)
        Sum of the squared distances of the component's points from its new mean.
    points : array, shape (*lanes)
        Number of its points.
    weight, variance : array, shape (*lanes)
        As for :func:`penalty`.
    n_shared : int
        Number of components that share the variance: `squares` and `points` are sums over these.

    Returns
    -------
    array, shape (*lanes)

    References
    ----------
    Equation (46) of ``derivation.md``.
    """
    pseudo_points = 2 * n_shared * weight
    return (squares + pseudo_points * variance) / (points + pseudo_points)
