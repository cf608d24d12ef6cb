"""The subject this package exists for: the log-likelihood of a two-component mixture."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from benchmarks.planted.case import Subject
from benchmarks.planted.draws import log_uniform, signed, sizes, z_scores

Array = jax.Array


def log_density(means: Array, variances: Array, x: Array) -> Array:
    """Log-density of each point under each component alone, of shape (n, k)."""
    z = (x[:, None] - means[None, :]) / jnp.sqrt(variances)[None, :]
    return -0.5 * (jnp.log(2 * jnp.pi) + jnp.log(variances)[None, :] + z * z)


def log_likelihood(weights: Array, means: Array, variances: Array, x: Array) -> Array:
    """Sum over the points of the log of the mixture's density; the weights are free."""
    terms = jnp.log(weights)[None, :] + log_density(means, variances, x)
    return jnp.sum(jax.nn.logsumexp(terms, axis=1))


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """What the gradients are made of; each of shape (n, k), but for `variance`, (1, k)."""

    responsibility: Array
    ratio: Array
    residual: Array
    variance: Array


def pieces(weights: Array, means: Array, variances: Array, x: Array) -> Pieces:
    """Responsibilities, each component's density over the mixture's, and residuals.

    The densities are divided by the larger one of them. A difference of log-densities would lose
    digits in proportion to their size, though the larger component's share of a far point is 1.
    """
    own = log_density(means, variances, x)
    density = jnp.exp(own - jax.lax.stop_gradient(jnp.max(own, axis=1, keepdims=True)))
    total = jnp.sum(weights[None, :] * density, axis=1, keepdims=True)
    return Pieces(
        responsibility=weights[None, :] * density / total,
        ratio=density / total,
        residual=x[:, None] - means[None, :],
        variance=variances[None, :],
    )


def mean_part(p: Pieces) -> Array:
    """Derivative by the means."""
    return jnp.sum(p.responsibility * p.residual / p.variance, axis=0)


def variance_part(p: Pieces) -> Array:
    """Derivative by the variances."""
    square = jnp.square(p.residual / jnp.sqrt(p.variance))
    return jnp.sum(0.5 * p.responsibility * (square - 1) / p.variance, axis=0)


def gradient(weights: Array, means: Array, variances: Array, x: Array) -> tuple[Array, ...]:
    """Give the derivative by weights, means and variances."""
    p = pieces(weights, means, variances, x)
    return jnp.sum(p.ratio, axis=0), mean_part(p), variance_part(p)


def gradient_with(
    responsibility: Array, means: Array, variances: Array, x: Array, weight_part: Array
) -> tuple[Array, ...]:
    """Give the gradient from responsibilities that come from elsewhere."""
    p = Pieces(
        responsibility=responsibility,
        ratio=responsibility,
        residual=x[:, None] - means[None, :],
        variance=variances[None, :],
    )
    return weight_part, mean_part(p), variance_part(p)


@st.composite
def _inputs(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    scale = draw(log_uniform(1e-3, 1e3))
    offset = draw(st.one_of(st.just(0.0), signed(log_uniform(1, 1e6)))) * scale
    separation = draw(st.one_of(st.sampled_from([0.0, 0.5, 3.0, 40.0]), log_uniform(0.1, 1e3)))
    ratio = draw(st.one_of(st.just(1.0), log_uniform(1e-2, 1e2)))
    small = draw(st.one_of(st.just(0.5), log_uniform(1e-6, 0.5)))
    deviations = scale * np.array([1.0, ratio])
    means = offset + scale * np.array([0.0, draw(st.sampled_from([1.0, -1.0]))]) * separation
    n = draw(sizes)
    component = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    z = np.array(draw(st.lists(z_scores, min_size=n, max_size=n)))
    x = means[component] + deviations[component] * z
    if draw(st.booleans()):
        x[:] = x[0]
    weights = np.array([small, 1 - small])
    if draw(st.booleans()):
        weights = weights[::-1].copy()
    return weights, means, deviations**2, x


def _edge(weights: Any, means: Any, variances: Any, x: Any) -> tuple[np.ndarray, ...]:
    return tuple(np.array(a, dtype=np.float64) for a in (weights, means, variances, x))


# Written down once, for every case: what a drawn example meets too seldom.
_EDGES = st.sampled_from(
    [
        _edge([0.5, 0.5], [0, 0], [1, 1], [0.0]),
        _edge([0.5, 0.5], [0, 0], [1, 4], [0.0, 1.0]),
        _edge([0.3, 0.7], [-1, 2], [1, 1], [-1.0, 2.0]),
        _edge([0.3, 0.7], [2, -1], [1, 2], [0.5, 0.5, 0.5]),
        _edge([0.5, 0.5], [-1, 1], [1, 1], [45.0]),
        _edge([0.2, 0.8], [1e6, 1e6 + 1], [1, 4], [1e6 + 2]),
    ]
)


def _typical(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    weights = rng.dirichlet([2.0, 2.0])
    return weights, rng.normal(size=2), np.exp(0.5 * rng.normal(size=2)), rng.normal(size=5)


MIXTURE = Subject(
    name="mixture",
    function=log_likelihood,
    derivative=gradient,
    wrt=(0, 1, 2),
    inputs=st.one_of(_inputs(), _EDGES),
    typical=_typical,
)
