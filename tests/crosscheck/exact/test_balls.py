"""Products with zero, and ties: their values at the edge of the reals, and which are kinks."""

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flint import arb
from jax import lax

from mog_jax.crosscheck.exact import balls, evaluate
from mog_jax.crosscheck.exact.balls import INF, MINUS_INF, NAN, UNKNOWN, ZERO
from mog_jax.crosscheck.exact.evaluation import WRITTEN_ZERO
from tests.crosscheck.exact.oracles import exactly, to_floats

EDGES = np.array([-np.inf, -2.0, 0.0, 0.5, np.inf, np.nan])
LEFT, RIGHT = (side.ravel() for side in np.meshgrid(EDGES, EDGES))


def kinks_of(function, *args):
    kinks = Counter()
    exactly(function, *args, kinks=kinks)
    return kinks


@pytest.mark.parametrize("zero", [ZERO, arb(0)], ids=["written", "computed"])
@pytest.mark.parametrize("other", [INF, MINUS_INF, NAN, UNKNOWN], ids=str)
def test_a_zero_absorbs_what_is_not_finite(zero, other):
    assert balls.multiply(zero, other) is ZERO
    assert balls.multiply(other, zero) is ZERO


def test_a_product_is_that_of_floats_but_for_zero_times_what_is_not_finite():
    (product,) = exactly(lax.mul, LEFT, RIGHT)
    with np.errstate(invalid="ignore"):
        expected = np.where((LEFT == 0) | (RIGHT == 0), 0.0, LEFT * RIGHT)
    np.testing.assert_array_equal(to_floats(product), expected)


def test_a_given_zero_that_absorbs_is_a_kink_and_one_that_multiplies_is_none():
    for other in (np.inf, -np.inf, np.nan):
        assert kinks_of(lax.mul, 0.0, other) == {"mul": 1}
        assert kinks_of(lax.mul, other, 0.0) == {"mul": 1}
        assert not kinks_of(lax.mul, 0.5, other)
        assert kinks_of(lambda x: 0.0 * x, other) == {WRITTEN_ZERO: 1}
    assert not kinks_of(lambda x: 0.0 * x + 0.0 / x, 2.0)
    assert kinks_of(lambda x: 0.0 / x, 0.0) == {WRITTEN_ZERO: 1}
    assert not kinks_of(lax.mul, 0.0, 2.0)


TIES = {
    "lt": lambda x: x[0] < x[1],
    "le": lambda x: x[0] <= x[1],
    "gt": lambda x: x[0] > x[1],
    "ge": lambda x: x[0] >= x[1],
    "max": lambda x: lax.max(x[0], x[1]),
    "min": lambda x: lax.min(x[0], x[1]),
    "reduce_max": jnp.max,
    "reduce_min": jnp.min,
    "argmax": jnp.argmax,
    "argmin": jnp.argmin,
    "cummax": lax.cummax,
    "cummin": lax.cummin,
    "sort": jnp.sort,
    "top_k": lambda x: lax.top_k(x, 1),
    "clamp": lambda x: lax.clamp(x[0], x[1], jnp.inf),
}


@pytest.mark.parametrize("name", TIES)
def test_a_tie_of_numbers_is_a_kink_and_of_infinities_none(name):
    # Exactly representable and not, and equal as expressions only.
    for tied in (0.5, 0.1, -3.0):
        assert set(kinks_of(TIES[name], np.array([tied, tied]))) == {name}
    assert set(kinks_of(lambda x: TIES[name](jnp.exp(x)), np.array([0.1, 0.1]))) == {name}
    for infinite in (np.inf, -np.inf):
        assert not kinks_of(TIES[name], np.array([infinite, infinite]))
    for apart in ([0.5, 0.75], [0.1, np.nextafter(0.1, 1)], [-np.inf, np.inf]):
        assert not kinks_of(TIES[name], np.array(apart))
        assert name == "clamp" or not kinks_of(TIES[name], np.array(apart[::-1]))


def test_whether_numbers_are_equal_is_no_kink():
    for function in (lambda x: x[0] == x[1], lambda x: x[0] != x[1]):
        assert not kinks_of(function, np.array([0.5, 0.5]))


def test_what_cannot_be_told_apart_is_tied_and_what_is_not_finite_never():
    wide, near, far = arb(1, 0.1), arb(1.05, 0.1), arb(2)
    for left, right, is_tied in [
        (wide, near, True),
        (wide, wide, True),
        (far, arb(2), True),
        (wide, far, False),
        (INF, INF, False),
        (NAN, NAN, False),
        (UNKNOWN, UNKNOWN, False),
        (UNKNOWN, far, False),
        (far, UNKNOWN, False),
    ]:
        assert balls.tied(left, right) is is_tied


def test_equal_numbers_that_were_computed_apart_are_equal_and_a_kink():
    def program(x):
        a, b = x[0] + x[1], x[2]
        return a < b, a <= b, a > b, a >= b, a == b, a != b

    kinks = Counter()
    found = exactly(program, np.array([0.25, 0.5, 0.75]), kinks=kinks)
    assert [bool(value) for value in found] == [False, True, False, True, True, False]
    assert kinks == dict.fromkeys(("lt", "le", "gt", "ge"), 1)


def test_a_number_is_one_whether_it_came_as_a_float_or_as_a_ball():
    with jax.enable_x64(True):
        jaxpr = jax.make_jaxpr(lambda x, y: jnp.exp(x) == jnp.exp(y))(1.0, 1.0)
    for x in (0.1, -0.0, 3.0):
        for other in (x, arb(x)):
            (same,) = evaluate(jaxpr, [np.array(arb(x), object), np.array(other)], limit=60)
            assert same.item()


def test_the_two_zeros_are_one_number():
    # Zero has no sign here: equal numbers are one object, so that equal expressions are equal.
    (same,) = exactly(lambda x: jnp.exp(x[0]) == jnp.exp(x[1]), np.array([0.0, -0.0]), limit=60)
    assert same.item()
    assert kinks_of(lambda x: lax.max(x[0], x[1]), np.array([0.0, -0.0])) == {"max": 1}


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("ball", [arb(0, 1), arb(0, 1e-70), arb(0, 3)])
def test_a_power_of_a_ball_about_zero_encloses_the_powers_of_its_points(n, ball):
    of_integer, of_real = balls.integer_power(ball, n), balls.power(ball, arb(n))
    for part in (-1, -0.5, 0, 0.25, 1):
        point = (ball.rad() * part) ** n
        assert point in of_integer
        assert point in of_real
    assert of_integer.rad() <= ball.rad() ** n * 1.1
