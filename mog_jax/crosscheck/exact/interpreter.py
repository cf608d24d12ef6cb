"""Evaluate a JAX program exactly: each number enclosed, each answer as sharp as was asked for."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import flint
import jax
import numpy as np
from flint import arb

from mog_jax.crosscheck.exact import arithmetic, control, linear, reductions, structure
from mog_jax.crosscheck.exact.balls import ZERO, Ball, Overlap, is_infinite, precision
from mog_jax.crosscheck.exact.evaluation import Array, Evaluation, Rule
from mog_jax.crosscheck.exact.jaxprs import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

_BITS_PER_DIGIT = math.log2(10)
# Twice the digits of a double: data may cancel in all of theirs without a second pass.
_GUARD_BITS = 106
_SMALLEST_DOUBLE = -1074

# Rules that move elements or run programs, whatever the elements are.
_OF_ANYTHING: dict[str, Rule] = {
    **structure.RULES,
    **control.RULES,
    **arithmetic.UNCHANGED,
    "select_n": arithmetic.RULES["select_n"],
    "convert_element_type": arithmetic.RULES["convert_element_type"],
}
_RULES: dict[str, Rule] = {
    **arithmetic.RULES,
    **reductions.RULES,
    **linear.RULES,
    **structure.COMBINING,
    **_OF_ANYTHING,
}
_REGISTERED: dict[str, Rule] = {}
_RANDOM = ("random_", "rng_", "threefry")


class UnknownPrimitive(NotImplementedError):  # noqa: N818, it names what was met, not a failure
    """A program uses a primitive that has no exact rule."""


class Undecided(ArithmeticError):  # noqa: N818, likewise
    """A comparison, a rounding or an index that no precision within the limit decides.

    Attributes
    ----------
    primitive : str
        The name of the primitive that could not decide.
    """

    def __init__(self, primitive: str, bits: int) -> None:
        digits = round(bits / _BITS_PER_DIGIT)
        super().__init__(
            f"`{primitive}` cannot be decided at {digits} digits: its operands are equal to that "
            "precision without being the same expression, or are not determined at all."
        )
        self.primitive = primitive


def register_primitive(name: str, rule: Rule) -> None:
    r"""Teach exact evaluation a primitive.

    Parameters
    ----------
    name : str
        The primitive's name, as a jaxpr prints it.
    rule : callable
        ``rule(evaluation, operands, params)`` gives the primitive's output, or a list of outputs.
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
    >>> from flint import arb
    >>> def half_erfc(evaluation, operands, params):
    ...     return evaluation.elementwise("half_erfc", lambda x: x.erfc() / 2, *operands)
    >>> register_primitive("half_erfc", half_erfc)
    """
    if name in _RULES or name in _REGISTERED:
        raise ValueError(f"`name`: the primitive {name!r} has a rule already.")
    _REGISTERED[name] = rule


def evaluate(
    closed_jaxpr: ClosedJaxpr,
    arguments: Sequence[Any],
    *,
    digits: int = 40,
    limit: int = 2000,
    kinks: Counter[str] | None = None,
) -> list[Array]:
    r"""Evaluate a program in ball arithmetic, raising the precision until the answer is sharp.

    The program is read as mathematics: constants and arguments are the exact numbers that the
    machine holds, every operation is exact, and conversions between floating-point types do
    nothing. Conversions to integers truncate.

    An output is sharp when its radius is below :math:`10^{-d}\max(|y|, 2^{-1074})`, with
    :math:`2^{-1074}` the smallest positive double: `digits` correct digits, or too close to zero
    for a double to tell. NaN and infinities that are certain are sharp, too.

    Parameters
    ----------
    closed_jaxpr : ClosedJaxpr
        From :func:`jax.make_jaxpr`. ``custom_jvp`` and ``custom_vjp`` functions are evaluated by
        what they compute.
    arguments : sequence of arrays
        One per input of the jaxpr: floats, integers, booleans, or object arrays of ``flint.arb``.
    digits : int
        Decimal digits wanted of every output.
    limit : int
        Decimal digits of working precision at which to give up: the outputs are then as sharp as
        they got.
    kinks : Counter, optional
        Is replaced by how often each primitive met a tie (``max`` of equals, ``abs`` at 0, a
        comparison of equals): there the function may have no derivative. Met, not necessarily
        of consequence: a tie within ``stop_gradient`` is counted, too.

    Returns
    -------
    list of arrays
        Object arrays of ``flint.arb``; NumPy arrays for integer and boolean outputs. Where nothing
        is known of an element it is the whole line, ``[+/- inf]``.

    Raises
    ------
    UnknownPrimitive
        If there is no rule for a primitive.
    Undecided
        If a comparison stays open at the limit.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> with jax.enable_x64(True):
    ...     jaxpr = jax.make_jaxpr(lambda x: (1 - jnp.cos(x)) / x**2)(1.0)
    >>> (value,) = evaluate(jaxpr, [1e-30], digits=12)
    >>> value.item().str(12, radius=False)
    '0.500000000000'
    """
    _check_precision(digits, limit)
    most = math.ceil(limit * _BITS_PER_DIGIT)
    bits = min(math.ceil(digits * _BITS_PER_DIGIT) + _GUARD_BITS, most)
    bounded = any(_is_bounded(argument) for argument in arguments)
    widths = None
    while True:
        met: Counter[str] = Counter()
        try:
            outputs = evaluate_at(closed_jaxpr, arguments, bits, kinks=met)
        except Undecided:
            if bits >= most:
                raise
        else:
            before, widths = widths, _widths(outputs)
            # Balls given as arguments bound what any precision can do.
            if (
                bits >= most
                or all(_is_sharp(output, digits) for output in outputs)
                or (bounded and before is not None and not _shrank(before, widths))
            ):
                if kinks is not None:
                    kinks.clear()
                    kinks.update(met)
                return outputs
        bits = min(2 * bits, most)


def evaluate_at(
    closed_jaxpr: ClosedJaxpr,
    arguments: Sequence[Any],
    bits: int,
    *,
    kinks: Counter[str] | None = None,
) -> list[Array]:
    """Evaluate a program in ball arithmetic once, in `bits` bits, however wide the answer.

    See :func:`evaluate`, which chooses the precision.
    """
    jaxpr = closed_jaxpr.jaxpr
    _check_count(jaxpr, arguments)
    with precision(bits):
        evaluation = Evaluation(_run, Counter() if kinks is None else kinks)
        operands = [
            _argument(evaluation, i, variable.aval, argument)
            for i, (variable, argument) in enumerate(zip(jaxpr.invars, arguments, strict=True))
        ]
        return _run(evaluation, jaxpr, closed_jaxpr.consts, operands)


def _run(
    evaluation: Evaluation, jaxpr: Jaxpr, consts: Sequence[Any], arguments: Sequence[Array]
) -> list[Array]:
    values: dict[Any, Array] = dict(zip(jaxpr.invars, arguments, strict=True))
    for variable, const in zip(jaxpr.constvars, consts, strict=True):
        values[variable] = _exactly(evaluation, const)
    for equation in jaxpr.eqns:
        operands = [_read(evaluation, values, atom) for atom in equation.invars]
        results = _step(evaluation, equation, operands)
        values.update(zip(equation.outvars, results, strict=True))
    return [_read(evaluation, values, atom) for atom in jaxpr.outvars]


def _read(evaluation: Evaluation, values: dict[Any, Array], atom: Any) -> Array:
    if not isinstance(atom, Literal):
        return values[atom]
    literal = _exactly(evaluation, atom.val)
    if literal.dtype == object and literal.ndim == 0 and literal[()].is_zero():
        literal[()] = ZERO  # A zero written in the program absorbs: see `balls`.
    return literal


def _step(
    evaluation: Evaluation, equation: JaxprEqn, operands: Sequence[Array]
) -> Sequence[Array]:
    name = equation.primitive.name
    rule = _REGISTERED.get(name)
    if rule is None and _is_integer(equation):
        if name in arithmetic.INTEGER:
            return [np.asarray(arithmetic.INTEGER[name](*operands))]
        rule = _OF_ANYTHING.get(name)
        if rule is None and not name.startswith(_RANDOM):
            return _on_the_machine(equation, operands)
    elif rule is None:
        rule = _RULES.get(name)
    if rule is None or _is_complex(equation):
        raise UnknownPrimitive(_advice(name, equation))
    try:
        result = rule(evaluation, operands, equation.params)
    except Overlap:
        raise Undecided(name, flint.ctx.prec) from None
    return [result] if isinstance(result, np.ndarray) else result


def _dtypes(equation: JaxprEqn) -> list[Any]:
    return [atom.aval.dtype for atom in (*equation.invars, *equation.outvars)]


def _is_integer(equation: JaxprEqn) -> bool:
    return all(getattr(dtype, "kind", None) in ("b", "i", "u") for dtype in _dtypes(equation))


def _is_complex(equation: JaxprEqn) -> bool:
    return any(getattr(dtype, "kind", None) == "c" for dtype in _dtypes(equation))


def _on_the_machine(equation: JaxprEqn, operands: Sequence[Array]) -> list[Array]:
    # Integers are exact already: JAX's own result is the right one, wrapping included.
    with jax.enable_x64(True):
        results = equation.primitive.bind(*map(jax.numpy.asarray, operands), **equation.params)
        outputs = results if equation.primitive.multiple_results else [results]
        return [np.asarray(output) for output in outputs]


def _advice(name: str, equation: JaxprEqn) -> str:
    if _is_complex(equation):
        return f"`{name}` has complex operands or results: exact evaluation is of real numbers."
    if name.startswith(_RANDOM):
        return f"`{name}` draws random numbers: draw them outside, and pass them as an argument."
    return (
        f"exact evaluation has no rule for the primitive `{name}`. Add one with "
        f"mog_jax.crosscheck.exact.register_primitive({name!r}, rule)."
    )


def _exactly(evaluation: Evaluation, value: Any) -> Array:
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    return array if array.dtype.kind in "biu" else evaluation.numbers(array)


def _argument(evaluation: Evaluation, i: int, aval: Any, argument: Any) -> Array:
    array = np.asarray(argument)
    if array.shape != aval.shape:
        raise ValueError(f"`arguments[{i}]` must have shape {aval.shape}; got {array.shape}.")
    if aval.dtype.kind in ("b", "i", "u"):
        if array.dtype.kind not in "biu":
            raise ValueError(f"`arguments[{i}]` must be of {aval.dtype}; got {array.dtype}.")
        return array.astype(aval.dtype)
    return evaluation.numbers(array)


def _check_count(jaxpr: Jaxpr, arguments: Sequence[Any]) -> None:
    if len(arguments) != len(jaxpr.invars):
        raise ValueError(
            f"`arguments` must be one array per input of the jaxpr, {len(jaxpr.invars)} in all; "
            f"got {len(arguments)}."
        )


def _check_precision(digits: int, limit: int) -> None:
    if not 1 <= digits <= limit:
        raise ValueError(f"`digits` must be from 1 to `limit` = {limit}; got {digits}.")


def _is_bounded(argument: Any) -> bool:
    array = np.asarray(argument)
    return array.dtype == object and any(
        isinstance(value, arb) and not value.is_exact() for value in array.flat
    )


def _widths(outputs: Sequence[Array]) -> list[Ball]:
    return [value.rad() for output in outputs if output.dtype == object for value in output.flat]


def _shrank(before: list[Ball], after: list[Ball]) -> bool:
    return any(new < old / 2 for old, new in zip(before, after, strict=True))


def _is_sharp(output: Array, digits: int) -> bool:
    if output.dtype != object:
        return True
    bits = math.ceil(digits * _BITS_PER_DIGIT) + 1
    negligible = arb(2) ** (_SMALLEST_DOUBLE - bits)
    return all(
        value.rel_accuracy_bits() >= bits
        or value.rad() < negligible
        or value.is_nan()
        or is_infinite(value)
        for value in output.flat
    )
