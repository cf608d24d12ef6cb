"""Weibull survival times, some of them censored: events less the cumulative hazard."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from benchmarks.planted.case import ROUNDING, Collection, Subject
from benchmarks.planted.draws import array, log_uniform
from benchmarks.planted.traps import with_batching_rule

planted = Collection("fresh")


def log_likelihood(shape, scale, times, observed):
    """Log-hazard at the times that were observed, less the cumulative hazard at all of them."""
    log_ratio = jnp.log(times / scale)
    log_hazard = jnp.log(shape) - jnp.log(scale) + (shape - 1) * log_ratio
    return jnp.sum(observed * log_hazard - jnp.exp(shape * log_ratio))


def _parts(shape, scale, times):
    log_ratio = jnp.log(times / scale)
    return log_ratio, jnp.exp(shape * log_ratio)


def gradient(shape, scale, times, observed):
    """Give the derivative by shape and scale."""
    log_ratio, hazard = _parts(shape, scale, times)
    by_shape = jnp.sum(observed * (1 / shape + log_ratio) - hazard * log_ratio)
    return by_shape, shape / scale * jnp.sum(hazard - observed)


@st.composite
def _inputs(draw: st.DrawFn):
    n = draw(st.sampled_from([1, 3, 10]))
    shape, scale = draw(log_uniform(0.3, 8)), draw(log_uniform(1e-3, 1e3))
    ratio = st.one_of(st.just(1.0), log_uniform(1e-3, 10))
    observed = draw(array(st.sampled_from([1.0, 0.0]), n))
    return np.float64(shape), np.float64(scale), scale * draw(array(ratio, n)), observed


def _typical(rng):
    shape, scale = np.exp(0.5 * rng.normal(size=2))
    return shape, scale, rng.exponential(size=5), rng.integers(0, 2, size=5).astype(float)


SURVIVAL = Subject(
    name="survival",
    function=log_likelihood,
    derivative=gradient,
    wrt=(0, 1),
    inputs=_inputs(),
    typical=_typical,
)


@planted.bug(SURVIVAL, "dropped", "wrong_formula")
def censoring_ignored(shape, scale, times, observed):
    """Every time counts as observed."""
    return gradient(shape, scale, times, jnp.ones_like(observed))


@planted.bug(SURVIVAL, "power", "wrong_formula")
def by_log_scale(shape, scale, times, observed):
    """The derivative by the logarithm of the scale, for the one by the scale."""
    by_shape, by_scale = gradient(shape, scale, times, observed)
    return by_shape, scale * by_scale


@planted.bug(SURVIVAL, "clip", "wrong_formula")
def hazard_at_most_1e4(shape, scale, times, observed):
    """A time's cumulative hazard is never more than 10,000."""
    log_ratio, hazard = _parts(shape, scale, times)
    hazard = jnp.minimum(hazard, 1e4)
    by_shape = jnp.sum(observed * (1 / shape + log_ratio) - hazard * log_ratio)
    return by_shape, shape / scale * jnp.sum(hazard - observed)


@planted.bug(SURVIVAL, "boundary", *ROUNDING)
def hazard_by_quotient(shape, scale, times, observed):
    """The logarithm is divided out and multiplied in again: 0/0 for a time equal to the scale."""
    log_ratio, hazard = _parts(shape, scale, times)
    spent = hazard * log_ratio / log_ratio
    by_shape, _ = gradient(shape, scale, times, observed)
    return by_shape, shape / scale * jnp.sum(spent - observed)


@planted.bug(SURVIVAL, "smoothing", "wrong_formula")
def times_plus_1e_9(shape, scale, times, observed):
    """1e-9 is added to the times before their logarithm is taken."""
    return gradient(shape, scale, times + 1e-9, observed)


def _first_scale_for_all(size, batched, shape, scale, times, observed):
    scale = jnp.broadcast_to(scale[0], scale.shape) if batched[1] else scale
    axes = tuple(0 if flag else None for flag in batched)
    whole = jax.vmap(gradient, in_axes=axes, axis_size=size)(shape, scale, times, observed)
    return whole, (True, True)


_first_scale = with_batching_rule(gradient, _first_scale_for_all)


@planted.bug(SURVIVAL, "vmap", "differs_under_vmap")
def first_scale_for_all(shape, scale, times, observed):
    """Under vmap the first scale stands for all of them."""
    return _first_scale(shape, scale, times, observed)


@planted.rewriting(SURVIVAL)
def by_powers(shape, scale, times, observed):
    """The hazard as a power, its logarithm from it; observed and censored times apart."""
    ratio = times / scale
    hazard = ratio**shape
    seen = jnp.where(observed == 1, 1 / shape + (1 - hazard) * jnp.log(ratio), 0)
    unseen = jnp.where(observed == 1, 0, -hazard * jnp.log(ratio))
    return jnp.sum(seen + unseen), jnp.sum(shape * (hazard - observed)) / scale
