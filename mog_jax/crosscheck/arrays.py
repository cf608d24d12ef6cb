"""Defines the array type of the harness, and the unit roundoff of a precision."""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

Array = np.ndarray[Any, Any]


@functools.cache
def unit_roundoff(dtype: Any) -> float:
    """Return half an ulp of 1: the largest relative error of rounding to nearest."""
    limits: Any = jnp.finfo
    return float(limits(dtype).eps) / 2
