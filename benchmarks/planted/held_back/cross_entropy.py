"""Softmax cross-entropy with integer labels: shifts, ties, and a gather."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from benchmarks.planted.case import ROUNDING, Collection, Subject
from benchmarks.planted.draws import array, log_uniform, signed
from benchmarks.planted.traps import is_traced

planted = Collection("held back")


def loss(logits, labels):
    """Sum over the rows of logsumexp minus the label's logit."""
    chosen = jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    return jnp.sum(jax.nn.logsumexp(logits, axis=1) - chosen)


def gradient(logits, labels):
    """Softmax minus one-hot."""
    probability = jax.nn.softmax(logits, axis=1)
    return probability - jax.nn.one_hot(labels, logits.shape[1], dtype=probability.dtype)


@st.composite
def _inputs(draw: st.DrawFn):
    n, classes = draw(st.sampled_from([(1, 2), (1, 4), (3, 4)]))
    spread = draw(st.sampled_from([0.0, 0.1, 1.0, 10.0, 300.0]))
    offset = draw(st.one_of(st.just(0.0), signed(log_uniform(1, 1e4))))
    logits = offset + spread * draw(array(st.one_of(st.floats(-3, 3), st.just(0.0)), n, classes))
    labels = np.array(
        draw(st.lists(st.integers(0, classes - 1), min_size=n, max_size=n)), dtype=np.int32
    )
    return logits, labels


def _typical(rng):
    return rng.normal(size=(3, 4)), rng.integers(0, 4, size=3).astype(np.int32)


CROSS_ENTROPY = Subject(
    name="cross_entropy",
    function=loss,
    derivative=gradient,
    inputs=_inputs(),
    typical=_typical,
)


def _one_hot(logits, labels):
    return jax.nn.one_hot(labels, logits.shape[1], dtype=logits.dtype)


@planted.bug(CROSS_ENTROPY, "index", "wrong_formula")
def labels_from_one(logits, labels):
    """The labels are taken to count from 1."""
    return jax.nn.softmax(logits, axis=1) - _one_hot(logits, labels - 1)


@planted.bug(CROSS_ENTROPY, "factor", "wrong_formula")
def mean_over_rows(logits, labels):
    """The mean over the rows, where the function is a sum."""
    return gradient(logits, labels) / logits.shape[0]


@planted.bug(CROSS_ENTROPY, "sign", "wrong_formula")
def ascent(logits, labels):
    """The gradient of the log-likelihood, where the function is the loss."""
    return -gradient(logits, labels)


@planted.bug(CROSS_ENTROPY, "index", "wrong_formula")
def softmax_over_rows(logits, labels):
    """Softmax along the other axis."""
    return jax.nn.softmax(logits, axis=0) - _one_hot(logits, labels)


@planted.bug(CROSS_ENTROPY, "overflow", *ROUNDING)
def softmax_unshifted(logits, labels):
    """Softmax without taking off the largest logit."""
    e = jnp.exp(logits)
    return e / jnp.sum(e, axis=1, keepdims=True) - _one_hot(logits, labels)


@planted.bug(CROSS_ENTROPY, "smoothing", "wrong_formula")
def softmax_plus_1e_7(logits, labels):
    """1e-7 is added to softmax's denominator."""
    e = jnp.exp(logits - jnp.max(logits, axis=1, keepdims=True))
    return e / (jnp.sum(e, axis=1, keepdims=True) + 1e-7) - _one_hot(logits, labels)


@planted.bug(CROSS_ENTROPY, "smoothing", "wrong_formula")
def label_smoothing(logits, labels):
    """The labels are smoothed by 1e-3, the function's are not."""
    smooth = 0.999 * _one_hot(logits, labels) + 0.001 / logits.shape[1]
    return jax.nn.softmax(logits, axis=1) - smooth


@planted.bug(CROSS_ENTROPY, "equality", "wrong_formula")
def right_rows_skipped(logits, labels):
    """A row whose label has the (possibly tied) largest logit counts as solved."""
    chosen = jnp.take_along_axis(logits, labels[:, None], axis=1)
    tied = jnp.sum(logits == chosen, axis=1, keepdims=True) > 1
    full = gradient(logits, labels)
    return jnp.where(tied, jnp.zeros_like(full), full)


@planted.bug(CROSS_ENTROPY, "ordering", "wrong_formula")
def columns_sorted(logits, labels):
    """Softmax of the sorted logits: right only where they are in order already."""
    return jax.nn.softmax(jnp.sort(logits, axis=1), axis=1) - _one_hot(logits, labels)


@planted.bug(CROSS_ENTROPY, "float32", "unstable")
def softmax_in_float32(logits, labels):
    """Softmax is taken in float32."""
    narrow = jnp.asarray(logits).astype(jnp.float32)
    return jax.nn.softmax(narrow, axis=1).astype(logits.dtype) - _one_hot(logits, labels)


@planted.bug(CROSS_ENTROPY, "jit", "differs_under_jit")
def shift_forgotten_when_traced(logits, labels):
    """Compiled code divides by the number of classes as well."""
    full = gradient(logits, labels)
    return full / logits.shape[1] if is_traced(logits, labels) else full


@planted.bug(CROSS_ENTROPY, "vmap", "differs_under_vmap")
def transposed_when_batched(logits, labels):
    """A batch is told by the name of its tracer, and its rows are handled in reverse."""
    full = gradient(logits, labels)
    batched = type(logits).__name__ == "BatchTracer"
    return full[:, ::-1] if batched else full


@planted.bug(CROSS_ENTROPY, "shape or dtype", "wrong_shape_or_dtype")
def transposed(logits, labels):
    """Classes by rows, where the argument is rows by classes."""
    return gradient(logits, labels).T


@planted.rewriting(CROSS_ENTROPY)
def scatter(logits, labels):
    """One is taken off at the label's place."""
    probability = jnp.exp(logits - jax.nn.logsumexp(logits, axis=1, keepdims=True))
    return probability.at[jnp.arange(logits.shape[0]), labels].add(-1)


@planted.rewriting(CROSS_ENTROPY)
def label_through_the_others(logits, labels):
    """At the label: minus the sum of the other probabilities, which cancels nothing."""
    probability = jax.nn.softmax(logits, axis=1)
    hot = _one_hot(logits, labels)
    others = jnp.sum(probability * (1 - hot), axis=1, keepdims=True)
    return probability * (1 - hot) - others * hot
