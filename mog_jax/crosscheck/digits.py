"""How many digits a floating-point program keeps, against how many the problem allows."""

import dataclasses
from typing import Any

import numpy as np

from mog_jax.crosscheck.arguments import Array, unit_roundoff
from mog_jax.crosscheck.balls import Centre

# Fewer roundings than this are never an accusation: a long sum costs some, and so does a loop.
TOLERATED = 1000.0
# An entry smaller than this many roundings cannot tell a right program from a wrong one.
_INFORMATIVE = 10.0


@dataclasses.dataclass(frozen=True, eq=False)
class Yardstick:
    """What rounding may do to each entry at one input, in one precision.

    Attributes
    ----------
    centre : the exact values
    size : what digits are counted of: of each entry itself, or of the largest one of its array
    bound : size of one rounding; not finite where nothing can be judged
    allowed : decimal digits of the entry above one rounding
    limit : roundings beyond which the program is called unstable
    judged : entries that are within the precision's range, and whose exact value is known
    most : decimal digits that the precision has at all
    """

    centre: Centre
    size: Array
    bound: Array
    allowed: Array
    limit: Array
    judged: Array
    most: float

    @property
    def informative(self) -> Array:
        """Entries that are large enough to tell right from wrong."""
        return self.judged & (self.size > _INFORMATIVE * self.bound)


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """How close a program came, entry by entry; NaN where nothing is judged.

    Attributes
    ----------
    roundings : error over the size of one rounding; infinite where the value is not finite
    kept : decimal digits
    bad : whether fewer digits are kept than should be
    missing : whether the value is not finite though the exact one is
    """

    roundings: Array
    kept: Array
    bad: Array
    missing: Array

    def without(self, entries: Array) -> "Fit":
        """Leave out some entries."""
        return Fit(
            np.where(entries, np.nan, self.roundings),
            np.where(entries, np.nan, self.kept),
            self.bad & ~entries,
            self.missing & ~entries,
        )

    @property
    def worst(self) -> int:
        """The entry with the most roundings."""
        return int(np.argmax(np.nan_to_num(self.roundings, nan=-1.0)))


def yardstick(
    centre: Centre,
    relative: Array,
    absolute: Array,
    dtype: Any,
    min_digits: float,
    arrays: Array | None = None,
) -> Yardstick:
    """Turn error scales into bounds.

    A program fails that keeps fewer than half of the digits that conditioning allows, or fewer
    than `min_digits` where that many and a tolerance are allowed.

    Parameters
    ----------
    centre, relative, absolute
        Exact values, and the two scales of `mog_jax.crosscheck.conditioning`.
    dtype, min_digits
        The precision, and the digits that are asked for in it.
    arrays : array of int, optional
        Which array each entry belongs to, if arrays are measured as one: every entry by the largest
        value and the largest scales beside it.
    """
    limits = np.finfo(dtype)
    own = size = np.abs(centre.high)
    if arrays is not None:
        size, relative, absolute = (_largest(v, arrays) for v in (size, relative, absolute))
    with np.errstate(all="ignore"):
        bound = unit_roundoff(dtype) * np.maximum(relative, size)
        bound = bound + float(limits.tiny) * (1 + absolute)
        ratio = np.maximum(size / bound, 1.0)
        allowed = np.log10(ratio)
        limit = np.maximum(TOLERATED, np.minimum(np.sqrt(ratio), ratio / 10.0**min_digits))
    judged = np.isfinite(own) & (own <= float(limits.max)) & np.isfinite(bound)
    most = -float(np.log10(unit_roundoff(dtype)))
    return Yardstick(centre, size, bound, allowed, limit, judged, most)


def _largest(values: Array, arrays: Array) -> Array:
    largest = np.zeros(arrays.max(initial=-1) + 1)
    np.maximum.at(largest, arrays, np.where(np.isfinite(values), values, 0.0))
    return largest[arrays]


def fit(measure: Yardstick, values: Array) -> Fit:
    """Measure what a program gave."""
    with np.errstate(all="ignore"):
        error = measure.centre.error(values)
        missing = measure.judged & ~np.isfinite(values)
        roundings = np.where(missing, np.inf, error / measure.bound)
        kept = np.where(missing, 0.0, -np.log10(error / measure.size))
        kept = np.clip(kept, 0.0, measure.most) + 0.0  # no minus zero
    unknown = ~measure.judged
    roundings = np.where(unknown, np.nan, roundings)
    kept = np.where(unknown | ~measure.informative, np.nan, kept)
    return Fit(roundings, kept, measure.judged & (roundings > measure.limit), missing)


def nearly_bad(fit: Fit, measure: Yardstick, entry: int) -> bool:
    """Whether a lane is off as well, if not by enough to be blamed itself."""
    return bool(fit.bad[entry] or fit.roundings[entry] > measure.limit[entry] / 100)
