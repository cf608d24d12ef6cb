"""A function to check, and derivatives of it: right ones, and ones that are wrong on purpose."""

import contextlib
import io

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np


def shown_by(snippet, **names):
    """Run a snippet in a namespace of its own, and return its output."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(snippet, {"__name__": "pasted", **names})
    return printed.getvalue()


def log_sum(w, z):
    """Log of a weighted sum of exponentials: smooth, with a tail and a constraint in it."""
    return jnp.sum(jax.nn.logsumexp(jnp.log(w)[None, :] + z, axis=1))


def shares(w, z):
    return jax.nn.softmax(jnp.log(w)[None, :] + z, axis=1)


def right(w, z):
    return jnp.sum(shares(w, z), axis=0) / w


def factored(w, z):
    """Another right one, without the exponentials' overflow and without logarithms."""
    e = jnp.exp(z - jnp.max(z, axis=1, keepdims=True))
    return jnp.sum(e / jnp.sum(w[None, :] * e, axis=1, keepdims=True), axis=0)


@st.composite
def inputs(draw, n=3):
    exponent = st.sampled_from([0.0, -3.0]) | st.floats(-3, 0)
    w = np.array([10.0 ** draw(exponent), 10.0 ** draw(exponent)])
    score = st.sampled_from([0.0, 1.0, -40.0, 400.0, -800.0]) | st.floats(-6, 6)
    z = np.array(draw(st.lists(score, min_size=2 * n, max_size=2 * n))).reshape(n, 2)
    return w, z


def naive(w, z):
    e = w[None, :] * jnp.exp(z)
    return jnp.sum(e / jnp.sum(e, axis=1, keepdims=True), axis=0) / w


def one_minus(w, z):
    first = shares(w, z)[:, 0]
    return jnp.stack([jnp.sum(first), jnp.sum(1 - first)]) / w


def single_precision(w, z):
    g = shares(w, z)
    return jnp.sum(g.astype(jnp.float32).astype(g.dtype), axis=0) / w


@jax.custom_jvp
def _unchanged(x):
    return x


_unchanged.defjvp(lambda primals, tangents: (primals[0], 2 * tangents[0]))


@jax.custom_batching.custom_vmap
def _alone(x):
    return x


@_alone.def_vmap
def _(size, batched, x):
    return x * (1 + 1e-3), batched[0]


def is_traced(x):
    return isinstance(x, jax.core.Tracer)


def _not_finite_in_second_order(w, z):
    """Right, but the square root's own derivative is infinite where a share vanishes."""
    return jnp.sum(jnp.sqrt(shares(w, z)) ** 2, axis=0) / w


# Wrong on purpose, each with the kind that it is to be called.
WRONG = {
    "factor": (lambda w, z: 2 * right(w, z), "wrong_formula"),
    "sign": (lambda w, z: -right(w, z), "wrong_formula"),
    "index": (lambda w, z: right(w, z)[::-1], "wrong_formula"),
    "dropped point": (lambda w, z: right(w, z[1:]), "wrong_formula"),
    "forgotten division": (lambda w, z: right(w, z) * w, "wrong_formula"),
    "smoothed by 1e-3": (lambda w, z: right(w, z) * w / (w + 1e-3), "wrong_formula"),
    "smoothed by 1e-14": (lambda w, z: right(w, z) * w / (w + 1e-14), "wrong_formula"),
    "clipped": (lambda w, z: jnp.sum(jnp.clip(shares(w, z), 1e-14, 1), 0) / w, "wrong_formula"),
    "only in the tail": (
        lambda w, z: jnp.where(jnp.max(jnp.abs(z)) > 300, 1.01, 1.0) * right(w, z),
        "wrong_formula",
    ),
    "only at equality": (
        lambda w, z: jnp.where(w[0] == w[1], 1.5, 1.0) * right(w, z),
        "wrong_formula",
    ),
    "single-precision constant": (
        lambda w, z: right(w, z) * (float(np.float32(0.1)) * 10.0),
        "wrong_formula",
    ),
    "overflow": (naive, "not_finite"),
    "one minus": (one_minus, "unstable"),
    "single precision inside": (single_precision, "unstable"),
    "only traced": (
        lambda w, z: right(w, z) * (1.001 if is_traced(w) else 1.0),
        "differs_under_jit",
    ),
    "only eager": (
        lambda w, z: right(w, z) * (1.0 if is_traced(w) else 1.001),
        "differs_under_jit",
    ),
    "only batched": (lambda w, z: _alone(right(w, z)), "differs_under_vmap"),
    "second derivative": (lambda w, z: _unchanged(right(w, z)), "wrong_second_order"),
    "second derivative stopped": (
        lambda w, z: jax.lax.stop_gradient(right(w, z)),
        "wrong_second_order",
    ),
    "second derivative not finite": (_not_finite_in_second_order, "not_finite"),
    "shape": (lambda w, z: right(w, z)[None, :], "wrong_shape_or_dtype"),
    "dtype": (lambda w, z: right(w, z).astype(jnp.float32), "wrong_shape_or_dtype"),
    "structure": (lambda w, z: (right(w, z),), "wrong_shape_or_dtype"),
}

RIGHT = {
    "softmax": right,
    "factored": factored,
    "autodiff, reverse": jax.grad(log_sum),
    "autodiff, forward": jax.jacfwd(log_sum),
    "jitted": jax.jit(right),
    "sorted": lambda w, z: right(w, jnp.sort(z, axis=0) if z.shape[1] == 1 else z[::-1]),
    "contracted": lambda w, z: jnp.einsum("ik,k->k", shares(w, z), 1 / w),
    "another constant": lambda w, z: right(w, z) * np.sqrt(2 * np.pi) * (1 / np.sqrt(2 * np.pi)),
    "guarded": lambda w, z: jnp.where(
        w > 0, right(jnp.where(w > 0, w, jnp.ones_like(w)), z), jnp.zeros_like(w)
    ),
}
