"""The multivariate normal by its mean and its Cholesky factor: triangular solves."""

import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from jax.scipy.linalg import cho_solve, solve_triangular

from benchmarks.planted.case import Collection, Subject
from benchmarks.planted.draws import array, log_uniform

planted = Collection("fresh")


def log_density(mean, factor, x):
    """Log-density of a point, up to a constant; of the factor only the lower triangle is read."""
    z = solve_triangular(factor, x - mean, lower=True)
    return -0.5 * jnp.sum(z * z) - jnp.sum(jnp.log(jnp.diagonal(factor)))


def gradient(mean, factor, x):
    """Give the derivative by the mean and by the factor's lower triangle."""
    z = solve_triangular(factor, x - mean, lower=True)
    pull = solve_triangular(factor, z, lower=True, trans="T")
    return pull, jnp.tril(jnp.outer(pull, z)) - jnp.diag(1 / jnp.diagonal(factor))


@st.composite
def _inputs(draw: st.DrawFn):
    k = draw(st.sampled_from([1, 2, 4]))
    unit = draw(log_uniform(1e-2, 1e2))
    factor = np.tril(draw(array(st.floats(-0.5, 0.5), k, k)), -1)
    factor += np.diag(draw(array(log_uniform(0.2, 5), k)))
    mean = draw(st.one_of(st.just(0.0), st.floats(-100, 100))) + draw(array(st.floats(-3, 3), k))
    # Some points lie on the mean, others far from it.
    far = draw(st.sampled_from([0.0, 1.0, 30.0]))
    return unit * mean, unit * factor, unit * (mean + far * draw(array(st.floats(-3, 3), k)))


def _typical(rng):
    factor = np.tril(0.5 * rng.normal(size=(3, 3)), -1) + np.diag(np.exp(0.3 * rng.normal(size=3)))
    return rng.normal(size=3), factor, rng.normal(size=3)


NORMAL = Subject(
    name="normal",
    function=log_density,
    derivative=gradient,
    wrt=(0, 1),
    inputs=_inputs(),
    typical=_typical,
)


@planted.bug(NORMAL, "dropped", "wrong_formula")
def determinant_forgotten(mean, factor, x):
    """The log-determinant is left out."""
    by_mean, by_factor = gradient(mean, factor, x)
    return by_mean, by_factor + jnp.diag(1 / jnp.diagonal(factor))


@planted.bug(NORMAL, "index", "wrong_formula")
def upper_triangle_too(mean, factor, x):
    """The upper triangle, which the function does not read, has a derivative too."""
    by_mean, _ = gradient(mean, factor, x)
    z = solve_triangular(factor, x - mean, lower=True)
    return by_mean, jnp.outer(by_mean, z) - jnp.diag(1 / jnp.diagonal(factor))


@planted.bug(NORMAL, "factor", "wrong_formula")
def off_diagonal_doubled(mean, factor, x):
    """The entries off the diagonal count twice, as in a symmetric matrix."""
    by_mean, by_factor = gradient(mean, factor, x)
    return by_mean, 2 * by_factor - jnp.diag(jnp.diagonal(by_factor))


@planted.bug(NORMAL, "smoothing", "wrong_formula")
def jitter_1e_8(mean, factor, x):
    """1e-8 is added to the factor's diagonal."""
    return gradient(mean, factor + 1e-8 * jnp.eye(x.shape[0], dtype=factor.dtype), x)


@planted.bug(NORMAL, "index", "wrong_formula")
def not_transposed(mean, factor, x):
    """The second solve is with the factor itself: right for one dimension."""
    z = solve_triangular(factor, x - mean, lower=True)
    pull = solve_triangular(factor, z, lower=True)
    return pull, jnp.tril(jnp.outer(pull, z)) - jnp.diag(1 / jnp.diagonal(factor))


@planted.bug(NORMAL, "float32", "unstable")
def residual_in_float32(mean, factor, x):
    """The point and the mean are rounded to float32 before one is taken off the other."""
    narrow = x.astype(jnp.float32) - mean.astype(jnp.float32)
    z = solve_triangular(factor, narrow.astype(factor.dtype), lower=True)
    _, by_factor = gradient(mean, factor, x)
    return solve_triangular(factor, z, lower=True, trans="T"), by_factor


@planted.rewriting(NORMAL)
def by_cho_solve(mean, factor, x):
    """The pull by one solve with the covariance, the scores from it by a product."""
    pull = cho_solve((factor, True), x - mean)
    z = jnp.tril(factor).T @ pull
    return pull, jnp.tril(jnp.outer(pull, z)) - jnp.diag(1 / jnp.diagonal(factor))


@planted.rewriting(NORMAL)
def by_substitution(mean, factor, x):
    """Both solves written out, entry by entry."""
    k = x.shape[0]
    residual, z = x - mean, []
    for i in range(k):
        known = sum((factor[i, j] * z[j] for j in range(i)), 0 * residual[i])
        z.append((residual[i] - known) / factor[i, i])
    pull = [0 * residual[0]] * k
    for i in reversed(range(k)):
        known = sum((factor[j, i] * pull[j] for j in range(i + 1, k)), 0 * residual[i])
        pull[i] = (z[i] - known) / factor[i, i]
    by_factor = jnp.stack(
        [jnp.stack([pull[i] * z[j] if j <= i else 0 * z[j] for j in range(k)]) for i in range(k)]
    )
    return jnp.stack(pull), by_factor - jnp.diag(1 / jnp.diagonal(factor))
