"""Evaluates a program to a number of digits: raises the precision until the balls are small."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import arb

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import deadlines
from mog_jax.crosscheck.exact.balls import SMALLEST_DOUBLE, Ball, is_infinite, precision
from mog_jax.crosscheck.exact.errors import Undecided, UnknownPrimitive
from mog_jax.crosscheck.exact.evaluation import Evaluation
from mog_jax.crosscheck.exact.interpreter import run
from mog_jax.crosscheck.jaxprs import ClosedJaxpr, Jaxpr

_BITS_PER_DIGIT = math.log2(10)
# Twice the digits of a double: all digits of the data may cancel without a second evaluation.
_GUARD_BITS = 106


def evaluate(
    closed_jaxpr: ClosedJaxpr,
    arguments: Sequence[Any],
    *,
    digits: int = 40,
    limit: int = 2000,
    kinks: Counter[str] | None = None,
    by_meaning: bool = False,
) -> list[Array]:
    r"""Evaluate a program in ball arithmetic, raising the precision until the outputs are sharp.

    The program is taken as mathematics: constants and arguments are the exact numbers that the
    machine holds, every operation is exact, and conversions between floating-point types do
    nothing. Conversions to integers truncate.

    An exact zero absorbs, :math:`0\cdot\mathrm{NaN}=0\cdot\infty=0`, so that the branch that
    ``where`` does not select has no effect. ``log(0)``, ``1 / 0`` and the like are infinite, zero
    has no sign, and a value that is certainly undefined, as ``log(-1)``, is NaN.

    An output is sharp when its radius is below :math:`10^{-d}\max(|y|, 2^{-1074})`, with
    :math:`2^{-1074}` the smallest positive double: `digits` correct digits, or too close to zero
    for a double to tell. NaN and infinities that are certain are sharp, too.

    Parameters
    ----------
    closed_jaxpr : ClosedJaxpr
        From :func:`jax.make_jaxpr`. ``custom_jvp`` and ``custom_vjp`` functions are evaluated by
        their plain bodies.
    arguments : sequence of arrays
        One per input of the jaxpr: floats, integers, booleans, or object arrays of ``flint.arb``.
    digits : int
        Decimal digits required of every output.
    limit : int
        Largest working precision, in decimal digits: there the outputs are returned as they are.
    kinks : Counter, optional
        Its content is replaced by the number of ties that each primitive met (``max`` of equals,
        ``abs`` at 0, a comparison of equals, a computed 0 times infinity): there the function may
        have no derivative. Ties of values that are used by ``stop_gradient`` only are not counted.
        A zero written in the program that absorbed is counted as `WRITTEN_ZERO`, and is no tie.
    by_meaning : bool
        Whether special functions that JAX computes by series or rational approximations, such as
        ``jax.scipy.special.log_ndtr``, are taken for the functions that they stand for.

    Returns
    -------
    list of arrays
        Object arrays of ``flint.arb``; NumPy arrays for integer and boolean outputs. An element
        of which nothing is known is the whole line, ``[+/- inf]``.

    Accuracy
    --------
    Every ball contains the exact value: the radii are proved, not estimated.
    ``tests/crosscheck/exact`` compares each rule with mpmath, SymPy or rational arithmetic.

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
    _check_real(closed_jaxpr)
    most = math.ceil(limit * _BITS_PER_DIGIT)
    bits = min(math.ceil(digits * _BITS_PER_DIGIT) + _GUARD_BITS, most)
    bounded = any(_is_bounded(argument) for argument in arguments)
    widths: list[Ball] | None = None
    while True:
        met: Counter[str] = Counter()
        try:
            outputs = evaluate_at(closed_jaxpr, arguments, bits, kinks=met, by_meaning=by_meaning)
        except Undecided:
            if bits >= most:
                raise
        else:
            before, widths = widths, _widths(outputs)
            # If arguments are balls, their radii limit the outputs at any precision.
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
    by_meaning: bool = False,
) -> list[Array]:
    """Evaluate a program in ball arithmetic once, in `bits` bits, however wide the balls.

    See :func:`evaluate`, which chooses the precision.
    """
    jaxpr = closed_jaxpr.jaxpr
    _check_count(jaxpr, arguments)
    with precision(bits), deadlines.counted():
        evaluation = Evaluation(run, Counter() if kinks is None else kinks, by_meaning=by_meaning)
        operands = [
            _argument(evaluation, i, variable.aval, argument)
            for i, (variable, argument) in enumerate(zip(jaxpr.invars, arguments, strict=True))
        ]
        return run(evaluation, jaxpr, closed_jaxpr.consts, operands)


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


def _check_real(closed_jaxpr: ClosedJaxpr) -> None:
    for aval in [*closed_jaxpr.in_avals, *closed_jaxpr.out_avals]:
        if getattr(getattr(aval, "dtype", None), "kind", "") == "c":
            raise UnknownPrimitive(
                "the program has complex arguments or results: exact evaluation takes and gives "
                "real numbers, as real and imaginary parts."
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
    negligible = SMALLEST_DOUBLE * arb(2) ** -bits
    return all(
        value.rel_accuracy_bits() >= bits
        or value.rad() < negligible
        or value.is_nan()
        or is_infinite(value)
        for value in output.flat
    )
