r"""From the observed information to a covariance of the estimates.

All matrices are in the coordinates
:math:`\theta=(\log\pi_1/\pi_2,\ \mu_1,\ \mu_2,\ \log\sigma_1^2,\ \log\sigma_2^2)`, in which every
real value is a valid mixture and the likelihood is closest to a parabola. Any number of batch axes
may stand in front.
"""

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.inference.batches import answer

N_COORDINATES = 5


def covariance(
    information: ArrayLike, *, fixed: ArrayLike | None = None, equal_variances: bool = False
) -> jax.Array:
    r"""Covariance of the estimates: the inverse information, on the free parameters alone.

    .. math:: C=B\,(B^\top I B)^{-1}B^\top

    The columns of :math:`B` are the directions in which the parameters were free to move.

    Parameters
    ----------
    information : array-like, shape (..., 5, 5)
        Observed information at a maximum.
    fixed : array-like of bool, shape (..., 5), optional
        Coordinates that were fixed. Their variance is 0.
    equal_variances : bool
        Whether the two variances were one parameter. `fixed` then speaks of it in place 3.

    Returns
    -------
    array, shape (..., 5, 5)
        NaN where the information is not positive definite, or so nearly singular that rounding
        decides: where what the other parameters leave of a parameter's information is less than
        10,000 roundings of it.

    Raises
    ------
    ValueError
        If the shapes do not agree.

    Accuracy
    --------
    The product with the information is the identity to 1e-9. Measured by
    ``tests/inference/test_errors.py``; which matrices count as singular, by
    ``tests/inference/test_information.py``, where `covariance` is asked in both precisions.

    References
    ----------
    Equation (26) of ``derivation.md``.

    Examples
    --------
    >>> covariance(np.diag([4.0, 1.0, 1.0, 25.0, 25.0]), fixed=[0, 0, 1, 0, 0]).diagonal()
    array([0.25, 1.  , 0.  , 0.04, 0.04])
    """
    shape = np.shape(information)
    if shape[-2:] != (N_COORDINATES, N_COORDINATES):
        raise ValueError(f"`information` must have shape (..., 5, 5); got {shape}.")
    if fixed is None:
        fixed = np.zeros(shape[:-1], dtype=np.int8)
    elif np.shape(fixed) != shape[:-1]:
        raise ValueError(f"`fixed` must have shape {shape[:-1]}; got {np.shape(fixed)}.")
    invert = _covariance_of_equal if equal_variances else _covariance
    return invert(information, fixed)


def _invert(information: jax.Array, fixed: jax.Array, *, equal_variances: bool) -> jax.Array:
    if equal_variances:
        basis = jnp.asarray(np.vstack([np.eye(4), np.eye(4)[3]]), information.dtype)
        merged = basis.T @ information @ basis
        free = _invert(merged, fixed[..., :4], equal_variances=False)
        return basis @ free @ basis.T
    is_fixed = fixed != 0
    own = jnp.where(is_fixed, 1, jnp.diagonal(information, axis1=-2, axis2=-1))
    # Scaled to a unit diagonal, so that what is small does not depend on anybody's units.
    scale = jnp.where(is_fixed, 0, 1 / jnp.sqrt(own))
    scales = scale[..., :, None] * scale[..., None, :]
    unit = jnp.broadcast_to(jnp.eye(own.shape[-1], dtype=own.dtype), information.shape)
    correlated = jnp.where(
        is_fixed[..., :, None] | is_fixed[..., None, :], unit, information * scales
    )
    inverse, left = _inverse_of_correlated(correlated)
    is_certain = left > 1e4 * np.finfo(own.dtype).eps
    return jnp.where(is_certain[..., None, None], inverse * scales, jnp.nan)


def _inverse_of_correlated(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Invert by Cholesky's factor, entry by entry: a call of LAPACK could not be kept on disk.

    Gives the least squared entry of the factor's diagonal as well: what the parameters before
    leave of each one. NaN where there is no factor.
    """
    rows = range(matrix.shape[-1])
    factor: dict[tuple[int, int], jax.Array] = {}
    half: dict[tuple[int, int], jax.Array] = {}
    left = []
    for j in rows:
        own = matrix[..., j, j] - sum(factor[j, k] ** 2 for k in range(j))
        left.append(own)
        factor[j, j] = jnp.sqrt(own)
        for i in range(j + 1, len(rows)):
            rest = matrix[..., i, j] - sum(factor[i, k] * factor[j, k] for k in range(j))
            factor[i, j] = rest / factor[j, j]
    for j in rows:
        half[j, j] = 1 / factor[j, j]
        for i in range(j + 1, len(rows)):
            half[i, j] = -sum(factor[i, k] * half[k, j] for k in range(j, i)) / factor[i, i]
    entries = [
        sum(half[k, i] * half[k, j] for k in range(max(i, j), len(rows)))
        for i in rows
        for j in rows
    ]
    inverse = jnp.stack(entries, axis=-1).reshape(matrix.shape)
    return inverse, jnp.min(jnp.stack(left, axis=-1), axis=-1)


@answer(core=(2, 1))
def _covariance(information: jax.Array, fixed: jax.Array) -> jax.Array:
    return _invert(information, fixed, equal_variances=False)


@answer(core=(2, 1))
def _covariance_of_equal(information: jax.Array, fixed: jax.Array) -> jax.Array:
    return _invert(information, fixed, equal_variances=True)
