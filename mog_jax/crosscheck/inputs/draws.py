"""Defines one input of a search: its numbers, and the directions of its derivatives."""

import dataclasses
import zlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.inputs.arguments import (
    Signature,
    bytes_of,
    key_of,
    narrowed,
)
from mog_jax.crosscheck.inputs.simplex import exactly_on_simplex, summing_to_one


@dataclasses.dataclass(frozen=True, eq=False)
class Draw:
    """One input.

    Attributes
    ----------
    args : tuple of Any
        Floats in float64.
    exact : list of array
        Its leaves as exact numbers: the same, except leaves that are declared to lie on a simplex.
    narrow : bool
        Whether every float of it is a float32 number too.
    key : object
        Key for its shapes.
    """

    args: tuple[Any, ...]
    exact: list[Array]
    narrow: bool
    key: Any

    def directions(self, contract: Signature, output: Any, seed: int) -> tuple[Any, Any]:
        """Return a tangent for the differentiated arguments and a cotangent for an output.

        They are the same whenever this input is drawn. A tangent's entries have the size of the
        numbers that they move, so that no digits are lost to a mixture of scales.
        """
        mark = zlib.crc32(repr(bytes_of(self.args)).encode())
        random = np.random.default_rng([seed, mark])

        def sized(leaf: Array) -> Array:
            signs = random.choice([-1.0, -0.75, -0.5, 0.5, 0.75, 1.0], size=leaf.shape)
            return np.asarray(signs * np.where(leaf == 0, 1.0, np.abs(leaf)))

        tangent = jax.tree.map(sized, contract.differentiated(self.args))
        cotangent = jax.tree.map(lambda leaf: sized(np.ones(leaf.shape)), output)
        return tangent, cotangent


def draw_of(args: tuple[Any, ...], contract: Signature, *, narrow: bool) -> Draw:
    """Return a draw of validated arguments, rounded to float32 first if `narrow` and possible."""
    if len(args) != len(contract.parameters):
        raise ValueError(
            "`inputs` must yield tuples of one length; "
            f"got {len(args)} arguments after {len(contract.parameters)}."
        )
    rounded = narrowed(args) if narrow else None
    placed = summing_to_one(args if rounded is None else rounded, contract)
    return Draw(
        args=placed,
        exact=exactly_on_simplex(placed, contract),
        narrow=rounded is not None,
        key=key_of(placed),
    )


def places(contract: Signature, args: Sequence[Any]) -> list[int]:
    """Return the positions of the differentiated leaves among all leaves of the arguments."""
    sizes = [len(jax.tree.leaves(arg)) for arg in args]
    starts = np.cumsum([0, *sizes])
    return [int(starts[i]) + j for i in contract.wrt for j in range(sizes[i])]
