"""Special functions by their definition, against mpmath; and functions that are not recognised."""

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp
import mpmath
import numpy as np
import pytest
from flint import arb

from mog_jax.crosscheck.exact import UnknownPrimitive, evaluate
from mog_jax.crosscheck.exact.balls import precision
from mog_jax.crosscheck.jaxprs import plain

POINTS = [0.3, 1.0, 4.5, 21.0, -0.3, -4.0, -25.0]


def log_ndtr(x):
    return mpmath.log(mpmath.erfc(-x / mpmath.sqrt(2)) / 2)


def owens_t(h, a):
    def density(x):
        return mpmath.exp(-h * h * (1 + x * x) / 2) / (1 + x * x)

    with mpmath.workdps(min(mpmath.mp.dps, 70)):
        return mpmath.quad(density, mpmath.linspace(0, a, 5)) / (2 * mpmath.pi)


def wofz_parts(x, y):
    value = jsp.wofz(jax.lax.complex(x, y * jnp.ones_like(x)))
    return jnp.real(value), jnp.imag(value)


def faddeeva(x, y):
    z = mpmath.mpc(x, y)
    return mpmath.exp(-z * z) * mpmath.erfc(-1j * z)


def faddeeva_parts(y):
    return [lambda x: mpmath.re(faddeeva(x, y)), lambda x: mpmath.im(faddeeva(x, y))]


MEANT = {
    "wofz, upper half": (lambda x: wofz_parts(x, 0.5), faddeeva_parts(0.5), POINTS[:3]),
    "wofz, lower half": (lambda x: wofz_parts(x, -1.5), faddeeva_parts(-1.5), [0.3, -4.0]),
    "log_ndtr": (jsp.log_ndtr, [log_ndtr], POINTS),
    "expi": (jsp.expi, [mpmath.ei], POINTS),
    "exp1": (jsp.exp1, [mpmath.e1], POINTS[:4]),
    "erfcx": (jsp.erfcx, [lambda x: mpmath.exp(x * x) * mpmath.erfc(x)], POINTS),
    "dawsn": (
        lambda x: jsp.dawsn(x),
        [lambda x: mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(-x * x) * mpmath.erfi(x)],
        [0.3, 4.5, -4.0],
    ),
    "owens_t by its first": (
        lambda x: jsp.owens_t(x, 0.5),
        [lambda x: owens_t(x, mpmath.mpf(0.5))],
        [0.3, 4.5, -4.0],
    ),
    "owens_t by its second": (
        lambda x: jsp.owens_t(0.5, x),
        [lambda x: owens_t(mpmath.mpf(0.5), x)],
        [0.3, -4.0],
    ),
    "zeta by its second": (
        lambda x: jsp.zeta(2.5, x),
        [lambda x: mpmath.zeta(mpmath.mpf(2.5), x)],
        POINTS[:3],
    ),
    "sici": (jsp.sici, [mpmath.si, mpmath.ci], POINTS[:4]),
    "fresnel": (jsp.fresnel, [mpmath.fresnels, mpmath.fresnelc], POINTS),
    "hyp1f1": (
        lambda x: jsp.hyp1f1(0.5, 1.5, x),
        [lambda x: mpmath.hyp1f1(0.5, 1.5, x)],
        POINTS[:2],
    ),
    "hyp2f1": (
        lambda x: jsp.hyp2f1(0.5, 1.0, 1.5, x),
        [lambda x: mpmath.hyp2f1(0.5, 1, 1.5, x)],
        [0.3, -0.3],
    ),
}


def meant(function, x):
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        return evaluate(jax.make_jaxpr(function)(x), [x], digits=30, by_meaning=True)


@pytest.mark.parametrize("name", MEANT)
def test_values_are_those_of_the_function_that_is_meant(name):
    function, oracles, points = MEANT[name]
    for x in points:
        for value, oracle in zip(meant(function, x), oracles, strict=True):
            with mpmath.workdps(400):
                wanted = mpmath.nstr(oracle(mpmath.mpf(x)), 40)
            with precision(400):
                error = abs(value.item() - arb(wanted))
            assert float(error.upper()) <= 1e-28 * abs(float(mpmath.mpf(wanted)))


@pytest.mark.parametrize("name", [name for name in MEANT if not name.startswith("hyp")])
def test_derivatives_are_those_of_the_function_that_is_meant(name):
    function, oracles, points = MEANT[name]
    for x in points:
        slopes = meant(jax.jacfwd(plain(function)), x)
        for slope, oracle in zip(slopes, oracles, strict=True):
            with mpmath.workdps(60):
                wanted = float(mpmath.diff(oracle, mpmath.mpf(x), h=1e-20))
            np.testing.assert_allclose(float(slope.item().mid()), wanted, rtol=1e-15, atol=1e-30)


def test_a_function_is_not_known_by_its_name():
    @jax.custom_jvp
    def log_ndtr(x):
        for _ in range(20):
            x = jnp.sin(x)
        return x

    log_ndtr.defjvps(lambda t, y, x: t)
    x = 0.7
    (value,) = meant(log_ndtr, x)
    for _ in range(20):
        x = np.sin(x)
    np.testing.assert_allclose(float(value.item().mid()), x)


@pytest.mark.parametrize("wrap", [jax.jit, jax.checkpoint, jax.remat])
def test_they_are_known_within_other_programs(wrap):
    (value,) = meant(wrap(lambda x: 2 * jsp.log_ndtr(x)), -25.0)
    with mpmath.workdps(40):
        wanted = float(2 * log_ndtr(mpmath.mpf(-25)))
    np.testing.assert_allclose(float(value.item().mid()), wanted, rtol=1e-15)


def test_unless_it_is_asked_for_a_program_is_what_it_computes():
    with jax.enable_x64(True):
        (value,) = evaluate(jax.make_jaxpr(jsp.log_ndtr)(-25.0), [-25.0])
    with mpmath.workdps(40):
        error = abs(float(value.item().mid()) / float(log_ndtr(mpmath.mpf(-25))) - 1)
    assert 1e-12 < error < 1e-8


def test_a_value_that_a_rule_has_leaked_is_refused_by_name():
    with pytest.raises(UnknownPrimitive, match="a value of another trace"):
        meant(jax.jacfwd(jax.grad(jsp.exp1)), 0.3)


def test_a_rule_whose_arguments_no_special_function_takes_is_none():
    @jax.custom_jvp
    def rule(a, b, c, x):
        for _ in range(20):
            x = jnp.sin(x)
        return jnp.sum(a * b * c) + jnp.sum(x)

    rule.defjvps(None, None, None, lambda t, y, a, b, c, x: jnp.sum(t))
    values = np.ones(2), np.ones(2), np.ones(2), np.zeros(7)
    with jax.enable_x64(True):
        (value,) = evaluate(jax.make_jaxpr(rule)(*values), values, by_meaning=True)
    assert value.item() == 2
