"""The rules of ``accuracy.md``: the size of one rounding, and the number of them that fails.

Sizes and scales are powers of two, so that each bound is known to the last bit.
"""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from mog_jax.crosscheck.exact.ball_arrays import Centre, as_balls
from mog_jax.crosscheck.judge.accuracy import Strictness, error_bound, is_nearly_bad, measure
from mog_jax.crosscheck.judge.conditioning import Scales

KINDS = {np.float32: 2.0**-24, np.float64: 2.0**-53}  # half an ulp of 1
kinds = st.sampled_from(sorted(KINDS, key=str))


def bound_of(value, relative, absolute=0.0, kind=np.float64, min_digits=0.0):
    centre = Centre.of(as_balls(np.array([value])))
    # All lost digits are lost by rounding the inputs.
    scales = Scales(np.array([relative]), np.array([absolute]), np.array([relative]))
    return error_bound(centre, scales, kind, Strictness(min_digits=min_digits), np.zeros(1, int))


def accuracy_at(bound, roundings):
    """Measure a program that is off by so many roundings."""
    return measure(bound, bound.centre.high + roundings * bound.rounding)


@given(st.integers(-60, 60), st.integers(-60, 60), st.integers(-60, 1000), kinds)
def test_one_rounding_is_that_of_the_worse_of_result_and_way_and_what_may_underflow(
    size, way, absolute, kind
):
    bound = bound_of(-(2.0**size), 2.0**way, 2.0**absolute, kind)
    tiny = float(np.finfo(kind).tiny)
    expected = KINDS[kind] * 2.0 ** max(size, way) + tiny * (1 + 2.0**absolute)
    assert bound.rounding[0] == pytest.approx(expected, rel=1e-15)
    assert bound.allowed[0] == pytest.approx(max(math.log10(2.0**size / expected), 0), abs=1e-12)


@pytest.mark.parametrize("value", [0.0, 2.0**-1000])
def test_nothing_underflows_to_less_than_the_smallest_normal_number(value):
    assert bound_of(value, 0.0).rounding[0] >= np.finfo(np.float64).tiny


@given(st.integers(0, 52), st.sampled_from([0, 3, 6, 9, 12, 15]))
def test_half_of_the_digits_or_as_many_as_are_asked_for_and_a_thousand_roundings_at_least(
    bits, digits
):
    # As many bits as the problem allows.
    bound = bound_of(1.0, 2.0 ** (53 - bits), min_digits=digits)
    half, asked = 2.0 ** (bits / 2), 2.0**bits / 10.0**digits
    limit = max(1000.0, min(half, asked))
    assert bound.limit[0] == pytest.approx(limit, rel=1e-12)
    assert not accuracy_at(bound, 0.99 * limit).bad[0]
    assert accuracy_at(bound, 1.01 * limit).bad[0]


def test_the_thousand_roundings_are_the_first_that_are_held_against_a_program():
    # Of 4 digits 2 may be lost, which are 100 roundings.
    bound = bound_of(1.0, 1e-4 / 2.0**-53)
    assert not accuracy_at(bound, 999).bad[0]
    assert accuracy_at(bound, 1001).bad[0]
    assert [is_nearly_bad(accuracy_at(bound, r), bound, 0) for r in (9.9, 10.1)] == [False, True]


@given(st.floats(1, 1e3))
def test_an_entry_below_ten_roundings_says_nothing(roundings):
    bound = bound_of(1.0, 1 / (roundings * 2.0**-53))
    assert bound.judged[0]
    assert bool(bound.informative[0]) == (roundings > 10)
    assert bool(np.isnan(accuracy_at(bound, 0.5).kept[0])) == (roundings <= 10)


@pytest.mark.parametrize("kind", KINDS)
def test_digits_are_counted_from_none_to_all_that_the_precision_has(kind):
    bound = bound_of(1.0, 1.0, kind=kind)
    most = -math.log10(KINDS[kind])
    assert bound.most == pytest.approx(most)
    for error, kept in [(0.0, most), (2.0**-60, most), (1e-3, 3), (0.5, math.log10(2)), (7.0, 0)]:
        assert measure(bound, np.array([1 + error])).kept[0] == pytest.approx(kept, abs=1e-9)


def test_what_a_precision_cannot_hold_is_not_judged():
    for value, is_judged in [(3e38, True), (4e38, False)]:
        bound = bound_of(value, 1.0, kind=np.float32)
        assert bool(bound.judged[0]) == is_judged
        found = measure(bound, np.array([np.inf]))
        assert bool(found.missing[0]) == is_judged
        assert bool(found.bad[0]) == is_judged
        np.testing.assert_equal(found.roundings[0], np.inf if is_judged else np.nan)
        np.testing.assert_equal(found.kept[0], 0.0 if is_judged else np.nan)
    assert not bound_of(1.0, np.inf).judged[0]
    assert not bound_of(np.inf, 1.0).judged[0]
