"""Where a climb has ended: whether it has arrived, and whether it lies on the variance floor.

Both are asked in the precision of the climb itself, whatever its arrays are converted to later.
"""

import math

import numpy as np

from mog_jax.arrays import Array

# Of the number of points, in roundings: what a sum over the points does not know.
_ROUNDINGS_OF_A_SUM = 32
# Of the logarithm of the floor, to which a climb's variances are cut in its own precision.
_ROUNDINGS_OF_THE_FLOOR = 4


def has_arrived(gain_left: Array, n_points: Array, tolerance: float) -> Array:
    """Say whether less than the tolerance, or than rounding can tell, is left to be gained.

    Parameters
    ----------
    gain_left : array, shape (...,)
        The Newton decrement, in nats, in the precision of the climb.
    n_points : array, shape (...,)
        How many points were seen, each as often as its count.
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
    """Say whether a variance lies on its floor.

    Parameters
    ----------
    theta : array, shape (5, ...)
        Coordinates of climbs, in the precision in which they were climbed.
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
