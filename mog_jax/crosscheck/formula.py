"""Is the formula right? Decided by exact values alone, without a tolerance."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import flint
import jax
import numpy as np

from mog_jax.crosscheck import balls, oracle
from mog_jax.crosscheck.arguments import Array, unit_roundoff
from mog_jax.crosscheck.conditioning import rounded_constants

# Balls that overlap agree if both are narrower than this part of the entry's error scale.
_NARROW = 1e-20
# A difference below this part of one rounding cannot be seen in floating point.
_INVISIBLE = 1e-3
# A constant such as (2 pi)^(-1/2) has been rounded more than once on its way.
_CONSTANT_ROUNDINGS = 4


@dataclasses.dataclass(frozen=True, eq=False)
class Truth:
    """What each entry should be at one input.

    Attributes
    ----------
    values : balls; NaN where there is no saying
    tied : whether the program met an exact tie, where autodiff follows a convention
    function : the scalar function that the values are the gradient of, if they are one
    leaves : the input, exactly
    places : which leaves are differentiated
    autodiff_wrong : whether a difference quotient overruled automatic differentiation
    """

    values: Array
    tied: bool
    function: Any | None
    leaves: Sequence[Array]
    places: Sequence[int]
    autodiff_wrong: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Formula:
    """What exact evaluation says of a formula at one input, entry by entry.

    Attributes
    ----------
    truth : what the entries should be, revised where autodiff turned out to be wrong
    given : balls around what the formula gives
    wrong : which entries are disproved
    rounded : which differ, but by no more than the rounding of the programs' constants explains
    undecided : how many stayed too wide to say
    kinks : how many were left out because the function has no derivative there
    """

    truth: Truth
    given: Array
    wrong: Array
    rounded: Array
    undecided: int
    kinks: int


def truth_at(
    reference: Any, function: Any | None, leaves: Sequence[Array], places: Sequence[int]
) -> Truth:
    """Evaluate the reference; where it is not finite, ask difference quotients."""
    exact = oracle.exact_values(reference, leaves)
    truth = Truth(exact.values, exact.kinks, function, leaves, places)
    missing = np.flatnonzero(~balls.finite(truth.values))
    if function is None or not missing.size:
        return truth
    return revised(truth, missing)


def revised(truth: Truth, entries: Sequence[int]) -> Truth:
    """Replace some entries by difference quotients, and by NaN where there are none."""
    settled = oracle.settle_entries(truth.function, truth.leaves, truth.places, entries)
    values = truth.values.copy()
    overruled = truth.autodiff_wrong
    for entry in entries:
        before = values[entry]
        values[entry] = settled.get(int(entry), flint.arb.nan())
        overruled |= values[entry].is_finite() and not values[entry].overlaps(before)
    return dataclasses.replace(truth, values=values, autodiff_wrong=overruled)


def confirmed(truth: Truth, direction: Sequence[Array]) -> Truth:
    """Check autodiff along one direction, and revise every entry if it fails."""
    if truth.function is None or not balls.finite(truth.values).all():
        return truth
    quotient = oracle.directional_quotient(truth.function, truth.leaves, truth.places, direction)
    if oracle.agrees_with_quotient(truth.values, quotient, direction) is not False:
        return truth
    return revised(truth, range(len(truth.values)))


def examine(
    truth: Truth,
    given: Array,
    programs: Sequence[Any],
    floats: Sequence[Array],
    scale: Array,
    dtype: Any,
    direction: Sequence[Array],
) -> Formula:
    """Compare what a formula gives with what it should.

    Parameters
    ----------
    truth, given
        What it should give, and what it gives.
    programs : the reference and the judged program, whose constants may have been rounded
    floats : the input of both, in floating point
    scale : what one rounding is to each entry, relative to half an ulp of 1
    dtype : the precision of the programs
    direction : along which autodiff is confirmed before it accuses anybody
    """
    kinks = 0
    apart = ~balls.overlap(truth.values, given)
    if apart.any() and truth.function is not None:
        before = truth
        entries = np.flatnonzero(apart)
        truth = revised(truth, entries) if truth.tied else confirmed(truth, direction)
        unknown = balls.finite(before.values) & ~balls.finite(truth.values)
        kinks = int(unknown.sum())
        apart = ~balls.overlap(truth.values, given)
    elif apart.any() and truth.tied:
        # A derivative at a tie, and no function to ask for quotients.
        kinks = int(apart.sum())
        apart = np.zeros_like(apart)
    gap = balls.distance(truth.values, given)
    width = balls.upper(gap)
    known = balls.finite(truth.values) & balls.finite(given)
    undecided = known & ~apart & (width > _NARROW * scale)
    rounded = np.zeros_like(apart)
    if apart.any():
        rounded = apart & _explained(gap, programs, floats, scale, dtype)
    return Formula(
        truth=truth,
        given=given,
        wrong=apart & ~rounded,
        rounded=rounded,
        undecided=int(undecided.sum()),
        kinks=kinks,
    )


def _explained(
    gap: Array, programs: Sequence[Any], floats: Sequence[Array], scale: Array, dtype: Any
) -> Array:
    """Tell which differences rounded constants explain, or no program could show."""
    unit = unit_roundoff(dtype)
    with jax.enable_x64(np.dtype(dtype) == np.float64):
        moved = sum(rounded_constants(program, floats) for program in programs)
    slack = np.maximum(_CONSTANT_ROUNDINGS * moved, _INVISIBLE * unit * scale)
    # In balls: either side may be outside the range of a double.
    explained = [bool(g.lower() <= flint.arb(s)) for g, s in zip(gap, slack, strict=True)]
    return np.array(explained, bool)
