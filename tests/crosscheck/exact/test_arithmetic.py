"""Conversion to integers: the fraction is dropped, the range is clamped, and NaN becomes 0."""

import math

import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from hypothesis import given
from jax import lax

from tests.crosscheck.exact.oracles import exactly

INTEGERS = [np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)]
FEW_VALUES = 6
# Beside the ends of each range, and whatever else.
ends = st.sampled_from([2.0**bits for bits in (7, 8, 15, 16, 31, 32, 63, 64)]).flatmap(
    lambda end: st.sampled_from([-end, end, end - 0.5, -end - 1, np.nextafter(end, 0)])
)
values = st.lists(ends | st.floats(), min_size=FEW_VALUES, max_size=FEW_VALUES)


def to_integers(kind):
    return lambda x: lax.convert_element_type(x, kind)


@given(values, st.sampled_from(INTEGERS))
def test_a_number_becomes_the_integer_that_is_nearest_to_it_on_the_way_to_zero(values, kind):
    limits = np.iinfo(kind)

    def integer(value):
        if math.isnan(value):
            return 0
        if math.isinf(value):
            return int(limits.max if value > 0 else limits.min)
        return min(max(math.trunc(value), int(limits.min)), int(limits.max))

    (found,) = exactly(to_integers(kind), np.array(values))
    assert found.dtype == kind
    assert found.tolist() == [integer(value) for value in values]


@pytest.mark.parametrize("kind", INTEGERS, ids=str)
def test_as_jax_has_it(kind):
    x = np.array([np.nan, np.inf, -np.inf, 1e300, -1e300, 255.5, -128.5, 2.0**31, -(2.0**63), -0.5])
    (found,) = exactly(to_integers(kind), x)
    with jax.enable_x64(True):
        expected = np.asarray(lax.convert_element_type(x, kind))
    np.testing.assert_array_equal(found, expected)
