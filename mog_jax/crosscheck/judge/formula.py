"""Decides whether a formula is right, by exact values only, without a tolerance."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import flint
import numpy as np

from mog_jax.crosscheck.arrays import Array, unit_roundoff
from mog_jax.crosscheck.exact import ball_arrays
from mog_jax.crosscheck.judge import oracle
from mog_jax.crosscheck.judge.quotients import Quotients

# Balls that overlap agree if both are narrower than this part of the largest entry.
_NARROW = 1e-20
# A difference of so many roundings of the entry proves nothing: special functions are computed by
# series and quotients of polynomials that are made for doubles, and are off by as much. A program
# of the right formula may be off by more.
_TOO_SMALL = 64.0
# The same in float32: a program that is traced there has constants that are rounded to float32,
# whose effect is about that of its own roundings, whether or not it can be computed.
_TOO_SMALL_IN_FLOAT32 = 8.0
# A constant such as (2 pi)^(-1/2) may have been rounded several times.
_CONSTANT_ROUNDINGS = 4
# For an entry outside the range of floats: a relative difference below this disproves nothing.
_SMALL = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class ReferenceValues:
    """The exact values of the entries at one input.

    Attributes
    ----------
    values : array
        Balls; NaN where the value is not known.
    tied : bool
        Whether the program met an exact tie, where autodiff follows a convention.
    derivative : bool
        Whether the values are derivatives, which need not exist at a tie.
    quotients : Quotients, optional
        Difference quotients to compare the values with.
    autodiff_wrong : bool
        Whether a difference quotient overruled automatic differentiation.
    kinks : int
        Number of entries that are left out because the function has no derivative there.
    absorbed : bool
        Whether a product of 0 and infinity was taken for 0.
    """

    values: Array
    tied: bool
    derivative: bool
    quotients: Quotients | None
    autodiff_wrong: bool = False
    kinks: int = 0
    absorbed: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Formula:
    """The result of comparing a formula with the exact values at one input, entry by entry.

    Attributes
    ----------
    reference : ReferenceValues
        The exact values, revised where autodiff was found to be wrong.
    given : array
        Balls that contain the formula's values.
    wrong : array
        Which entries are disproved.
    rounded : array
        Which differ, but by no more than the rounding of the programs' constants explains.
    within : array
        Which differ, but by no more than the declared accuracy.
    undecided : int
        Number of entries whose balls are too wide to decide.
    """

    reference: ReferenceValues
    given: Array
    wrong: Array
    rounded: Array
    within: Array
    undecided: int


def reference_values(
    program: Any, leaves: Sequence[Array], quotients: Quotients | None, *, derivative: bool
) -> ReferenceValues:
    """Evaluate the reference; where it is not finite, use difference quotients."""
    exact = oracle.exact_values(program, leaves)
    # In a value, unlike in a derivative, a written zero is not a branch that is not taken.
    of_value = not derivative and exact.written_absorbed
    reference = ReferenceValues(
        exact.values,
        exact.kinks or of_value,
        derivative,
        quotients,
        absorbed=exact.absorbed or of_value,
    )
    missing = np.flatnonzero(~ball_arrays.finite(reference.values))
    return _revised(reference, missing.tolist()) if missing.size else reference


def _revised(
    reference: ReferenceValues, entries: Sequence[int], *, trusted: bool = False
) -> ReferenceValues:
    """Replace some entries by difference quotients, and by NaN where these do not exist.

    Entries without a quotient, because there are too many, keep their values if automatic
    differentiation is `trusted`.
    """
    if reference.quotients is None:
        return reference
    limits = reference.quotients.limits(entries)
    values = reference.values.copy()
    overruled, kinks = reference.autodiff_wrong, reference.kinks
    for entry in entries:
        if trusted and entry not in limits:
            continue
        before, found = values[entry], limits.get(entry)
        values[entry] = flint.arb.nan() if found is None else found
        overruled |= found is not None and not found.overlaps(before)
        kinks += before.is_finite() and found is None
    return dataclasses.replace(reference, values=values, autodiff_wrong=overruled, kinks=kinks)


def _decided_at_tie(reference: ReferenceValues, entries: Sequence[int]) -> ReferenceValues:
    """Decide entries at a tie, where autodiff follows a convention: there may be no derivative."""
    if not (reference.derivative or reference.absorbed):
        return reference
    if reference.derivative and reference.quotients is not None:
        return _revised(reference, entries)
    values = reference.values.copy()
    values[list(entries)] = flint.arb.nan()
    return dataclasses.replace(reference, values=values, kinks=reference.kinks + len(entries))


def confirmed(reference: ReferenceValues) -> ReferenceValues:
    """Check autodiff by a quotient along the direction, and revise every entry if it fails."""
    if reference.quotients is None or not ball_arrays.finite(reference.values).all():
        return reference
    if reference.quotients.confirms(reference.values) is not False:
        return reference
    return _revised(reference, range(len(reference.values)))


def examine(
    reference: ReferenceValues,
    given: oracle.Exact,
    constants: Callable[[bool], Array],
    dtype: Any,
    agreed: Callable[[Array, Array], Array] | None = None,
    min_digits: float = 0.0,
) -> Formula:
    """Compare the values of a formula with the right ones.

    Parameters
    ----------
    reference, given
        The right values, and the formula's. Only a tie that the reference meets may explain a
        difference; where the judged program meets one, quotients decide.
    constants : callable
        Returns how far each entry may be off because the programs' constants were rounded; called
        only if there is a difference. Its argument says whether a difference is so small that the
        rounding errors of this result matter.
    dtype
        The precision of the programs.
    agreed : callable, optional
        Returns which differences are within a declared accuracy, given the exact values.
    min_digits : float
        Decimal digits that programs must keep: a difference in these is never too small.
    """
    apart = ~ball_arrays.overlap(reference.values, given.values)
    if apart.any():
        reference = _checked_by_quotients(
            reference, np.flatnonzero(apart).tolist(), tied=given.kinks
        )
        apart = ~ball_arrays.overlap(reference.values, given.values)
    gap = ball_arrays.distance(reference.values, given.values)
    rounded = np.zeros_like(apart)
    if apart.any():
        small = _CONSTANT_ROUNDINGS * unit_roundoff(dtype) * abs(reference.values)
        moved = constants(any(bool(g <= s) for g, s in zip(gap[apart], small[apart], strict=True)))
        rounded = apart & _explained(gap, reference.values, moved, dtype, min_digits)
    within = np.zeros_like(apart)
    if agreed is not None and (apart & ~rounded).any():
        within = apart & ~rounded & agreed(gap, reference.values)
    return Formula(
        reference=reference,
        given=given.values,
        wrong=apart & ~rounded & ~within,
        rounded=rounded,
        within=within,
        undecided=int((~apart & _too_wide(gap, reference.values, given.values)).sum()),
    )


def _checked_by_quotients(
    reference: ReferenceValues, entries: Sequence[int], *, tied: bool
) -> ReferenceValues:
    """Have difference quotients confirm the entries in which a formula differs."""
    if reference.tied:
        return _decided_at_tie(reference, entries)
    return _revised(reference, entries, trusted=True) if tied else confirmed(reference)


def _too_wide(gap: Array, reference: Array, given: Array) -> Array:
    """Return where balls overlap only because they are wide."""
    known = ball_arrays.finite(reference) & ball_arrays.finite(given)
    width = np.where(known, ball_arrays.upper(gap), 0.0)
    size = np.where(known, ball_arrays.upper(reference), 0.0)
    limit = max(_NARROW * np.max(size, initial=0.0), np.finfo(np.float64).tiny)
    return np.asarray(width > limit)


def _explained(gap: Array, reference: Array, moved: Array, dtype: Any, min_digits: float) -> Array:
    """Return which differences are explained by rounded constants, or too small to matter."""
    unit, limits = unit_roundoff(dtype), np.finfo(dtype)
    is_double = np.dtype(dtype) == np.float64
    too_small = unit * (_TOO_SMALL if is_double else _TOO_SMALL_IN_FLOAT32)
    if min_digits:
        too_small = min(too_small, 10.0**-min_digits)
    explained = []
    for distance, size, constant in zip(gap, abs(reference), moved, strict=True):
        # In balls, as a distance may be outside the range of a double. So may the effect of
        # constants; then a small difference proves nothing, and other inputs have to decide.
        hidden = not (float(limits.tiny) / unit < size < float(limits.max) * unit)
        allowed = _CONSTANT_ROUNDINGS * flint.arb(constant)
        allowed += size * (_SMALL if hidden else too_small)
        if not is_double:
            # A difference that float32 flushes to 0 is invisible in it.
            allowed += float(limits.tiny)
        explained.append(bool(distance.lower() <= allowed))
    return np.array(explained, bool)


def decided_by_quotients(found: Formula, entries: Array) -> Formula:
    """Decide entries at a tie by quotients: where there is no derivative, no program fails.

    If zero times infinity was met, a program that returns no number does not fail in some entries
    either if the function has no derivative in others: for example QR of a matrix without full
    rank, whose entries below the diagonal are always 0.
    """
    asked = np.flatnonzero(entries)
    reference = _decided_at_tie(found.reference, asked.tolist())
    if reference.absorbed and not ball_arrays.finite(reference.values[asked]).all():
        values = reference.values.copy()
        values[asked] = flint.arb.nan()
        reference = dataclasses.replace(reference, values=values)
    return dataclasses.replace(found, reference=reference)


def most_visible(found: Formula, entries: Array) -> int:
    """Return the entry with the fewest digits in common."""
    common = [common_digits(found.reference.values[e], found.given[e]) for e in entries]
    return int(entries[int(np.argmin(common))])


def common_digits(exact: flint.arb, given: flint.arb) -> float:
    """Return the number of decimal digits that two numbers have in common."""
    with ball_arrays.precision(128):
        gap, size = abs(exact - given), abs(exact)
        if not float(size.upper()) or not gap.is_finite():
            return 0.0
        ratio = gap / size
        if not ratio.is_finite():
            return 0.0
        part = float(ratio.mid())
    if not part:
        return float(oracle.DIGITS)
    return float(np.clip(-np.log10(part), 0.0, oracle.DIGITS)) + 0.0
