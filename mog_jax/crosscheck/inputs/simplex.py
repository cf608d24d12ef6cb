"""Puts probabilities on the simplex: to a sum of 1 in doubles, and to exactly 1 in balls."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact.ball_arrays import exact_array, precision
from mog_jax.crosscheck.inputs.arguments import Signature


def summing_to_one(args: tuple[Any, ...], contract: Signature) -> tuple[Any, ...]:
    """Return the arguments with the leaves on a simplex summing to 1, as closely as doubles can."""
    return _on_simplex(args, contract, lambda rest: 1 - rest.sum(axis=-1))


def exactly_on_simplex(args: tuple[Any, ...], contract: Signature) -> list[Array]:
    """Return the leaves as exact numbers, those on a simplex summing to exactly 1."""

    def complement(rest: Array) -> Array:
        # Doubles span some 2,100 bits: their sum is exact.
        with precision(2200):
            return np.asarray(1 - exact_array(rest).sum(axis=-1), object)

    return jax.tree.leaves(_on_simplex(args, contract, complement))


def _on_simplex(
    args: tuple[Any, ...], contract: Signature, complement: Callable[[Array], Any]
) -> tuple[Any, ...]:
    if not contract.simplex:
        return args
    leaves, structure = jax.tree.flatten(args)
    for i, name in enumerate(contract.names(args)):
        if name in contract.simplex:
            leaves[i] = _largest_from_the_rest(leaves[i], complement)
    return tuple(jax.tree.unflatten(structure, leaves))


def _largest_from_the_rest(leaf: Array, complement: Callable[[Array], Any]) -> Array:
    """Replace each row's largest entry by 1 minus the others: it changes by at most a rounding."""
    largest = np.expand_dims(np.argmax(leaf, axis=-1), -1)
    rest = leaf.copy()
    np.put_along_axis(rest, largest, 0.0, axis=-1)
    total = np.asarray(complement(rest))
    completed = rest.astype(total.dtype)
    np.put_along_axis(completed, largest, total[..., None], axis=-1)
    return completed
