"""Helpers for the tests of exact evaluation: tracing in float64, comparison with JAX."""

import jax
import numpy as np
from flint import arb

from mog_jax.crosscheck.exact import evaluate


def exactly(function, *args, **options):
    """Return a function's flat outputs, evaluated exactly."""
    with jax.enable_x64(True):
        jaxpr = jax.make_jaxpr(function)(*args)
    return evaluate(jaxpr, [np.asarray(leaf) for leaf in jax.tree.leaves(args)], **options)


def to_floats(values):
    """Round balls to the nearest double; integers and booleans stay."""
    if values.dtype != object:
        return values
    return np.array([_to_float(v) for v in values.flat], float).reshape(values.shape)


def _to_float(ball):
    assert isinstance(ball, arb)
    if ball.is_finite():
        return float(ball.mid())
    assert ball.is_nan() or ball.is_exact(), "nothing is known of this element"
    return np.nan if ball.is_nan() else np.inf if ball > 0 else -np.inf


def in_floats(function, *args):
    """Evaluate a function of arrays as JAX does, in float64."""
    with jax.enable_x64(True):
        args = jax.tree.map(jax.numpy.asarray, args)
        return [np.asarray(leaf) for leaf in jax.tree.leaves(function(*args))]


def assert_agrees(function, *args, rtol=1e-12, atol=1e-12, **options):
    """Compare exact evaluation with JAX's float64."""
    exact = [to_floats(value) for value in exactly(function, *args, **options)]
    floats = in_floats(function, *args)
    assert len(exact) == len(floats)
    for ours, theirs in zip(exact, floats, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)
