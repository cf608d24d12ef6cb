"""Logistic growth by Heun's steps in a scan, held against observations."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from benchmarks.planted.case import Collection, Subject
from benchmarks.planted.draws import array, log_uniform

planted = Collection("fresh")

_STEP = 0.125


def _speed(rate, capacity, size):
    return rate * size * (1 - size / capacity)


def misfit(rate, capacity, start, observed):
    """Half the squared distance between a growing population and observations of it."""

    def step(size, seen):
        first = _speed(rate, capacity, size)
        second = _speed(rate, capacity, size + _STEP * first)
        size = size + 0.5 * _STEP * (first + second)
        return size, 0.5 * jnp.square(size - seen)

    _, squares = jax.lax.scan(step, start * jnp.ones_like(rate), observed)
    return jnp.sum(squares)


def _slopes(rate, capacity, size, change):
    """Move the speed with rate, capacity and a size that itself changes with both."""
    free = 1 - size / capacity
    own = rate * (free - size / capacity)
    by_rate = size * free + own * change[0]
    by_capacity = rate * jnp.square(size / capacity) + own * change[1]
    return jnp.stack([by_rate, by_capacity])


def sensitivities(rate, capacity, start, observed, second_slopes=_slopes):
    """Carry the size and its derivatives along; `second_slopes` are those of the corrector."""

    def step(carry, seen):
        size, change = carry
        first = _speed(rate, capacity, size)
        change_first = _slopes(rate, capacity, size, change)
        ahead, change_ahead = size + _STEP * first, change + _STEP * change_first
        second = _speed(rate, capacity, ahead)
        change_second = second_slopes(rate, capacity, ahead, change_ahead)
        size = size + 0.5 * _STEP * (first + second)
        change = change + 0.5 * _STEP * (change_first + change_second)
        return (size, change), (size - seen) * change

    zero = jnp.zeros_like(jnp.stack([rate, capacity]))
    _, pulls = jax.lax.scan(step, (start * jnp.ones_like(rate), zero), observed)
    return pulls


def gradient(rate, capacity, start, observed):
    """Give the derivative by rate and capacity."""
    by_rate, by_capacity = jnp.sum(sensitivities(rate, capacity, start, observed), axis=0)
    return by_rate, by_capacity


@st.composite
def _inputs(draw: st.DrawFn):
    n = draw(st.sampled_from([1, 2, 8]))
    rate = draw(st.one_of(st.sampled_from([1.0, -1.0]), st.floats(-2, 4)))
    capacity = draw(log_uniform(1e-1, 1e3))
    start = capacity * draw(st.one_of(st.sampled_from([1.0, 0.5]), log_uniform(1e-3, 2)))
    observed = capacity * draw(array(st.floats(0, 1.5), n))
    return np.float64(rate), np.float64(capacity), np.float64(start), observed


def _typical(rng):
    return rng.uniform(0.5, 2), rng.uniform(2, 4), rng.uniform(0.5, 1), rng.uniform(1, 3, size=6)


GROWTH = Subject(
    name="growth",
    function=misfit,
    derivative=gradient,
    wrt=(0, 1),
    inputs=_inputs(),
    typical=_typical,
)


@planted.bug(GROWTH, "dropped", "wrong_formula")
def corrector_forgets_the_predictor(rate, capacity, start, observed):
    """The corrector's slope does not move with the predicted size."""

    def partial(rate, capacity, size, change):
        return _slopes(rate, capacity, size, 0 * change)

    by_rate, by_capacity = jnp.sum(sensitivities(rate, capacity, start, observed, partial), axis=0)
    return by_rate, by_capacity


@planted.bug(GROWTH, "sign", "wrong_formula")
def capacity_negated(rate, capacity, start, observed):
    """The derivative by the capacity has the wrong sign."""
    by_rate, by_capacity = gradient(rate, capacity, start, observed)
    return by_rate, -by_capacity


@planted.bug(GROWTH, "dropped", "wrong_formula")
def last_observation_skipped(rate, capacity, start, observed):
    """The last observation pulls at nothing, unless it is the only one."""
    pulls = sensitivities(rate, capacity, start, observed)
    by_rate, by_capacity = jnp.sum(pulls[:-1] if len(observed) > 1 else pulls, axis=0)
    return by_rate, by_capacity


@planted.bug(GROWTH, "second order", "wrong_second_order")
def pulls_frozen(rate, capacity, start, observed):
    """The start of the corrector is a constant to the second derivative."""

    def frozen(rate, capacity, size, change):
        return _slopes(rate, capacity, jax.lax.stop_gradient(size), change)

    by_rate, by_capacity = jnp.sum(sensitivities(rate, capacity, start, observed, frozen), axis=0)
    return by_rate, by_capacity


@planted.bug(GROWTH, "float32", "unstable")
def pulls_in_float32(rate, capacity, start, observed):
    """The pulls are added in float32."""
    pulls = sensitivities(rate, capacity, start, observed).astype(jnp.float32)
    by_rate, by_capacity = jnp.sum(pulls, axis=0).astype(observed.dtype)
    return by_rate, by_capacity


@planted.rewriting(GROWTH)
def adjoint(rate, capacity, start, observed):
    """Backwards through the steps, a pull at the size carried along."""
    sizes = [start * jnp.ones_like(rate)]
    for _ in range(len(observed)):
        first = _speed(rate, capacity, sizes[-1])
        second = _speed(rate, capacity, sizes[-1] + _STEP * first)
        sizes.append(sizes[-1] + 0.5 * _STEP * (first + second))
    pull = by_rate = by_capacity = jnp.zeros_like(rate)
    for size, after, seen in reversed(list(zip(sizes[:-1], sizes[1:], observed, strict=True))):
        pull = pull + (after - seen)
        ahead = size + _STEP * _speed(rate, capacity, size)
        own, own_ahead = (rate * (1 - 2 * s / capacity) for s in (size, ahead))
        # What the step's two slopes are worth: the first also moves where the second is taken.
        second = 0.5 * _STEP * pull
        first = second + _STEP * own_ahead * second
        by_rate = by_rate + sum(
            worth * s * (1 - s / capacity) for worth, s in ((first, size), (second, ahead))
        )
        by_capacity = by_capacity + sum(
            worth * rate * jnp.square(s / capacity) for worth, s in ((first, size), (second, ahead))
        )
        pull = pull + own * first + own_ahead * second
    return by_rate, by_capacity
