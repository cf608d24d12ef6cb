"""Each elementwise primitive against mpmath's digits, against JAX's float64, and at the edges."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax
from jax.scipy import special

from tests.crosscheck.exact.oracles import assert_agrees, exactly, in_floats, to_floats

REAL = (-3.7, -0.5, -1e-9, 0.25, 1.0, 2.5, 30.0)
POSITIVE = (1e-12, 0.3, 1.0, 4.5, 170.0)
UNIT = (-0.999, -0.3, 1e-9, 0.5, 0.99)

UNARY = [
    ("neg", lax.neg, lambda x: -x, REAL),
    ("abs", lax.abs, abs, REAL),
    ("exp", lax.exp, mpmath.exp, (*REAL, -2000.0, 2000.0)),
    ("exp2", lax.exp2, lambda x: mpmath.mpf(2) ** x, REAL),
    ("expm1", lax.expm1, mpmath.expm1, REAL),
    ("log", lax.log, mpmath.log, POSITIVE),
    ("log1p", lax.log1p, mpmath.log1p, (*POSITIVE, -0.5, -1e-20)),
    ("logistic", lax.logistic, lambda x: 1 / (1 + mpmath.exp(-x)), REAL),
    ("sqrt", lax.sqrt, mpmath.sqrt, POSITIVE),
    ("rsqrt", lax.rsqrt, lambda x: 1 / mpmath.sqrt(x), POSITIVE),
    ("cbrt", lax.cbrt, lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)), REAL),
    ("square", lax.square, lambda x: x * x, REAL),
    ("integer_pow", lambda x: lax.integer_pow(x, -3), lambda x: x**-3, REAL),
    ("sin", lax.sin, mpmath.sin, (*REAL, 1e22)),
    ("cos", lax.cos, mpmath.cos, REAL),
    ("tan", lax.tan, mpmath.tan, REAL),
    ("sinh", lax.sinh, mpmath.sinh, REAL),
    ("cosh", lax.cosh, mpmath.cosh, REAL),
    ("tanh", lax.tanh, mpmath.tanh, REAL),
    ("asin", lax.asin, mpmath.asin, UNIT),
    ("acos", lax.acos, mpmath.acos, UNIT),
    ("atan", lax.atan, mpmath.atan, REAL),
    ("asinh", lax.asinh, mpmath.asinh, REAL),
    ("acosh", lax.acosh, mpmath.acosh, (1.5, 20.0)),
    ("atanh", lax.atanh, mpmath.atanh, UNIT),
    ("erf", lax.erf, mpmath.erf, REAL),
    ("erfc", lax.erfc, mpmath.erfc, REAL),
    ("erf_inv", lax.erf_inv, mpmath.erfinv, UNIT),
    ("lgamma", lax.lgamma, lambda x: mpmath.log(abs(mpmath.gamma(x))), (*POSITIVE, -0.5, -3.7)),
    ("digamma", lax.digamma, mpmath.digamma, (*POSITIVE, -0.5, -3.7)),
    ("bessel_i0e", lax.bessel_i0e, lambda x: mpmath.besseli(0, x) * mpmath.exp(-abs(x)), REAL),
    ("bessel_i1e", lax.bessel_i1e, lambda x: mpmath.besseli(1, x) * mpmath.exp(-abs(x)), REAL),
    ("floor", lax.floor, mpmath.floor, (-3.5, -1.0, 2.25, 7.0)),
    ("ceil", lax.ceil, mpmath.ceil, (-3.5, -1.0, 2.25, 7.0)),
    ("sign", lax.sign, mpmath.sign, (-3.5, 0.0, 2.25)),
]

BINARY = [
    ("add", lax.add, lambda x, y: x + y, [(1.0, 1e-30), (3.5, -2.0)]),
    ("sub", lax.sub, lambda x, y: x - y, [(1.0, 1e-30), (3.5, -2.0)]),
    ("mul", lax.mul, lambda x, y: x * y, [(0.1, 0.3), (3.5, -2.0)]),
    ("div", lax.div, lambda x, y: x / y, [(0.1, 0.3), (3.5, -2.0)]),
    ("rem", lax.rem, lambda x, y: mpmath.sign(x) * (abs(x) % abs(y)), [(5.5, 2.0), (-5.5, 0.3)]),
    ("pow", lax.pow, lambda x, y: x**y, [(0.1, 0.3), (3.5, -2.5), (-2.0, 3.0), (-2.0, -3.0)]),
    ("atan2", lax.atan2, mpmath.atan2, [(1.0, 2.0), (-1.0, -2.0), (0.0, -1.0), (3.0, 0.0)]),
    ("max", lax.max, max, [(1.0, 2.0)]),
    ("min", lax.min, min, [(1.0, 2.0)]),
    ("zeta", special.zeta, mpmath.zeta, [(2.5, 0.7), (3.0, 4.0)]),
    (
        "polygamma",
        lax.polygamma,
        lambda m, x: mpmath.polygamma(int(m), x),
        [(1.0, 0.3), (2.0, 5.0), (3.0, 1.5), (1.0, -2.5), (2.0, -3.7), (3.0, -0.2)],
    ),
    (
        "igamma",
        lax.igamma,
        lambda a, x: mpmath.gammainc(a, 0, x, regularized=True),
        [(0.5, 0.3), (4.0, 9.0)],
    ),
    (
        "igammac",
        lax.igammac,
        lambda a, x: mpmath.gammainc(a, x, regularized=True),
        [(0.5, 0.3), (4.0, 9.0)],
    ),
]


def _cases(table):
    return [pytest.param(*row[1:], id=row[0]) for row in table]


@pytest.mark.parametrize(("function", "oracle", "points"), _cases(UNARY))
@mpmath.workdps(60)
def test_unary_function_has_forty_digits_and_agrees_with_jax(function, oracle, points):
    (balls,) = exactly(function, np.array(points))
    for point, ball in zip(points, balls, strict=True):
        expected = oracle(mpmath.mpf(point))
        assert abs(mpmath.mpf(ball.str(50, radius=False)) - expected) <= 1e-38 * abs(expected)
    finite = np.array([p for p in points if abs(p) < 1000])
    assert_agrees(function, finite, rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize(("function", "oracle", "points"), _cases(BINARY))
@mpmath.workdps(60)
def test_binary_function_has_forty_digits_and_agrees_with_jax(function, oracle, points):
    left, right = (np.array(side) for side in zip(*points, strict=True))
    (balls,) = exactly(function, left, right)
    for point, ball in zip(points, balls, strict=True):
        expected = oracle(*map(mpmath.mpf, point))
        assert abs(mpmath.mpf(ball.str(50, radius=False)) - expected) <= 1e-38 * abs(expected)
    assert_agrees(function, left, right, rtol=1e-11)


@pytest.mark.parametrize("x", [-4999999999.5, -1e9 - 0.25])
def test_far_on_the_negative_side_polygamma_is_reflected(x):
    values = exactly(lambda x: (lax.polygamma(1.0, x), lax.polygamma(1.0, 1 - x)), x)
    # Reflection: the sum is the square of pi over the sine, at halves and at quarters.
    expected = float(mpmath.pi**2) * (1 if x % 1 == 0.5 else 2)
    assert float(sum(value.item() for value in values)) == pytest.approx(expected, rel=1e-14)


@mpmath.workdps(60)
def test_incomplete_beta_agrees_with_mpmath():
    (value,) = exactly(lambda a, b, x: special.betainc(a, b, x), 2.5, 0.7, 0.3)
    expected = mpmath.betainc(2.5, 0.7, 0, 0.3, regularized=True)
    assert abs(mpmath.mpf(value.item().str(50, radius=False)) - expected) < 1e-38


EDGES = np.array([-np.inf, -2.0, -1.0, 0.0, 1.0, 2.0, np.inf, np.nan])
# XLA's float64 differs from the limit: bessel at infinity is NaN there, logistic is fine.
EXCEPT_AT_THE_EDGE = {"bessel_i0e", "bessel_i1e", "digamma", "integer_pow"}


@pytest.mark.parametrize(
    "function",
    [pytest.param(row[1], id=row[0]) for row in UNARY if row[0] not in EXCEPT_AT_THE_EDGE],
)
def test_infinities_nan_and_ends_of_the_domain_come_out_as_jax_has_them(function):
    (exact,) = exactly(function, EDGES)
    (floats,) = in_floats(function, EDGES)
    np.testing.assert_allclose(to_floats(exact), floats, rtol=1e-11)


@pytest.mark.parametrize(
    "function",
    [lax.add, lax.sub, lax.div, lax.max, lax.min, lax.pow, lax.atan2, lax.rem],
    ids=lambda function: function.__name__,
)
def test_binary_functions_at_the_edges_come_out_as_jax_has_them(function):
    left, right = (side.ravel() for side in np.meshgrid(EDGES, EDGES))
    (exact,) = exactly(function, left, right)
    (floats,) = in_floats(function, left, right)
    np.testing.assert_allclose(to_floats(exact), floats, rtol=1e-11)


@pytest.mark.parametrize(
    "function",
    [lax.lt, lax.le, lax.gt, lax.ge, lax.eq, lax.ne],
    ids=lambda function: function.__name__,
)
def test_comparisons_come_out_as_jax_has_them(function):
    left, right = (side.ravel() for side in np.meshgrid(EDGES, EDGES))
    assert_agrees(function, left, right)


def test_classification_rounding_and_conversion_come_out_as_jax_has_them():
    values = np.array([-2.5, -1.5, -0.7, -0.5, 0.0, 0.2, 0.5, 1.5, 2.5, 3.7])
    assert_agrees(lax.is_finite, EDGES)
    assert_agrees(lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN), values)
    assert_agrees(lambda x: lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO), values)
    assert_agrees(lambda x: x.astype(jnp.int32), jnp.asarray(values))
    assert_agrees(lambda x: x.astype(bool), jnp.asarray(values))
    assert_agrees(lambda x: lax.clamp(-1.0, x, 1.25), values)
    assert_agrees(lambda i: jnp.sqrt(i.astype(jnp.float64)), np.arange(5))


def test_narrow_floats_are_a_notion_of_the_machine():
    (value,) = exactly(
        lambda x: lax.convert_element_type(lax.convert_element_type(x, jnp.float32), jnp.float64),
        np.pi,
    )
    assert value.item() == np.pi
    (value,) = exactly(lambda x: lax.reduce_precision(x, 5, 10), np.pi)
    assert value.item() == np.pi


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_integers_wrap_as_the_machine_does(x, y):
    def program(x, y):
        return x + y, x * y, -x, x & y, x ^ y, ~x, jnp.maximum(x, y), lax.div(x, y | 1), x < y

    assert_agrees(program, np.int64(x), np.int64(y), rtol=0, atol=0)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_is_the_number_that_it_is(x):
    (value,) = exactly(lambda v: v, x)
    assert value.item().is_exact()
    assert float(value.item()) == x


def test_a_constant_of_the_program_is_the_number_that_it_is():
    (value,) = exactly(lambda x: x * 0.1, 1.0)
    with mpmath.workdps(80):
        assert mpmath.mpf(value.item().str(70, radius=False)) == mpmath.mpf(0.1)


def test_derivatives_of_special_functions_agree_with_jax():
    def total(x):
        terms = (
            lax.lgamma(x),
            lax.erf_inv(x / 4),
            lax.igamma(2.5, x),
            special.log_ndtr(x),
            special.xlogy(x, x),
            jax.nn.softplus(x),
            jnp.sinc(x),
            jnp.logaddexp(x, 2 * x),
        )
        return sum(jnp.sum(term) for term in terms)

    x = np.array([0.3, 1.0, 3.5])
    assert_agrees(jax.jit(jax.grad(total)), x, rtol=1e-10)
    assert_agrees(jax.jit(jax.hessian(total)), x, rtol=1e-9)


@pytest.mark.parametrize(("a", "x"), [(1.5, 1.3), (0.2, 3.0), (30.0, 25.0), (2.0, 1e-3)])
def test_incomplete_gammas_are_differentiated_by_their_parameter(a, x):
    (slope,) = exactly(jax.grad(jax.lax.igamma), a, x)
    with mpmath.workdps(60):
        wanted = mpmath.diff(lambda s: mpmath.gammainc(s, 0, x, regularized=True), mpmath.mpf(a))
        sampled = -wanted / (mpmath.mpf(x) ** (a - 1) * mpmath.exp(-x) / mpmath.gamma(a))
    np.testing.assert_allclose(float(slope.item().mid()), float(wanted), rtol=1e-14)
    assert float(slope.item().rad()) < 1e-35 * abs(float(wanted))
    (slope,) = exactly(jax.lax.random_gamma_grad, a, x)
    np.testing.assert_allclose(float(slope.item().mid()), float(sampled), rtol=1e-14)


@pytest.mark.parametrize(
    ("a", "x"), [(1.0, 1000.0), (1000.0, 3000.0), (1000.0, 3162.3), (2.0, 1e-3)]
)
def test_the_derivative_by_a_is_sharp_where_the_argument_is_a_computed_number(a, x):
    (slope,) = exactly(jax.grad(lambda a, x: jax.lax.igamma(a, x / jnp.float64(3.1622))), a, x)
    with mpmath.workdps(60):
        at = mpmath.mpf(x) / mpmath.mpf(3.1622)
        wanted = -mpmath.diff(lambda s: mpmath.gammainc(s, at, regularized=True), mpmath.mpf(a))
    np.testing.assert_allclose(float(slope.item().mid()), float(wanted), rtol=1e-14)
    assert float(slope.item().rad()) < 1e-30 * abs(float(wanted))
