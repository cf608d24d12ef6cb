"""Difference quotients, against derivatives in closed form, and at kinks, where there are none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from mog_jax.crosscheck.exact.ball_arrays import as_balls
from mog_jax.crosscheck.judge.quotients import Gradient, Hessian, Push


def quotients(kind, function, x, direction):
    with jax.enable_x64(True):
        closed = jax.make_jaxpr(function)(x)
    return kind(closed, [x], [0], [direction])


def smooth(x):
    return jnp.sum(jnp.exp(x)) * x[0] + jnp.sin(x[1])


vectors = st.lists(st.floats(-4, 4), min_size=2, max_size=2).map(np.array)


@given(vectors, vectors)
@settings(max_examples=20)
def test_of_a_smooth_function_they_are_its_derivatives(x, t):
    e = np.exp(x)
    gradient = e * x[0] + [e.sum(), np.cos(x[1])]
    limits = quotients(Gradient, smooth, x, t).limits([0, 1])
    np.testing.assert_allclose([float(limits[i].mid()) for i in (0, 1)], gradient, atol=1e-12)
    along = quotients(Push, smooth, x, t).limits([0])[0]
    np.testing.assert_allclose(float(along.mid()), gradient @ t, atol=1e-12)
    hessian = np.array([[e[0] * x[0] + 2 * e[0], e[1]], [e[1], e[1] * x[0] - np.sin(x[1])]])
    limits = quotients(Hessian, smooth, x, t).limits([0, 1])
    np.testing.assert_allclose([float(limits[i].mid()) for i in (0, 1)], hessian @ t, atol=1e-12)


@pytest.mark.parametrize(
    ("function", "first", "second"),
    [
        (jnp.abs, None, None),
        (lambda x: jnp.maximum(x, 0) ** 2, 0.0, None),
        (lambda x: jnp.maximum(x, 0) ** 3, 0.0, 0.0),
        (lambda x: x * jnp.abs(x), 0.0, None),
        (lambda x: jnp.where(x == 0, 1.0, jnp.sin(x) / x), 0.0, -1 / 3),
        (lambda x: jnp.sqrt(x), None, None),
        (jnp.sign, None, None),
        (jnp.cbrt, None, None),
        (lambda x: x * jnp.log(jnp.abs(x)), None, None),
        (lambda x: x * x, 0.0, 2.0),
    ],
)
def test_at_a_kink_there_are_none(function, first, second):
    x, t = np.zeros(()), np.ones(())
    for kind, wanted in ((Gradient, first), (Push, first), (Hessian, second)):
        found = quotients(kind, function, x, t).limits([0])[0]
        if wanted is None:
            assert found is None
        else:
            assert abs(float(found.mid()) - wanted) < 1e-15
            assert float(found.rad()) < 1e-20
            assert wanted != 0 or found.contains(0)


@pytest.mark.parametrize("kind", [Gradient, Push, Hessian])
def test_they_confirm_what_is_right_and_nothing_else(kind):
    x, t = np.array([0.5, -1.0]), np.array([1.0, 2.0])
    found = quotients(kind, lambda x: jnp.sum(x**3), x, t)
    right = {Gradient: 3 * x**2, Push: np.array([3 * x**2 @ t]), Hessian: 6 * x * t}[kind]
    assert found.confirms(as_balls(right)) is True
    assert found.confirms(as_balls(right * (1 + 1e-9))) is False
    unknown = np.full(right.shape, arb("nan"), object)
    assert found.confirms(unknown) is None


def test_a_comparison_that_no_precision_decides_leaves_every_output_open():
    def function(x):
        # Exactly 1, which no number of digits can tell from what lies beside it.
        return jnp.where(jnp.sin(x) ** 2 + jnp.cos(x) ** 2 > 1, x, -x)

    x = np.array([1.0, 2.0, 3.0])
    limits = quotients(Push, function, x, np.ones(3)).limits(range(3))
    assert limits == {0: None, 1: None, 2: None}


@pytest.mark.parametrize("kind", [Gradient, Push, Hessian])
def test_steps_are_short_beside_the_smallest_number(kind):
    def beside_a_kink(x):
        # The sum exceeds 1 by what is far below any rounding of it.
        return jnp.sum(jnp.where(jnp.sum(jnp.abs(x)) > 1, 2 * x, x) ** 2)

    x, t = np.array([1.0, 1e-109]), np.array([0.5, -1e-109])
    expected = {Gradient: 8 * x, Push: [8 * x @ t], Hessian: 8 * t}[kind]
    limits = quotients(kind, beside_a_kink, x, t).limits(range(len(expected)))
    np.testing.assert_allclose([float(s.mid()) for s in limits.values()], expected, rtol=1e-12)


def test_what_may_be_zero_is_zero():
    limits = quotients(Gradient, lambda x: x[0] ** 2 * x[1], np.array([0.0, 1.0]), [1.0, 1.0])
    assert [bool(value.mid() == 0) for value in limits.limits([0, 1]).values()] == [True, True]


@pytest.mark.parametrize(
    ("function", "is_smooth"),
    [
        (jnp.sort, False),
        (lambda x: jax.scipy.special.logsumexp(x) * jnp.ones(3), True),
    ],
    ids=["sort", "logsumexp"],
)
@pytest.mark.parametrize("kind", [Push, Gradient])
def test_at_a_tie_slopes_have_to_add_up(kind, function, is_smooth):
    # Along one direction the median of three equal numbers is smooth.
    scalar = kind is Gradient
    t = np.array([0.5, -0.75, -1.0])
    weighted = (lambda x: function(x)[1] - function(x)[0]) if scalar else function
    entries = [0] if scalar else [1]
    found = quotients(kind, weighted, np.ones(3), t)
    limits = found.limits(entries)[entries[0]]
    assert (limits is not None) == is_smooth
