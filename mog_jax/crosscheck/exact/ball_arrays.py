"""Arrays of balls (`flint.arb`), and the distance of floating-point numbers from them."""

import dataclasses
from typing import Any

import flint
import numpy as np

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact.balls import NAN, SMALLEST_DOUBLE, is_unknown
from mog_jax.crosscheck.exact.balls import precision as precision

_to_ball = np.frompyfunc(flint.arb, 1, 1)
_overlaps = np.frompyfunc(lambda a, b: a.overlaps(b), 2, 1)
_is_finite = np.frompyfunc(lambda a: a.is_finite(), 1, 1)
_to_float = np.frompyfunc(float, 1, 1)
# A ball of fewer correct bits says nothing of a value, unless the smallest double is larger.
_FEWEST_BITS = 10
_upper = np.frompyfunc(lambda a: float(abs(a).upper()), 1, 1)


def _middle_if_known(a: Any) -> Any:
    # Flint's middle of the whole line is 0, which is no value of what nothing is known of.
    if is_unknown(a):
        return NAN
    is_wide = a.is_finite() and a.rel_accuracy_bits() < _FEWEST_BITS and a.rad() > SMALLEST_DOUBLE
    return NAN if is_wide else a.mid()


_middle = np.frompyfunc(_middle_if_known, 1, 1)


def exact_array(values: Array) -> Array:
    """Return floats as exact balls; balls and integers are returned unchanged."""
    return np.asarray(_to_ball(values), object) if values.dtype.kind == "f" else values


def as_balls(values: Array) -> Array:
    """Return any numbers as balls."""
    return values if values.dtype == object else np.asarray(_to_ball(values), object)


def flat(values: list[Array]) -> Array:
    """Join the outputs of a program into one vector of balls."""
    return np.concatenate([as_balls(np.asarray(v)).reshape(-1) for v in values])


def finite(balls: Array) -> Array:
    """Return which balls are finite."""
    return np.asarray(_is_finite(balls), bool)


def overlap(left: Array, right: Array) -> Array:
    """Return which pairs of balls overlap; a ball that is not finite overlaps all."""
    return np.asarray(_overlaps(left, right), bool) | ~finite(left) | ~finite(right)


def distance(left: Array, right: Array) -> Array:
    """Return the distances of balls, as balls of 128 bits."""
    with precision(128):
        return abs(left - right)


@dataclasses.dataclass(frozen=True, eq=False)
class Centre:
    """The middles of balls as unevaluated sums of two doubles: 106 bits, enough to count ulps.

    They are NaN for a ball so wide that it says nothing of the value: it has fewer than ten correct
    bits, though a double could tell it from 0.
    """

    high: Array
    low: Array

    @classmethod
    def of(cls, balls: Array) -> "Centre":
        """Return the middles of balls, rounded to two doubles each."""
        with precision(256):
            middle = _middle(balls)
            high = np.asarray(_to_float(middle), np.float64)
            rest = middle - _to_ball(np.where(np.isfinite(high), high, 0.0))
            return cls(high, np.asarray(_to_float(rest), np.float64))

    def error(self, values: Array) -> Array:
        """Return the distance of floats from the exact values; NaN where either is not finite."""
        with np.errstate(invalid="ignore", over="ignore"):
            return np.abs((np.asarray(values, np.float64) - self.high) - self.low)


def upper(balls: Array) -> Array:
    """Return the largest absolute values in balls, rounded up to floats."""
    return np.asarray(_upper(balls), np.float64)


def shown(value: Any) -> str:
    """Return the text of a ball's middle, or of a float."""
    if isinstance(value, flint.arb):
        if value.is_finite() and value.contains(0):
            return "0"
        return str(value.mid().str(17, radius=False))
    return repr(float(value))
