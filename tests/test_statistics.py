"""The nine sums against the textbook functions; additivity; the hand-written derivative rule."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mog_jax
from mog_jax import Mixture, statistics
from mog_jax.lane_shapes import pad_rows
from tests.strategies import mixtures_with_points

EPS = np.finfo(np.float64).eps


def two_components(**options):
    return mixtures_with_points(min_components=2, max_components=2, **options)


def cancellation(mixture):
    """Squared distance of the components in deviations of the wider one: the loss allowed."""
    return 1 + np.ptp(mixture.means) ** 2 / mixture.variances.max()


def textbook(mixture, x, counts):
    """Effective counts, first and second moments, by the definition."""
    gamma = mog_jax.responsibilities(mixture, x) * counts[:, None]
    u = x[:, None] - mixture.means
    return gamma.sum(0), (gamma * u).sum(0), (gamma * u**2).sum(0)


@given(two_components(), st.booleans())
def test_sums_are_what_they_are_defined_to_be(drawn, counted):
    mixture, x = drawn
    counts = np.arange(x.size) % 4 if counted else np.ones(x.size)
    if not counts.any():
        return
    found = statistics.sums(mixture, x, counts if counted else None)
    loss = 1e3 * EPS * x.size * cancellation(mixture)
    reach = np.abs(x[:, None] - mixture.means).max() + np.ptp(mixture.means)
    reach = max(reach, 1e-15 * np.abs(x).max())
    number, first, second = textbook(mixture, x, counts)
    # XLA may flush subnormal numbers to 0.
    least = x.size * float(np.finfo(np.float64).tiny)
    np.testing.assert_allclose(found.effective_counts, number, rtol=loss, atol=loss)
    np.testing.assert_allclose(found.first, first, rtol=loss, atol=loss * reach + least)
    np.testing.assert_allclose(found.second, second, rtol=loss, atol=loss * reach**2 + least)
    u = x - found.centre
    reach = max(reach, abs(float(u[0])))
    both = counts * np.prod(mog_jax.responsibilities(mixture, x), axis=1)
    for p in range(5):
        np.testing.assert_allclose(
            found.cross[p], np.sum(both * u**p), rtol=loss, atol=loss * reach**p + least
        )


@given(two_components(), st.booleans())
def test_log_likelihood_is_the_textbooks(drawn, counted):
    mixture, x = drawn
    counts = np.arange(x.size) % 4 if counted else None
    expected = mog_jax.log_density(mixture, x)
    reach = np.abs(x[:, None] - mixture.means).max()
    size = x.size * (np.abs(expected).max() + reach**2 / mixture.variances.max())
    np.testing.assert_allclose(
        statistics.log_likelihood(mixture, x, counts),
        np.sum(expected if counts is None else counts * expected),
        rtol=0,
        atol=1e3 * EPS * (size + x.size) * cancellation(mixture),
    )


RNG = np.random.default_rng(11)
X = np.concatenate([RNG.normal(0, 1, 200), RNG.normal(3, 2, 301)])
MIXTURE = Mixture.from_arrays(weights=[0.3, 0.7], means=[0.2, 2.5], variances=[0.8, 3.0])


def test_sums_add_over_parts_of_the_data():
    parts = [statistics.sums(MIXTURE, part) for part in (X[:123], X[123:130], X[130:])]
    whole = statistics.sums(MIXTURE, X)
    for field in ("log_likelihood", "effective_counts", "first", "second", "cross"):
        added = sum(getattr(part, field) for part in parts)
        np.testing.assert_allclose(added, getattr(whole, field), rtol=1e-12, atol=1e-11)


CUTS = st.lists(st.sampled_from([1, 4, 60, 123, 124, 130, 400, 500]), max_size=3, unique=True)


@settings(max_examples=20)
@given(CUTS, st.randoms(use_true_random=False), st.booleans(), st.floats(0, 4))
def test_chunks_in_any_order_add_up_to_the_whole(cuts, random, counted, separation):
    mixture = dataclasses.replace(MIXTURE, means=np.array([0.2, 0.2 + separation]))
    counts = np.arange(X.size) % 3 + 0.5 if counted else np.ones(X.size)
    chunks = list(zip(np.split(X, sorted(cuts)), np.split(counts, sorted(cuts)), strict=True))
    random.shuffle(chunks)
    added = statistics.add(
        *(statistics.sums(mixture, x, c if counted else None) for x, c in chunks)
    )
    whole = statistics.sums(mixture, X, counts if counted else None)
    for found, expected in zip(jax.tree.leaves(added), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-11)


def test_shares_of_machines_add_up_to_the_whole():
    shares = X[:500].reshape(4, 125)
    with jax.enable_x64(True):
        # `axis_name` stands for devices: psum is the addition that they would do.
        added = jax.vmap(
            lambda share: jax.lax.psum(statistics.sums(MIXTURE, share), "machines"),
            axis_name="machines",
        )(shares)
    whole = statistics.sums(MIXTURE, X[:500])
    for field in ("log_likelihood", "effective_counts", "first", "second", "cross"):
        np.testing.assert_allclose(
            getattr(added, field)[0], getattr(whole, field), rtol=1e-12, atol=1e-11
        )


def test_what_does_not_belong_together_is_not_added():
    other = dataclasses.replace(MIXTURE, means=MIXTURE.means + 1)
    with pytest.raises(ValueError, match=r"at one mixture; got centres 0\.2 and 1\.2"):
        statistics.add(statistics.sums(MIXTURE, X), statistics.sums(other, X))
    with pytest.raises(ValueError, match="at least one part"):
        statistics.add()


def test_a_batch_is_its_datasets_one_by_one():
    mixtures = jax.tree.map(lambda a: np.stack([a, a[::-1], a]), MIXTURE)
    x = np.stack([X, X + 1, -X])
    together = statistics.sums(mixtures, x)
    for i in range(3):
        alone = statistics.sums(jax.tree.map(lambda a: a[i], mixtures), x[i])  # noqa: B023
        np.testing.assert_allclose(together.log_likelihood[i], alone.log_likelihood, rtol=1e-14)
        np.testing.assert_allclose(together.cross[:, i], alone.cross, rtol=1e-11)


def test_counts_repeat_points():
    counts = np.arange(X.size) % 3
    repeated = statistics.sums(MIXTURE, np.repeat(X, counts))
    counted = statistics.sums(MIXTURE, X, counts)
    np.testing.assert_allclose(counted.log_likelihood, repeated.log_likelihood, rtol=1e-13)
    np.testing.assert_allclose(counted.second, repeated.second, rtol=1e-12)


@pytest.mark.parametrize("counts", [None, np.arange(1, X.size + 1) % 5 + 1.0])
def test_the_derivative_rule_agrees_with_autodiff_of_the_textbook(counts):
    def derivatives(function):
        with jax.enable_x64(True):
            arguments = jax.tree.map(jnp.asarray, (MIXTURE, X))

            def value(mixture, x):
                return function(mixture, x, counts)

            return jax.jit(jax.grad(value, (0, 1)))(*arguments), jax.jit(jax.hessian(value))(
                *arguments
            )

    ours, reference = derivatives(statistics.log_likelihood), derivatives(mog_jax.log_likelihood)
    for found, expected in zip(jax.tree.leaves(ours), jax.tree.leaves(reference), strict=True):
        size = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13 * size)


def test_the_derivative_with_respect_to_the_counts_is_the_log_density():
    with jax.enable_x64(True):
        slope = jax.grad(statistics.log_likelihood, argnums=2)(
            MIXTURE, jnp.asarray(X), jnp.ones(X.size)
        )
    np.testing.assert_allclose(slope, mog_jax.log_density(MIXTURE, X), rtol=1e-13)


def test_a_point_that_belongs_to_both_equally_has_its_second_derivative():
    mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[-1.0, 1.0], variances=[1.0, 1.0])
    x = np.array([0.0, 0.0, 1.0])
    with jax.enable_x64(True):
        mixture, x = jax.tree.map(jnp.asarray, (mixture, x))
        ours = jax.jit(jax.hessian(statistics.log_likelihood))(mixture, x).means.means
        expected = jax.jit(jax.hessian(mog_jax.log_likelihood))(mixture, x).means.means
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_the_program_computes_one_exponential_a_point():
    with jax.enable_x64(True):
        text = str(jax.make_jaxpr(lambda m, x: statistics.sums(m, x).cross)(MIXTURE, X))
    # The others are of the two variances (each twice) and of the point that stands for the padding.
    assert text.count(" exp ") <= 5
    assert text.count(" log ") <= 5


def test_single_precision_in_is_single_precision_out():
    mixture, x = jax.tree.map(lambda a: a.astype(np.float32), (MIXTURE, X))
    value = statistics.log_likelihood(mixture, x)
    assert value.dtype == np.float32
    np.testing.assert_allclose(value, mog_jax.log_likelihood(MIXTURE, X), rtol=1e-6)


def test_padded_lengths_are_few_and_near():
    lengths = [pad_rows(n) for n in range(1, 5_000)]
    assert all(n <= padded <= max(4, 1.25 * n + 3) for n, padded in enumerate(lengths, start=1))
    assert len(set(lengths)) < 50
    assert all(padded % 4 == 0 for padded in lengths)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((MIXTURE, X[None]), r"`x` must have shape \(n,\).*got \(1, 501\)"),
        ((MIXTURE, X, X[:5]), r"`counts` must have the shape of `x`, \(501,\); got \(5,\)"),
        (
            (jax.tree.map(lambda a: a[:1], MIXTURE), X),
            r"`mixture` must have two components.*got \(1,\)",
        ),
        ((MIXTURE, X[:0]), r"at least one point; got \(0,\)"),
    ],
)
def test_shapes_that_do_not_agree_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        statistics.log_likelihood(*arguments)
