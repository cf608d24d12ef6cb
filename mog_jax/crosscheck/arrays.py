"""Arrays of floats, and what rounding does to one of them."""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

Array = np.ndarray[Any, Any]


@functools.cache
def unit_roundoff(dtype: Any) -> float:
    """Half an ulp of 1: the most that rounding to nearest changes a number, relative to it."""
    limits: Any = jnp.finfo
    return float(limits(dtype).eps) / 2
