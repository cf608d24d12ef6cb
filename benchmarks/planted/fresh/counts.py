"""Overdispersed counts, the negative binomial: gammas of integers and parameters together."""

import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from jax.scipy.special import digamma, gammaln

from benchmarks.planted.case import Collection, Subject
from benchmarks.planted.draws import array, log_uniform
from benchmarks.planted.traps import is_traced

planted = Collection("fresh")

_LARGEST = 40


def log_likelihood(mean, size, counts):
    """Sum of the log-probabilities of counts; the variance is mean + mean²/size."""
    combinations = gammaln(counts + size) - gammaln(size) - gammaln(counts + 1.0)
    chances = size * jnp.log(size / (size + mean)) + counts * jnp.log(mean / (size + mean))
    return jnp.sum(combinations + chances)


def _by_mean(mean, size, counts):
    return jnp.sum(size * (counts - mean) / (mean * (size + mean)))


def _by_size(gammas, mean, size, counts):
    return jnp.sum(gammas - jnp.log1p(mean / size) + (mean - counts) / (size + mean))


def gradient(mean, size, counts):
    """Give the derivative by mean and size."""
    gammas = digamma(counts + size) - digamma(size)
    return _by_mean(mean, size, counts), _by_size(gammas, mean, size, counts)


@st.composite
def _inputs(draw: st.DrawFn):
    n = draw(st.sampled_from([1, 2, 8]))
    mean, size = draw(log_uniform(1e-2, 100)), draw(log_uniform(0.05, 50))
    count = st.one_of(st.sampled_from([0.0, 1.0]), st.integers(0, _LARGEST).map(float))
    return np.float64(mean), np.float64(size), draw(array(count, n))


def _typical(rng):
    mean, size = 4 * np.exp(0.5 * rng.normal(size=2))
    return mean, size, rng.poisson(4, size=5).astype(float)


COUNTS = Subject(
    name="counts",
    function=log_likelihood,
    derivative=gradient,
    wrt=(0, 1),
    inputs=_inputs(),
    typical=_typical,
)


@planted.bug(COUNTS, "dropped", "wrong_formula")
def asymptotic_digamma(mean, size, counts):
    """Digamma by the first two terms of its expansion."""

    def rough(x):
        return jnp.log(x) - 0.5 / x

    gammas = rough(counts + size) - rough(size)
    return _by_mean(mean, size, counts), _by_size(gammas, mean, size, counts)


@planted.bug(COUNTS, "tail", "wrong_formula")
def four_terms_beyond_ten(mean, size, counts):
    """Digamma by four terms of its expansion beyond 10, where they are not enough for a double."""

    def spliced(x):
        far = jnp.maximum(x, 10.0)
        series = jnp.log(far) - 0.5 / far - 1 / (12 * far**2) + 1 / (120 * far**4)
        return jnp.where(x > 10, series, digamma(x))

    gammas = spliced(counts + size) - spliced(size)
    return _by_mean(mean, size, counts), _by_size(gammas, mean, size, counts)


@planted.bug(COUNTS, "factor", "wrong_formula")
def poisson_score(mean, size, counts):
    """The Poisson's derivative by the mean: the overdispersion is forgotten."""
    _, by_size = gradient(mean, size, counts)
    return jnp.sum(counts / mean - 1), by_size


@planted.bug(COUNTS, "smoothing", "wrong_formula")
def mean_plus_1e_12(mean, size, counts):
    """1e-12 is added to the mean where counts are divided by it."""
    _, by_size = gradient(mean, size, counts)
    return jnp.sum(counts / (mean + 1e-12) - (counts + size) / (size + mean)), by_size


@planted.bug(COUNTS, "equality", "wrong_formula")
def zeros_do_not_count(mean, size, counts):
    """Counts of zero are left out of the derivative by the size."""
    by_mean, _ = gradient(mean, size, counts)
    gammas = digamma(counts + size) - digamma(size)
    each = gammas - jnp.log1p(mean / size) + (mean - counts) / (size + mean)
    return by_mean, jnp.sum(jnp.where(counts == 0, jnp.zeros_like(each), each))


@planted.bug(COUNTS, "jit", "differs_under_jit")
def by_size_only_when_compiled(mean, size, counts):
    """A plain call with a small size takes the Poisson's derivative, a compiled one does not."""
    by_mean, by_size = gradient(mean, size, counts)
    if not is_traced(mean, size, counts) and size > 10:
        return jnp.sum(counts / mean - 1), by_size
    return by_mean, by_size


@planted.rewriting(COUNTS)
def by_partial_fractions(mean, size, counts):
    """The digammas' difference as a sum of reciprocals, which no large number cancels."""
    k = jnp.arange(_LARGEST, dtype=counts.dtype)
    each = jnp.where(k[None, :] < counts[:, None], 1 / (size + k)[None, :], 0.0)
    gammas = jnp.sum(each, axis=1)
    return _by_mean(mean, size, counts), _by_size(gammas, mean, size, counts)
