"""Measures how many digits a floating-point program keeps, and how many the problem allows.

The derivation is in ``accuracy.md``.
"""

import dataclasses
from typing import Any

import numpy as np

from mog_jax.crosscheck.arrays import Array, unit_roundoff
from mog_jax.crosscheck.exact.ball_arrays import Centre
from mog_jax.crosscheck.judge.conditioning import Scales

# Errors of fewer roundings than this never fail: long sums and loops cost some.
TOLERATED = 1000.0
# An entry smaller than this many roundings cannot distinguish a right program from a wrong one.
_INFORMATIVE = 10.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Strictness:
    """Requirements on a program that differ from those that conditioning sets.

    Attributes
    ----------
    min_digits : float
        A result with fewer digits fails if the problem allows three more.
    agrees_to : float
        Relative difference up to which a formula is meant to agree.
    normwise : bool
        Whether errors are relative to the largest entry of each array.
    """

    min_digits: float = 0.0
    agrees_to: float = 0.0
    normwise: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class ErrorBound:
    """The error that rounding may cause in each entry at one input, in one precision.

    Attributes
    ----------
    centre : Centre
        The exact values.
    size : array
        The number to which errors are relative: each entry, or the largest one of its array.
    rounding : array
        Size of one rounding; not finite where nothing can be judged.
    allowed : array
        Decimal digits of the entry above one rounding.
    limit : array
        Roundings beyond which the program is called unstable.
    limit_of_problem : array
        Roundings beyond which rounding the inputs does not explain the error, so that the program
        is not bad only because the reference loses as many digits.
    allowed_by_problem : array
        Decimal digits that are left if the inputs alone are rounded.
    judged : array of bool
        Entries that are within the precision's range, and whose exact value is known.
    most : float
        Decimal digits of the precision.
    """

    centre: Centre
    size: Array
    rounding: Array
    allowed: Array
    limit: Array
    limit_of_problem: Array
    allowed_by_problem: Array
    judged: Array
    most: float

    @property
    def informative(self) -> Array:
        """Entries that are large enough to distinguish a right program from a wrong one."""
        return self.judged & (self.size > _INFORMATIVE * self.rounding)


@dataclasses.dataclass(frozen=True, eq=False)
class Accuracy:
    """The accuracy of a program's results, entry by entry; NaN where nothing is judged.

    Attributes
    ----------
    roundings : array
        Error over the size of one rounding; infinite where the value is not finite.
    kept : array
        Decimal digits.
    bad : array of bool
        Whether fewer digits are kept than should be.
    missing : array of bool
        Whether the value is not finite though the exact one is.
    lost_by_reference : array of bool
        Whether fewer digits are kept than the problem allows, but as many as the reference keeps.
    """

    roundings: Array
    kept: Array
    bad: Array
    missing: Array
    lost_by_reference: Array

    def without(self, entries: Array) -> "Accuracy":
        """Return the accuracy with some entries left out."""
        return Accuracy(
            np.where(entries, np.nan, self.roundings),
            np.where(entries, np.nan, self.kept),
            self.bad & ~entries,
            self.missing & ~entries,
            self.lost_by_reference & ~entries,
        )

    @property
    def worst(self) -> int:
        """The entry with the most roundings."""
        return int(np.argmax(np.nan_to_num(self.roundings, nan=-1.0)))


def error_bound(
    centre: Centre,
    scales: Scales,
    dtype: Any,
    strictness: Strictness,
    arrays: Array,
) -> ErrorBound:
    """Return the error bound from exact values and error scales.

    A program fails that keeps fewer than half of the digits that conditioning allows, or fewer
    than `min_digits` if the problem itself allows that many and a tolerance.

    Parameters
    ----------
    centre, scales
        Exact values, and the error scales of the reference.
    dtype, strictness
        The precision, and the requirements on programs.
    arrays : array of int
        The array that each entry belongs to. With `normwise`, every entry has the largest value and
        the largest scales of its array.

    Returns
    -------
    ErrorBound
    """
    limits = np.finfo(dtype)
    own = size = np.abs(centre.high)
    relative, absolute, of_inputs = scales
    if strictness.normwise:
        size = largest_of_array(size, arrays)
        # An entry that roundings move without bound cannot be judged, here either.
        relative, absolute, of_inputs = (
            np.where(np.isfinite(scale), largest_of_array(scale, arrays), scale)
            for scale in (relative, absolute, of_inputs)
        )
    with np.errstate(all="ignore"):
        underflow = float(limits.tiny) * (1 + absolute)
        rounding = unit_roundoff(dtype) * np.maximum(relative, size) + underflow
        by_inputs = unit_roundoff(dtype) * np.maximum(of_inputs, size) + underflow
        ratio = np.maximum(size / rounding, 1.0)
        ratio_of_problem = np.maximum(size / by_inputs, 1.0)
        limit = np.maximum(TOLERATED, np.sqrt(ratio))
        if strictness.min_digits:
            asked = np.maximum(TOLERATED * by_inputs, size / 10.0**strictness.min_digits)
            limit = np.minimum(limit, asked / rounding)
        of_problem = np.maximum(TOLERATED, np.sqrt(ratio_of_problem)) * by_inputs / rounding
    # A declared difference is added, in units of the terms that make up the entry.
    declared = 2 * strictness.agrees_to / unit_roundoff(dtype)
    judged = np.isfinite(own) & (own <= float(limits.max)) & np.isfinite(rounding)
    return ErrorBound(
        centre=centre,
        size=size,
        rounding=rounding,
        allowed=np.log10(ratio),
        limit=limit + declared,
        limit_of_problem=of_problem + declared,
        allowed_by_problem=np.log10(ratio_of_problem),
        judged=judged,
        most=-float(np.log10(unit_roundoff(dtype))),
    )


def largest_of_array(values: Array, arrays: Array) -> Array:
    """Replace each value by the largest of its array."""
    largest = np.zeros(arrays.max(initial=-1) + 1)
    np.maximum.at(largest, arrays, np.where(np.isfinite(values), values, 0.0))
    return largest[arrays]


def measure(bound: ErrorBound, values: Array) -> Accuracy:
    """Return the accuracy of a program's values.

    Accuracy
    --------
    The error is computed from 106 bits of the exact value, so it is right to about a thousandth of
    one ulp; ``tests/crosscheck/judge/test_accuracy.py`` tests its laws.
    """
    with np.errstate(all="ignore"):
        error = bound.centre.error(values)
        missing = bound.judged & ~np.isfinite(values)
        roundings = np.where(missing, np.inf, error / bound.rounding)
        kept = np.where(missing, 0.0, -np.log10(error / bound.size))
        kept = np.clip(kept, 0.0, bound.most) + 0.0  # no minus zero
    unknown = ~bound.judged
    roundings = np.where(unknown, np.nan, roundings)
    kept = np.where(unknown | ~bound.informative, np.nan, kept)
    bad = bound.judged & (roundings > bound.limit)
    lost_by_reference = bound.judged & ~bad & (roundings > bound.limit_of_problem)
    return Accuracy(roundings, kept, bad, missing, lost_by_reference)


def is_nearly_bad(accuracy: Accuracy, bound: ErrorBound, entry: int) -> bool:
    """Return whether an execution has a similar error, if below its limit."""
    return bool(accuracy.bad[entry] or accuracy.roundings[entry] > bound.limit[entry] / 100)
