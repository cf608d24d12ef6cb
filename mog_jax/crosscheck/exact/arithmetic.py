"""Rules for elementwise primitives: arithmetic, comparison, choice, conversion."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import arb

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import balls
from mog_jax.crosscheck.exact.balls import NAN, ZERO, Ball, Overlap
from mog_jax.crosscheck.exact.evaluation import Evaluation, Rule
from mog_jax.crosscheck.exact.functions import (
    FUNCTIONS,
    ROUND_AWAY,
    ROUND_EVEN,
    polygamma,
    slope_of_gamma_sample,
    slope_of_lower_gamma,
)

Operands = Sequence[Array]
Params = dict[str, Any]


def _unary(name: str, function: Callable[[Ball], Ball]) -> Rule:
    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
        return evaluation.elementwise(name, function, operands[0])

    return rule


def _binary(name: str, function: Callable[[Ball, Ball], Ball], symmetric: bool = False) -> Rule:
    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
        return evaluation.elementwise(name, function, *operands, symmetric=symmetric)

    return rule


def _comparison(name: str, accepted: tuple[int | None, ...]) -> Rule:
    # Equality is not counted as a kink: JAX's derivative of `max` compares operands and result.
    kinked = name not in ("eq", "ne")

    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
        def compare(x: Ball, y: Ball) -> bool:
            result = balls.order(x, y)
            if kinked and result == 0 and x.is_finite():
                evaluation.kinks[name] += 1
            return result in accepted

        return evaluation.decide(compare, *operands)

    return rule


def _extreme(name: str, function: Callable[[Ball, Ball], Ball]) -> Rule:
    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
        count_ties(evaluation, name, *operands)
        return evaluation.elementwise(name, function, *operands)

    return rule


def count_ties(evaluation: Evaluation, name: str, x: Array, y: Array) -> None:
    """Count the elements at which `x` and `y` are equal, as kinks."""
    ties = int(np.count_nonzero(evaluation.decide(balls.tied, x, y)))
    if ties:
        evaluation.kinks[name] += ties


def _kinked_at_zero(name: str) -> Rule:
    function = FUNCTIONS[name]

    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
        (x,) = operands
        zeros = int(np.count_nonzero(evaluation.decide(lambda v: v.is_finite() and 0 in v, x)))
        if zeros:
            evaluation.kinks[name] += zeros
        return evaluation.elementwise(name, function, x)

    return rule


def _select_n(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    which, *cases = operands
    result = cases[0]
    for i, case in enumerate(cases[1:], start=1):
        result = np.where(which == i, case, result)
    return result


def _clamp(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    low, x, high = operands
    count_ties(evaluation, "clamp", x, low)
    count_ties(evaluation, "clamp", x, high)
    above = evaluation.elementwise("max", balls.larger, x, low)
    return evaluation.elementwise("min", balls.smaller, above, high)


def _integer_pow(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    n = int(params["y"])
    return evaluation.elementwise(
        ("integer_pow", n), lambda x: balls.integer_power(x, n), operands[0]
    )


def _pow(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    x, y = operands
    exponent = y if y.dtype == object else evaluation.numbers(y)
    return evaluation.elementwise("pow", balls.power, x, exponent)


def _rem(x: Ball, y: Ball) -> Ball:
    if not (x.is_finite() and y.is_finite()) or y.is_zero():
        if x.is_finite() and balls.is_infinite(y):
            return x
        return balls.UNKNOWN if balls.is_unknown(x) or balls.is_unknown(y) else NAN
    quotient = x / y
    if not quotient.is_finite():
        raise Overlap
    return x - y * balls.truncate(quotient)


def _round(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    even = int(params["rounding_method"]) == 1
    function = ROUND_EVEN if even else ROUND_AWAY
    return evaluation.elementwise(("round", even), function, operands[0])


def _polygamma(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    def function(m: Ball, x: Ball) -> Ball:
        if m.is_nan() or x.is_nan() or not (m.is_exact() and m.is_integer() and m >= 0):
            return NAN
        if not x.is_finite():
            return arb(0) if balls.is_infinite(x) and x > 0 else balls.UNKNOWN
        r = polygamma(int(m.unique_fmpz()), x)
        return r if r.is_finite() else _pole(x, m)

    return evaluation.elementwise("polygamma", function, *operands)


def _pole(x: Ball, m: Ball) -> Ball:
    if x.is_exact() and x.is_integer() and x <= 0:
        return NAN if m.unique_fmpz() % 2 == 0 else balls.INF
    return balls.UNKNOWN


def _inside(function: Callable[..., Ball], domain: Callable[..., bool]) -> Callable[..., Ball]:
    def completed(*operands: Ball) -> Ball:
        if any(v.is_nan() for v in operands):
            return NAN
        if not all(v.is_finite() for v in operands):
            return balls.UNKNOWN
        r = function(*operands)
        return r if r.is_finite() else balls.UNKNOWN if domain(*operands) else NAN

    return completed


def _many(name: str, function: Callable[..., Ball]) -> Rule:
    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
        return evaluation.elementwise(name, function, *operands)

    return rule


def _not_certainly_negative(a: Ball, x: Ball) -> bool:
    return not (a < 0 or x < 0)


def _is_finite(x: Ball) -> bool:
    if balls.is_unknown(x):
        raise Overlap
    return bool(x.is_finite())


def _decision(function: Callable[[Ball], bool]) -> Rule:
    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
        return evaluation.decide(function, operands[0])

    return rule


def _convert(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    (x,) = operands
    kind = np.dtype(params["new_dtype"]).kind
    if x.dtype != object:
        return x.astype(params["new_dtype"]) if kind in "biu" else evaluation.numbers(x)
    if kind not in "biu":
        return x  # Exact numbers do not change when they are converted to another float type.
    if kind == "b":
        return evaluation.decide(lambda v: balls.order(v, ZERO) != 0, x)
    limits = np.iinfo(params["new_dtype"])
    lowest, highest = int(limits.min), int(limits.max)
    return evaluation.decide(
        lambda v: _to_integer(v, lowest, highest), x, dtype=params["new_dtype"]
    )


def _to_integer(x: Ball, lowest: int, highest: int) -> int:
    if x.is_nan():
        return 0
    if balls.is_unknown(x):
        raise Overlap
    if not x.is_finite():
        return highest if x > 0 else lowest
    n = 0 if x.is_zero() else int(balls.truncate(x).unique_fmpz())
    return min(max(n, lowest), highest)


def _unchanged(evaluation: Evaluation, operands: Operands, params: Params) -> Sequence[Array]:
    return operands


RULES: dict[str, Rule] = {
    **{name: _unary(name, function) for name, function in FUNCTIONS.items()},
    **{name: _kinked_at_zero(name) for name in ("abs", "sign")},
    "add": _binary("add", balls.add, symmetric=True),
    "add_any": _binary("add", balls.add, symmetric=True),
    "sub": _binary("sub", balls.subtract),
    "mul": _binary("mul", balls.multiply, symmetric=True),
    "div": _binary("div", balls.divide),
    "rem": _binary("rem", _rem),
    "nextafter": _binary("nextafter", lambda x, y: x),  # Real numbers have no next one.
    "max": _extreme("max", balls.larger),
    "min": _extreme("min", balls.smaller),
    "atan2": _binary("atan2", balls.angle),
    "pow": _pow,
    "integer_pow": _integer_pow,
    "polygamma": _polygamma,
    "zeta": _many("zeta", _inside(lambda s, q: s.zeta(q), lambda s, q: not s <= 1)),
    "igamma": _many("igamma", _inside(lambda a, x: x.gamma_lower(a, 1), _not_certainly_negative)),
    "igammac": _many("igammac", _inside(lambda a, x: x.gamma_upper(a, 1), _not_certainly_negative)),
    "igamma_grad_a": _many("igamma_grad_a", _inside(slope_of_lower_gamma, _not_certainly_negative)),
    "random_gamma_grad": _many(
        "random_gamma_grad", _inside(slope_of_gamma_sample, _not_certainly_negative)
    ),
    "regularized_incomplete_beta": _many(
        "regularized_incomplete_beta",
        _inside(lambda a, b, x: x.beta_lower(a, b, 1), lambda a, b, x: not (x < 0 or x > 1)),
    ),
    "lt": _comparison("lt", (-1,)),
    "le": _comparison("le", (-1, 0)),
    "gt": _comparison("gt", (1,)),
    "ge": _comparison("ge", (0, 1)),
    "lt_to": _comparison("lt_to", (-1,)),
    "le_to": _comparison("le_to", (-1, 0)),
    "eq": _comparison("eq", (0,)),
    "ne": _comparison("ne", (-1, 1, None)),
    "is_finite": _decision(_is_finite),
    "select_n": _select_n,
    "clamp": _clamp,
    "round": _round,
    "convert_element_type": _convert,
}

UNCHANGED: dict[str, Rule] = dict.fromkeys(
    (
        "copy",
        "copy_p",
        "device_put",
        "name",
        "optimization_barrier",
        "pvary",
        "reduce_precision",
        "sharding_constraint",
        "stop_gradient",
    ),
    _unchanged,
)
"""Primitives that concern the machine only, and leave numbers unchanged."""

INTEGER: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "neg": np.negative,
    "max": np.maximum,
    "min": np.minimum,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
}
"""On integers and booleans NumPy gives the same results as JAX, without compilation."""
