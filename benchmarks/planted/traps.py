"""Makes JAX functions that differ when they are called and when they are transformed."""

from collections.abc import Callable
from typing import Any

import jax


def is_traced(*arrays: Any) -> bool:
    """Whether any argument is a tracer: inside jit, grad or vmap, that is."""
    return any(isinstance(array, jax.core.Tracer) for array in arrays)


def with_batching_rule(plain: Callable[..., Any], rule: Callable[..., Any]) -> Callable[..., Any]:
    """Return `plain` with a rule of its own under vmap, and otherwise unchanged.

    JAX cannot differentiate a `custom_vmap` in reverse, so `plain` testifies to the derivative.
    """
    batched = jax.custom_batching.custom_vmap(plain)
    batched.def_vmap(rule)
    differentiable = jax.custom_jvp(batched)
    differentiable.defjvp(lambda primals, tangents: jax.jvp(plain, primals, tangents))
    return differentiable


def with_tangent(plain: Callable[..., Any], tangent: Callable[..., Any]) -> Callable[..., Any]:
    """Give `plain` a forward rule: `tangent(primals, tangents)` is claimed to be its tangent."""
    ruled = jax.custom_jvp(plain)
    ruled.defjvp(lambda primals, tangents: (plain(*primals), tangent(primals, tangents)))
    return ruled
