"""More functions with a rule of their own, held against the same function without it."""

import jax
import jax.numpy as jnp
from hypothesis import strategies as st

from benchmarks.planted.case import Collection, Subject
from benchmarks.planted.draws import array, log_uniform
from benchmarks.planted.traps import with_tangent

planted = Collection("held back")


def log_one_minus_exp(x):
    """Sum of log(1 - exp(-x)) for positive x."""
    near = x < 0.7
    small = jnp.log(-jnp.expm1(-jnp.where(near, x, jnp.ones_like(x))))
    large = jnp.log1p(-jnp.exp(-jnp.where(near, jnp.ones_like(x), x)))
    return jnp.sum(jnp.where(near, small, large))


LOG_ONE_MINUS_EXP = Subject(
    name="log1mexp_rule",
    function=log_one_minus_exp,
    inputs=st.tuples(array(st.one_of(st.floats(0.01, 3), log_uniform(1e-9, 80)), 3)),
    typical=lambda rng: (rng.uniform(0.2, 3, size=3),),
)


def _by(slope):
    """Give the function the rule that its derivative is `slope`."""
    return with_tangent(log_one_minus_exp, lambda x, t: jnp.sum(slope(x[0]) * t[0]))


_right = _by(lambda x: -jnp.exp(-x) / jnp.expm1(-x))
_plus = _by(lambda x: 1 / (jnp.exp(x) + 1))
_cancelled = _by(lambda x: jnp.exp(-x) / (1 - jnp.exp(-x)))
_frozen = _by(lambda x: -jnp.exp(-jax.lax.stop_gradient(x)) / jnp.expm1(-x))


@planted.bug(LOG_ONE_MINUS_EXP, "sign", "wrong_formula")
def plus_one(x):
    """1/(exp(x) + 1) for 1/(exp(x) - 1)."""
    return _plus(x)


@planted.bug(LOG_ONE_MINUS_EXP, "cancellation", "unstable")
def one_minus_exp(x):
    """1 - exp(-x) where expm1 is needed."""
    return _cancelled(x)


@planted.bug(LOG_ONE_MINUS_EXP, "second order", "wrong_second_order")
def numerator_frozen(x):
    """The slope's numerator is a constant to the second derivative."""
    return _frozen(x)


@planted.rewriting(LOG_ONE_MINUS_EXP)
def expm1_rule(x):
    """Exponentials of -x, which do not overflow."""
    return _right(x)


def huber(x, width):
    """Sum of width² (sqrt(1 + (x/width)²) - 1): a parabola that becomes a cone."""
    z = x / width
    return jnp.sum(width * width * (z * z / (1 + jnp.sqrt(1 + z * z))))


HUBER = Subject(
    name="huber_rule",
    function=huber,
    wrt=(0, 1),
    inputs=st.tuples(array(st.floats(-100, 100), 3), array(log_uniform(1e-2, 1e2), 3)),
    typical=lambda rng: (rng.normal(size=3), rng.uniform(0.5, 2, size=3)),
)


@jax.custom_vjp
def _constant_width(x, width):
    return huber(x, width)


_constant_width.defvjp(
    lambda x, width: (huber(x, width), (x, width)),
    lambda kept, ct: (
        ct * kept[0] / jnp.sqrt(1 + jnp.square(kept[0] / kept[1])),
        jnp.zeros_like(kept[1]),
    ),
)


@planted.bug(HUBER, "dropped", "wrong_formula")
def width_without_derivative(x, width):
    """The backward pass takes the width for a setting: its derivative is 0."""
    return _constant_width(x, width)


@jax.custom_jvp
def _another_value(x, width):
    return huber(x, width) + 1e-9 * jnp.sum(jnp.abs(x))


_another_value.defjvp(lambda primals, tangents: jax.jvp(huber, primals, tangents))


@planted.bug(HUBER, "smoothing", "wrong_formula")
def another_value(x, width):
    """The derivative belongs to the function without the 1e-9 |x| that the value has."""
    return _another_value(x, width)


@jax.custom_vjp
def _both(x, width):
    return huber(x, width)


def _both_backward(kept, cotangent):
    x, width = kept
    z = x / width
    root = jnp.sqrt(1 + z * z)
    # With s = sqrt(1 + z²): 2 width (s - 1) - width z²/s = width (s - 1)²/s, and s - 1 by z²/(1+s).
    fall = z * z / (1 + root)
    return cotangent * x / root, cotangent * width * fall * fall / root


_both.defvjp(lambda x, width: (huber(x, width), (x, width)), _both_backward)


@planted.rewriting(HUBER)
def both_arguments(x, width):
    """The right backward pass by both arguments."""
    return _both(x, width)
