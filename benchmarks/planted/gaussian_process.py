"""The marginal likelihood of a Gaussian process: a Cholesky factor, two solves, a trace."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from jax.scipy.linalg import cho_solve

from benchmarks.planted.case import Collection, Subject
from benchmarks.planted.draws import array, log_uniform

planted = Collection()


def _kernel(length, noise, t):
    square = jnp.square((t[:, None] - t[None, :]) / length)
    smooth = jnp.exp(-0.5 * square)
    return smooth, square, smooth + noise * jnp.eye(t.shape[0], dtype=smooth.dtype)


def log_likelihood(length, noise, t, y):
    """Log-density of `y`, its covariance a squared exponential of `t` and a noise."""
    _, _, covariance = _kernel(length, noise, t)
    factor = jnp.linalg.cholesky(covariance)
    half = jax.scipy.linalg.solve_triangular(factor, y, lower=True)
    return -0.5 * jnp.sum(half * half) - jnp.sum(jnp.log(jnp.diagonal(factor)))


def _solved(length, noise, t, y):
    smooth, square, covariance = _kernel(length, noise, t)
    factor = (jnp.linalg.cholesky(covariance), True)
    alpha = cho_solve(factor, y)
    inverse = cho_solve(factor, jnp.eye(t.shape[0], dtype=covariance.dtype))
    return smooth * square / length, alpha, inverse


def gradient(length, noise, t, y):
    """Half of alpha' dK alpha - trace(K⁻¹ dK), by length scale and by noise variance."""
    slope, alpha, inverse = _solved(length, noise, t, y)
    by_length = 0.5 * (alpha @ slope @ alpha - jnp.sum(inverse * slope))
    by_noise = 0.5 * (alpha @ alpha - jnp.trace(inverse))
    return by_length, by_noise


@st.composite
def _inputs(draw: st.DrawFn):
    n = draw(st.sampled_from([1, 2, 5]))
    length, noise = draw(log_uniform(0.1, 10)), draw(log_uniform(1e-2, 10))
    t = draw(array(st.floats(-3, 3), n))
    if draw(st.booleans()):
        t[-1] = t[0]
    y = draw(st.sampled_from([0.1, 1.0, 30.0])) * draw(array(st.floats(-3, 3), n))
    return np.float64(length), np.float64(noise), t, y


def _typical(rng):
    length, noise = np.exp(0.5 * rng.normal(size=2))
    return length, noise, rng.normal(size=4), rng.normal(size=4)


GAUSSIAN_PROCESS = Subject(
    name="gaussian_process",
    function=log_likelihood,
    derivative=gradient,
    wrt=(0, 1),
    inputs=_inputs(),
    typical=_typical,
)


@planted.bug(GAUSSIAN_PROCESS, "dropped", "wrong_formula")
def trace_forgotten(length, noise, t, y):
    """The determinant's part is left out of the derivative by the length scale."""
    slope, alpha, _ = _solved(length, noise, t, y)
    _, by_noise = gradient(length, noise, t, y)
    return 0.5 * alpha @ slope @ alpha, by_noise


@planted.bug(GAUSSIAN_PROCESS, "factor", "wrong_formula")
def half_forgotten(length, noise, t, y):
    """The noise's 1/2 is forgotten."""
    by_length, by_noise = gradient(length, noise, t, y)
    return by_length, 2 * by_noise


@planted.bug(GAUSSIAN_PROCESS, "power", "wrong_formula")
def length_to_the_wrong_power(length, noise, t, y):
    """The kernel's derivative is divided by the length scale once too often."""
    by_length, by_noise = gradient(length, noise, t, y)
    return by_length / length, by_noise


@planted.bug(GAUSSIAN_PROCESS, "smoothing", "wrong_formula")
def jitter_1e_9(length, noise, t, y):
    """A jitter of 1e-9 that the function does not have."""
    return gradient(length, noise + 1e-9, t, y)


@planted.bug(GAUSSIAN_PROCESS, "index", "wrong_formula")
def trace_of_the_diagonals(length, noise, t, y):
    """The trace of a product is taken for the sum of the products of the diagonals."""
    slope, alpha, inverse = _solved(length, noise, t, y)
    _, by_noise = gradient(length, noise, t, y)
    trace = jnp.sum(jnp.diagonal(inverse) * jnp.diagonal(slope))
    return 0.5 * (alpha @ slope @ alpha - trace), by_noise


@planted.bug(GAUSSIAN_PROCESS, "float32", "unstable")
def inverse_in_float32(length, noise, t, y):
    """The inverse is made in float32, the rest is not."""
    slope, alpha, inverse = _solved(length, noise, t, y)
    inverse = inverse.astype(jnp.float32).astype(alpha.dtype)
    by_length = 0.5 * (alpha @ slope @ alpha - jnp.sum(inverse * slope))
    return by_length, 0.5 * (alpha @ alpha - jnp.trace(inverse))


@planted.bug(GAUSSIAN_PROCESS, "equality", "wrong_formula")
def diagonal_by_equal_times(length, noise, t, y):
    """The diagonal is found by equal times, which a repeated time has off the diagonal too."""
    _, alpha, inverse = _solved(length, noise, t, y)
    by_length, _ = gradient(length, noise, t, y)
    pull = jnp.outer(alpha, alpha) - inverse
    diagonal = jnp.where(t[:, None] == t[None, :], pull, jnp.zeros_like(pull))
    return by_length, 0.5 * jnp.sum(diagonal)


@planted.rewriting(GAUSSIAN_PROCESS)
def outer_product(length, noise, t, y):
    """One matrix, alpha alpha' - K⁻¹, against both slopes."""
    slope, alpha, inverse = _solved(length, noise, t, y)
    pull = jnp.outer(alpha, alpha) - inverse
    return 0.5 * jnp.sum(pull * slope), 0.5 * jnp.trace(pull)


@planted.rewriting(GAUSSIAN_PROCESS)
def whitened(length, noise, t, y):
    """With the inverse of the factor: K⁻¹ is its Gram matrix."""
    smooth, square, covariance = _kernel(length, noise, t)
    factor = jnp.linalg.cholesky(covariance)
    identity = jnp.eye(t.shape[0], dtype=covariance.dtype)
    white = jax.scipy.linalg.solve_triangular(factor, identity, lower=True)
    alpha = white.T @ (white @ y)
    slope = smooth * square / length
    by_length = 0.5 * (alpha @ slope @ alpha - jnp.einsum("ai,aj,ij->", white, white, slope))
    return by_length, 0.5 * (alpha @ alpha - jnp.sum(white * white))
