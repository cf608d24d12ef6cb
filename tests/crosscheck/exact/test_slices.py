"""Windows beyond an edge: moved inside, filled, or dropped, as in JAX."""

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from jax import lax

from tests.crosscheck.exact.oracles import assert_agrees, exactly, to_floats

X = np.arange(12.0).reshape(3, 4) + 0.5
UPDATE = -np.arange(1.0, 7.0).reshape(2, 3)
starts = hnp.arrays(np.int32, 2, elements=st.integers(-9, 9))
places = hnp.arrays(np.int32, 4, elements=st.integers(-9, 9))


def window(x, start):
    return lax.dynamic_slice(x, start, (2, 3), allow_negative_indices=False)


def with_update(x, start):
    return lax.dynamic_update_slice(x, UPDATE, start, allow_negative_indices=False)


@given(starts)
def test_a_window_begins_at_the_nearest_place_at_which_it_fits(start):
    row, column = np.clip(start, 0, [1, 1])
    (found,) = exactly(window, X, start)
    np.testing.assert_array_equal(to_floats(found), X[row : row + 2, column : column + 3])
    expected = X.copy()
    expected[row : row + 2, column : column + 3] = UPDATE
    (found,) = exactly(with_update, X, start)
    np.testing.assert_array_equal(to_floats(found), expected)


@jax.jit
def at_places(x, where):
    row = x[0]
    return (
        [row.at[where].get(mode=mode) for mode in ("clip", "fill")],
        [row.at[where].set(x[1], mode=mode) for mode in ("clip", "drop")],
        [row.at[where].add(x[2], mode=mode) for mode in ("clip", "drop")],
        lax.dynamic_slice(x, where[:2], (2, 3)),
        jax.vmap(lambda start: lax.dynamic_slice(row, (start,), (2,)))(where),
        jnp.take(x, where[:3], axis=1, mode="wrap"),
    )


@settings(max_examples=30)
@given(places)
def test_reading_and_writing_outside_is_as_jax_has_it(where):
    assert_agrees(at_places, X, where, rtol=0, atol=0)
