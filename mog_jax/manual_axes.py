"""Loops under `jax.shard_map`: what they carry must vary over the devices as what they add does.

A constant is the same on all devices, and a sum over a device's own points is not. JAX types both
accordingly, and wants a loop to carry one type only.
"""

from typing import TypeVar

import jax
import jax.numpy as jnp

Tree = TypeVar("Tree")


def varying_as(values: Tree, given: object) -> Tree:
    """Let what a loop begins with vary over the axes of devices that what it sees varies over.

    Parameters
    ----------
    values : pytree of arrays
        What is carried.
    given : pytree of arrays
        What it is computed with; None is no array.

    Returns
    -------
    pytree of the same structure
        The same values.
    """

    def vary(value: jax.Array) -> jax.Array:
        varied = jnp.asarray(value)
        for leaf in jax.tree.leaves(given):
            # A zero of that type: no value of `leaf` goes in.
            zero = jnp.zeros_like(leaf, shape=(), dtype=varied.dtype)
            varied = varied | zero if varied.dtype == bool else varied + zero
        return varied

    varied: Tree = jax.tree.map(vary, values)
    return varied
