"""Balls beside floats: arrays of `flint.arb`, and how far floating-point numbers lie from them."""

import dataclasses
from typing import Any

import flint
import numpy as np

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact.balls import NAN, is_unknown
from mog_jax.crosscheck.exact.balls import precision as precision

_to_ball = np.frompyfunc(flint.arb, 1, 1)
_overlaps = np.frompyfunc(lambda a, b: a.overlaps(b), 2, 1)
_is_finite = np.frompyfunc(lambda a: a.is_finite(), 1, 1)
# Flint's middle of the whole line is 0, which is no value of what nothing is known of.
_middle = np.frompyfunc(lambda a: NAN if is_unknown(a) else a.mid(), 1, 1)
_to_float = np.frompyfunc(float, 1, 1)
_upper = np.frompyfunc(lambda a: float(abs(a).upper()), 1, 1)


def exact_array(values: Array) -> Array:
    """Give floats as the exact numbers that they are; exact ones and integers stay."""
    return np.asarray(_to_ball(values), object) if values.dtype.kind == "f" else values


def as_balls(values: Array) -> Array:
    """Give any numbers as balls."""
    return values if values.dtype == object else np.asarray(_to_ball(values), object)


def flat(values: list[Array]) -> Array:
    """Join the outputs of a program into one vector of balls."""
    return np.concatenate([as_balls(np.asarray(v)).reshape(-1) for v in values])


def finite(balls: Array) -> Array:
    """Tell which balls are finite."""
    return np.asarray(_is_finite(balls), bool)


def overlap(left: Array, right: Array) -> Array:
    """Tell which pairs of balls have a point in common; a ball that is NaN overlaps all."""
    return np.asarray(_overlaps(left, right), bool) | ~finite(left) | ~finite(right)


def distance(left: Array, right: Array) -> Array:
    """Give how far apart balls may lie, as balls of float precision."""
    with precision(128):
        return abs(left - right)


@dataclasses.dataclass(frozen=True, eq=False)
class Centre:
    """The middles of balls as unevaluated sums of two doubles: 106 bits, enough to count ulps.

    Of what nothing is known of they are NaN.
    """

    high: Array
    low: Array

    @classmethod
    def of(cls, balls: Array) -> "Centre":
        """Round the middles of balls to two doubles each."""
        with precision(256):
            middle = _middle(balls)
            high = np.asarray(_to_float(middle), np.float64)
            rest = middle - _to_ball(np.where(np.isfinite(high), high, 0.0))
            return cls(high, np.asarray(_to_float(rest), np.float64))

    def error(self, values: Array) -> Array:
        """Distance of floats from the exact values; NaN where either is not finite."""
        with np.errstate(invalid="ignore", over="ignore"):
            return np.abs((np.asarray(values, np.float64) - self.high) - self.low)


def upper(balls: Array) -> Array:
    """Round the largest absolute values in balls up to floats."""
    return np.asarray(_upper(balls), np.float64)


def shown(value: Any) -> str:
    """Show a ball's middle, or a float."""
    if isinstance(value, flint.arb):
        if value.is_finite() and value.contains(0):
            return "0"
        return str(value.mid().str(17, radius=False))
    return repr(float(value))
