"""Separates values from auxiliary outputs, and gradients from the values beside them."""

from collections.abc import Callable
from typing import Any

import jax

from mog_jax.crosscheck.inputs.arguments import Signature
from mog_jax.crosscheck.inputs.static import is_node

Program = Callable[..., Any]


def without_auxiliary(function: Program) -> Program:
    """Return the function without its second output."""

    def first(*args: Any) -> Any:
        output = function(*args)
        if not (isinstance(output, tuple) and len(output) == 2):
            raise ValueError(
                "with `has_aux` the function must give a pair, the value and an auxiliary output; "
                f"it gives {_described(output)}"
            )
        return output[0]

    return first


def _described(output: Any) -> str:
    size = f" of {len(output)}" if isinstance(output, tuple | list) else ""
    return f"a {type(output).__name__}{size}" if not isinstance(output, jax.Array) else "an array"


def gradient_and_value(
    derivative: Program, contract: Signature, *, has_aux: bool
) -> tuple[Program, Program]:
    """Split a derivative into a function for the gradient and one for the value beside it.

    A derivative may return the gradient alone, or a pair of the value and the gradient as
    ``jax.value_and_grad`` does; with `has_aux`, an auxiliary output is added in JAX's form,
    ``(gradient, aux)`` or ``((value, aux), gradient)``. If there is no value beside the gradient,
    the second function returns None.
    """

    def part(which: int) -> Program:
        def taken(*args: Any) -> Any:
            wanted = contract.differentiated(args)
            return _parts(derivative(*args), wanted, has_aux=has_aux)[which]

        return taken

    return part(0), part(1)


def _parts(output: Any, wanted: Any, *, has_aux: bool) -> tuple[Any, Any]:
    whole = _like(wanted, output)
    if whole is not None:
        return whole, None
    if isinstance(output, tuple) and len(output) == 2:
        first, second = output
        gradient = _like(wanted, first) if has_aux else None
        if gradient is not None:
            return gradient, None
        gradient = _like(wanted, second)
        value = first[0] if has_aux and isinstance(first, tuple) and len(first) == 2 else first
        if gradient is not None and jax.numpy.shape(value) == ():
            return gradient, value
    return output, None


def _like(wanted: Any, output: Any) -> Any:
    """Return an output with the structure of the differentiated arguments; None if it differs.

    In the place of an argument that is not an array the output may hold anything, such as None.
    """
    try:
        result = jax.tree.map(
            lambda want, given: want if is_node(want) else given, wanted, output, is_leaf=is_node
        )
    except ValueError:
        return None
    structures: list[Any] = [jax.tree.structure(result), jax.tree.structure(wanted)]
    return result if structures[0] == structures[1] else None
