"""Derivatives rebuilt from public bug reports of JAX and of libraries upon it, wrong and mended."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from benchmarks.planted.case import Collection, Subject
from benchmarks.planted.draws import array, signed

planted = Collection("reported")


def mixture(weights, scores):
    """Log-density of a mixture, given those of its components."""
    shift = jax.lax.stop_gradient(jnp.max(scores))
    return jnp.log(jnp.sum(weights * jnp.exp(scores - shift))) + shift


def _by_weights(weights, scores):
    densities = jnp.exp(scores - jnp.max(scores))
    return densities / jnp.sum(weights * densities)


MIXTURE = Subject(
    name="empty_component",
    function=mixture,
    derivative=_by_weights,
    inputs=st.tuples(
        array(st.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0]), 3).filter(lambda w: w.any()),
        array(st.floats(-6, 6) | st.sampled_from([0.0, -45.0, 45.0]), 3),
    ),
    typical=lambda rng: (rng.dirichlet(np.ones(3)), rng.normal(size=3)),
)


@planted.bug(MIXTURE, "boundary", "not_finite")
def by_log_weights(weights, scores):
    """By the logarithm of a weight, which may be 0 (NumPyro 2224)."""
    return jax.nn.softmax(jnp.log(weights) + scores) / weights


@planted.rewriting(MIXTURE)
def by_softmax(weights, scores):
    """The density of each component over that of all."""
    return jnp.exp(scores - mixture(weights, scores))


def dense(matrix, vector):
    """One layer, as a number."""
    return jnp.sum(jnp.sin(matrix @ vector))


def _dense_with(by_vector):
    ruled = jax.custom_vjp(dense)

    def backward(kept, cotangent):
        matrix, vector = kept
        inner = cotangent * jnp.cos(matrix @ vector)
        return jnp.outer(inner, vector), by_vector(matrix, inner)

    ruled.defvjp(lambda *args: (dense(*args), args), backward)
    return ruled


DENSE = Subject(
    name="dense_rule",
    function=dense,
    inputs=st.tuples(array(st.floats(-6, 6), 3, 2), array(st.floats(-6, 6), 2)),
    typical=lambda rng: (rng.normal(size=(3, 2)), rng.normal(size=2)),
    wrt=(0, 1),
)
_vector_left_out = _dense_with(lambda matrix, inner: jnp.zeros(matrix.shape[1], matrix.dtype))
_both = _dense_with(lambda matrix, inner: matrix.T @ inner)


@planted.bug(DENSE, "dropped", "wrong_formula")
def vector_left_out(matrix, vector):
    """Zeros for an argument that nobody meant to differentiate by (JAX 17496)."""
    return _vector_left_out(matrix, vector)


@planted.rewriting(DENSE)
def both_arguments(matrix, vector):
    """The transpose for the vector."""
    return _both(matrix, vector)


def bump(x):
    """A smooth function that is 0 on the left."""
    inside = x > 0
    return jnp.where(inside, jnp.exp(-1 / jnp.where(inside, x, 1.0)), 0.0)


def _bump_slope(x):
    inside = x > 0
    safe = jnp.where(inside, x, 1.0)
    return jnp.where(inside, jnp.exp(-1 / safe) / jnp.square(safe), 0.0)


BUMP = Subject(
    name="bump",
    function=bump,
    derivative=_bump_slope,
    inputs=st.tuples((st.floats(-3, 3) | signed(st.floats(0.001, 0.1))).map(np.float64)),
    typical=lambda rng: (rng.uniform(0.2, 2.0),),
)


@planted.bug(BUMP, "clip", "wrong_formula")
def clipped(x):
    """What keeps the exponential from 1/0 is also there where it is not needed (JAX 15588)."""
    safe = jnp.maximum(x, 1e-2)
    return jnp.where(x > 0, jnp.exp(-1 / safe) / jnp.square(safe), 0.0)


@planted.rewriting(BUMP)
def by_inverse(x):
    """In terms of 1/x."""
    inverse = 1 / jnp.where(x > 0, x, 1.0)
    return jnp.where(x > 0, inverse * inverse * jnp.exp(-inverse), 0.0)


_PRICES = np.array([1.0, 2.0, -1.0])


def _projected(x):
    descending = jnp.sort(x)[::-1]
    excess = jnp.cumsum(descending) - 1
    kept = jnp.sum(descending - excess / jnp.arange(1, 4).astype(x.dtype) > 0)
    return jnp.maximum(x - jnp.take(excess, kept - 1) / kept.astype(x.dtype), 0)


def simplex_price(x):
    """A linear function of the projection upon the probability simplex."""
    return jnp.sum(_PRICES * _projected(x))


def _price_with(count):
    ruled = jax.custom_vjp(simplex_price)

    def backward(x, cotangent):
        support = jnp.where(_projected(x) > 0, 1.0, 0.0)
        pulled = cotangent * _PRICES * support
        return (support * (pulled - jnp.sum(pulled) / count(support)),)

    ruled.defvjp(lambda x: (simplex_price(x), x), backward)
    return ruled


SIMPLEX = Subject(
    name="simplex_rule",
    function=simplex_price,
    inputs=st.tuples(array(st.floats(-3, 3) | st.sampled_from([0.0, 0.5]), 3)),
    typical=lambda rng: (rng.normal(size=3),),
)
_over_all, _over_support = _price_with(lambda support: 3.0), _price_with(jnp.sum)


@planted.bug(SIMPLEX, "index", "wrong_formula", "wrong_second_order")
def mean_over_all(x):
    """The mean over all entries, not over those of the support."""
    return _over_all(x)


@planted.rewriting(SIMPLEX)
def mean_over_support(x):
    """The mean over the support."""
    return _over_support(x)


def pendulum(rate, start):
    """Four steps of Euler's."""
    for _ in range(4):
        start = start - 0.25 * rate * jnp.sin(start)
    return start


def _pendulum_with(step):
    ruled = jax.custom_vjp(pendulum)

    def backward(kept, cotangent):
        rate, angle = kept
        angles = [angle]
        for _ in range(3):
            angles.append(angles[-1] - 0.25 * rate * jnp.sin(angles[-1]))
        by_rate = jnp.zeros_like(rate)
        for angle in reversed(angles):
            by_rate = by_rate - cotangent * step * jnp.sin(angle)
            cotangent = cotangent * (1 - 0.25 * rate * jnp.cos(angle))
        return by_rate, cotangent

    ruled.defvjp(lambda *args: (pendulum(*args), args), backward)
    return ruled


PENDULUM = Subject(
    name="adjoint_rule",
    function=pendulum,
    inputs=st.tuples(st.floats(-1, 1).map(np.float64), st.floats(-3, 3).map(np.float64)),
    typical=lambda rng: (rng.uniform(0.2, 1), rng.normal()),
    wrt=(0, 1),
)
_without_step, _with_step = _pendulum_with(1.0), _pendulum_with(0.25)


@planted.bug(PENDULUM, "factor", "wrong_formula", "forward_reverse_differ")
def step_forgotten(rate, start):
    """The adjoint of the parameter without the length of a step."""
    return _without_step(rate, start)


@planted.rewriting(PENDULUM)
def step_by_step(rate, start):
    """The discrete adjoint."""
    return _with_step(rate, start)


def normalised(x):
    """A linear function of what a normalisation layer gives."""
    centred = x - jnp.mean(x)
    return jnp.sum(_PRICES * centred) * jax.lax.rsqrt(jnp.mean(jnp.square(centred)) + 1e-6)


LAYER = Subject(
    name="layer_rule",
    function=normalised,
    inputs=st.tuples(array(st.floats(-3, 3), 3).map(lambda x: x + 1e4)),
    typical=lambda rng: (rng.normal(size=3),),
)


@planted.bug(LAYER, "cancellation", "unstable", "not_finite")
def fast_variance(x):
    """The variance as a difference of means (Flax, `use_fast_variance`)."""
    mean = jnp.mean(x)
    variance = jnp.mean(x * x) - mean * mean
    return jnp.sum(_PRICES * (x - mean)) * jax.lax.rsqrt(variance + 1e-6)


@planted.rewriting(LAYER)
def by_variance(x):
    """The variance in two passes."""
    return jnp.sum(_PRICES * (x - jnp.mean(x))) / jnp.sqrt(jnp.var(x) + 1e-6)


def arccos(x):
    """The angle of a cosine."""
    return jnp.arccos(x)


def _arccos_with(slope):
    ruled = jax.custom_jvp(arccos)
    ruled.defjvps(lambda t, angle, x: t * slope(x))
    return ruled


ARCCOS = Subject(
    name="arccos_rule",
    function=arccos,
    inputs=st.tuples(
        (st.floats(-0.99, 0.99) | st.floats(1e-7, 1e-2).map(lambda d: 1 - d)).map(np.float64)
    ),
    typical=lambda rng: (rng.uniform(-0.9, 0.9),),
)
_safe = _arccos_with(lambda x: -1 / jnp.sqrt(1 - jnp.square(jnp.clip(x, -1 + 1e-4, 1 - 1e-4))))
_by_root = _arccos_with(lambda x: -jax.lax.rsqrt(1 - x * x))


@planted.bug(ARCCOS, "clip", "wrong_formula")
def clipped_to_be_safe(x):
    """A slope that is clipped next to 1, as simulators of rigid bodies have it."""
    return _safe(x)


@planted.rewriting(ARCCOS)
def by_inverse_root(x):
    """One inverse root."""
    return _by_root(x)
