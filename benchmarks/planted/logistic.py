"""Logistic regression with labels of -1 and 1: a matrix product and a saturating link."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from benchmarks.planted.case import ROUNDING, Collection, Subject
from benchmarks.planted.draws import array, log_uniform
from benchmarks.planted.traps import is_traced, with_batching_rule

planted = Collection()


def log_likelihood(coefficients, design, labels):
    """Sum of log sigmoid(label x linear predictor)."""
    return jnp.sum(jax.nn.log_sigmoid(labels * (design @ coefficients)))


def gradient(coefficients, design, labels):
    """Pull of each row: its label times the probability of the other label."""
    return (labels * jax.nn.sigmoid(-labels * (design @ coefficients))) @ design


@st.composite
def _inputs(draw: st.DrawFn):
    n = draw(st.sampled_from([1, 2, 20]))
    size = draw(st.sampled_from([0.1, 1.0, 10.0, 100.0]))
    units = np.array([1.0, draw(log_uniform(1e-3, 1e3)), draw(log_uniform(1e-3, 1e3))])
    design = draw(array(st.floats(-3, 3), n, 3)) * units
    design[:, 0] = units[0]
    if draw(st.booleans()):
        design[:] = design[0]
    coefficients = size * draw(array(st.floats(-2, 2), 3)) / units
    labels = draw(array(st.sampled_from([-1.0, 1.0]), n))
    return coefficients, design, labels


def _typical(rng):
    return rng.normal(size=3), rng.normal(size=(5, 3)), rng.choice([-1.0, 1.0], size=5)


LOGISTIC = Subject(
    name="logistic",
    function=log_likelihood,
    derivative=gradient,
    inputs=_inputs(),
    typical=_typical,
)


@planted.bug(LOGISTIC, "sign", "wrong_formula")
def label_forgotten_inside(coefficients, design, labels):
    """The label is left out of the sigmoid: right for one label, wrong for the other."""
    return (labels * jax.nn.sigmoid(-(design @ coefficients))) @ design


@planted.bug(LOGISTIC, "factor", "wrong_formula")
def averaged_over_rows(coefficients, design, labels):
    """The mean over the rows, where the function is a sum."""
    return gradient(coefficients, design, labels) / design.shape[0]


@planted.bug(LOGISTIC, "dropped", "wrong_formula")
def intercept_not_updated(coefficients, design, labels):
    """The first coefficient is left out."""
    return gradient(coefficients, design, labels).at[0].set(0)


@planted.bug(LOGISTIC, "index", "wrong_formula")
def last_two_columns_swapped(coefficients, design, labels):
    """The second and third coefficients take each other's derivative."""
    return gradient(coefficients, design, labels)[jnp.array([0, 2, 1])]


@planted.bug(LOGISTIC, "clip", "wrong_formula")
def predictor_clipped(coefficients, design, labels):
    """The predictor is kept within 20."""
    eta = jnp.clip(design @ coefficients, -20, 20)
    return (labels * jax.nn.sigmoid(-labels * eta)) @ design


@planted.bug(LOGISTIC, "clip", "wrong_formula")
def probability_clipped(coefficients, design, labels):
    """The probability is kept away from 0 by 1e-12."""
    probability = jnp.clip(jax.nn.sigmoid(-labels * (design @ coefficients)), 1e-12, 1)
    return (labels * probability) @ design


@planted.bug(LOGISTIC, "cancellation", *ROUNDING)
def one_minus_sigmoid(coefficients, design, labels):
    """1 - sigmoid: nothing is left of a confident right prediction."""
    return (labels * (1 - jax.nn.sigmoid(labels * (design @ coefficients)))) @ design


@planted.bug(LOGISTIC, "overflow", "not_finite")
def exp_over_one_plus_exp(coefficients, design, labels):
    """exp(t) / (1 + exp(t)) is inf / inf for large t."""
    e = jnp.exp(-labels * (design @ coefficients))
    return (labels * (e / (1 + e))) @ design


@planted.bug(LOGISTIC, "float32", "unstable")
def product_in_float32(coefficients, design, labels):
    """The last product is accumulated in float32."""
    pull = labels * jax.nn.sigmoid(-labels * (design @ coefficients))
    product = pull.astype(jnp.float32) @ jnp.asarray(design).astype(jnp.float32)
    return product.astype(pull.dtype)


@planted.bug(LOGISTIC, "power", "wrong_formula")
def variance_for_probability(coefficients, design, labels):
    """The product p (1 - p) in the place of p: the second derivative's weight."""
    p = jax.nn.sigmoid(-labels * (design @ coefficients))
    return (labels * p * jax.nn.sigmoid(labels * (design @ coefficients))) @ design


@planted.bug(LOGISTIC, "shape or dtype", "wrong_shape_or_dtype")
def by_row(coefficients, design, labels):
    """The rows' derivatives are not added."""
    pull = labels * jax.nn.sigmoid(-labels * (design @ coefficients))
    return pull[:, None] * design


def _summed_over_the_batch(size, batched, coefficients, design, labels):
    """Add the datasets up, as a rule written for shared coefficients would."""
    axes = tuple(0 if flag else None for flag in batched)
    each = jax.vmap(gradient, in_axes=axes)(coefficients, design, labels)
    return jnp.broadcast_to(jnp.sum(each, axis=0), each.shape), True


_adding = with_batching_rule(gradient, _summed_over_the_batch)


@planted.bug(LOGISTIC, "vmap", "differs_under_vmap")
def datasets_added_under_vmap(coefficients, design, labels):
    """Under vmap the datasets' derivatives are added up."""
    return _adding(coefficients, design, labels)


@planted.bug(LOGISTIC, "jit", "differs_under_jit")
def shortcut_when_eager(coefficients, design, labels):
    """A shortcut for confident predictions, taken where values can be looked at."""
    if not is_traced(coefficients, design, labels):
        margin = labels * (design @ coefficients)
        if bool(jnp.all(margin > 8)):
            return jnp.zeros_like(gradient(coefficients, design, labels))
    return gradient(coefficients, design, labels)


@planted.rewriting(LOGISTIC)
def tanh_form(coefficients, design, labels):
    """The pull by way of exp and expm1 in the safe direction only."""
    t = -labels * (design @ coefficients)
    e = jnp.exp(-jnp.abs(t))
    pull = jnp.where(t >= 0, 1 / (1 + e), e / (1 + e))
    return jnp.einsum("n,nd->d", labels * pull, design)


@planted.rewriting(LOGISTIC)
def exponential_of_log_sigmoid(coefficients, design, labels):
    """The probability as the exponential of its logarithm."""
    t = -labels * (design @ coefficients)
    return design.T @ (labels * jnp.exp(jax.nn.log_sigmoid(t)))


@planted.rewriting(LOGISTIC)
def split_by_label(coefficients, design, labels):
    """Rows of either label apart, each with its own sigmoid."""
    eta = design @ coefficients
    positive = jnp.where(labels > 0, jax.nn.sigmoid(-eta), jnp.zeros_like(eta))
    negative = jnp.where(labels > 0, jnp.zeros_like(eta), jax.nn.sigmoid(eta))
    return (positive - negative) @ design
