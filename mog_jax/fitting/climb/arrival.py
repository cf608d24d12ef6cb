"""Tests whether a climb has converged, and whether its end lies on the variance floor.

Both tests use the precision of the climb itself, whatever its arrays are converted to later.
"""

import math

import numpy as np

from mog_jax.arrays import Array

# Rounding error of a sum over the points, in units of the number of points times the epsilon.
_ROUNDINGS_OF_A_SUM = 32
# Relative rounding error of the logarithm of the floor, in epsilons of the climb's precision.
_ROUNDINGS_OF_THE_FLOOR = 4


def has_arrived(gain_left: Array, n_points: Array, tolerance: float) -> Array:
    """Return whether the gain left is below the tolerance, or below the rounding error.

    Parameters
    ----------
    gain_left : array, shape (...,)
        The Newton decrement, in nats, in the precision of the climb.
    n_points : array, shape (...,)
        Number of points, each counted as often as it was seen.
    tolerance : float
        In nats.

    Returns
    -------
    array of bool, shape (...,)
    """
    rounding = _ROUNDINGS_OF_A_SUM * float(np.finfo(gain_left.dtype).eps)
    enough: Array = (gain_left <= tolerance) | (gain_left <= rounding * n_points)
    return enough


def on_floor(theta: Array, variance_floor: float) -> Array:
    """Return whether a variance lies on its floor.

    Parameters
    ----------
    theta : array, shape (5, ...)
        Coordinates of climbs, in the precision of the climbs.
    variance_floor : float
        In units of the data's variance.

    Returns
    -------
    array of bool, shape (...,)
    """
    lowest = math.log(variance_floor)
    slack = _ROUNDINGS_OF_THE_FLOOR * float(np.finfo(theta.dtype).eps) * abs(lowest)
    fallen: Array = theta[3:].min(axis=0) <= lowest + slack
    return fallen
