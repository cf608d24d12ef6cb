"""Exact evaluation: precision, ties, the edges of `where`, and refusals."""

from collections import Counter

import flint
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax
from jax.extend.core import Primitive

import mog_jax
from mog_jax.crosscheck.exact import (
    Undecided,
    UnknownPrimitive,
    control,
    evaluate,
    evaluate_at,
    interpreter,
    register_primitive,
)
from tests.crosscheck.exact.oracles import exactly, to_floats
from tests.strategies import mixtures_with_points


def _traced(function, *args):
    with jax.enable_x64(True):
        return jax.make_jaxpr(function)(*args)


# Precision


@pytest.mark.parametrize("scale", [1e-3, 1e-30, 1e-150])
def test_cancellation_raises_the_precision_until_the_digits_are_there(scale):
    (value,) = exactly(lambda x: (jnp.exp(x) - 1 - x) / x**2, scale)
    with mpmath.workdps(800):
        x = mpmath.mpf(scale)
        expected = (mpmath.exp(x) - 1 - x) / x**2
        assert abs(mpmath.mpf(value.item().str(50, radius=False)) / expected - 1) < 1e-40


@given(st.integers(1, 300))
@settings(max_examples=10)
def test_as_many_digits_as_asked_for(digits):
    (value,) = exactly(jnp.exp, 0.1, digits=digits)
    assert value.item().rel_accuracy_bits() >= digits * 3.32
    with mpmath.workdps(digits + 30):
        difference = mpmath.mpf(value.item().str(digits + 20, radius=False)) - mpmath.exp(0.1)
        assert abs(difference) < mpmath.mpf(10) ** -digits * 2


def test_the_limit_ends_it_with_a_wide_ball():
    (value,) = exactly(lambda x: (x + 1e-300) - x, 1.0, digits=20, limit=100)
    assert value.item().contains(0)
    (value,) = exactly(lambda x: (x + 1e-300) - x, 1.0, digits=20)
    assert value.item().overlaps(arb(1e-300))
    assert not value.item().contains(0)


def test_a_zero_that_no_expression_betrays_is_as_small_as_no_double():
    (value,) = exactly(lambda x: jnp.sin(2 * x) - 2 * jnp.sin(x) * jnp.cos(x), 0.7)
    assert value.item().contains(0)
    assert float(value.item().rad()) == 0


def test_values_below_the_range_of_doubles_keep_all_digits():
    (value,) = exactly(lambda x: jnp.exp(-x) + jnp.exp(-x), 1e5)
    assert value.item().rel_accuracy_bits() > 130


def test_balls_as_arguments_bound_the_result_and_end_the_search_at_once():
    argument = np.array(arb(1, 1e-10), dtype=object)
    jaxpr = _traced(lambda x: 3 * x, 1.0)
    (value,) = evaluate(jaxpr, [argument], limit=10**6)
    assert value.item().contains(arb(3))
    assert 1e-10 < float(value.item().rad()) < 1e-9


def test_one_pass_at_a_given_precision():
    jaxpr = _traced(lambda x: jnp.exp(x) - 1 - x, 1.0)
    (value,) = evaluate_at(jaxpr, [1e-30], 53)
    assert value.item().contains(0)


def test_the_global_precision_is_put_back_even_after_an_error():
    before = flint.ctx.prec
    exactly(jnp.exp, 1.0)
    with pytest.raises(UnknownPrimitive):
        exactly(lambda x: jax.pure_callback(np.sin, x, x), 1.0)
    assert flint.ctx.prec == before


# Where branches, zeros and infinities meet


def test_the_branch_that_where_did_not_take_does_not_exist():
    def safe(x):
        return jnp.sum(jnp.where(x > 0, jnp.sqrt(x) * jnp.log(x) / x, 0.0))

    points = np.array([0.0, -1.0, 4.0])
    (gradient,) = exactly(jax.grad(safe), points)
    expected = (1 - np.log(4.0) / 2) / 8  # The derivative of log(x) / sqrt(x) at 4.
    np.testing.assert_allclose(to_floats(gradient), [0, 0, expected], rtol=1e-14)
    (second,) = exactly(jax.hessian(safe), points)
    assert np.all(np.isfinite(to_floats(second)))


def test_nan_of_the_branch_that_where_did_take_stays():
    (value,) = exactly(lambda x: jnp.where(x > 0, 0.0, x / x), 0.0)
    assert value.item().is_nan()
    (value,) = exactly(lambda x: jnp.log(x - 2), 0.0)
    assert value.item().is_nan()


def test_the_test_for_nan_is_the_comparison_with_itself():
    def guarded(x):
        y = jnp.log(x) + 1
        return jnp.where(y != y, -7.0, y), jnp.isnan(x / 3 - x), jnp.isfinite(jnp.log(x))

    value, nan, finite = exactly(guarded, np.array([-1.0, 0.0, 1.0]))
    np.testing.assert_array_equal(to_floats(value), [-7, -np.inf, 1])
    assert not nan.any()
    assert finite.tolist() == [False, False, True]


def test_a_tie_of_equal_expressions_is_a_tie():
    def program(x, y):
        return jnp.exp(x) * 3 == 3 * jnp.exp(y), jnp.sum(jnp.sin(jnp.stack([x, y, 1.0]))) > jnp.sum(
            jnp.sin(jnp.stack([1.0, y, x]))
        )

    equal, larger = exactly(program, 0.3, 0.3, limit=60)
    assert equal.item()
    assert not larger.item()


def test_equal_numbers_in_other_disguise_are_undecided_and_named():
    with pytest.raises(Undecided, match=r"`lt` cannot be decided at 100 digits") as raised:
        exactly(lambda x: jnp.exp(2 * x) < jnp.exp(x) ** 2, 0.3, limit=100)
    assert raised.value.primitive == "lt"


def test_a_close_comparison_is_decided_by_more_digits():
    (less,) = exactly(lambda x: jnp.exp(x) - 1 - x - x**2 / 2 > 0, 1e-60)
    assert less.item()


# Kinks


@pytest.mark.parametrize(
    ("function", "primitive"),
    [
        (lambda x: jnp.maximum(x[0], x[1]), "max"),
        (lambda x: jnp.max(x), "reduce_max"),
        (lambda x: jnp.abs(x[0] - x[1]), "abs"),
        (lambda x: jnp.sign(x[0] - x[1]), "sign"),
        (lambda x: jnp.where(x[0] > x[1], x[0], 0.0), "gt"),
        (lambda x: jnp.clip(x[0], None, 0.5), "min"),
        (lambda x: lax.clamp(0.5, x[0], 1.0), "clamp"),
        (lambda x: jnp.sort(x), "sort"),
        (lambda x: jnp.argmax(x), "argmax"),
    ],
)
def test_a_tie_is_recorded_under_the_name_of_its_primitive(function, primitive):
    kinks = Counter({"left from before": 1})
    exactly(function, np.array([0.5, 0.5, 0.1]), kinks=kinks)
    assert kinks == {primitive: 1}
    exactly(function, np.array([0.6, 0.7, 0.1]), kinks=kinks)
    assert not kinks


def test_the_shift_of_a_logsumexp_is_no_kink():
    kinks = Counter()
    for function in (jax.nn.logsumexp, lambda x: jnp.sum(jnp.sin(jax.nn.softmax(x)))):
        exactly(jax.hessian(function), np.array([0.5, 0.5]), kinks=kinks)
        assert not kinks


# Refusals


def test_an_unknown_primitive_is_named_with_the_way_to_add_it():
    with pytest.raises(UnknownPrimitive, match=r"`cholesky_update`. Add one.*\('cholesky_update'"):
        exactly(lax.linalg.cholesky_update, np.eye(2), np.ones(2))


def test_a_loop_that_only_rounding_would_end_is_refused(monkeypatch):
    monkeypatch.setattr(control, "MOST_STEPS", 100)
    with pytest.raises(UnknownPrimitive, match="`while` has not ended after 100 steps"):
        exactly(lambda x: lax.while_loop(lambda v: v > 0, lambda v: v / 2, x), 1.0)


def test_a_registered_primitive_is_evaluated(monkeypatch):
    monkeypatch.setattr(interpreter, "_REGISTERED", {})

    def stand_in(evaluation, operands, params):
        return evaluation.elementwise("stand_in", lambda a, x: a - x, *operands)

    primitive = Primitive("stand_in")
    primitive.def_abstract_eval(lambda a, x: a)
    register_primitive("stand_in", stand_in)
    (value,) = exactly(primitive.bind, 3.0, 2.0)
    assert value.item() == 1
    with pytest.raises(ValueError, match="'exp' has a rule already"):
        register_primitive("exp", stand_in)


def test_arguments_that_do_not_fit_are_named():
    jaxpr = _traced(lambda x, i: x[i], np.ones(3), 1)
    with pytest.raises(ValueError, match=r"one array per input of the jaxpr, 2 in all; got 1"):
        evaluate(jaxpr, [np.ones(3)])
    with pytest.raises(ValueError, match=r"`arguments\[0\]` must have shape \(3,\); got \(2,\)"):
        evaluate(jaxpr, [np.ones(2), 1])
    with pytest.raises(ValueError, match=r"`arguments\[1\]` must be of int.*; got float64"):
        evaluate(jaxpr, [np.ones(3), 1.0])
    with pytest.raises(ValueError, match="`digits` must be from 1 to `limit` = 10; got 40"):
        evaluate(jaxpr, [np.ones(3), 1], limit=10)


# Applications


@given(mixtures_with_points())
@settings(max_examples=15)
def test_hand_written_and_automatic_gradients_of_a_mixture_overlap_to_forty_digits(drawn):
    mixture, x = drawn
    automatic = exactly(jax.grad(mog_jax.log_likelihood), mixture, x)
    by_hand = exactly(mog_jax.gradient, mixture, x)
    for ours, theirs in zip(by_hand, automatic, strict=True):
        assert all(a.overlaps(b) for a, b in zip(ours.flat, theirs.flat, strict=True))


def test_a_wrong_formula_is_disproved():
    right, off = exactly(lambda x: (jnp.exp(x), jnp.exp(x) + 1e-30), 1.5)
    assert not right.item().overlaps(off.item())
