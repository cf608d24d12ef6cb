r"""Computes the error that rounding a reference's inputs and intermediates may cause.

The derivation is in ``accuracy.md``. In short: run the trusted reference in floating point and give
every input and every intermediate :math:`v_e` its own relative error
:math:`\delta_e` of at most :math:`u`, half an ulp of 1. To first order output :math:`j` moves by

.. math:: \sum_e s_{je}\,\delta_e,\qquad
          s_{je}=v_e\,\frac{\partial\,\mathrm{out}_j}{\partial v_e},

and if the errors are as independent as rounding errors mostly are, by about
:math:`u\,(\sum_e s_{je}^2)^{1/2}`. That is the unit, *one rounding*, in which errors are measured.
It contains no arbitrary constant, and it is computed from the reference, never from the code that
is judged, which would set its own limit.

A second sum covers underflow, where a result has no relative digits: each intermediate may also be
off by the smallest normal number, which moves the output by :math:`\sum_e|\partial\,
\mathrm{out}_j/\partial v_e|` times as much.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.crosscheck.arrays import unit_roundoff
from mog_jax.crosscheck.inputs.static import is_key
from mog_jax.crosscheck.jaxprs import (
    Literal,
    bind,
    closed_call,
    cond,
    inner_program,
    is_float,
    scan,
)

# Rows of the Jacobian that are computed at once.
_ROWS = 64


class Scales(NamedTuple):
    r"""How far roundings move each number of a program's output, in units of the unit roundoff.

    Attributes
    ----------
    relative : array
        The root sum of squares of :math:`s_{je}`, over inputs, constants and intermediates.
    absolute : array
        The sum of :math:`|\\partial\\,\\mathrm{out}_j/\\partial v_e|`.
    of_inputs : array
        The root sum of squares over inputs and constants only: the error of the problem itself.
    """

    relative: Any
    absolute: Any
    of_inputs: Any


def scales(closed: Any, working: Any = np.float64) -> Callable[..., Scales]:
    r"""Return a function that computes the error scales of a reference.

    Parameters
    ----------
    closed : ClosedJaxpr
        The reference.
    working : dtype
        The precision whose roundoff is the unit of the scales. An intermediate of a lower precision
        has a larger weight.

    Returns
    -------
    callable
        From the reference's flat arguments to `Scales` with one entry for each number of its
        output.

    Accuracy
    --------
    A few roundings of the reference's own derivatives; ``test_conditioning.py`` compares both with
    sensitivities taken in ball arithmetic.
    """
    constants = _distinct_constants(closed)

    def measured(*args: Any) -> Scales:
        moving = [i for i, arg in enumerate(args) if is_float(arg)]
        slots = [jnp.zeros(slot.shape, slot.dtype) for slot in _slots(closed.jaxpr)]

        def perturbed(inputs: list[Any], data: list[Any], errors: list[Any]) -> tuple[Any, Any]:
            moved = list(args)
            for i, value in zip(moving, inputs, strict=True):
                moved[i] = value
            tape: list[Any] = []
            rule = _tracking(iter(errors), tape, working)
            results = closed_call(closed, moved, rule, _replacing(constants, data))
            return _vector(results), tape

        inputs, data = [args[i] for i in moving], [jnp.asarray(value) for value in constants]
        outputs, pullback, tape = jax.vjp(perturbed, inputs, data, slots, has_aux=True)

        def row(direction: jax.Array) -> Scales:
            of_inputs, of_data, of_slots = pullback(direction)
            return _accumulated([*of_inputs, *of_data], [*inputs, *data], of_slots, tape)

        identity = jnp.eye(outputs.size, dtype=outputs.dtype)
        return jax.lax.map(row, identity, batch_size=_ROWS)  # type: ignore[no-any-return]

    return measured


def input_scales(closed: Any) -> Callable[..., Scales]:
    """Return a function for the scales of the inputs only: the reference has no reverse mode."""

    def measured(*args: Any) -> Scales:
        moving = [i for i, arg in enumerate(args) if is_float(arg)]

        def outputs(*inputs: Any) -> jax.Array:
            moved = list(args)
            for i, value in zip(moving, inputs, strict=True):
                moved[i] = value
            return _vector(closed_call(closed, moved, _bind_differentiable))

        inputs = [args[i] for i in moving]
        jacobians = jax.jacfwd(outputs, argnums=tuple(range(len(inputs))))(*inputs)
        return jax.vmap(lambda *slopes: _accumulated(slopes, inputs, [], []))(*jacobians)

    return measured


def _accumulated(
    slopes: Sequence[Any], inputs: Sequence[Any], inner: Sequence[Any], tape: Sequence[Any]
) -> Scales:
    of_inputs, own_slopes = _root_of_squares(slopes, inputs)
    of_tape, other_slopes = _root_of_squares(inner, tape)
    return Scales(jnp.hypot(of_inputs, of_tape), own_slopes + other_slopes, of_inputs)


def _root_of_squares(slopes: Sequence[Any], values: Sequence[Any]) -> tuple[jax.Array, jax.Array]:
    if not slopes:
        return jnp.zeros(()), jnp.zeros(())
    # Joined to one vector: a dozen operations for each intermediate would be slow to compile.
    slope, value = (_vector([jnp.abs(one) for one in many]) for many in (slopes, values))
    # An intermediate that the output does not depend on may be infinite: 0 x inf is 0 here.
    terms = jnp.nan_to_num(jnp.where(slope == 0, 0.0, slope * value), nan=0.0)
    # Scaled by the largest, as its square may overflow.
    largest = jnp.maximum(jnp.max(terms, initial=0.0), float(np.finfo(terms.dtype).tiny))
    relative = largest * jnp.sqrt(jnp.sum(jnp.square(terms / largest)))
    return relative, jnp.sum(jnp.nan_to_num(slope, nan=0.0))


def _vector(results: Sequence[Any]) -> jax.Array:
    widest = min((result.dtype for result in results), key=unit_roundoff)
    return jnp.concatenate([jnp.ravel(result).astype(widest) for result in results])


class _Slot(NamedTuple):
    """Shape and dtype of an intermediate's error."""

    shape: tuple[int, ...]
    dtype: Any


def _slots(jaxpr: Any) -> Iterator[_Slot]:
    """Yield the shape of every intermediate: in a loop for each step, and in each branch."""
    for equation in jaxpr.eqns:
        inner = inner_program(equation)
        if inner is not None:
            yield from _slots(inner[0])
        elif equation.primitive.name == "scan":
            length = equation.params["length"]
            for slot in _slots(equation.params["jaxpr"].jaxpr):
                yield _Slot((length, *slot.shape), slot.dtype)
        elif equation.primitive.name == "cond":
            for branch in equation.params["branches"]:
                yield from _slots(branch.jaxpr)
        else:
            for variable in equation.outvars:
                if is_float(variable.aval):
                    yield _Slot(tuple(variable.aval.shape), variable.aval.dtype)


def _tracking(
    errors: Iterator[Any], tape: list[Any], working: Any
) -> Callable[[Any, list[Any]], Sequence[Any]]:
    """Return a rule that adds an error to each intermediate, and records its value on `tape`."""

    def rule(equation: Any, operands: list[Any]) -> Sequence[Any]:
        if equation.primitive.name == "scan":
            return _tracked_scan(equation, operands, errors, tape, working)
        if equation.primitive.name == "cond":
            return _tracked_cond(equation, operands, errors, tape, working)
        results = []
        for result in _bind_differentiable(equation, operands):
            if is_float(result):
                tape.append(_weighted(result, working))
                result = result + next(errors)
            results.append(result)
        return results

    return rule


def _weighted(value: Any, working: Any) -> Any:
    """Return a value weighted by the ratio of its own roundoff to that of the working precision."""
    ratio = unit_roundoff(value.dtype) / unit_roundoff(working)
    return value if ratio <= 1 else value.astype(working) * ratio


# Exceptions of a primitive that has no derivative by an operand; some libraries use assertions.
_NOT_DIFFERENTIABLE = (AssertionError, NotImplementedError, TypeError, ValueError)


def _bind_differentiable(equation: Any, operands: list[Any]) -> list[Any]:
    """Evaluate an equation, with operands held constant by which JAX cannot differentiate it.

    Some operands have no derivative, as the parameters of an incomplete beta function: then the
    effect of their rounding is not counted.
    """
    try:
        return bind(equation, operands)
    except _NOT_DIFFERENTIABLE:
        held = [jax.lax.stop_gradient(x) if is_float(x) else x for x in operands]
        for i, operand in enumerate(operands):
            alone = list(held)
            alone[i] = operand
            with contextlib.suppress(*_NOT_DIFFERENTIABLE):
                bind(equation, alone)
                held[i] = operand
        return bind(equation, held)


def _tracked_scan(
    equation: Any, operands: list[Any], errors: Iterator[Any], tape: list[Any], working: Any
) -> Sequence[Any]:
    count = sum(1 for _ in _slots(equation.params["jaxpr"].jaxpr))
    inside = [next(errors) for _ in range(count)]
    n_results = len(equation.outvars)

    def body(program: Any, values: list[Any]) -> list[Any]:
        values, own = values[: len(values) - count], values[len(values) - count :]
        steps: list[Any] = []
        return [*closed_call(program, values, _tracking(iter(own), steps, working)), *steps]

    results = scan(equation, [*operands, *inside], body)
    tape.extend(results[n_results:])
    return results[:n_results]


def _tracked_cond(
    equation: Any, operands: list[Any], errors: Iterator[Any], tape: list[Any], working: Any
) -> Sequence[Any]:
    slots = [list(_slots(branch.jaxpr)) for branch in equation.params["branches"]]
    inside = [next(errors) for own in slots for _ in own]
    ends = np.cumsum([len(operands) - 1, *map(len, slots)])

    def branch(number: int, program: Any, values: Sequence[Any]) -> list[Any]:
        # The intermediates of the other branches are zero, and no output depends on their errors.
        met: list[list[Any]] = [
            [_weighted(jnp.zeros(*slot), working) for slot in own] for own in slots
        ]
        met[number] = []
        own_errors = iter(values[ends[number] : ends[number + 1]])
        rule = _tracking(own_errors, met[number], working)
        results = closed_call(program, values[: ends[0]], rule)
        return [*results, *(value for own in met for value in own)]

    results = cond(equation, [*operands, *inside], branch)
    n_results = len(equation.outvars)
    tape.extend(results[n_results:])
    return results[:n_results]


def rounded_constants(closed: Any) -> Callable[..., jax.Array]:
    r"""Return a function for the error of each output that rounded constants may cause.

    A constant such as :math:`\log 2\pi` is not a double; exact evaluation takes the double that
    stands for it as an exact number, and another formula may round another constant. Constants with
    few bits (2, 0.5, 1000) are taken to be exact. To first order, the error is
    :math:`u\sum_c|c\,\partial\,\mathrm{out}_j/\partial c|`.
    """
    constants = _distinct_constants(closed)
    size = sum(math.prod(aval.shape) for aval in closed.out_avals)

    def measured(*args: Any) -> jax.Array:
        if not constants:
            return jnp.zeros(size)
        values = [jnp.asarray(value) for value in constants]

        def outputs(moved: list[Any]) -> jax.Array:
            literal = _replacing(constants, moved)

            def rule(equation: Any, operands: list[Any]) -> Sequence[Any]:
                if equation.primitive.name == "scan":
                    return scan(equation, operands, within)
                if equation.primitive.name == "cond":
                    return cond(equation, operands, lambda _, branch, xs: within(branch, xs))
                return bind(equation, operands)

            def within(program: Any, operands: Sequence[Any]) -> list[Any]:
                return closed_call(program, operands, rule, literal)

            return _vector(closed_call(closed, args, rule, literal))

        try:
            moved = _moved_by_slopes(outputs, values, size)
        except (NotImplementedError, TypeError, ValueError):
            # A loop of unknown length, or an operand by which JAX does not differentiate.
            moved = _moved_by_differences(outputs, values)
        return jnp.asarray(moved * unit_roundoff(np.dtype(moved.dtype)))

    return measured


def _moved_by_slopes(
    outputs: Callable[[list[Any]], jax.Array], values: list[Any], size: int
) -> jax.Array:
    """Return the sum of the constants' effects on each output, in reverse mode."""
    outcome, pullback = jax.vjp(outputs, values)

    def row(direction: jax.Array) -> jax.Array:
        (slopes,) = pullback(direction)
        terms = [jnp.sum(jnp.abs(s * v)) for s, v in zip(slopes, values, strict=True)]
        return jnp.sum(jnp.nan_to_num(jnp.stack(terms)))

    identity = jnp.eye(size, dtype=outcome.dtype)
    return jnp.asarray(jax.lax.map(row, identity, batch_size=_ROWS))


def _moved_by_differences(
    outputs: Callable[[list[Any]], jax.Array], values: list[Any]
) -> jax.Array:
    """Return the sum of the constants' effects on each output, by relative differences."""
    before = outputs(values)
    part = float(np.sqrt(unit_roundoff(before.dtype)))
    moved = jnp.zeros_like(before)
    for i, value in enumerate(values):
        after = outputs([*values[:i], value * (1 + part), *values[i + 1 :]])
        moved = moved + jnp.nan_to_num(jnp.abs(after - before) / part)
    return moved


def _distinct_constants(closed: Any) -> list[Any]:
    return list({id(value): value for value in _constants(closed)}.values())


def _replacing(constants: Sequence[Any], values: Sequence[Any]) -> Callable[[Any], Any]:
    """Return a function that replaces constants by values; constants are compared by identity."""
    instead = dict(zip(map(id, constants), values, strict=True))
    return lambda value: instead.get(id(value), value)


def _constants(closed: Any) -> Iterator[Any]:
    """Yield the rounded constants of a program, including those in its loops and branches."""
    yield from filter(_is_rounded, closed.consts)
    yield from _literals(closed.jaxpr)


def _literals(jaxpr: Any) -> Iterator[Any]:
    for equation in jaxpr.eqns:
        for atom in equation.invars:
            if isinstance(atom, Literal) and _is_rounded(atom.val):
                yield atom.val
        inner = inner_program(equation)
        if inner is not None:
            yield from filter(_is_rounded, inner[1])
            yield from _literals(inner[0])
        elif equation.primitive.name == "scan":
            yield from _constants(equation.params["jaxpr"])
        elif equation.primitive.name == "cond":
            for branch in equation.params["branches"]:
                yield from _constants(branch)


def _is_rounded(value: Any) -> bool:
    if is_key(value):
        return False  # Random keys hold integers, and are not NumPy arrays.
    array = np.asarray(value)
    if array.dtype.kind == "c":
        return _is_rounded(array.real) or _is_rounded(array.imag)
    if array.dtype.kind != "f":
        return False
    # More than half of the significand is in use: a number that is hardly written exactly.
    half = 2.0 ** (np.finfo(array.dtype).nmant // 2)
    significand = np.frexp(array[np.isfinite(array)])[0] * half
    return bool(np.any(significand != np.rint(significand)))
