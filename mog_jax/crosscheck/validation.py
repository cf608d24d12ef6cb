"""Refuses functions and inputs that cannot be checked, each with one clear sentence."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from mog_jax.crosscheck.findings import error_line
from mog_jax.crosscheck.jaxprs import trace
from mog_jax.crosscheck.precisions import in_float64


def listed(inputs: Any) -> list[Any]:
    """Return a sequence of inputs as a list; refuse anything else."""
    if isinstance(inputs, tuple) or not isinstance(inputs, Sequence):
        raise ValueError(
            "`inputs` must be a Hypothesis strategy or a list of tuples of arguments; "
            f"got {type(inputs).__name__}."
        )
    if not inputs:
        raise ValueError("`inputs` yields nothing: the list is empty.")
    return list(inputs)


def refuse_uncallable(**functions: Any) -> None:
    """Raise `ValueError` for the first argument that is not callable, with its name."""
    for name, function in functions.items():
        if not callable(function):
            raise ValueError(f"`{name}` must be callable; got {type(function).__name__}.")


def refuse_unusable(function: Callable[..., Any], example: tuple[Any, ...]) -> bool:
    """Refuse a function whose outputs are not floats, or that JAX cannot trace.

    Returns
    -------
    bool
        Whether the function has one scalar output.
    """
    output = refuse_untraceable("function", function, example)
    leaves = jax.tree.leaves(output)
    if not leaves or any(leaf.dtype.kind != "f" for leaf in leaves):
        shown = ", ".join(f"{leaf.dtype}{list(leaf.shape)}" for leaf in leaves) or "nothing"
        raise ValueError(
            f"`function` must give floating-point numbers; got {shown}. Leave out what is not "
            "differentiated: `has_aux=True` if it is the second of two outputs."
        )
    return len(leaves) == 1 and not leaves[0].shape


def refuse_untraceable(name: str, function: Callable[..., Any], example: tuple[Any, ...]) -> Any:
    """Refuse a function that JAX cannot trace; return the shapes and dtypes of its output."""
    try:
        with in_float64():
            return trace(function, *example)[1]
    except Exception as error:
        hint = ""
        if isinstance(error, jax.errors.TracerIntegerConversionError):
            hint = " Bind what is no array, such as a size, with `functools.partial`."
        elif isinstance(error, jax.errors.JAXTypeError | jax.errors.JAXIndexError):
            hint = (
                " Write it with `jax.numpy`, and `jnp.where` in the place of `if`; bind a flag or "
                "any other argument that is no array with `functools.partial`."
            )
        raise ValueError(
            f"`{name}` cannot be traced by JAX on the inputs that `inputs` yields: "
            f"{error_line(error).rstrip('.')}.{hint}"
        ) from error


def float_arguments(example: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the indices of the arguments that hold floating-point numbers only."""
    return tuple(
        i
        for i, arg in enumerate(example)
        if (leaves := jax.tree.leaves(arg)) and all(leaf.dtype.kind == "f" for leaf in leaves)
    )
