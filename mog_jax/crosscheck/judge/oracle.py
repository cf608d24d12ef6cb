r"""The exact value of a derivative, from witnesses that do not depend on each other.

The first witness is automatic differentiation of the function, evaluated in ball arithmetic. It
may be wrong: where a branch that `where` did not take gives NaN, at a tie of `max`, behind
``stop_gradient``. The second owes nothing to any derivative rule: the difference quotient of the
function *itself*, with a step of :math:`10^{-60}`, at a precision where no cancellation is to be
feared. It is taken along one random direction on some draws, and entry by entry where the first
witness cannot be relied on. Where the quotients from the left and from the right differ, the
function has a kink there and no derivative; nothing is judged.
"""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

import flint
import numpy as np

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import ball_arrays, evaluate

DIGITS = 40
_STEP, _LONGER_STEP = -60, -50
# Digits of the function behind a quotient of a few dozen digits; more where it is flat.
_QUOTIENT_DIGITS = (160, 500, 1500)
_AGREE = -25
# A derivative below this is zero to any program.
_NOTHING = -400
# Entries that are settled one by one on one draw, each at the price of two evaluations.
_MOST_ENTRIES = 24


@dataclasses.dataclass(frozen=True, eq=False)
class Exact:
    """Exact outputs of a program at one draw, as one vector of ball_arrays."""

    values: Array
    kinks: bool


def exact_values(closed: Any, arguments: Sequence[Array]) -> Exact:
    """Evaluate a program in balls, and note whether it met a tie."""
    kinks: Counter[str] = Counter()
    outputs = evaluate(closed, arguments, digits=DIGITS, kinks=kinks)
    return Exact(ball_arrays.flat(outputs), bool(kinks))


def directional_quotient(
    function: Any, arguments: Sequence[Array], places: Sequence[int], direction: Sequence[Array]
) -> flint.arb:
    """Difference quotient of a scalar function along a direction of the leaves at `places`.

    It is taken between the two sides of the point. NaN where the function is not defined on both.

    Accuracy
    --------
    It is off by the third derivative times the square of the step, :math:`10^{-120}`; its own
    rounding is in the radius of the ball.
    """
    for digits in _QUOTIENT_DIGITS:
        with ball_arrays.precision(int(3.33 * digits) + 64):
            step = flint.arb(10) ** _STEP
            ahead = _value(function, _moved(arguments, places, direction, +step), digits)
            behind = _value(function, _moved(arguments, places, direction, -step), digits)
            quotient = (ahead - behind) / 2 / step
        if not quotient.is_finite() or quotient.rel_accuracy_bits() > 100:
            break
    return quotient


def one_sided_quotients(
    function: Any,
    arguments: Sequence[Array],
    place: int,
    index: int,
    scale: float,
    exponent: int = _STEP,
) -> tuple[flint.arb, flint.arb]:
    """Difference quotients of a scalar function in one entry, from the left and the right.

    The step is `scale` times ten to the power of `exponent`.
    """
    unit = np.zeros(arguments[place].shape)
    unit.reshape(-1)[index] = 1.0

    def value(step: flint.arb, digits: int) -> flint.arb:
        return _value(function, _moved(arguments, [place], [unit], step), digits)

    for digits in _QUOTIENT_DIGITS:
        with ball_arrays.precision(int(3.33 * digits) + 64):
            step = flint.arb(10) ** exponent * flint.arb(scale)
            here = _value(function, arguments, digits)
            right, left = (value(step, digits) - here) / step, (here - value(-step, digits)) / step
        sharp = [not q.is_finite() or q.rel_accuracy_bits() > 100 for q in (left, right)]
        if all(sharp):
            break
    return left, right


def settle_entries(
    function: Any, arguments: Sequence[Array], places: Sequence[int], entries: Sequence[int]
) -> dict[int, flint.arb]:
    """Give the derivative in some entries by quotients alone.

    Entries are counted over the leaves at `places`, one after the other. Left out are those where
    the function has a kink or is not defined on both sides, and those beyond what one draw is
    allowed to cost.
    """
    sizes = [arguments[place].size for place in places]
    ends = np.cumsum(sizes)
    found = {}
    for entry in entries[:_MOST_ENTRIES]:
        which = int(np.searchsorted(ends, entry, side="right"))
        place, index = places[which], int(entry - (ends[which] - sizes[which]))
        leaf = arguments[place].reshape(-1)[index]
        scale = float(abs(flint.arb(leaf)).upper()) or 1.0
        both = [
            one_sided_quotients(function, arguments, place, index, scale, exponent)
            for exponent in (_STEP, _LONGER_STEP)
        ]
        with ball_arrays.precision(256):
            derivative = _where_sides_meet(*both)
        if derivative is not None:
            found[entry] = derivative
    return found


def _where_sides_meet(
    sides: tuple[flint.arb, flint.arb], of_longer_step: tuple[flint.arb, flint.arb]
) -> flint.arb | None:
    """Give the derivative that quotients from the left and from the right approach, if they do."""
    left, right = sides
    if not (left.is_finite() and right.is_finite()):
        return None
    size, gap = abs(left) + abs(right), abs(left - right)
    if size < flint.arb(10) ** _NOTHING:
        return flint.arb(0, size.upper())
    slack = size * flint.arb(10) ** _AGREE
    # Both are off by the second derivative times the step, which may be all there is to see. At a
    # kink a longer step makes no difference.
    far = abs(of_longer_step[0] - of_longer_step[1])
    if not (gap <= slack or gap < far / 100):
        return None
    return flint.arb(((left + right) / 2).mid(), (slack + gap).upper())


def agrees_with_quotient(
    gradient: Array, quotient: flint.arb, direction: Sequence[Array]
) -> bool | None:
    """Tell whether a gradient explains a directional quotient; None where that cannot be told."""
    with ball_arrays.precision(256):
        along = np.concatenate([ball_arrays.as_balls(v).reshape(-1) for v in direction])
        terms = gradient * along
        total, size = flint.arb(0) + terms.sum(), flint.arb(0) + abs(terms).sum()
        if not (quotient.is_finite() and total.is_finite()):
            return None
        slack = size * flint.arb(10) ** _AGREE
        if quotient.rad() > slack and quotient.rad() != 0:
            return None
        return bool((total - quotient).overlaps(flint.arb(0, slack.upper())))


def _value(function: Any, arguments: Sequence[Array], digits: int) -> flint.arb:
    (output,) = evaluate(function, arguments, digits=digits)
    value: flint.arb = ball_arrays.as_balls(np.asarray(output)).item()
    return value


def _moved(
    arguments: Sequence[Array], places: Sequence[int], direction: Sequence[Array], step: flint.arb
) -> list[Array]:
    moved = list(arguments)
    for place, slope in zip(places, direction, strict=True):
        moved[place] = ball_arrays.as_balls(moved[place]) + step * ball_arrays.as_balls(slope)
    return moved
