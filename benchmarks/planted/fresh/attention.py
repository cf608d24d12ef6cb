"""One row of attention: a softmax of scaled products, averaged over values."""

import jax
import jax.numpy as jnp
from hypothesis import strategies as st

from benchmarks.planted.case import ROUNDING, Collection, Subject
from benchmarks.planted.draws import array, log_uniform

planted = Collection("fresh")


def attended(query, keys, values):
    """Average of the values, weighted by the softmax of the scaled products of query and keys."""
    return jax.nn.softmax(keys @ query / jnp.sqrt(1.0 * query.shape[0])) @ values


def _weights(query, keys):
    return jax.nn.softmax(keys @ query / jnp.sqrt(1.0 * query.shape[0]))


def _from_scores(by_score, weights, query, keys):
    by_score = by_score / jnp.sqrt(1.0 * query.shape[0])
    return by_score @ keys, by_score[:, None] * query[None, :], weights


def gradient(query, keys, values):
    """Give the derivative by query, keys and values."""
    weights = _weights(query, keys)
    return _from_scores(weights * (values - weights @ values), weights, query, keys)


@st.composite
def _inputs(draw: st.DrawFn):
    n = draw(st.sampled_from([1, 2, 6]))
    size = draw(st.one_of(st.just(1.0), log_uniform(1e-2, 1e2)))
    query = size * draw(array(st.floats(-3, 3), 4))
    keys = draw(array(st.floats(-3, 3), n, 4))
    if draw(st.booleans()):
        keys[-1] = keys[0]
    return query, keys, draw(array(st.floats(-3, 3), n))


ATTENTION = Subject(
    name="attention",
    function=attended,
    derivative=gradient,
    wrt=(0, 1, 2),
    inputs=_inputs(),
    typical=lambda rng: (rng.normal(size=4), rng.normal(size=(5, 4)), rng.normal(size=5)),
)


@planted.bug(ATTENTION, "factor", "wrong_formula")
def scale_forgotten(query, keys, values):
    """The query's derivative is not divided by the square root of the dimension."""
    by_query, by_keys, by_values = gradient(query, keys, values)
    return 2 * by_query, by_keys, by_values


@planted.bug(ATTENTION, "dropped", "wrong_formula")
def values_not_centred(query, keys, values):
    """The average is not taken off the values: softmax's own normalisation is forgotten."""
    weights = _weights(query, keys)
    return _from_scores(weights * values, weights, query, keys)


@planted.bug(ATTENTION, "overflow", *ROUNDING)
def softmax_without_shift(query, keys, values):
    """The exponentials are not shifted by the largest."""
    e = jnp.exp(keys @ query / jnp.sqrt(1.0 * query.shape[0]))
    weights = e / jnp.sum(e)
    return _from_scores(weights * (values - weights @ values), weights, query, keys)


@planted.bug(ATTENTION, "clip", "wrong_formula")
def small_weights_to_zero(query, keys, values):
    """Weights under 1e-6 are set to zero."""
    weights = _weights(query, keys)
    kept = jnp.where(weights < 1e-6, jnp.zeros_like(weights), weights)
    return _from_scores(kept * (values - kept @ values), weights, query, keys)


@planted.bug(ATTENTION, "index", "wrong_formula")
def keys_rolled(query, keys, values):
    """The keys take their neighbours' derivative."""
    by_query, by_keys, by_values = gradient(query, keys, values)
    return by_query, jnp.roll(by_keys, 1, axis=0), by_values


@planted.bug(ATTENTION, "second order", "wrong_second_order")
def weights_frozen(query, keys, values):
    """The derivative by the values is a constant to the second derivative."""
    by_query, by_keys, by_values = gradient(query, keys, values)
    return by_query, by_keys, jax.lax.stop_gradient(by_values)


@planted.rewriting(ATTENTION)
def pairs_of_values(query, keys, values):
    """Differences between all pairs of values, weighted by both."""
    weights = _weights(query, keys)
    apart = values[:, None] - values[None, :]
    return _from_scores(weights * (apart @ weights), weights, query, keys)


@planted.rewriting(ATTENTION)
def by_jacobian(query, keys, values):
    """The softmax's Jacobian as a matrix."""
    shifted = keys @ query / jnp.sqrt(1.0 * query.shape[0])
    e = jnp.exp(shifted - jnp.max(shifted))
    weights = e / jnp.sum(e)
    jacobian = jnp.diag(weights) - jnp.outer(weights, weights)
    return _from_scores(jacobian @ values, weights, query, keys)
