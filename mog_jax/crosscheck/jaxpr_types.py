"""Imports the types of JAX's programs. This is the only file that uses ``jax.extend``."""

from collections.abc import Iterator, Sequence
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, jaxprs_in_params, primitives

__all__ = [
    "ClosedJaxpr",
    "Jaxpr",
    "JaxprEqn",
    "Literal",
    "equations",
    "jaxprs_in_params",
    "opened",
    "primitives",
]


def opened(program: ClosedJaxpr | Jaxpr) -> tuple[Jaxpr, Sequence[Any]]:
    """Return the body and the constants of a program, closed or not."""
    if isinstance(program, ClosedJaxpr):
        return program.jaxpr, program.consts
    return program, ()


def equations(program: ClosedJaxpr | Jaxpr) -> Iterator[JaxprEqn]:
    """Yield the equations of a program, including those of nested programs."""
    for equation in opened(program)[0].eqns:
        yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from equations(inner)
