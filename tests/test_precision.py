import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mog_jax import Mixture, gradient, log_density, log_likelihood, observed_information

SINGLE = Mixture.from_arrays(
    weights=np.float32([0.5, 0.5]), means=np.float32([0, 1]), variances=np.float32([1, 1])
)
DOUBLE = Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 1], variances=[1, 1])


def test_the_global_flag_is_neither_needed_nor_touched():
    assert not jax.config.read("jax_enable_x64")
    value = log_likelihood(DOUBLE, np.array([0.1, 0.2]))
    assert value.dtype == np.float64
    assert not jax.config.read("jax_enable_x64")
    assert jnp.ones(1).dtype == np.float32


def test_answers_stay_double_in_further_arithmetic():
    value = log_density(DOUBLE, np.array([0.1, 0.2]))
    assert isinstance(value, np.ndarray)
    assert (value + 1).dtype == np.float64


@pytest.mark.parametrize(
    ("mixture", "x", "dtype"),
    [
        (SINGLE, np.float32([0.1, 0.2]), np.float32),
        (SINGLE, np.array([0.1, 0.2]), np.float64),
        (DOUBLE, np.float32([0.1, 0.2]), np.float64),
        (SINGLE, np.array([0, 1]), np.float32),
        (DOUBLE, np.array([True, False]), np.float64),
        (DOUBLE, [0, 1], np.float64),
        (SINGLE, jnp.array([0.1, 0.2]), np.float32),
    ],
)
def test_the_widest_array_decides(mixture, x, dtype):
    assert log_density(mixture, x).dtype == dtype
    assert gradient(mixture, x).means.dtype == dtype
    assert observed_information(mixture, x).dtype == dtype


def test_inside_a_trace_the_surrounding_precision_holds():
    x = np.array([0.1, 0.2])
    with jax.enable_x64(True):
        slope = jax.grad(log_likelihood)(DOUBLE, x)
        batched = jax.vmap(log_likelihood, in_axes=(None, 0))(DOUBLE, np.stack([x, x]))
    assert slope.means.dtype == np.float64
    np.testing.assert_array_equal(batched, [log_likelihood(DOUBLE, x)] * 2)
    assert jax.jit(log_likelihood)(SINGLE, np.float32(x)).dtype == np.float32


def test_where_the_flag_is_on_the_answer_is_a_jax_array():
    with jax.enable_x64(True):
        assert isinstance(log_density(DOUBLE, np.array([0.1])), jax.Array)
