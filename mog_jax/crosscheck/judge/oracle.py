"""Computes the exact values of a program at one input, and whether it met a tie."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import ball_arrays, evaluate
from mog_jax.crosscheck.exact.evaluation import WRITTEN_ZERO

DIGITS = 40


@dataclasses.dataclass(frozen=True, eq=False)
class Exact:
    """Exact outputs of a program at one draw.

    Attributes
    ----------
    values : array of balls
        All of them as one vector.
    kinks : bool
        Whether the program met a tie, where it may have no derivative.
    absorbed : bool
        Whether a zero that the program computed was multiplied by infinity or NaN: the product is
        taken for 0 here, and is NaN in floating point.
    written_absorbed : bool
        Whether a zero that is written in the program was multiplied by infinity or NaN, or divided
        by zero. In a derivative that is a branch that `where` does not take; in a value it is NaN
        in floating point.
    """

    values: Array
    kinks: bool
    absorbed: bool = False
    written_absorbed: bool = False


def exact_values(closed: Any, arguments: Sequence[Array], *, literally: bool = False) -> Exact:
    """Evaluate a program in balls, and record whether it met a tie.

    Special functions are evaluated by their definition, or `literally` by their programs.
    """
    kinks: Counter[str] = Counter()
    outputs = evaluate(closed, arguments, digits=DIGITS, kinks=kinks, by_meaning=not literally)
    return Exact(
        ball_arrays.flat(outputs),
        kinks=bool(kinks.keys() - {WRITTEN_ZERO}),
        absorbed="mul" in kinks,
        written_absorbed=WRITTEN_ZERO in kinks,
    )
