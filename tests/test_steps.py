"""Functions of the nine sums, against the same functions of the points themselves."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import mog_jax
from mog_jax import Mixture, statistics
from tests.strategies import mixtures_with_points

EPS = np.finfo(np.float64).eps
RNG = np.random.default_rng(5)
X = RNG.permutation(np.concatenate([RNG.normal(0, 1, 300), RNG.normal(3, 0.7, 200)]))
COUNTS = np.arange(X.size) % 4.0


@st.composite
def near(draw):
    """Draw a mixture of about the data's kind, its components in either order."""
    separation, weight = draw(st.floats(0.5, 5)), draw(st.floats(0.1, 0.9))
    ratio = 10.0 ** draw(st.floats(-1, 1))
    order = draw(st.sampled_from([1, -1]))
    return Mixture.from_arrays(
        weights=[weight, 1 - weight],
        means=np.array([0, separation])[::order].copy(),
        variances=[1, ratio],
    )


def of_coordinates(theta, x, counts):
    """The reference likelihood, as a function of the five coordinates."""
    weights = jax.nn.softmax(jnp.stack([theta[0], jnp.zeros_like(theta[0])]))
    mixture = Mixture(weights=weights, means=theta[1:3], variances=jnp.exp(theta[3:]))
    return mog_jax.log_likelihood(mixture, x, counts)


def coordinates(mixture):
    log_ratio = np.log(mixture.weights[0]) - np.log(mixture.weights[1])
    return np.concatenate([[log_ratio], mixture.means, np.log(mixture.variances)])


@given(mixtures_with_points(min_components=2, max_components=2), st.booleans())
def test_gradient_is_that_of_the_points(drawn, counted):
    mixture, x = drawn
    counts = np.arange(x.size) % 3.0 + 1 if counted else None
    found = statistics.gradient(mixture, statistics.sums(mixture, x, counts))
    expected = mog_jax.gradient(mixture, x, counts)
    # What the wider component's moments lose where the narrower one holds all: as of the sums.
    apart = 1 + np.ptp(mixture.means) ** 2 / mixture.variances.max()
    reach = np.abs(x[:, None] - mixture.means).max() + np.ptp(mixture.means)
    loss = 1e4 * EPS * x.size * apart
    lost = {
        "weights": 1 / mixture.weights,
        "means": reach / mixture.variances,
        "variances": (1 + reach**2 / mixture.variances) / mixture.variances,
    }
    for field, size in lost.items():
        one, other = getattr(found, field), getattr(expected, field)
        assert np.all(np.abs(one - other) <= loss * (size + np.abs(other))), field


HESSIAN = jax.jit(jax.hessian(of_coordinates))


@settings(max_examples=20)
@given(near(), st.booleans())
def test_information_is_minus_the_hessian_of_the_reference(mixture, counted):
    counts = COUNTS if counted else np.ones(X.size)
    found = statistics.observed_information(mixture, statistics.sums(mixture, X, counts))
    with jax.enable_x64(True):
        expected = -HESSIAN(coordinates(mixture), X, counts)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


@settings(max_examples=20)
@given(near(), st.booleans())
def test_em_step_is_the_textbooks(mixture, counted):
    counts = COUNTS if counted else np.ones(X.size)
    gamma = mog_jax.responsibilities(mixture, X) * counts[:, None]
    held = gamma.sum(axis=0)
    assume(held.min() > 1e-3)
    means = (gamma * X[:, None]).sum(axis=0) / held
    variances = (gamma * (X[:, None] - means) ** 2).sum(axis=0) / held
    found = statistics.em_step(mixture, statistics.sums(mixture, X, counts))
    np.testing.assert_allclose(found.weights, held / held.sum(), rtol=1e-9)
    np.testing.assert_allclose(found.means, means, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(found.variances, variances, rtol=1e-8)


def test_newtons_steps_over_chunks_lead_to_the_fit():
    expected = mog_jax.fit(X, counts=COUNTS)
    mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[-0.5, 2.5], variances=[1, 1])
    chunks = list(zip(np.split(X, [123, 200]), np.split(COUNTS, [123, 200]), strict=True))
    for _ in range(12):
        whole = statistics.add(*(statistics.sums(mixture, x, counts) for x, counts in chunks))
        if statistics.gain_left(mixture, whole) < 1e-18:
            break
        mixture = statistics.newton_step(mixture, whole)
    for field in ("weights", "means", "variances"):
        np.testing.assert_allclose(
            getattr(mixture, field), getattr(expected.mixture, field), rtol=1e-8
        )
    np.testing.assert_allclose(whole.log_likelihood, expected.log_likelihood, rtol=1e-12)
    np.testing.assert_allclose(
        statistics.observed_information(mixture, whole), expected.information, rtol=1e-6, atol=1e-6
    )


def test_a_short_step_of_newtons_climbs_where_the_likelihood_is_not_concave():
    mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[1.0, 1.1], variances=[3, 3])
    whole = statistics.sums(mixture, X)
    assert statistics.gain_left(mixture, whole) == np.inf
    moved = statistics.newton_step(mixture, whole, step=0.1)
    assert statistics.log_likelihood(moved, X) > whole.log_likelihood


def test_batches_are_their_mixtures_one_by_one():
    mixtures = [
        Mixture.from_arrays(weights=[w, 1 - w], means=[0, 3], variances=[1, w]) for w in (0.3, 0.6)
    ]
    batch = jax.tree.map(lambda *fields: np.stack(fields), *mixtures)
    whole = statistics.sums(batch, np.stack([X, X + 0.1]))
    parts = [statistics.sums(m, x) for m, x in zip(mixtures, (X, X + 0.1), strict=True)]
    for function in (
        statistics.gradient,
        statistics.observed_information,
        statistics.em_step,
        statistics.newton_step,
        statistics.gain_left,
    ):
        found = function(batch, whole)
        for i, (mixture, part) in enumerate(zip(mixtures, parts, strict=True)):
            one = function(mixture, part)
            for got, expected in zip(jax.tree.leaves(found), jax.tree.leaves(one), strict=True):
                np.testing.assert_allclose(got[i], expected, rtol=1e-9, atol=1e-9)


MIXTURE = Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 3], variances=[1, 0.5])
OTHER = dataclasses.replace(MIXTURE, means=np.array([0, 2.9]))


@pytest.mark.parametrize(
    "function", [statistics.gradient, statistics.em_step, statistics.newton_step]
)
def test_sums_about_a_mean_that_xla_takes_for_zero_are_taken(function):
    close = dataclasses.replace(MIXTURE, variances=np.array([0.5, 1.0]))
    almost = dataclasses.replace(close, means=np.array([-1.25e-308, 3]))
    result = function(almost, statistics.sums(almost, X))
    for leaf, expected in zip(
        jax.tree.leaves(result),
        jax.tree.leaves(function(close, statistics.sums(close, X))),
        strict=True,
    ):
        np.testing.assert_array_equal(leaf, expected)
    with pytest.raises(ValueError, match="`sums` must be taken at `mixture`"):
        function(close, statistics.sums(dataclasses.replace(close, means=np.array([1e-307, 3])), X))


@pytest.mark.parametrize(
    "function", [statistics.gradient, statistics.em_step, statistics.newton_step]
)
def test_sums_of_another_mixture_are_refused(function):
    whole = statistics.sums(MIXTURE, X)
    with pytest.raises(ValueError, match=r"`sums` must be taken at `mixture`, .* mean 2\.9; got"):
        function(OTHER, whole)
    with pytest.raises(ValueError, match="`sums` must be Sums, as "):
        function(MIXTURE, X)
    batch = jax.tree.map(lambda field: field[None], MIXTURE)
    with pytest.raises(ValueError, match=r"shape of its sums, \(2,\); got \(1, 2\)"):
        function(batch, whole)


@pytest.mark.parametrize("step", [0.0, -1.0, 1.5, np.nan])
def test_steps_out_of_range_are_refused(step):
    with pytest.raises(ValueError, match="`step` must be positive and at most 1; got"):
        statistics.newton_step(MIXTURE, statistics.sums(MIXTURE, X), step=step)
