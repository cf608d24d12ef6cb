"""Computes the covariance of fits in which a component may be below the data's resolution."""

from typing import Any

import numpy as np

from mog_jax import inference
from mog_jax.arrays import Array
from mog_jax.precision import is_traced


def covariance(information: Any, fixed: Any, reason: Any, *, equal_variances: bool) -> Array:
    """Invert the information of the coordinates that the data determine; NaN for the others.

    Parameters
    ----------
    information : array, shape (..., 5, 5)
        NaN in the rows and columns of a component that is below the resolution.
    fixed : array of bool, shape (..., 5)
        Which coordinates are fixed.
    reason : array of int, shape (...,)
        Values of `Reason`.
    equal_variances : bool
        Whether the two variances are one parameter.

    Returns
    -------
    array, shape (..., 5, 5)
    """
    unknown = None if is_traced((information, reason)) else _unknown(information, reason)
    if unknown is None or not unknown.any():
        return inference.covariance(information, fixed=fixed, equal_variances=equal_variances)
    if equal_variances:
        unknown[..., 3:] = unknown[..., 3:].any(axis=-1, keepdims=True)
    pairs = unknown[..., :, None] | unknown[..., None, :]
    found = inference.covariance(
        np.where(pairs, 0, information),
        fixed=np.asarray(fixed) | unknown,
        equal_variances=equal_variances,
    )
    known: Array = np.where(pairs, np.nan, np.asarray(found))
    return known


def _unknown(information: Any, reason: Any) -> Any:
    unknown = np.isnan(np.diagonal(np.asarray(information), axis1=-2, axis2=-1))
    is_below = np.asarray(reason) == inference.Reason.BELOW_RESOLUTION
    return unknown & is_below[..., None]
