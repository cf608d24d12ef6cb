"""The right verdict on what people write: each was wrong once, and stands for its kind."""

from functools import partial

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp
import numpy as np
import pytest

from mog_jax.crosscheck import crosscheck

DATA = np.array([0.1, 0.7])


def kinds(report):
    return [finding.kind for finding in report.findings]


def remarks(report):
    return [remark.kind for remark in report.remarks]


# Data that a function closes over are those of its user.


def squares(m):
    return jnp.sum((DATA - m) ** 2)


def test_data_closed_over_are_data_in_every_precision():
    report = crosscheck(squares, lambda m: -2 * jnp.sum(DATA - m), [(0.5,), (0.3,)])
    assert report.ok, str(report)
    assert not report.remarks
    assert report.claims["derivative"].executions["float32"].inputs


def with_default(data):
    def function(m, data=data):
        return jnp.sum((data - m) ** 2)

    return function


class Model:
    def __init__(self, data):
        self.data = {"y": data}

    def __call__(self, m):
        return jnp.sum((self.data["y"] - m) ** 2)

    def method(self, m):
        return self(m)


def nested(data):
    def inner(m):
        return data - m

    return lambda m: jnp.sum(inner(m) ** 2)


def looped(data):
    def function(m):
        return jax.lax.scan(lambda total, y: (total + (y - m) ** 2, None), 0.0 * m, data)[0]

    return function


@pytest.mark.parametrize(
    "closing_over",
    [
        nested,
        with_default,
        looped,
        Model,
        lambda data: Model(data).method,
        lambda data: partial(lambda data, m: jnp.sum((data - m) ** 2), data),
        lambda data: partial(lambda m, *, data: jnp.sum((data - m) ** 2), data=data),
        lambda data: jax.jit(nested(data)),
    ],
)
@pytest.mark.parametrize("wide", [True, False])
def test_data_stay_what_they_are_whatever_their_user_ran_before(closing_over, wide):
    data = np.array([0.1, 0.7])
    function = closing_over(data)
    with jax.enable_x64(wide):
        users = jax.jit(function)
        users(np.float64(0.5) if wide else np.float32(0.5))
    report = crosscheck(
        function, lambda m: -2 * (0.1 - m) - 2 * (0.7 - m), [(0.5,), (0.3,)], order=1
    )
    assert report.ok, str(report)
    assert report.claims["derivative"].executions["float32"].inputs == 2
    assert users is not None
    assert data.tolist() == [0.1, 0.7]


def test_a_wrong_derivative_of_data_closed_over_is_found():
    report = crosscheck(squares, lambda m: -jnp.sum(DATA - m), [(0.5,)])
    assert kinds(report) == ["wrong_formula"]


def test_what_the_function_raises_is_not_held_against_its_derivative():
    def in_float64_only(x):
        assert x.dtype == np.float64, "no float32 here"
        return x * x

    report = crosscheck(in_float64_only, lambda x: 2 * x, [(0.5,)])
    assert report.ok, str(report)
    assert remarks(report) == ["no_float32"]
    assert "AssertionError: no float32 here" in str(report)


# The arguments that nobody asks about may have no derivative.


def test_data_without_a_derivative_are_data():
    def density(x, a, b):
        return a * jnp.log(x) + b * jnp.log1p(-x) + jsp.betainc(a, b, x)

    def slope(x, a, b):
        rise = (a - 1) * jnp.log(x) + (b - 1) * jnp.log1p(-x) - jsp.betaln(a, b)
        return a / x - b / (1 - x) + jnp.exp(rise)

    report = crosscheck(density, slope, [(0.3, 1.5, 2.0), (0.9, 4.0, 0.5)])
    assert report.ok, str(report)


# What automatic differentiation loses, the problem need not lose.


@pytest.mark.parametrize(
    ("function", "derivative", "x"),
    [
        (jnp.tanh, lambda x: 1 - jnp.tanh(x) ** 2, 15.0),
        (jax.nn.sigmoid, lambda x: jax.nn.sigmoid(x) * (1 - jax.nn.sigmoid(x)), 33.0),
        (lambda x: jsp.gammaln(x + 1e-9) - jsp.gammaln(x),
         lambda x: jsp.digamma(x + 1e-9) - jsp.digamma(x), 2.0),
    ],
)  # fmt: skip
def test_digits_that_autodiff_loses_too_are_remarked_and_count_if_they_are_asked_for(
    function, derivative, x
):
    lenient = crosscheck(function, derivative, [(x,)], order=1)
    assert lenient.ok, str(lenient)
    assert remarks(lenient) == ["reference_loses_digits"]
    assert kinds(crosscheck(function, derivative, [(x,)], order=1, min_digits=8)) == ["unstable"]


def test_a_right_program_is_not_remarked_for_what_autodiff_loses():
    report = crosscheck(jnp.tanh, lambda x: jnp.cosh(x) ** -2, [(15.0,)], order=1, min_digits=8)
    assert report.ok, str(report)
    assert not report.remarks
