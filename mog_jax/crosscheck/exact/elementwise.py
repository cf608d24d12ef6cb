"""Rules for arithmetic, comparisons and functions of single numbers."""

import operator
from collections.abc import Callable
from typing import Any

import flint
import jax
import numpy as np

from mog_jax.crosscheck.exact.rules import (
    Array,
    Undecided,
    each,
    equal,
    is_exact_kind,
    less,
    rule,
    same,
    tie,
    undecided,
    whole,
)

arb = flint.arb
INFINITY = arb("inf")
NAN = arb("nan")
ZERO = arb(0)


def multiply(a: arb, b: arb) -> arb:
    """Multiply, an exact zero absorbing whatever the other is."""
    return ZERO if a.is_zero() or b.is_zero() else a * b


def divide(a: arb, b: arb) -> arb:
    """Divide; an exact zero on top absorbs, one below gives an infinity."""
    if a.is_zero():
        return ZERO if not b.is_nan() else NAN
    if b.is_zero():
        return INFINITY if a > 0 else -INFINITY if a < 0 else NAN
    return a / b


def power(a: arb, b: arb) -> arb:
    """Raise to a power as floating point does: 0 to the 0 is 1, and 0 to a negative infinite."""
    if b.is_zero():
        return arb(1)
    if a.is_zero():
        return ZERO if b > 0 else INFINITY if b < 0 else NAN
    return a**b


def exponential(a: arb) -> arb:
    """Give e to the a, for infinities too."""
    return ZERO if a == -INFINITY else INFINITY if a == INFINITY else a.exp()


def logarithm(a: arb) -> arb:
    """Give the natural logarithm; of zero, minus infinity."""
    return -INFINITY if a.is_zero() else INFINITY if a == INFINITY else a.log()


def _log1p(a: arb) -> arb:
    return -INFINITY if a == -1 else INFINITY if a == INFINITY else a.log1p()


def _logistic(a: arb) -> arb:
    if a == INFINITY:
        return arb(1)
    # On the side where the exponential is small, so that neither side cancels or overflows.
    return 1 / (1 + exponential(-a)) if a > 0 else exponential(a) / (1 + exponential(a))


def _sign(a: arb) -> arb:
    if a > 0:
        return arb(1)
    if a < 0:
        return arb(-1)
    if a.is_nan():
        return NAN
    if not a.is_zero():
        undecided("sign", overlap=True)
    return ZERO


def _absolute(a: arb) -> arb:
    if a.is_zero():
        tie("abs")
    return abs(a)


def _log_gamma(a: arb) -> arb:
    if a == INFINITY or (a <= 0 and a.is_integer()):
        return INFINITY
    return a.lgamma() if a > 0 else abs(a.gamma()).log()


def _cube_root(a: arb) -> arb:
    if a.is_zero():
        return ZERO
    return a.root(3) if a > 0 else -(-a).root(3) if a < 0 else NAN


def _round_to_even(a: arb) -> arb:
    low = whole(a.floor(), "round")
    gap = a - low
    if equal(gap, arb("0.5"), "round"):
        return low if (low / 2).is_integer() else low + 1
    return low if less(gap, arb("0.5"), "round") else low + 1


def _round_away(a: arb) -> arb:
    size = whole((abs(a) + arb("0.5")).floor(), "round")
    return size if a >= 0 else -size


def truncate(a: arb) -> arb:
    """Round toward zero."""
    if not a.is_finite():
        return a
    if a >= 0:
        return whole(a.floor(), "truncation")
    return whole(a.ceil(), "truncation") if a <= 0 else whole(a.floor(), "truncation")


def _remainder(a: arb, b: arb) -> arb:
    return a - truncate(a / b) * b if not b.is_zero() else NAN


def _saturating(limits: dict[str, Any], inside: Callable[[arb], arb]) -> Callable[[arb], arb]:
    """Give a function its limits at the infinities, where flint says NaN."""

    def function(a: arb) -> arb:
        if a == INFINITY:
            return arb(limits["at_infinity"])
        if a == -INFINITY:
            return arb(limits["at_minus_infinity"])
        return inside(a)

    return function


def _error_function_inverse(a: arb) -> arb:
    return INFINITY if a == 1 else -INFINITY if a == -1 else a.erfinv()


def _polygamma(m: arb, a: arb) -> arb:
    order = int(float(m))
    if order == 0:
        return a.digamma()
    return (-1) ** (order + 1) * arb(order).fac() * arb(order + 1).zeta(a)


_FUNCTIONS: dict[str, Callable[[arb], arb]] = {
    "abs": _absolute,
    "acos": arb.acos,
    "acosh": arb.acosh,
    "asin": arb.asin,
    "asinh": arb.asinh,
    "atan": arb.atan,
    "atanh": arb.atanh,
    "bessel_i0e": lambda a: abs(a).bessel_i(0, scaled=True),
    "bessel_i1e": lambda a: a.bessel_i(1, scaled=True) if a > 0 else -(-a).bessel_i(1, scaled=True),
    "cbrt": _cube_root,
    "ceil": lambda a: whole(a.ceil(), "ceil"),
    "cos": arb.cos,
    "cosh": arb.cosh,
    "digamma": arb.digamma,
    "erf": _saturating({"at_infinity": 1, "at_minus_infinity": -1}, arb.erf),
    "erf_inv": _error_function_inverse,
    "erfc": _saturating({"at_infinity": 0, "at_minus_infinity": 2}, arb.erfc),
    "exp": exponential,
    "exp2": lambda a: power(arb(2), a),
    "expm1": _saturating({"at_infinity": INFINITY, "at_minus_infinity": -1}, arb.expm1),
    "floor": lambda a: whole(a.floor(), "floor"),
    "lgamma": _log_gamma,
    "log": logarithm,
    "log1p": _log1p,
    "logistic": _logistic,
    "rsqrt": lambda a: INFINITY if a.is_zero() else a.rsqrt(),
    "sign": _sign,
    "sin": arb.sin,
    "sinh": arb.sinh,
    "sqrt": arb.sqrt,
    "square": lambda a: a * a,
    "tan": arb.tan,
    "tanh": arb.tanh,
}

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "add_any": operator.add,
    "sub": operator.sub,
}

_SCALAR_PAIRS: dict[str, Callable[[arb, arb], arb]] = {
    "atan2": arb.atan2,
    "div": divide,
    "igamma": lambda a, x: x.gamma_lower(a, regularized=1),
    "igammac": lambda a, x: x.gamma_upper(a, regularized=1),
    "mul": multiply,
    "polygamma": _polygamma,
    "rem": _remainder,
    "zeta": lambda s, a: s.zeta(a),
}

_COMPARISONS: dict[str, tuple[Callable[[arb, arb], bool], Callable[[Any, Any], Any]]] = {
    "eq": (lambda a, b: equal(a, b, "eq"), operator.eq),
    "ne": (lambda a, b: not equal(a, b, "ne"), operator.ne),
    "lt": (lambda a, b: less(a, b, "lt"), operator.lt),
    "gt": (lambda a, b: less(b, a, "gt"), operator.gt),
    "le": (lambda a, b: not _unordered(a, b) and not less(b, a, "le"), operator.le),
    "ge": (lambda a, b: not _unordered(a, b) and not less(a, b, "ge"), operator.ge),
}


def _unordered(a: arb, b: arb) -> bool:
    return bool(a.is_nan() or b.is_nan())


def larger(a: arb, b: arb) -> arb:
    """Give the larger of two; NaN if either is."""
    return _extreme(a, b, "max")


def smaller(a: arb, b: arb) -> arb:
    """Give the smaller of two; NaN if either is."""
    return _extreme(a, b, "min")


def _extreme(a: arb, b: arb, what: str) -> arb:
    if _unordered(a, b):
        return NAN
    if a is b or same(a, b):
        tie(what)
        return a
    return a if less(a, b, what) is (what == "min") else b


def on_integers(name: str) -> Callable[..., Any]:
    """Give the rule by which JAX itself evaluates a primitive, for integers and booleans."""
    primitive = getattr(jax.extend.core.primitives, f"{name}_p")

    def evaluate(*operands: Array, **params: Any) -> Any:
        results = primitive.bind(*(jax.numpy.asarray(operand) for operand in operands), **params)
        if primitive.multiple_results:
            return [np.asarray(result) for result in results]
        return np.asarray(results)

    return evaluate


def _enter(name: str, exact: Callable[..., Array]) -> None:
    plain = on_integers(name) if hasattr(jax.extend.core.primitives, f"{name}_p") else None

    @rule(name)
    def evaluate(*operands: Array, **params: Any) -> Array:
        if any(is_exact_kind(operand) for operand in operands) or plain is None:
            return exact(*operands)
        return plain(*operands, **params)  # type: ignore[no-any-return]


for _name, _function in _FUNCTIONS.items():
    _enter(_name, each(_function, 1))
for _name, _pair in {**_ARITHMETIC, **_SCALAR_PAIRS}.items():
    _enter(_name, each(_pair, 2))
for _name, (_decide, _on_integers) in _COMPARISONS.items():
    _enter(_name, lambda a, b, decide=each(_decide, 2): decide(a, b).astype(bool))
for _name, _pick in {"max": larger, "min": smaller}.items():
    _enter(_name, each(_pick, 2))
_enter("neg", each(operator.neg, 1))
_enter("pow", each(lambda a, b: power(a, arb(int(b)) if isinstance(b, int) else b), 2))


for _name in (
    "and",
    "or",
    "xor",
    "not",
    "shift_left",
    "shift_right_arithmetic",
    "shift_right_logical",
    "population_count",
    "clz",
):
    rule(_name)(on_integers(_name))


@rule("integer_pow")
def _integer_pow(x: Array, *, y: int) -> Array:
    if not is_exact_kind(x):
        return on_integers("integer_pow")(x, y=y)  # type: ignore[no-any-return]
    return each(lambda a: power(a, arb(y)), 1)(x)


@rule("round")
def _round(x: Array, *, rounding_method: Any) -> Array:
    to_even = "EVEN" in str(getattr(rounding_method, "name", rounding_method))
    return each(_round_to_even if to_even else _round_away, 1)(x)


@rule("is_finite")
def _is_finite(x: Array, **params: Any) -> Array:
    return each(lambda a: a.is_finite(), 1)(x).astype(bool)


@rule("select_n")
def _select(which: Array, *cases: Array, **params: Any) -> Array:
    which = np.asarray(which)
    result = cases[0]
    for index, case in enumerate(cases[1:], start=1):
        result = np.where(which == index, case, result)
    return np.asarray(result, dtype=cases[0].dtype)


@rule("clamp")
def _clamp(low: Array, x: Array, high: Array, **params: Any) -> Array:
    if not is_exact_kind(x):
        return np.clip(x, low, high)
    return each(smaller, 2)(each(larger, 2)(x, low), high)


@rule("convert_element_type")
def _convert(x: Array, *, new_dtype: Any, **params: Any) -> Array:
    to_float = jax.numpy.issubdtype(new_dtype, np.floating)
    if is_exact_kind(x):
        if to_float:
            return x
        if new_dtype == np.bool_:
            return each(lambda a: not equal(a, ZERO, "conversion to bool"), 1)(x).astype(bool)
        return each(_to_integer, 1)(x).astype(new_dtype)
    if to_float:
        return each(lambda a: arb(int(a)), 1)(x)
    return x.astype(new_dtype)


def _to_integer(a: arb) -> int:
    if not a.is_finite():
        raise Undecided("an infinity or NaN has no integer part")
    return int(truncate(a).unique_fmpz())


@rule("reduce_precision", "copy", "copy_p", "stop_gradient", "optimization_barrier", "name")
def _unchanged(*operands: Array, **params: Any) -> list[Array]:
    return list(operands)


@rule("device_put")
def _device_put(*operands: Array, **params: Any) -> list[Array]:
    return list(operands)
