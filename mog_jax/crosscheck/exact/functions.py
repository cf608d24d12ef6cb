"""Elementary and special functions of one real variable, and their values at the edges."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import factorial

from flint import acb, arb, arb_series, ctx

from mog_jax.crosscheck.exact.balls import (
    INF,
    MINUS_INF,
    NAN,
    ONE,
    UNKNOWN,
    Ball,
    is_unknown,
    precision,
    sign,
    whole,
    whole_power,
)


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function of one ball, completed where flint's own answer is only ``nan``.

    Attributes
    ----------
    ball : callable
        The function on finite balls inside its domain.
    minus_infinity, infinity : callable
        Its limits, made on demand: pi needs the working precision.
    outside : callable
        Whether a finite ball lies certainly outside the domain, where the value is NaN.
    poles : dict from int to Ball
        Values at exact points where the function has no finite one.
    """

    ball: Callable[[Ball], Ball]
    minus_infinity: Callable[[], Ball] = lambda: NAN
    infinity: Callable[[], Ball] = lambda: NAN
    outside: Callable[[Ball], bool] = lambda x: False
    poles: dict[int, Ball] = field(default_factory=dict)

    def __call__(self, x: Ball) -> Ball:
        """Enclose the value at `x`."""
        if x.is_finite():
            y = self.ball(x)
            return y if y.is_finite() else self._at_the_edge(x)
        if x.is_nan():
            return NAN
        if is_unknown(x):
            return UNKNOWN
        return self.infinity() if x > 0 else self.minus_infinity()

    def _at_the_edge(self, x: Ball) -> Ball:
        for at, value in self.poles.items():
            if x == at:
                return value
        return NAN if self.outside(x) else UNKNOWN


def lgamma(x: Ball) -> Ball:
    """Logarithm of |Gamma(x)|, which flint gives for positive x only."""
    return x.lgamma() if x > 0 else abs(x.gamma()).log()


def polygamma(order: int, x: Ball) -> Ball:
    """Derivative number `order` of the digamma function."""
    if order == 0:
        return x.digamma()
    if not x < 0:
        return acb(x).polygamma(order).real
    # Far on the negative side flint fails, after a long time: so the argument is reflected.
    turned = arb.pi() * factorial(order) * arb_series([x, 1], prec=order + 1).cot_pi()[order]
    return (-1) ** order * polygamma(order, 1 - x) - turned


# Largest number of further bits with which the incomplete gamma function is evaluated.
_MOST_CANCELLED = 4096


def slope_of_lower_gamma(a: Ball, x: Ball) -> Ball:
    """Derivative by `a` of the regularised lower incomplete gamma function."""
    # The lower and the upper function sum to 1. The smaller one has more digits, but the upper one
    # is a difference of two series if `x` is not large.
    lower = _slope_of_incomplete_gamma(acb.gamma_lower, a, x)
    if lower.rel_accuracy_bits() > ctx.prec // 2:
        return lower
    upper = -_slope_of_incomplete_gamma(acb.gamma_upper, a, x)
    return upper if upper.rad() < lower.rad() else lower


def _slope_of_incomplete_gamma(function: Callable[..., acb], a: Ball, x: Ball) -> Ball:
    """Enclose the derivative by `a` of ``function(x, a, 1)``.

    A central difference at the centres of both balls, whose error Cauchy's bound encloses: a
    function that is at most M in modulus on a disk of radius r about `a` has a k-th derivative of
    at most ``k! M / r**k``. So does the change of the derivative over the ball of `a`. Its change
    over the ball of `x` is that of the density's derivative by `a`, which has a closed form.
    """
    bits = ctx.prec
    # With fewer bits than this, the series cancel for large arguments, and take long.
    largest = min(max(a.mid(), x.mid()), arb(_MOST_CANCELLED / 2))
    cancelled = 2 * int(largest.ceil().unique_fmpz())
    with precision(3 * bits + 64 + cancelled):
        centre, at = a.mid(), x.mid()
        # On a large disk the bound of the modulus may be far too high, and takes long.
        step, radius = arb(2) ** -bits, min(centre, ONE) * arb(2) ** -(bits // 6 + 3)
        ends = [function(acb(at), acb(centre + sign * step), 1).real for sign in (1, -1)]
        disk = acb(arb(centre, radius), arb(0, radius))
        most = abs(function(acb(at), disk, 1)).upper()
        error = most * step**2 / radius**3 / (1 - (step / radius) ** 2)
        if not a.is_exact():
            error += a.rad() * 2 * most / (radius - a.rad()) ** 2 if a.rad() < radius else INF
        if not x.is_exact():
            error += x.rad() * abs(_gamma_density(a, x) * (x.log() - a.digamma()))
        return (ends[0] - ends[1]) / (2 * step) + arb(0, error.upper())


def slope_of_gamma_sample(a: Ball, x: Ball) -> Ball:
    """Derivative by `a` of a quantile `x` of the gamma distribution."""
    return -slope_of_lower_gamma(a, x) / _gamma_density(a, x)


def _gamma_density(a: Ball, x: Ball) -> Ball:
    return ((a - 1) * x.log() - x - lgamma(a)).exp()


def cube_root(x: Ball) -> Ball:
    """Real cube root; monotone, so a ball across zero is enclosed by its ends."""
    if x.is_zero():
        return arb(0)
    if x > 0:
        return x.root(3)
    if x < 0:
        return -((-x).root(3))
    bound = abs(x).upper().root(3).upper()
    return arb(0, bound)


def round_even(x: Ball) -> Ball:
    """Nearest integer, halves to the even one."""
    twice = 2 * x
    if twice.is_exact() and twice.is_integer() and not x.is_integer():
        below = whole(x.floor)
        return below if below.unique_fmpz() % 2 == 0 else below + 1
    return whole((x + arb(0.5)).floor)


def round_away(x: Ball) -> Ball:
    """Nearest integer, halves away from zero."""
    if x > 0:
        return whole((x + arb(0.5)).floor)
    return whole((x - arb(0.5)).ceil)


def _is_pole_of_gamma(x: Ball) -> bool:
    return bool(x.is_exact() and x.is_integer() and x <= 0)


def _lgamma(x: Ball) -> Ball:
    return INF if x.is_finite() and _is_pole_of_gamma(x) else _LGAMMA(x)


def _digamma(x: Ball) -> Ball:
    # At 0 the limits from the two sides differ; JAX gives -inf there, NaN at the other poles.
    if x.is_finite() and _is_pole_of_gamma(x):
        return MINUS_INF if x.is_zero() else NAN
    return _DIGAMMA(x)


def _sign(x: Ball) -> Ball:
    if x.is_nan():
        return NAN
    return arb(sign(x))


def _half_pi() -> Ball:
    return arb.pi() / 2


def _constant(value: Ball) -> Callable[[], Ball]:
    return lambda: value


def _beyond_one(x: Ball) -> bool:
    return bool(abs(x) > 1)


def _onto_the_whole_line(ball: Callable[[Ball], Ball]) -> Function:
    return Function(ball=ball, minus_infinity=_constant(MINUS_INF), infinity=_constant(INF))


_ZERO_AT, _ONE_AT, _INF_AT, _MINUS_INF_AT = map(_constant, (arb(0), ONE, INF, MINUS_INF))
_MINUS_ONE_AT = _constant(-ONE)

_LGAMMA = Function(ball=lgamma, infinity=_INF_AT, minus_infinity=_INF_AT)
_DIGAMMA = Function(ball=lambda x: x.digamma(), infinity=_INF_AT)

FUNCTIONS: dict[str, Callable[[Ball], Ball]] = {
    "neg": lambda x: -x,
    "abs": lambda x: abs(x),
    "sign": _sign,
    "exp": Function(ball=lambda x: x.exp(), minus_infinity=_ZERO_AT, infinity=_INF_AT),
    "exp2": Function(ball=lambda x: arb(2) ** x, minus_infinity=_ZERO_AT, infinity=_INF_AT),
    "expm1": Function(ball=lambda x: x.expm1(), minus_infinity=_MINUS_ONE_AT, infinity=_INF_AT),
    "log": Function(
        ball=lambda x: x.log(), infinity=_INF_AT, outside=lambda x: x < 0, poles={0: MINUS_INF}
    ),
    "log1p": Function(
        ball=lambda x: x.log1p(), infinity=_INF_AT, outside=lambda x: x < -1, poles={-1: MINUS_INF}
    ),
    "logistic": Function(
        ball=lambda x: 1 / (1 + (-x).exp()), minus_infinity=_ZERO_AT, infinity=_ONE_AT
    ),
    "sqrt": Function(ball=lambda x: x.sqrt(), infinity=_INF_AT, outside=lambda x: x < 0),
    "rsqrt": Function(
        ball=lambda x: x.rsqrt(), infinity=_ZERO_AT, outside=lambda x: x < 0, poles={0: INF}
    ),
    "cbrt": _onto_the_whole_line(cube_root),
    "square": Function(ball=lambda x: whole_power(x, 2), minus_infinity=_INF_AT, infinity=_INF_AT),
    "sin": Function(ball=lambda x: x.sin()),
    "cos": Function(ball=lambda x: x.cos()),
    "tan": Function(ball=lambda x: x.tan()),
    "sinh": _onto_the_whole_line(lambda x: x.sinh()),
    "cosh": Function(ball=lambda x: x.cosh(), minus_infinity=_INF_AT, infinity=_INF_AT),
    "tanh": Function(ball=lambda x: x.tanh(), minus_infinity=_MINUS_ONE_AT, infinity=_ONE_AT),
    "asin": Function(ball=lambda x: x.asin(), outside=_beyond_one),
    "acos": Function(ball=lambda x: x.acos(), outside=_beyond_one),
    "atan": Function(
        ball=lambda x: x.atan(), minus_infinity=lambda: -_half_pi(), infinity=_half_pi
    ),
    "asinh": _onto_the_whole_line(lambda x: x.asinh()),
    "acosh": Function(ball=lambda x: x.acosh(), infinity=_INF_AT, outside=lambda x: x < 1),
    "atanh": Function(ball=lambda x: x.atanh(), outside=_beyond_one, poles={1: INF, -1: MINUS_INF}),
    "erf": Function(ball=lambda x: x.erf(), minus_infinity=_MINUS_ONE_AT, infinity=_ONE_AT),
    "erfc": Function(ball=lambda x: x.erfc(), minus_infinity=_constant(arb(2)), infinity=_ZERO_AT),
    "erf_inv": Function(
        ball=lambda x: x.erfinv(), outside=_beyond_one, poles={1: INF, -1: MINUS_INF}
    ),
    "lgamma": _lgamma,
    "digamma": _digamma,
    "bessel_i0e": Function(
        ball=lambda x: (-abs(x)).exp() * x.bessel_i(0),
        minus_infinity=_ZERO_AT,
        infinity=_ZERO_AT,
    ),
    "bessel_i1e": Function(
        ball=lambda x: (-abs(x)).exp() * x.bessel_i(1),
        minus_infinity=_ZERO_AT,
        infinity=_ZERO_AT,
    ),
    "floor": _onto_the_whole_line(lambda x: whole(x.floor)),
    "ceil": _onto_the_whole_line(lambda x: whole(x.ceil)),
}
"""By the name of the JAX primitive."""

ROUND_AWAY, ROUND_EVEN = _onto_the_whole_line(round_away), _onto_the_whole_line(round_even)
