"""Traces functions to jaxprs, and runs a jaxpr with a rule for each equation.

A jaxpr is a list of equations. `run` calls a rule for each of them. Equations that only wrap
another program (``jit``, ``checkpoint``, a custom derivative rule) are entered, so that a rule gets
arithmetic and control flow only. Entering a custom derivative rule means running its plain body: a
rule that is judged must not take part in its own reference. Special functions that are evaluated by
their definition are not entered.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from mog_jax.crosscheck import special
from mog_jax.crosscheck.jaxpr_types import (
    ClosedJaxpr,
    Jaxpr,
    JaxprEqn,
    Literal,
    equations,
    jaxprs_in_params,
    opened,
    primitives,
)

__all__ = [
    "CALLS",
    "HIGH_LEVEL",
    "ClosedJaxpr",
    "Jaxpr",
    "JaxprEqn",
    "Literal",
    "bind",
    "closed_call",
    "cond",
    "expanded",
    "has_rule",
    "implemented",
    "inner_program",
    "is_float",
    "opened",
    "plain",
    "primitives",
    "run",
    "scan",
    "takes_numbers_apart",
    "trace",
    "uses",
]

Rule = Callable[[Any, list[Any]], Sequence[Any]]

CALLS = {
    "jit": "jaxpr",
    "closed_call": "call_jaxpr",
    "remat2": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vmap_call": "call",
}
"""Primitives that run one program on their operands unchanged, with the parameter that holds it."""


HIGH_LEVEL = "call_hi_primitive"
"""Primitive that calls a user's primitive, defined by a function `expand` and derivative rules."""


def expanded(primitive: Any) -> ClosedJaxpr:
    """Return the program of a high-level primitive, traced from its plain function."""
    program: ClosedJaxpr = _expanded(primitive, tuple(primitive.in_avals_flat))
    return program


@functools.lru_cache(maxsize=256)
def _expanded(primitive: Any, avals: tuple[Any, ...]) -> Any:
    def plainly(*values: Any) -> list[Any]:
        return jax.tree.leaves(primitive.expand(*jax.tree.unflatten(primitive.in_tree, values)))

    with jax.enable_x64(any(aval.dtype.itemsize == 8 for aval in avals)):
        return jax.make_jaxpr(plainly)(*avals)


def implemented(equation: JaxprEqn) -> ClosedJaxpr | None:
    """Return the implementation of a library's primitive as a program of other primitives.

    None if the implementation does not consist of other primitives.
    """
    primitive: Any = equation.primitive
    avals: list[Any] = [atom.aval for atom in equation.invars]
    wide = any(getattr(getattr(a, "dtype", None), "itemsize", 0) == 8 for a in avals)
    with jax.enable_x64(wide):
        try:
            closed = jax.make_jaxpr(lambda *xs: primitive.impl(*xs, **equation.params))(*avals)
        except Exception:
            return None  # Implemented natively, as JAX's own primitives are.
    inside = [inner.primitive for inner in equations(closed) if inner.primitive.name != "jit"]
    return None if inside == [primitive] else closed


def trace(function: Callable[..., Any], *args: Any) -> tuple[Any, Any]:
    """Return a function's closed jaxpr, and its output's structure of shapes and dtypes."""
    # A new function each time: JAX caches traces by function, and would miss a change in a function
    # that it calls.
    return jax.make_jaxpr(lambda *values: function(*values), return_shape=True)(*args)


def inner_program(equation: JaxprEqn) -> tuple[Jaxpr, Sequence[Any]] | None:
    """Return the program that an equation wraps, with its constants; None if it wraps none."""
    if equation.primitive.name == HIGH_LEVEL:
        return opened(expanded(equation.params["_prim"]))
    parameter = CALLS.get(equation.primitive.name)
    if parameter is None or special.recognised(equation.params) is not None:
        return None
    return opened(equation.params[parameter])


def run(
    jaxpr: Any,
    consts: Sequence[Any],
    args: Sequence[Any],
    rule: Rule,
    literal: Callable[[Any], Any] = lambda value: value,
) -> list[Any]:
    """Evaluate a jaxpr: `rule` returns each equation's results, and `literal` each constant."""
    values: dict[Any, Any] = {}

    def read(atom: Any) -> Any:
        if isinstance(atom, Literal):
            return _as_declared(literal(atom.val), atom.aval)
        return values[atom]

    for variable, const in zip(jaxpr.constvars, consts, strict=True):
        values[variable] = _as_declared(literal(const), variable.aval)
    values.update(zip(jaxpr.invars, args, strict=True))
    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        inner = inner_program(equation)
        results = (
            rule(equation, operands)
            if inner is None
            else run(inner[0], inner[1], operands, rule, literal)
        )
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _as_declared(value: Any, aval: Any) -> Any:
    """Return a constant in the dtype that its program declares, in the current precision.

    JAX keeps the arrays of a closure, and may use one with the dtype of an earlier trace: in
    float64, even in a program that was traced in float32.
    """
    if isinstance(value, jax.Array) or not isinstance(getattr(value, "dtype", None), np.dtype):
        return value
    dtype = jax.dtypes.canonicalize_dtype(aval.dtype)
    return value if value.dtype == dtype else np.asarray(value, dtype)


def bind(equation: Any, operands: Sequence[Any]) -> list[Any]:
    """Evaluate an equation as JAX would; special functions have their definition's derivatives."""
    known = special.recognised(equation.params)
    if known is not None:
        return jax.tree.leaves(known.differentiable(*operands[-known.arity :]))
    results = equation.primitive.bind(*operands, **equation.params)
    return list(results) if equation.primitive.multiple_results else [results]


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function without any custom derivative rule in it, at any depth."""

    def opened(*args: Any) -> Any:
        closed, shapes = trace(function, *args)
        flat = run(closed.jaxpr, closed.consts, jax.tree.leaves(args), _plain_rule)
        return jax.tree.unflatten(jax.tree.structure(shapes), flat)

    return opened


def _plain_rule(equation: Any, operands: list[Any]) -> Sequence[Any]:
    if not any(_has_custom_rule(inner) for inner in jaxprs_in_params(equation.params)):
        return bind(equation, operands)
    name, parameters = equation.primitive.name, equation.params
    if name == "scan":
        return scan(equation, operands, lambda body, values: closed_call(body, values, _plain_rule))
    if name == "while":
        n_test, n_body = parameters["cond_nconsts"], parameters["body_nconsts"]
        test, body = parameters["cond_jaxpr"], parameters["body_jaxpr"]
        tested, constants = operands[:n_test], operands[n_test : n_test + n_body]
        return jax.lax.while_loop(
            lambda carry: closed_call(test, [*tested, *carry], _plain_rule)[0],
            lambda carry: closed_call(body, [*constants, *carry], _plain_rule),
            operands[n_test + n_body :],
        )
    if name == "cond":
        return cond(
            equation, operands, lambda _, branch, values: closed_call(branch, values, _plain_rule)
        )
    return bind(equation, operands)


def closed_call(
    closed: Any,
    values: Sequence[Any],
    rule: Rule,
    literal: Callable[[Any], Any] = lambda value: value,
) -> list[Any]:
    """Run a closed jaxpr under a rule."""
    return run(closed.jaxpr, closed.consts, values, rule, literal)


def scan(
    equation: Any, operands: list[Any], body: Callable[[Any, list[Any]], list[Any]]
) -> list[Any]:
    """Evaluate a ``scan`` equation with `body` in place of its own."""
    parameters = equation.params
    n_consts, n_carry = parameters["num_consts"], parameters["num_carry"]
    constants, start = operands[:n_consts], operands[n_consts : n_consts + n_carry]

    def step(carry: list[Any], x: list[Any]) -> tuple[list[Any], list[Any]]:
        results = body(parameters["jaxpr"], [*constants, *carry, *x])
        return results[:n_carry], results[n_carry:]

    carry, ys = jax.lax.scan(
        step,
        start,
        operands[n_consts + n_carry :],
        length=parameters["length"],
        reverse=parameters["reverse"],
    )
    return [*carry, *ys]


def cond(
    equation: Any, operands: list[Any], branch: Callable[[int, Any, Sequence[Any]], list[Any]]
) -> list[Any]:
    """Evaluate a ``cond`` equation with another meaning for its branches, given by number."""
    branches = [
        lambda *values, i=i, program=program: branch(i, program, values)
        for i, program in enumerate(equation.params["branches"])
    ]
    return jax.lax.switch(operands[0], branches, *operands[1:])  # type: ignore[no-any-return]


def _has_custom_rule(program: Any) -> bool:
    names = _primitives(program)
    return any(name.startswith("custom_") or name == HIGH_LEVEL for name in names)


def has_rule(program: Any) -> bool:
    """Return whether a program has a derivative rule that was written by hand."""
    return _has_custom_rule(program) or uses(program, "linear_call")


def uses(program: Any, primitive: str) -> bool:
    """Return whether a program uses a primitive, at any depth."""
    return primitive in _primitives(program)


def takes_numbers_apart(program: Any) -> bool:
    """Return whether a program reads the bits of a float, which tiny steps leave unchanged."""
    return any(
        equation.primitive.name == "bitcast_convert_type" and is_float(equation.invars[0].aval)
        for equation in equations(program)
    )


def _primitives(program: ClosedJaxpr | Jaxpr) -> Iterator[str]:
    return (equation.primitive.name for equation in equations(program))


def is_float(value: Any) -> bool:
    """Return whether a value, aval or variable holds floating-point numbers."""
    return bool(jax.numpy.issubdtype(value.dtype, jax.numpy.floating))
