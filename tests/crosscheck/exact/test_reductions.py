"""The order of equal elements, and their places, as in JAX."""

import hypothesis.strategies as st
import jax
import numpy as np
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from jax import lax

from tests.crosscheck.exact.oracles import assert_agrees

few = st.sampled_from([-2.0, 0.0, 1.0, np.inf, -np.inf, np.nan])
largest = jax.jit(lambda x: (lax.top_k(x, 3), lax.top_k(x.T, 2)))


@settings(max_examples=30)
@given(hnp.arrays(np.float64, (2, 5), elements=few))
def test_of_equals_the_first_comes_first_among_the_largest(x):
    assert_agrees(largest, x)
