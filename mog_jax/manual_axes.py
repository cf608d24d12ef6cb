"""Loops under `jax.shard_map`: carried values must vary over the devices as the added values do.

A constant is the same on all devices; a sum over a device's own points is not. JAX gives both
different types, and a loop must carry one type.
"""

from typing import TypeVar

import jax
import jax.numpy as jnp

Tree = TypeVar("Tree")


def varying_as(values: Tree, given: object) -> Tree:
    """Make the initial values of a loop vary over the device axes that its inputs vary over.

    Parameters
    ----------
    values : pytree of arrays
        The initial values.
    given : pytree of arrays
        The inputs of the loop; None is no array.

    Returns
    -------
    pytree of the same structure
        The same values.
    """

    def vary(value: jax.Array) -> jax.Array:
        varied = jnp.asarray(value)
        for leaf in jax.tree.leaves(given):
            # A zero of that type: the value of `leaf` does not matter.
            zero = jnp.zeros_like(leaf, shape=(), dtype=varied.dtype)
            varied = varied | zero if varied.dtype == bool else varied + zero
        return varied

    varied: Tree = jax.tree.map(vary, values)
    return varied
