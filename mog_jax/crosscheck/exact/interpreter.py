"""Evaluates a program equation by equation, each by the rule of its primitive."""

import math
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import flint
import jax
import numpy as np

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import (
    arithmetic,
    complex_numbers,
    control,
    deadlines,
    decompositions,
    linear,
    machine,
    reductions,
    sparse,
    structure,
    windows,
)
from mog_jax.crosscheck.exact.balls import ZERO, Complex, Overlap
from mog_jax.crosscheck.exact.errors import Undecided, UnknownPrimitive
from mog_jax.crosscheck.exact.evaluation import Evaluation, Rule
from mog_jax.crosscheck.jaxprs import Jaxpr, JaxprEqn, Literal, implemented

# Rules that move elements or run programs, whatever the elements are.
_OF_ANYTHING: dict[str, Rule] = {
    **structure.RULES,
    **control.RULES,
    **arithmetic.UNCHANGED,
    **machine.RULES,
    "select_n": arithmetic.RULES["select_n"],
    "convert_element_type": arithmetic.RULES["convert_element_type"],
}
_RULES: dict[str, Rule] = {
    **arithmetic.RULES,
    **reductions.RULES,
    **linear.RULES,
    **decompositions.RULES,
    **sparse.RULES,
    **structure.COMBINING,
    **windows.RULES,
    **machine.over_named_axes(reductions.RULES),
    **_OF_ANYTHING,
}
_REGISTERED: dict[str, Rule] = {}


def register_primitive(name: str, rule: Rule) -> None:
    r"""Add a rule to exact evaluation for a primitive that has none.

    Parameters
    ----------
    name : str
        The primitive's name, as a jaxpr prints it.
    rule : callable
        ``rule(evaluation, operands, params)`` returns the primitive's output, or a list of outputs.
        Operands and outputs that are floating-point in the program are NumPy object arrays of
        ``flint.arb``; integers and booleans are NumPy arrays. `params` are the equation's own.
        ``evaluation.elementwise(key, function, *operands)`` applies a function of balls to each
        element; ``evaluation.run(jaxpr, operands)`` evaluates a program within `params`.

    Raises
    ------
    ValueError
        If the primitive has a rule already.

    Examples
    --------
    >>> def half_erfc(evaluation, operands, params):
    ...     return evaluation.elementwise("half_erfc", lambda x: x.erfc() / 2, *operands)
    >>> register_primitive("half_erfc", half_erfc)
    """
    if name in _RULES or name in _REGISTERED:
        raise ValueError(f"`name`: the primitive {name!r} has a rule already.")
    _REGISTERED[name] = rule


def run(
    evaluation: Evaluation, jaxpr: Jaxpr, consts: Sequence[Any], arguments: Sequence[Array]
) -> list[Array]:
    """Evaluate a program at flint's precision, with the memory of `evaluation`."""
    values: dict[Any, Array] = dict(zip(jaxpr.invars, arguments, strict=True))
    for variable, const in zip(jaxpr.constvars, consts, strict=True):
        values[variable] = _exactly(evaluation, const)
    for equation, rule, held in _plan(jaxpr):
        operands = [_read(evaluation, values, atom) for atom in equation.invars]
        deadlines.check(equation.primitive.name, _size(equation))
        met = evaluation.kinks.copy() if held else None
        try:
            results = rule(evaluation, operands, equation.params)
        except Overlap:
            raise Undecided(equation.primitive.name, flint.ctx.prec) from None
        if met is not None:
            evaluation.kinks.clear()
            evaluation.kinks.update(met)
        results = [results] if isinstance(results, np.ndarray) else results
        values.update(zip(equation.outvars, results, strict=True))
    return [_read(evaluation, values, atom) for atom in jaxpr.outvars]


def _size(equation: JaxprEqn) -> int:
    return sum(math.prod(getattr(variable.aval, "shape", ())) for variable in equation.outvars)


class _Step(NamedTuple):
    """An equation, how to evaluate it, and whether its results are held constant."""

    equation: JaxprEqn
    rule: Rule
    held: bool


# The plan of each program, made once for all its evaluations.
_PLANS: weakref.WeakKeyDictionary[Jaxpr, list[_Step]] = weakref.WeakKeyDictionary()


def _plan(jaxpr: Jaxpr) -> list[_Step]:
    plan = _PLANS.get(jaxpr)
    if plan is None:
        held = _held_constant(jaxpr)
        plan = [
            _Step(equation, _rule_of(equation), i in held) for i, equation in enumerate(jaxpr.eqns)
        ]
        _PLANS[jaxpr] = plan
    return plan


def _held_constant(jaxpr: Jaxpr) -> set[int]:
    # Equations whose results are used by `stop_gradient` only, such as the shift of a logsumexp: a
    # tie of `max` there is not a kink of the program.
    if not any(equation.primitive.name == "stop_gradient" for equation in jaxpr.eqns):
        return set()
    needed = {id(atom) for atom in jaxpr.outvars}
    constant = set()
    for i in range(len(jaxpr.eqns) - 1, -1, -1):
        equation = jaxpr.eqns[i]
        if not any(id(variable) in needed for variable in equation.outvars):
            constant.add(i)
        elif equation.primitive.name != "stop_gradient":
            needed.update(id(atom) for atom in equation.invars)
    return constant


def _read(evaluation: Evaluation, values: dict[Any, Array], atom: Any) -> Array:
    if not isinstance(atom, Literal):
        return values[atom]
    literal = _exactly(evaluation, atom.val)
    # A zero written in the program absorbs: see `balls`.
    is_zero = (
        literal.dtype == object
        and literal.ndim == 0
        and not isinstance(literal.item(), Complex)
        and literal.item().is_zero()
    )
    return np.full((), ZERO, object) if is_zero else literal


def _rule_of(equation: JaxprEqn) -> Rule:
    name = equation.primitive.name
    rule = _REGISTERED.get(name)
    dtypes = _dtypes(equation)
    if rule is None and any(map(machine.is_key, dtypes)):
        rule = _OF_ANYTHING.get(name) if name in control.RULES else machine.with_keys(equation)
    elif rule is None and _is_integer(equation):
        if name in arithmetic.INTEGER:
            function = arithmetic.INTEGER[name]
            return lambda evaluation, operands, params: np.asarray(function(*operands))
        rule = _OF_ANYTHING.get(name)
        if rule is None:
            return lambda evaluation, operands, params: _on_the_machine(equation, operands)
    elif rule is None and _is_complex(equation):
        rule = complex_numbers.RULES.get(name) or _OF_ANYTHING.get(name)
    elif rule is None:
        rule = _RULES.get(name)
    return rule or _by_implementation(equation)


def _by_implementation(equation: JaxprEqn) -> Rule:
    closed = implemented(equation)
    if closed is None:
        raise UnknownPrimitive(_advice(equation.primitive.name, equation))
    return lambda evaluation, operands, params: evaluation.run(closed, operands)


def _dtypes(equation: JaxprEqn) -> list[Any]:
    avals: list[Any] = [atom.aval for atom in (*equation.invars, *equation.outvars)]
    return [getattr(aval, "dtype", None) for aval in avals]


def _is_integer(equation: JaxprEqn) -> bool:
    dtypes = _dtypes(equation)
    return all(getattr(dtype, "kind", None) in ("b", "i", "u") for dtype in dtypes)


def _is_complex(equation: JaxprEqn) -> bool:
    return any(getattr(dtype, "kind", None) == "c" for dtype in _dtypes(equation))


def _on_the_machine(equation: JaxprEqn, operands: Sequence[Array]) -> list[Array]:
    # Integers are exact already: JAX's own result is the right one, wrapping included.
    with jax.enable_x64(True):
        primitive: Any = equation.primitive
        results = primitive.bind(*map(jax.numpy.asarray, operands), **equation.params)
        outputs = results if primitive.multiple_results else [results]
        return [np.asarray(output) for output in outputs]


_PYTHON = "it calls Python, which has floats only. Write what it computes with `jax.numpy`, or"
_NOT_SYMMETRIC = (
    "there is none for matrices that are not symmetric. Use `eigh` or `svd` where that will do, or"
)
# Why a primitive has no rule, and what to do instead of adding one.
_WAYS_OUT = {
    "pure_callback": _PYTHON,
    "io_callback": _PYTHON,
    "ffi_call": "it is compiled code. Write what it computes with `jax.numpy`, or",
    "pallas_call": "it is a kernel. Check the function that it is meant to compute, written with "
    "`jax.numpy`, or",
    "shard_map": "it runs on the devices of a mesh. Check what each of them runs, or",
    "eig": _NOT_SYMMETRIC,
    "schur": _NOT_SYMMETRIC,
    "hessenberg": _NOT_SYMMETRIC,
}


def _advice(name: str, equation: JaxprEqn) -> str:
    is_complex = _is_complex(equation) and name not in _WAYS_OUT
    of_what = " of complex numbers" if is_complex else ""
    way_out = "Write it in real and imaginary parts, or" if is_complex else _WAYS_OUT.get(name)
    # After a colon, or in a sentence of its own.
    link = ": " if name in _WAYS_OUT else ". "
    last = f"add {'a rule' if way_out else 'one'} with mog_jax.crosscheck.register_primitive"
    advice = f"{way_out} {last}" if way_out else f"A{last[1:]}"
    return (
        f"exact evaluation has no rule for the primitive `{name}`{of_what}{link}"
        f"{advice}({name!r}, rule)."
    )


def _exactly(evaluation: Evaluation, value: Any) -> Array:
    if machine.is_key(getattr(value, "dtype", None)):
        return value  # type: ignore[no-any-return]
    if isinstance(value, jax.core.Tracer):
        raise UnknownPrimitive(
            "a constant of the program is a value of another trace, which a custom rule has leaked "
            "(the rule of `jax.scipy.special.expn` does): `jax.checking_leaks()` finds where."
        )
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    return array if array.dtype.kind in "biu" else evaluation.numbers(array)
