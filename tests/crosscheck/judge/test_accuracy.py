"""Laws of the accuracy measure, for all values and scales."""

import hypothesis.strategies as st
import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis.extra.numpy import arrays

from mog_jax.crosscheck.exact.ball_arrays import Centre, as_balls
from mog_jax.crosscheck.exact.balls import INF, UNKNOWN
from mog_jax.crosscheck.judge import accuracy
from mog_jax.crosscheck.judge.accuracy import Strictness
from mog_jax.crosscheck.judge.conditioning import Scales

COUNT = 5
sizes = st.floats(1e-30, 1e30)
signed = st.one_of(st.just(0.0), sizes, sizes.map(lambda size: -size))


def numbers(elements):
    return arrays(np.float64, COUNT, elements=elements)


def bound(values, scales, **options):
    centre = Centre.of(as_balls(values))
    absolute = np.zeros(COUNT)
    relative = np.abs(values) * scales
    arrays = options.pop("arrays", None)
    strictness = Strictness(normwise=arrays is not None)
    given = np.arange(COUNT) if arrays is None else arrays
    return accuracy.error_bound(
        centre, Scales(relative, absolute, relative), np.float64, strictness, given
    )


@given(numbers(signed), numbers(st.floats(0, 1e3)), numbers(st.floats(-1, 1)))
def test_an_array_of_one_entry_is_measured_like_that_entry(values, scales, errors):
    given_by_a_program = values * (1 + errors)
    alone = accuracy.measure(bound(values, scales), given_by_a_program)
    apart = accuracy.measure(bound(values, scales, arrays=np.arange(COUNT)), given_by_a_program)
    np.testing.assert_array_equal(apart.roundings, alone.roundings)
    np.testing.assert_array_equal(apart.bad, alone.bad)
    np.testing.assert_array_equal(apart.kept, alone.kept)


@given(numbers(signed), numbers(st.floats(0, 1e3)), numbers(st.floats(-1, 1)))
def test_a_norm_counts_no_more_roundings_and_its_largest_entry_no_fewer_digits(
    values, scales, errors
):
    given_by_a_program = values * (1 + errors)
    alone = accuracy.measure(bound(values, scales), given_by_a_program)
    together = accuracy.measure(
        bound(values, scales, arrays=np.zeros(COUNT, int)), given_by_a_program
    )
    assert np.all(together.roundings <= alone.roundings)
    largest = np.argmax(np.abs(values))
    np.testing.assert_equal(together.kept[largest], alone.kept[largest])


@pytest.mark.parametrize("unknown", [np.nan, np.inf])
def test_an_entry_without_a_value_says_nothing_of_its_neighbours(unknown):
    values = np.array([unknown, 1.0, 2.0, 3.0, 4.0])
    found = accuracy.measure(bound(values, np.ones(COUNT), arrays=np.zeros(COUNT, int)), values)
    assert np.isnan(found.roundings[0])
    np.testing.assert_array_equal(found.roundings[1:], 0)


def test_arrays_are_measured_apart():
    values, got = np.array([1e10, 1.0, 1.0, 1.0, 1.0]), np.array([1e10, 1.1, 1.0, 1.1, 1.0])
    measured = bound(values, np.ones(COUNT), arrays=np.array([0, 0, 1, 1, 1]))
    np.testing.assert_array_equal(
        accuracy.measure(measured, got).bad, [False, False, False, True, False]
    )


def test_what_nothing_is_known_of_has_no_value_and_is_not_judged():
    values = as_balls(np.arange(float(COUNT)))
    values[1:3] = UNKNOWN, INF
    centre = Centre.of(values)
    np.testing.assert_array_equal(centre.high, [0, np.nan, np.inf, 3, 4])
    none = np.zeros(COUNT)
    found = accuracy.error_bound(
        centre, Scales(none, none, none), np.float64, Strictness(), np.arange(COUNT)
    )
    assert found.judged.tolist() == [True, False, False, True, True]
    assert not accuracy.measure(found, np.full(COUNT, 7.0)).bad[1:3].any()


@pytest.mark.parametrize("unbounded", [np.inf, np.nan])
def test_an_entry_that_roundings_move_without_bound_is_not_judged_by_its_array_either(unbounded):
    scales = np.array([1.0, unbounded, 2.0, 1.0, 1.0])
    found = bound(np.ones(COUNT), scales, arrays=np.zeros(COUNT, int))
    assert found.judged.tolist() == [True, False, True, True, True]
    missing = accuracy.measure(found, np.full(COUNT, np.nan)).missing
    assert missing.tolist() == [True, False, True, True, True]


@pytest.mark.parametrize(
    ("ball", "known"),
    [
        (arb(0, 1000), False),
        (arb(1, 0.5), False),
        (arb(1, 1e-6), True),
        (arb(0, "1e-400"), True),
        (arb(0, "1e-300"), False),
    ],
)
def test_a_ball_without_a_correct_digit_is_no_value(ball, known):
    assert np.isfinite(Centre.of(np.array([ball])).high[0]) == known
