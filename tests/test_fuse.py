"""`fuse` does not change values."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mog_jax.fuse import fuse

LANES = hnp.arrays(np.float64, st.sampled_from([1, 17]), elements=st.floats(allow_subnormal=False))


def values(x):
    return {
        "floats": (x, 2 * x, jnp.exp(-(x**2))),
        "truth": x > 1,
        "whole": jnp.isfinite(x).astype(jnp.int32),
        "fixed": True,
    }


def assert_same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.asarray(one).dtype == np.asarray(other).dtype


@given(LANES)
def test_values_types_and_structure_stay(x):
    with jax.enable_x64(True):
        assert_same(fuse(values(jnp.asarray(x))), values(jnp.asarray(x)))


def arrays(x):
    return {name: value for name, value in values(x).items() if name != "fixed"}


mapped = jax.jit(jax.vmap(lambda row: fuse(arrays(row))))
expected_of_mapped = jax.jit(jax.vmap(arrays))


@given(hnp.arrays(np.float64, (3, 7), elements=st.floats(-9, 9, allow_subnormal=False)))
def test_it_compiles_and_maps(x):
    with jax.enable_x64(True):
        found, expected = mapped(x), expected_of_mapped(x)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-14), found, expected)


def test_one_loop_is_compiled_and_not_several():
    def several(x):
        return x + 1, jnp.sin(x), x * x

    def loops(function):
        text = jax.jit(function).lower(jnp.ones(64)).compile().as_text()
        entry = text[text.index("ENTRY") :]
        return entry.count(" fusion(")

    assert loops(several) == 3
    assert loops(lambda x: fuse(several(x))) < 3


def test_without_lanes_nothing_changes():
    assert fuse((jnp.float32(2), 3)) == (2, 3)
