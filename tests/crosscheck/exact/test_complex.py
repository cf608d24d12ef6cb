"""Complex numbers inside real programs, against JAX's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mog_jax.crosscheck import UnknownPrimitive, crosscheck
from tests.crosscheck.exact.oracles import assert_agrees, exactly


def both(z):
    return jnp.concatenate([jnp.real(z).ravel(), jnp.imag(z).ravel()])


PROGRAMS = {
    "fft": lambda x: both(jnp.fft.fft(x)),
    "ifft": lambda x: both(jnp.fft.ifft(x * (1 + 2j))),
    "rfft": lambda x: both(jnp.fft.rfft(x)),
    "irfft, even": lambda x: jnp.fft.irfft(jnp.fft.rfft(x) * (1 + 0.5j)),
    "irfft, odd": lambda x: jnp.fft.irfft(jnp.fft.rfft(x)[:3] * (1 + 0.5j), n=5),
    "fft2": lambda x: both(jnp.fft.fft2(x.reshape(2, 3))),
    "rfft2": lambda x: both(jnp.fft.rfft2(x.reshape(2, 3))),
    "irfft2": lambda x: jnp.fft.irfft2(jnp.fft.rfft2(x.reshape(2, 3)), s=(2, 3)),
    "arithmetic": lambda x: both((x + 1j) * (x[::-1] - 2j) / (3 + x * 1j) - 1j * x),
    "powers": lambda x: both((x + 1j) ** 3 + (x + 2j) ** -2),
    "functions": lambda x: both(jnp.exp(1j * x) + jnp.sin(x + 1j) * jnp.sqrt(x + 1j)),
    "logarithm": lambda x: both(jnp.log(x + 1j)),
    "absolute": lambda x: jnp.abs(x + 1j * x**2),
    "angle": lambda x: jnp.angle(x + 1j),
    "product": lambda x: both((x[:3] + 1j * x[3:]) @ jnp.outer(x[3:], x[:3] * 1j)),
    "choice": lambda x: both(jnp.where(x > 0, x + 1j, jnp.conj(x + 1j))),
    "sum": lambda x: both(jnp.sum(jnp.outer(x, 1j * x), axis=0)),
}
vectors = st.lists(st.floats(0.1, 3) | st.floats(-3, -0.1), min_size=6, max_size=6).map(np.array)


@pytest.mark.parametrize("name", PROGRAMS)
@given(x=vectors)
@settings(max_examples=5, deadline=None)
def test_parts_are_those_of_jax(name, x):
    with jax.numpy_dtype_promotion("standard"):
        assert_agrees(PROGRAMS[name], x)


@pytest.mark.parametrize("name", ["fft", "irfft, even", "absolute", "functions", "fft2"])
def test_derivatives_are_those_of_jax(name):
    x = np.array([0.3, -1.2, 2.5, 0.7, -0.4, 1.9])
    with jax.numpy_dtype_promotion("standard"):
        assert_agrees(jax.grad(lambda x: jnp.sum(jnp.sin(PROGRAMS[name](x)))), x)


def power(x):
    return jnp.sum(jnp.abs(jnp.fft.fft(x)) ** 2)


def test_a_derivative_through_a_fourier_transform_is_judged():
    inputs = [(np.array([0.3, -1.2, 2.5, 0.7]),)]
    assert crosscheck(power, lambda x: 8 * x, inputs).ok
    wrong = crosscheck(power, lambda x: 2 * x, inputs)
    assert [finding.kind for finding in wrong.findings] == ["wrong_formula"]


def test_what_has_no_rule_or_no_real_result_is_refused():
    with pytest.raises(UnknownPrimitive, match="of complex numbers"):
        exactly(lambda x: jnp.real(jnp.arctan(x + 1j)), 0.5)
    with pytest.raises(UnknownPrimitive, match="complex arguments or results"):
        exactly(lambda x: x + 1j, 0.5)
