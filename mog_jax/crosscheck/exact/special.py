"""Values of the special functions that are evaluated by their definition."""

from collections.abc import Callable, Sequence
from typing import Any

from flint import acb, arb

from mog_jax.crosscheck.exact.balls import (
    INF,
    MINUS_INF,
    NAN,
    ONE,
    UNKNOWN,
    Ball,
    Complex,
    is_unknown,
)
from mog_jax.crosscheck.exact.functions import Function

Values = Callable[..., Sequence[Ball]]


def _log_ndtr(x: Ball) -> Ball:
    below = (-x / arb(2).sqrt()).erfc() / 2
    if x > 0:
        return (-(x / arb(2).sqrt()).erfc() / 2).log1p()
    return below.log()


def _wofz(z: Complex) -> Complex:
    """Evaluate the Faddeeva function."""
    whole = acb(z.real, z.imag)
    if not whole.is_finite():
        return Complex(UNKNOWN, UNKNOWN)
    value = (-whole * whole).exp() * (-1j * whole).erfc()
    return Complex(value.real, value.imag) if value.is_finite() else Complex(UNKNOWN, UNKNOWN)


def _constant(value: Ball) -> Callable[[], Ball]:
    return lambda: value


_ZERO, _ONE, _INF, _MINUS_INF = map(_constant, (arb(0), ONE, INF, MINUS_INF))
_MINUS_ONE = _constant(-ONE)


def _normal_hazard(x: Ball) -> Ball:
    density = (-x * x / 2).exp() / (2 * arb.pi()).sqrt()
    return density / ((-x / arb(2).sqrt()).erfc() / 2)


def _owens_t(h: Ball, a: Ball) -> Ball:
    def density(x: Any, analytic: bool) -> Any:
        square = 1 + x * x
        return (-h * h / 2 * square).exp() / square

    return acb.integral(density, acb(0), acb(a)).real / (2 * arb.pi())


_UNARY: dict[str, list[Function]] = {
    "times_pi": [Function(ball=lambda x: x * arb.pi(), infinity=_INF, minus_infinity=_MINUS_INF)],
    "times_two_over_root_pi": [
        Function(ball=lambda x: 2 * x / arb.pi().sqrt(), infinity=_INF, minus_infinity=_MINUS_INF)
    ],
    "over_root_two_pi": [
        Function(ball=lambda x: x / (2 * arb.pi()).sqrt(), infinity=_INF, minus_infinity=_MINUS_INF)
    ],
    "erf_over_root_two": [
        Function(ball=lambda x: (x / arb(2).sqrt()).erf(), infinity=_ONE, minus_infinity=_MINUS_ONE)
    ],
    "dawsn": [
        Function(
            ball=lambda x: arb.pi().sqrt() / 2 * (-x * x).exp() * x.erfi(),
            infinity=_ZERO,
            minus_infinity=_ZERO,
        )
    ],
    "normal_hazard": [Function(ball=_normal_hazard, infinity=_ZERO, minus_infinity=_INF)],
    "log_ndtr": [Function(ball=_log_ndtr, infinity=_ZERO, minus_infinity=_MINUS_INF)],
    "expi": [
        Function(ball=lambda x: x.ei(), infinity=_INF, minus_infinity=_ZERO, poles={0: MINUS_INF})
    ],
    "exp1": [
        Function(
            ball=lambda x: x.expint(ONE),
            infinity=_ZERO,
            outside=lambda x: x < 0,
            poles={0: INF},
        )
    ],
    "erfcx": [
        Function(ball=lambda x: (x * x).exp() * x.erfc(), infinity=_ZERO, minus_infinity=_INF)
    ],
    "sici": [
        Function(
            ball=lambda x: x.si(),
            infinity=lambda: arb.pi() / 2,
            minus_infinity=lambda: -arb.pi() / 2,
        ),
        Function(
            ball=lambda x: x.ci(), infinity=_ZERO, outside=lambda x: x < 0, poles={0: MINUS_INF}
        ),
    ],
    "fresnel": [
        Function(
            ball=lambda x: x.fresnel_s(),
            infinity=_constant(arb(0.5)),
            minus_infinity=_constant(arb(-0.5)),
        ),
        Function(
            ball=lambda x: x.fresnel_c(),
            infinity=_constant(arb(0.5)),
            minus_infinity=_constant(arb(-0.5)),
        ),
    ],
}


def _inside(function: Callable[..., Ball]) -> Callable[..., Ball]:
    def completed(*operands: Ball) -> Ball:
        if any(v.is_nan() for v in operands):
            return NAN
        if any(is_unknown(v) or not v.is_finite() for v in operands):
            return UNKNOWN
        value = function(*operands)
        return value if value.is_finite() else UNKNOWN

    return completed


VALUES: dict[str, list[Callable[..., Any]]] = {
    **{name: list(functions) for name, functions in _UNARY.items()},
    "owens_t": [_inside(_owens_t)],
    "wofz": [_wofz],
    "zeta": [_inside(lambda s, q: s.zeta(q))],
    "hyp1f1": [_inside(lambda a, b, x: x.hypgeom_1f1(a, b))],
    "hyp2f1": [_inside(lambda a, b, c, x: x.hypgeom_2f1(a, b, c))],
}
"""By JAX's name, one function of balls for each output."""
