"""A module with derivative rules of every kind, some of them wrong, for discovery to find."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.experimental import hijax
from jax.nn import relu  # noqa: F401, another package's rule, which is not this one's to check


@jax.custom_jvp
def right(x):
    return jnp.sin(x)


right.defjvps(lambda t, y, x: t * jnp.cos(x))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def wrong(x, power):
    return x**power


wrong.defvjp(lambda x, power: (x**power, x), lambda power, x, g: (g * x ** (power - 1),))

compiled = jax.jit(right)


@functools.wraps(wrong)
def wrapped(x, power):
    return wrong(x, power)


@jax.jit
@jax.custom_jvp
def scaled(x: float, factor: float = 2.0) -> jax.Array:
    return x * factor


scaled.__wrapped__.defjvps(lambda t, y, x, factor: t * factor, lambda t, y, x, factor: t * x)


class Holder:
    @staticmethod
    @jax.custom_jvp
    def method(x):
        return x * x

    method.__func__.defjvps(lambda t, y, x: 2 * t * x)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def applied(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    return function(x)


applied.defjvp(lambda function, primals, tangents: jax.jvp(function, primals, tangents))


class Cube(hijax.VJPHiPrimitive):
    def __init__(self, aval):
        self.in_avals, self.out_aval, self.params = (aval,), aval, {}
        super().__init__()

    def expand(self, x):
        return x**3

    def vjp_fwd(self, nzs_in, x):
        return self(x), x

    def vjp_bwd_retval(self, x, g):
        return (3 * g * x * x,)

    def batch_dim_rule(self, axis_data, dims):
        return dims[0]


def cube(x):
    return Cube(jax.typeof(x))(x)


def plain(x):
    return jnp.exp(x)
