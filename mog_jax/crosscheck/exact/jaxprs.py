"""The one place that looks inside JAX's programs: ``jax.extend`` is used here and nowhere else."""

from collections.abc import Sequence
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var

__all__ = ["ClosedJaxpr", "Jaxpr", "JaxprEqn", "Literal", "Var", "carried", "opened"]

# Where a primitive that merely wraps a program keeps it. `custom_jvp_call` and `custom_vjp_call`
# are opened to what they compute: the rule under test must not be asked about itself.
_BODIES = ("jaxpr", "call_jaxpr", "fun_jaxpr")


def carried(params: dict[str, Any]) -> ClosedJaxpr | Jaxpr:
    """Give the program that a call carries."""
    program: ClosedJaxpr | Jaxpr = next(params[name] for name in _BODIES if name in params)
    return program


def opened(program: ClosedJaxpr | Jaxpr) -> tuple[Jaxpr, Sequence[Any]]:
    """Give a program, closed or not, as its body and its constants."""
    if isinstance(program, ClosedJaxpr):
        return program.jaxpr, program.consts
    return program, ()
