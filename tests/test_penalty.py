"""The penalty on variances: cross-checked, proved, and under its own laws."""

import jax
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from mog_jax import self_check
from mog_jax.penalty import (
    penalised_variance,
    penalty,
    penalty_information,
    penalty_slopes,
    penalty_weight,
)

LOG_VARIANCES = st.tuples(st.floats(-14, 3), st.floats(-14, 3))
WEIGHTS = st.floats(1e-3, 1)


def coordinates(log_variances):
    return np.array([0.3, -1.0, 2.0, *log_variances])


@pytest.mark.parametrize("name", ["penalty_slopes", "penalty_information"])
def test_its_derivatives_are_right_in_exact_arithmetic(name):
    (claim,) = (claim for claim in self_check.self_checks() if claim.name == name)
    report = claim.check(examples=20, name=name)
    assert report.ok, report


def test_its_formulas_are_proved():
    rho, a, s, squares, held = sympy.symbols("rho a s S N", positive=True)
    p = -a * (s / sympy.exp(rho) + rho - sympy.log(s))
    slope = a * (sympy.exp(sympy.log(s) - rho) - 1)
    assert sympy.simplify(sympy.diff(p, rho) - slope) == 0
    assert sympy.simplify(sympy.diff(p, rho, 2) + a * s / sympy.exp(rho)) == 0
    # The EM step is where the lower bound has no slope.
    bound = -held / 2 * rho - squares / 2 * sympy.exp(-rho) + p
    new = sympy.log((squares + 2 * a * s) / (held + 2 * a))
    assert sympy.simplify(sympy.diff(bound, rho).subs(rho, new)) == 0


@given(LOG_VARIANCES, WEIGHTS, st.floats(-20, 20))
def test_it_does_not_depend_on_the_unit(log_variances, weight, unit):
    here = coordinates(log_variances)
    there = coordinates(np.add(log_variances, unit))
    value = penalty(here, weight, xp=np)
    # The unit is rounded where it is added to a logarithm: so much of the steepest slope.
    rounding = 1e-14 * weight * (1 + np.exp(-np.min(log_variances))) * 20
    assert penalty(there, weight, np.exp(unit), xp=np) == pytest.approx(value, abs=rounding)


@given(LOG_VARIANCES, WEIGHTS)
def test_it_is_highest_where_both_variances_are_the_datas(log_variances, weight):
    assert penalty(coordinates(log_variances), weight, xp=np) <= -2 * weight
    assert penalty(coordinates((0, 0)), weight, xp=np) == -2 * weight
    assert penalty_slopes(coordinates((0, 0)), weight, xp=np) == (0, 0)


@given(LOG_VARIANCES)
def test_without_weight_it_is_exactly_nothing(log_variances):
    theta = coordinates(log_variances)
    assert penalty(theta, 0.0, xp=np) == 0
    assert penalty_slopes(theta, 0.0, xp=np) == (0, 0)
    assert penalty_information(theta, 0.0, xp=np) == (0, 0)
    assert penalised_variance(3.0, 7.0, 0.0) == 3 / 7


@given(LOG_VARIANCES, WEIGHTS)
def test_numpy_and_jax_say_the_same(log_variances, weight):
    theta = coordinates(log_variances)
    with jax.enable_x64(True):
        for function in (penalty, penalty_slopes, penalty_information):
            np.testing.assert_allclose(
                function(theta, weight), function(theta, weight, xp=np), rtol=1e-13
            )


def test_its_weight_falls_with_the_number_of_points():
    np.testing.assert_array_equal(penalty_weight(np.array([4.0, 100.0]), xp=np), [0.5, 0.1])
    assert penalty_weight(np.float64(100), 0, xp=np) == 0


@given(st.floats(0.01, 9), st.floats(1, 90), WEIGHTS, st.floats(0.01, 9))
def test_an_em_step_adds_points_with_the_datas_variance(squares, points, weight, variance):
    found = penalised_variance(squares, points, weight, variance)
    alone, pseudo = squares / points, 2 * weight
    mean = (points * alone + pseudo * variance) / (points + pseudo)
    assert found == pytest.approx(mean, rel=1e-12)
    shared = penalised_variance(2 * squares, 2 * points, weight, variance, n_shared=2)
    assert shared == pytest.approx(found, rel=1e-12)
