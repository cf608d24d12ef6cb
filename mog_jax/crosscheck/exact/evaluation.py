"""Evaluating a program: at one precision, and at ever higher ones until the balls are small."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import flint
import jax
import numpy as np

from mog_jax.crosscheck import programs
from mog_jax.crosscheck.exact.rules import (
    Array,
    Decisions,
    MorePrecision,
    apply,
    deciding,
    each,
)

_BITS_PER_DIGIT = math.log2(10)
# Beyond the digits asked for: what a few dozen operations lose, so that one attempt mostly does.
_GUARD_BITS = 64
_GROWTH = 3
# No number that a double can stand next to is as small as this; a ball within it is a zero.
_TINY_DIGITS = 5_000


def evaluate(
    closed_jaxpr: Any,
    arguments: Sequence[Any],
    *,
    digits: int = 40,
    limit: int = 2000,
    kinks: list[str] | None = None,
) -> list[Array]:
    """Evaluate a program exactly, raising the precision until `digits` digits are certain.

    Parameters
    ----------
    closed_jaxpr : jax.extend.core.ClosedJaxpr
        From :func:`jax.make_jaxpr`.
    arguments : sequence of arrays
        The program's flat inputs: NumPy arrays, whose floats are taken as the exact numbers that
        they are, or object arrays of `flint.arb`.
    digits : int
        Every output ball's radius is below 10^-digits of its midpoint, unless `limit` is reached,
        or the ball lies within 10^-5000 of zero.
    limit : int
        Digits at which to stop raising the precision; the balls are then as wide as they are.
    kinks : list of str, optional
        Receives a word for each tie that the program met: equal arguments of a maximum or a
        comparison, where the function may have no derivative.

    Returns
    -------
    list of arrays
        Object arrays of `flint.arb`; NumPy arrays for integers and booleans. NaN where the program
        is not defined.

    Raises
    ------
    UnknownPrimitive
        If the program uses a primitive without a rule.
    Undecided
        If a decision cannot be made even at the limit.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, numpy as np
    >>> program = jax.make_jaxpr(lambda x: jnp.log1p(x) - x)(np.float32(1e-20))
    >>> evaluate(program, [np.float64(1e-20)], digits=12)[0]
    array([-5.0000000000000000...e-41 +/- ...], dtype=object)
    """
    need = digits * _BITS_PER_DIGIT
    before: list[Array] | None = None
    attempt = digits
    while True:
        is_last = attempt >= limit
        ties: list[str] = []
        bits = int(min(attempt, limit) * _BITS_PER_DIGIT) + _GUARD_BITS
        try:
            outputs = evaluate_at(closed_jaxpr, arguments, bits, Decisions(is_last, ties))
        except MorePrecision:
            before = None
        else:
            small = [_is_small(output, need) for output in outputs]
            if is_last or all(s.all() for s in small) or _stays_undefined(outputs, small, before):
                if kinks is not None:
                    kinks.extend(ties)
                return outputs
            before = outputs
        attempt *= _GROWTH


def evaluate_at(
    closed_jaxpr: Any, arguments: Sequence[Any], bits: int, decisions: Decisions | None = None
) -> list[Array]:
    """Evaluate a program once, with balls of so many bits.

    Parameters
    ----------
    closed_jaxpr, arguments
        As for `evaluate`.
    bits : int
        Of the midpoints.
    decisions : Decisions, optional
        What to do where balls do not decide; where not given, an overlap is a tie.

    Returns
    -------
    list of arrays
        As from `evaluate`; the balls are as wide as the precision makes them.
    """
    decisions = decisions if decisions is not None else Decisions(is_last=True, ties=[])
    with precision(bits), deciding(decisions), jax.enable_x64(True):
        return run(closed_jaxpr, [to_exact(argument) for argument in arguments])


def run(closed_jaxpr: Any, operands: Sequence[Any]) -> list[Array]:
    """Evaluate a program on exact operands, at the precision that holds."""
    return programs.closed_call(
        closed_jaxpr,
        operands,
        lambda equation, values: apply(equation.primitive.name, values, equation.params),
        to_exact,
    )


@contextlib.contextmanager
def precision(bits: int) -> Iterator[None]:
    """Compute with balls of so many bits for a while; flint keeps the precision in a global."""
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before


_to_ball = each(flint.arb, 1)
_needs_more = each(lambda ball, need: _is_loose(ball, need), 2)
_is_finite = each(lambda ball: ball.is_finite(), 1)


def to_exact(value: Any) -> Array:
    """Give floats as balls of radius 0, and everything else as the NumPy array that it is."""
    array = np.asarray(value)
    if array.dtype == object or array.dtype.kind in "biu":
        return array
    # float() first: half precisions and NumPy's scalars are nothing to flint.
    return _to_ball(array.astype(np.float64).astype(object))


def _is_loose(ball: flint.arb, need: float) -> bool:
    if ball.is_exact() or ball.rel_accuracy_bits() >= need:
        return False
    return not abs(ball) < _tiny()


def _tiny() -> flint.arb:
    return flint.arb(2) ** (-int(_TINY_DIGITS * _BITS_PER_DIGIT))


def _is_small(output: Array, need: float) -> Array:
    if output.dtype != object:
        return np.ones(output.shape, bool)
    return ~_needs_more(output, need).astype(bool)


def _stays_undefined(
    outputs: list[Array], small: list[Array], before: list[Array] | None
) -> bool:
    """Whether all that is not small is not finite, and was not finite at the attempt before."""
    if before is None:
        return False
    for now, fine, then in zip(outputs, small, before, strict=True):
        if now.dtype != object:
            continue
        undefined = ~_is_finite(now).astype(bool) & ~_is_finite(then).astype(bool)
        if not (fine | undefined).all():
            return False
    return True
