r"""Converts between mixtures and the five coordinates of the ascent.

.. math:: \theta=(\log\pi_1/\pi_2,\ \mu_1,\ \mu_2,\ \log\sigma_1^2,\ \log\sigma_2^2)

They are on the leading axis. `theta_of` and `mixture_at` take arrays of NumPy, and of JAX
with ``xp=jax.numpy``; the other functions take NumPy arrays.
"""

from typing import Any

import jax
import numpy as np

from mog_jax.arrays import Array
from mog_jax.mixture import Mixture

# The place of each coordinate after the two components are exchanged.
_SWAPPED = [0, 2, 1, 4, 3]


def theta_of(mixture: Mixture, xp: Any = np) -> Array:
    """Return the coordinates of mixtures.

    Parameters
    ----------
    mixture : Mixture, shape (..., 2)
    xp : module
        `numpy` or `jax.numpy`.

    Returns
    -------
    array, shape (5, ...)
        NaN where a field is; infinite where a weight is 0, or a variance is 0 or infinite.
    """
    log_weights, log_variances = xp.log(mixture.weights), xp.log(mixture.variances)
    return xp.stack(
        [
            log_weights[..., 0] - log_weights[..., 1],
            mixture.means[..., 0],
            mixture.means[..., 1],
            log_variances[..., 0],
            log_variances[..., 1],
        ]
    )


def mixture_at(theta: Array, xp: Any = np) -> Mixture:
    """Return the mixtures at some coordinates, shape (5, ...): fields of shape (..., 2)."""
    logits = xp.stack([theta[0], -theta[0]], -1)
    return Mixture(
        # JAX's sigmoid has a finite derivative where exp overflows; here NumPy gives a weight of 0.
        weights=1 / (1 + np.exp(-logits)) if xp is np else jax.nn.sigmoid(logits),
        means=xp.stack([theta[1], theta[2]], -1),
        variances=xp.exp(xp.stack([theta[3], theta[4]], -1)),
    )


def to_standard_scale(theta: Array, mean: Array, scale: Array) -> Array:
    """Convert coordinates to the unit of standardised data, (x - mean) / scale."""
    logit, means, log_variances = theta[:1], theta[1:3], theta[3:]
    return np.concatenate([logit, (means - mean) / scale, log_variances - 2 * np.log(scale)])


def swapped(theta: Array) -> Array:
    """Exchange the two components of coordinates, shape (5, ...)."""
    return np.concatenate([-theta[:1], theta[_SWAPPED[1:]]])


def with_shared_variance(theta: Array) -> Array:
    """Replace both variances of coordinates, shape (5, ...), by their weighted mean."""
    # Overflow is harmless: it gives a weight of 0, or a variance of infinity.
    with np.errstate(over="ignore"):
        weight = 1 / (1 + np.exp(-theta[0]))
        pooled = np.log(weight * np.exp(theta[3]) + (1 - weight) * np.exp(theta[4]))
    return np.concatenate([theta[:3], [pooled, pooled]])


def in_order(theta: Array, information: Array, free: Array) -> tuple[Array, Array, Array]:
    """Exchange the two components where the means descend.

    Parameters
    ----------
    theta : array, shape (5, b)
    information : array, shape (5, 5, b)
    free : array of bool, shape (5, b)
        Which coordinates are not fixed.

    Returns
    -------
    theta, information, free
        The same, with the components by ascending mean.
    """
    swap = theta[1] > theta[2]
    place = np.where(swap, np.reshape(_SWAPPED, (5, 1)), np.arange(5)[:, None])
    sign = np.where(swap, -1.0, 1.0)
    unit = np.concatenate([sign[None], np.ones((4, sign.size))])
    information = information * (unit[:, None] * unit[None])
    information = np.take_along_axis(
        np.take_along_axis(information, place[:, None], axis=0), place[None], axis=1
    )
    return (
        np.where(swap, swapped(theta), theta),
        information,
        np.take_along_axis(free, place, axis=0),
    )
