r"""A penalty on variances that are far from the data's own: it bounds the likelihood of a mixture.

.. math:: p(\theta)=-a\sum_k\Big(\frac{s^2}{\sigma_k^2}+\log\frac{\sigma_k^2}{s^2}\Big),\qquad
          a=\frac{\text{strength}}{\sqrt m}

with the data's variance :math:`s^2` and number of points :math:`m` (Chen, Tan and Zhang 2008). It
is highest where both variances are the data's, and falls without bound as one goes to 0, faster
than any likelihood of two or more points rises. A penalised climb looks as if each component held
:math:`2a` points more, with the data's variance.

The functions see the five coordinates :math:`(\log\pi_1/\pi_2,\ \mu_1,\ \mu_2,\
\log\sigma_1^2,\ \log\sigma_2^2)`, five arrays or one with them in front, and nothing of the data
but :math:`s^2`: whatever the likelihood is made of, they are added to it. They work on arrays of
JAX, and of NumPy with ``xp=numpy``. A penalty of `weight` 0 changes nothing.
"""

from typing import Any

import jax.numpy as jnp

from mog_jax.arrays import Array

# Of the five coordinates: the log-variances, which alone are penalised.
LOG_VARIANCES = (3, 4)


def penalty_weight(n_points: Array, strength: Array | float = 1.0, xp: Any = jnp) -> Array:
    """Give the penalty's weight, a, for so many points.

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
    """Give the penalty, in nats: what is added to the log-likelihood.

    Parameters
    ----------
    theta : five arrays, shape (*lanes)
    weight : array, shape (*lanes)
        From :func:`penalty_weight`.
    variance : array, shape (*lanes)
        The data's: 1 where they are standardised.
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
    """Give the penalty's derivatives by the two log-variances; those by the others are 0.

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
    """Give minus the penalty's second derivatives by the two log-variances; the others are 0.

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
    """Give the variance at which a penalised EM step ends.

    Parameters
    ----------
    squares : array, shape (*lanes)
        Sum of the squared distances from the new mean, of the points that a component holds.
    points : array, shape (*lanes)
        How many it holds.
    weight, variance : array, shape (*lanes)
        As for :func:`penalty`.
    n_shared : int
        How many components share that variance: `squares` and `points` are of all of these.

    Returns
    -------
    array, shape (*lanes)

    References
    ----------
    Equation (46) of ``derivation.md``.
    """
    pseudo_points = 2 * n_shared * weight
    return (squares + pseudo_points * variance) / (points + pseudo_points)
