"""Random compositions of primitives, and their derivatives, against JAX."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from tests.crosscheck.exact.oracles import assert_agrees

# Every step keeps its values within a few units, and away from where float64 itself loses digits:
# what is tested is the exact evaluation, not the conditioning of a random formula.
UNARY = [
    jnp.sin,
    jnp.cos,
    jnp.tanh,
    jnp.arctan,
    jax.nn.sigmoid,
    jax.nn.softplus,
    lambda x: jnp.exp(-jnp.square(x)),
    lambda x: jnp.log1p(jnp.square(x)),
    lambda x: jnp.sqrt(1 + x**2),
    lambda x: lax.rsqrt(2 + jnp.cos(x)),
    lambda x: jnp.expm1(jnp.tanh(x)),
    lambda x: lax.erf(x),
    lambda x: lax.lgamma(2 + jnp.sin(x)),
    lambda x: jnp.where(x > 0.1, jnp.log(jnp.where(x > 0.1, x, 1.0)), x),
    lambda x: jnp.clip(x, -0.7, 0.9),
    lambda x: jnp.abs(x) ** 1.5,
    lambda x: jax.checkpoint(lambda v: jnp.sin(v) / 2)(x),
    lambda x: jax.nn.relu(x) - 0.1,
]
BINARY = [
    jnp.add,
    jnp.subtract,
    lambda x, y: jnp.sin(x) * y,
    lambda x, y: x / (2 + jnp.cos(y)),
    jnp.maximum,
    jnp.minimum,
    jnp.logaddexp,
    lambda x, y: jnp.arctan2(x, 2 + jnp.sin(y)),
    lambda x, y: jnp.where(x > y, x, 2 * y),
    lambda x, y: (1.5 + jnp.sin(x)) ** jnp.tanh(y),
]
FOLDS = [
    jnp.cumsum,
    jnp.flip,
    jnp.sort,
    jax.nn.softmax,
    lambda x: x - jnp.mean(x),
    lambda x: x[jnp.array([2, 0, 2])],
    lambda x: jnp.zeros(3).at[jnp.array([1, 1, 0])].add(x),
    lambda x: jnp.broadcast_to(jax.nn.logsumexp(x), (3,)),
    lambda x: jnp.outer(x, jnp.sin(x)) @ x / 3,
    lambda x: lax.scan(lambda c, a: (jnp.sin(c + a), c), 0.5, x)[1],
    lambda x: jnp.concatenate([x[1:], x[:1] ** 2 / 4]),
    lambda x: jnp.full(3, jnp.max(x)),
    lambda x: lax.cummax(x) / 2,
]

steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(UNARY), st.integers(0, 30)),
        st.tuples(st.sampled_from(BINARY), st.integers(0, 30), st.integers(0, 30)),
        st.tuples(st.sampled_from(FOLDS), st.integers(0, 30)),
    ),
    min_size=1,
    max_size=6,
)
points = st.lists(st.integers(-2000, 2000), min_size=6, max_size=6, unique=True)


def _program(steps):
    def program(x, y):
        values = [x, y]
        for function, *places in steps:
            value = function(*[values[place % len(values)] for place in places])
            values.append(value)
        return sum(jnp.sum(value * (i + 1) / 3) for i, value in enumerate(values[2:]))

    return program


@given(steps, points)
@settings(max_examples=15)
def test_value_and_derivatives_of_any_program_agree_with_jax(steps, points):
    program = _program(steps)
    # Odd fractions, all different: no two values tie unless the program makes them.
    x, y = np.array(points).reshape(2, 3) / 977.0

    def derivative_along_a_line(x, y):
        gradient = jax.grad(program, argnums=(0, 1))
        return jax.jvp(gradient, (x, y), (y + 1, x - 1))

    assert_agrees(program, x, y, rtol=1e-9, atol=1e-9)
    assert_agrees(derivative_along_a_line, x, y, rtol=1e-8, atol=1e-8)


@given(steps, points)
@settings(max_examples=6)
def test_programs_under_vmap_agree_with_jax(steps, points):
    batch = np.array(points).reshape(2, 3) / 977.0

    def gradients(batch):
        return jax.vmap(jax.grad(_program(steps)), in_axes=(0, None))(batch, batch[0] + 0.25)

    assert_agrees(gradients, batch, rtol=1e-9, atol=1e-9)


@jax.custom_batching.custom_vmap
def tripled(x):
    return 3 * x


@tripled.def_vmap
def _(size, batched, x):
    return 3 * x, batched[0]


def test_a_function_with_a_batching_rule_is_evaluated_by_its_body():
    assert_agrees(lambda x: jnp.sin(tripled(x)), 0.7)
