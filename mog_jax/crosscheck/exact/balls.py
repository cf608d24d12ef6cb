r"""Arithmetic on balls, which enclose one real number each.

A ball (``flint.arb``) is an interval that contains the exact value. On top of what flint gives,
this module defines the results at the edge of the reals, so that a formula evaluated exactly takes
the same branches in special cases as a floating-point program does:

- ``NAN`` means *certainly not a number*, as for the logarithm of a negative number; ``UNKNOWN``
  means *undecided at this precision*, as for the logarithm of a ball around zero. Flint calls both
  nan. Raising the precision may turn an ``UNKNOWN`` into a number, never a ``NAN``.
- The infinities are exact values with limits: ``log(0) = -inf``, ``exp(-inf) = 0``,
  ``1 / 0 = inf``. Zero has no sign here.
- An exact zero absorbs: ``0 * NaN = 0 * inf = 0``. Reverse differentiation multiplies the branch
  that ``where`` did not select by zero; in the formula that branch does not exist, and
  ``0 * NaN = NaN`` is an artefact of floating point.
- ``ZERO``, the zero that is written in the program as a constant, absorbs even in ``0 / 0``, for
  the same reason. A zero that was computed, or given, does not: ``x / x`` at 0 is ``NAN``.

Equality of numbers is undecidable, identity of objects is not. `Evaluation` computes equal
expressions once, so two operands that are *the same object* are equal: so ties can be decided.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import flint
from flint import arb

Ball = Any
"""A ``flint.arb``; flint ships no types."""

ZERO: Ball = arb(0)
ONE: Ball = arb(1)
NAN: Ball = arb("nan")
INF: Ball = arb("inf")
MINUS_INF: Ball = arb("-inf")
UNKNOWN: Ball = arb(0, "inf")
SMALLEST_DOUBLE: Ball = arb(2) ** -1074


class Complex:
    """A complex number as a pair of balls."""

    __slots__ = ("imag", "real")

    def __init__(self, real: Ball, imag: Ball) -> None:
        self.real, self.imag = real, imag

    def is_zero(self) -> bool:
        """Return whether it is certainly 0."""
        return bool(self.real.is_zero() and self.imag.is_zero())


class Overlap(Exception):  # noqa: N818, a comparison that is undecided, not an error
    """Two balls that this precision cannot order."""


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Compute in `bits` bits inside the block; flint's precision is global, and is restored."""
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before


def is_infinite(x: Ball) -> bool:
    """Return whether `x` is certainly plus or minus infinity."""
    return x in (INF, MINUS_INF)


def is_unknown(x: Ball) -> bool:
    """Return whether `x` is the whole line: nothing is known of it."""
    return not (x.is_finite() or x.is_nan() or is_infinite(x))


def sign(x: Ball) -> int:
    """Sign of a ball that is not NaN: -1, 0 or 1."""
    if x > 0:
        return 1
    if x < 0:
        return -1
    if x.is_zero():
        return 0
    raise Overlap


def order(x: Ball, y: Ball) -> int | None:
    """Order of two balls: -1, 0, 1, or None where one of them is NaN."""
    if x is y and x.is_finite():
        return 0
    if x < y:
        return -1
    if x > y:
        return 1
    if x.is_nan() or y.is_nan():
        return None
    if x.is_exact() and y.is_exact():
        return 0
    raise Overlap


def add(x: Ball, y: Ball) -> Ball:
    """Sum."""
    if x is ZERO:
        return y
    if y is ZERO:
        return x
    r = x + y
    return r if r.is_finite() else _add_at_the_edge(x, y)


def subtract(x: Ball, y: Ball) -> Ball:
    """Difference; of an object and itself it is exactly 0."""
    if y is ZERO:
        return x
    if x is y and x.is_finite():
        return arb(0)
    r = x - y
    return r if r.is_finite() else _add_at_the_edge(x, -y)


def _add_at_the_edge(x: Ball, y: Ball) -> Ball:
    if x.is_nan() or y.is_nan():
        return NAN
    if is_unknown(x) or is_unknown(y):
        return UNKNOWN
    if is_infinite(x):
        return NAN if is_infinite(y) and x != y else x
    return y


def multiply(x: Ball, y: Ball) -> Ball:
    """Product; an exact zero absorbs NaN and infinities."""
    if x is ZERO or y is ZERO:
        return ZERO
    r = x * y
    if r.is_finite():
        return r
    if x.is_zero() or y.is_zero():
        return ZERO
    return _unless_undefined(lambda: sign(x) * sign(y), x, y)


def divide(x: Ball, y: Ball) -> Ball:
    """Quotient; ``x / 0`` is an infinity with the sign of x, ``0 / 0`` is NaN."""
    if x is ZERO:
        return ZERO
    r = x / y
    if r.is_finite():
        return r
    if y.is_zero() and x.is_zero():
        return NAN
    if is_infinite(x) and is_infinite(y):
        return NAN
    if x.is_finite() and is_infinite(y):
        return arb(0)
    return _unless_undefined(lambda: sign(x) * (sign(y) or 1), x, y)


def _unless_undefined(side: Callable[[], int], x: Ball, y: Ball) -> Ball:
    # An infinity of the sign that `side` finds, where the operands have one.
    if x.is_nan() or y.is_nan():
        return NAN
    if is_unknown(x) or is_unknown(y):
        return UNKNOWN
    try:
        return INF if side() > 0 else MINUS_INF
    except Overlap:
        return UNKNOWN


def larger(x: Ball, y: Ball) -> Ball:
    """The larger of two, as the same object where that is decided, else their hull."""
    if x is y or x >= y:
        return x
    if y >= x:
        return y
    if x.is_nan() or y.is_nan():
        return NAN
    if is_unknown(x) or is_unknown(y):
        return UNKNOWN
    return x.max(y)


def smaller(x: Ball, y: Ball) -> Ball:
    """The smaller of two, as the same object where that is decided, else their hull."""
    if x is y or x <= y:
        return x
    if y <= x:
        return y
    if x.is_nan() or y.is_nan():
        return NAN
    if is_unknown(x) or is_unknown(y):
        return UNKNOWN
    return x.min(y)


def tied(x: Ball, y: Ball) -> bool:
    """Return whether two finite balls are equal, or cannot be distinguished."""
    return bool(x is y or x.overlaps(y)) and bool(x.is_finite() and y.is_finite())


def power(x: Ball, y: Ball) -> Ball:
    """Real power, with the conventions of IEEE 754 at 0 and at negative bases."""
    if y.is_zero() or x == 1:
        return ONE
    if x.is_finite() and y.is_finite():
        if x > 0 or (x < 0 and y.is_exact() and y.is_integer()):
            return x**y
        if x.is_zero():
            return _power_of_the_edge(y, small=arb(0), large=INF)
        if x < 0:
            return NAN if y.is_exact() or not y.contains_integer() else UNKNOWN
        if y.is_exact() and y.is_integer() and y > 0:
            return whole_power(x, int(y.unique_fmpz()))
        return UNKNOWN
    if x.is_nan() or y.is_nan():
        return NAN
    if is_unknown(x) or is_unknown(y):
        return UNKNOWN
    if not y.is_finite():
        grows = abs(x) > 1 if y > 0 else abs(x) < 1
        shrinks = abs(x) < 1 if y > 0 else abs(x) > 1
        if grows or shrinks:
            return INF if grows else arb(0)
        return ONE if x == -1 else UNKNOWN
    negative = x < 0 and y.is_exact() and y.is_integer() and y.unique_fmpz() % 2 == 1
    return _power_of_the_edge(-y, small=arb(0), large=MINUS_INF if negative else INF)


def _power_of_the_edge(y: Ball, small: Ball, large: Ball) -> Ball:
    if y > 0:
        return small
    return large if y < 0 else UNKNOWN


def integer_power(x: Ball, n: int) -> Ball:
    """Integer power; a negative one is a reciprocal."""
    if n < 0:
        return divide(ONE, integer_power(x, -n))
    r = whole_power(x, n)
    if n == 0 or (r.is_finite() and x.is_finite()):
        return r
    if x.is_nan():
        return NAN
    if is_unknown(x):
        return UNKNOWN
    return MINUS_INF if x < 0 and n % 2 else INF


def whole_power(x: Ball, n: int) -> Ball:
    """Power of a ball with a non-negative integer exponent; flint's own is NaN about 0."""
    if n == 0 or x.is_exact() or not x.is_finite() or x.mid() != 0:
        return x**n
    most = arb(abs(x).upper()) ** n
    return arb(0, most.upper()) if n % 2 else (arb(0, most.upper()) + most) / 2


def angle(y: Ball, x: Ball) -> Ball:
    """``atan2(y, x)``; on the cut, where y is exactly 0 and x negative, it is pi."""
    if x.is_nan() or y.is_nan():
        return NAN
    if not (x.is_finite() and y.is_finite()):
        if is_unknown(x) or is_unknown(y):
            return UNKNOWN
        if is_infinite(x) and y.is_finite():
            return arb(0) if x > 0 else arb.pi() * (-1 if sign(y) < 0 else 1)
        return arb.atan2(arb(sign(y)), arb(sign(x) if is_infinite(x) else 0))
    return arb.atan2(y, x)


def truncate(x: Ball) -> Ball:
    """Integer part, rounded towards zero."""
    return whole(x.floor) if x > 0 else whole(x.ceil)


def whole(rounding: Callable[[], Ball]) -> Ball:
    """Return an integer that is the same for the whole ball, as an exact ball."""
    n = rounding().unique_fmpz()
    if n is None:
        raise Overlap
    return arb(n)
