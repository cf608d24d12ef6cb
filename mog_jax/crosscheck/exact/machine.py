"""Rules for machine-dependent primitives: random bits, bit patterns, messages, axes of a mesh.

Random bits are integer arithmetic, and so exact: JAX itself draws them. The bits of a computed
number are those of the double nearest to it, which give its sign and its size.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import balls
from mog_jax.crosscheck.exact.balls import Ball, Overlap
from mog_jax.crosscheck.exact.errors import UnknownPrimitive
from mog_jax.crosscheck.exact.evaluation import Evaluation, Rule

Operands = Sequence[Array]
Params = dict[str, Any]


def _nearest_double(x: Ball) -> float:
    if balls.is_unknown(x):
        raise Overlap
    return float(x.mid())


def _bitcast(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    (x,) = operands
    new = np.dtype(params["new_dtype"])
    if x.dtype != object:
        if new.kind in "biu":
            return x.view(new)
        if evaluation.taken_apart:
            raise UnknownPrimitive(
                "`bitcast_convert_type` puts a number together from the bits of another, as frexp "
                "and nextafter do, which exact numbers do not have: compute it by arithmetic."
            )
        return evaluation.numbers(x.view(new))
    floats = {8: np.float64, 4: np.float32, 2: np.float16}.get(new.itemsize)
    if floats is None:
        raise UnknownPrimitive(f"`bitcast_convert_type` to {new} takes a number apart.")
    evaluation.taken_apart = True
    return evaluation.decide(_nearest_double, x, dtype=floats).view(new)


def _over_axes(rule: Rule) -> Rule:
    """Return a rule that reduces over positional axes, to which `vmap` turns a named one."""

    def reduced(evaluation: Evaluation, operands: Operands, params: Params) -> list[Any]:
        axes = params["axes"]
        if not all(isinstance(axis, int) for axis in axes) or params.get("axis_index_groups"):
            raise UnknownPrimitive(
                f"a reduction over the named axes {axes} needs the devices of a mesh: check the "
                "function within `jax.vmap(..., axis_name=...)`."
            )
        return [rule(evaluation, [x], {"axes": tuple(axes)}) for x in operands]

    return reduced


def _nothing(evaluation: Evaluation, operands: Operands, params: Params) -> list[Array]:
    return []


def over_named_axes(reductions: dict[str, Rule]) -> dict[str, Rule]:
    """Return the rules of named reductions, made from those of positional ones."""
    return {
        "psum": _over_axes(reductions["reduce_sum"]),
        "psum_invariant": _over_axes(reductions["reduce_sum"]),
        "pmax": _over_axes(reductions["reduce_max"]),
        "pmin": _over_axes(reductions["reduce_min"]),
    }


def is_key(dtype: Any) -> bool:
    """Return whether a dtype is that of random keys."""
    return dtype is not None and bool(jax.numpy.issubdtype(dtype, jax.dtypes.prng_key))


def with_keys(equation: Any) -> Callable[..., list[Any]]:
    """Return a rule that evaluates an equation on keys and integers by JAX."""

    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> list[Any]:
        with jax.enable_x64(True):
            values: list[Any] = [x if is_key(x.dtype) else jax.numpy.asarray(x) for x in operands]
            results = equation.primitive.bind(*values, **params)
        outputs = results if equation.primitive.multiple_results else [results]
        return [out if is_key(out.dtype) else np.asarray(out) for out in outputs]

    return rule


RULES: dict[str, Rule] = {
    "bitcast_convert_type": _bitcast,
    "debug_print": _nothing,
    "debug_callback": _nothing,
}
