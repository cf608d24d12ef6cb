"""Random bits, bit patterns, messages, named axes and windows, as JAX computes them."""

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from mog_jax.crosscheck import UnknownPrimitive
from tests.crosscheck.exact.oracles import assert_agrees, exactly

X = np.array([0.3, -1.2, 2.5, 0.7])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * jax.random.normal(jax.random.key(3), x.shape),
        lambda x: x * jax.random.uniform(jax.random.PRNGKey(3), x.shape),
        lambda x: jnp.where(jax.random.bernoulli(jax.random.key(1), 0.5, x.shape), x, 0.0),
        lambda x: x + jax.random.normal(jax.random.split(jax.random.key(3), 3)[1], x.shape),
        lambda x: x + jax.random.exponential(jax.random.fold_in(jax.random.key(3), 7), x.shape),
        lambda x: x[jax.random.permutation(jax.random.key(0), 4)],
        lambda x: x * jax.random.randint(jax.random.key(0), x.shape, 0, 9).astype(x.dtype),
    ],
)
def test_random_numbers_are_those_that_jax_draws(function):
    assert_agrees(function, X)


def test_a_key_may_be_an_argument():
    def function(x, key):
        return x * jax.random.normal(key, x.shape)

    for seed in (0, 5):
        assert_agrees(function, X, np.array([0, seed], np.uint32))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jnp.copysign(2 * x, -x[::-1]),
        lambda x: jnp.where(jnp.signbit(x), x, x**2),
        lambda x: jsp.gamma(x + 0.05),
        lambda x: jsp.beta(x[0], x[2]),
    ],
)
def test_the_sign_bit_is_the_sign(function):
    assert_agrees(function, X)


def test_a_number_put_together_from_bits_is_refused():
    with pytest.raises(UnknownPrimitive, match="puts a number together from the bits"):
        exactly(lambda x: jnp.frexp(x)[0], X)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jax.vmap(lambda v: v / lax.psum(v, "i"), axis_name="i")(x),
        lambda x: jax.vmap(lambda v: v - lax.pmean(v, "i"), axis_name="i")(x),
        lambda x: jax.vmap(lambda v: v - lax.pmax(v, "i"), axis_name="i")(x),
        lambda x: (jax.debug.callback(lambda _: None, x), x**2)[1],
        lambda x: jnp.interp(x, jnp.array([-1.0, 0.5, 3.0]), jnp.array([0.0, 1.0, 4.0])),
        lambda x: jnp.searchsorted(jnp.array([-1.0, 0.5, 3.0]), x).astype(x.dtype),
    ],
)
def test_what_belongs_to_the_machine_changes_nothing(function):
    assert_agrees(function, X)


IMAGES = st.lists(st.integers(-3, 3).map(float), min_size=24, max_size=24).map(
    lambda values: np.array(values).reshape(4, 6) + np.linspace(0, 0.1, 24).reshape(4, 6)
)


@given(
    IMAGES,
    st.sampled_from([(1, 2), (2, 2), (3, 2)]),
    st.sampled_from([(1, 1), (2, 1), (2, 3)]),
    st.sampled_from(["VALID", "SAME"]),
)
@settings(max_examples=15, deadline=None)
def test_pooling_and_its_derivatives(image, window, strides, padding):
    def pool(x, start, operation):
        return lax.reduce_window(x, start, operation, window, strides, padding)

    for start, operation in ((-jnp.inf, lax.max), (jnp.inf, lax.min), (0.0, lax.add)):
        assert_agrees(lambda x, s=start, op=operation: pool(x, s, op), image)
        assert_agrees(
            jax.grad(lambda x, s=start, op=operation: jnp.sum(jnp.sin(pool(x, s, op)))), image
        )
    assert_agrees(lambda x: jax.jvp(lambda x: pool(x, -jnp.inf, lax.max), (x,), (x**2,))[1], image)
