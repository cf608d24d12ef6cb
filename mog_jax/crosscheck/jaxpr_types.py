"""What JAX's programs consist of. This is the one file that uses ``jax.extend``."""

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
    """Give a program, closed or not, as its body and its constants."""
    if isinstance(program, ClosedJaxpr):
        return program.jaxpr, program.consts
    return program, ()


def equations(program: ClosedJaxpr | Jaxpr) -> Iterator[JaxprEqn]:
    """Yield the equations of a program, however deep."""
    for equation in opened(program)[0].eqns:
        yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from equations(inner)
