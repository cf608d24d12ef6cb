import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mog_jax import Coordinates, Mixture
from tests.strategies import mixtures

GOOD = {"weights": [0.3, 0.7], "means": [0.0, 5.0], "variances": [1.0, 4.0]}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"variances": [1.0, -4.0]}, r"`variances` must be positive; got variances\[1\] = -4.0"),
        ({"variances": [0.0, 4.0]}, r"`variances` must be positive; got variances\[0\] = 0.0"),
        ({"variances": [1.0, np.nan]}, r"`variances` must be finite; got variances\[1\] = nan"),
        ({"means": [np.inf, 5.0]}, r"`means` must be finite; got means\[0\] = inf"),
        ({"weights": [-0.1, 1.1]}, r"`weights` must be non-negative; got weights\[0\] = -0.1"),
        ({"weights": [0.3, 0.6]}, r"`weights` must sum to 1 .* \[0.3, 0.6\], whose sum is 0.8999"),
        ({"weights": [np.nan, 1.0]}, r"`weights` must be finite; got weights\[0\] = nan"),
        ({"means": [0.0, 1.0, 2.0]}, r"one shape; got weights \(2,\), means \(3,\), variances"),
        ({"means": ["a", "b"]}, r"`means` must be real numbers; got dtype <U1"),
        ({"means": [[0.0], [1.0, 2.0]]}, r"`means` must be an array of real numbers"),
        ({"means": [1j, 0j]}, r"`means` must be real numbers; got dtype complex128"),
        (
            {"weights": 1.0, "means": 0.0, "variances": 1.0},
            r"at least one component on their last axis; got shape \(\)",
        ),
        (
            {"weights": [[1, 0], [0.5, 0.4]], "means": np.zeros((2, 2)), "variances": [[1, 1]] * 2},
            r"got weights\[1\] = \[0.5, 0.4\]",
        ),
    ],
)
def test_raw_values_are_refused_by_name(changed, message):
    with pytest.raises(ValueError, match=message):
        Mixture.from_arrays(**(GOOD | changed))


def test_validation_cannot_be_traced_and_says_so():
    with pytest.raises(ValueError, match=r"cannot be traced.*build `Mixture\("):
        jax.jit(lambda m: Mixture.from_arrays(**(GOOD | {"means": m})))(jnp.zeros(2))


def test_precision_is_that_of_the_arrays_given():
    assert Mixture.from_arrays(**GOOD).means.dtype == np.float64
    singles = {name: np.float32(value) for name, value in GOOD.items()}
    assert Mixture.from_arrays(**singles).means.dtype == np.float32
    assert Mixture.from_arrays(**(singles | {"means": np.zeros(2)})).weights.dtype == np.float64


def test_is_a_pytree_under_jit_vmap_and_grad():
    with jax.enable_x64(True):
        batch = Mixture.from_arrays(**{name: np.tile(v, (3, 1)) for name, v in GOOD.items()})

        def mean(mixture):
            return jnp.sum(mixture.weights * mixture.means)

        slope = jax.jit(jax.vmap(jax.grad(mean)))(batch)
        assert isinstance(slope, Mixture)
        np.testing.assert_array_equal(slope.weights, batch.means)
        np.testing.assert_array_equal(slope.means, batch.weights)
        np.testing.assert_array_equal(slope.variances, 0)


@given(mixtures())
def test_coordinates_go_there_and_back(mixture):
    coordinates = mixture.to_coordinates()
    assert isinstance(coordinates, Coordinates)
    back = coordinates.to_mixture()
    np.testing.assert_allclose(back.weights, mixture.weights, rtol=1e-12)
    np.testing.assert_array_equal(back.means, mixture.means)
    np.testing.assert_allclose(back.variances, mixture.variances, rtol=1e-12)


@given(mixtures(), st.floats(-1e3, 1e3))
def test_a_constant_added_to_the_logits_changes_nothing(mixture, constant):
    c = mixture.to_coordinates()
    shifted = Coordinates(
        logits=c.logits + constant, means=c.means, log_variances=c.log_variances
    ).to_mixture()
    np.testing.assert_allclose(shifted.weights, mixture.weights, rtol=1e-11)


@given(mixtures(), st.randoms(use_true_random=False))
def test_order_is_by_mean_and_does_not_depend_on_the_labels(mixture, random):
    labels = list(range(mixture.n_components))
    random.shuffle(labels)
    relabelled = jax.tree.map(lambda field: field[labels], mixture).ordered()
    ordered = mixture.ordered()
    assert (np.diff(ordered.means) >= 0).all()
    jax.tree.map(np.testing.assert_array_equal, relabelled, ordered)
    triples = zip(mixture.weights, mixture.means, mixture.variances, strict=True)
    kept = zip(ordered.weights, ordered.means, ordered.variances, strict=True)
    assert sorted(triples) == sorted(kept)


@given(mixtures(), st.floats(0.1, 10), st.floats(-5, 5))
def test_change_of_units_moves_mean_and_variance_as_probability_says(mixture, scale, shift):
    changed = mixture.affine(scale, shift)
    np.testing.assert_array_equal(changed.weights, mixture.weights)
    np.testing.assert_allclose(changed.means, scale * mixture.means + shift, 1e-14, 1e-300)
    np.testing.assert_allclose(
        changed.standard_deviations, scale * mixture.standard_deviations, rtol=1e-13
    )


def test_change_of_units_of_a_batch():
    batch = Mixture.from_arrays(**{name: np.tile(v, (3, 1)) for name, v in GOOD.items()})
    changed = batch.affine([1.0, 2.0, 3.0], 1.0)
    np.testing.assert_array_equal(changed.means, [[1, 6], [1, 11], [1, 16]])
    np.testing.assert_array_equal(changed.variances, [[1, 4], [4, 16], [9, 36]])


def test_samples_have_the_mixtures_moments_and_are_reproducible():
    batch = Mixture.from_arrays(
        weights=[[0.3, 0.7], [0.0, 1.0]], means=[[0.0, 5.0]] * 2, variances=[[1.0, 4.0]] * 2
    )
    n = 100_000
    x = batch.sample(jax.random.key(1), n)
    assert x.shape == (2, n)
    assert x.dtype == np.float64
    mean = np.sum(batch.weights * batch.means, axis=1)
    variance = np.sum(batch.weights * (batch.variances + batch.means**2), axis=1) - mean**2
    # Six standard errors: the variance of a variance is below 3 sigma^4 / n here.
    assert (np.abs(x.mean(axis=1) - mean) < 6 * np.sqrt(variance / n)).all()
    assert (np.abs(x.var(axis=1) - variance) < 6 * np.sqrt(3 / n) * variance).all()
    np.testing.assert_array_equal(x, batch.sample(jax.random.key(1), n))


@pytest.mark.parametrize("seed", [0, 7, np.int64(7), (1 << 32) - 1, jax.numpy.int32(7)])
def test_a_seed_is_the_key_that_is_made_of_it(seed):
    mixture = Mixture.from_arrays(**GOOD)
    expected = mixture.sample(jax.random.key(seed), 5)
    np.testing.assert_array_equal(mixture.sample(seed, 5), expected)


@pytest.mark.parametrize(
    ("key", "n", "message"),
    [
        (0.5, 5, r"`key` must be a key, as jax.random.key\(0\) gives it, or a seed, as 0; got 0.5"),
        (True, 5, "or a seed, as 0; got True"),
        (-1, 5, "`key`, a seed, must be from 0 to 4294967295; got -1"),
        (1 << 32, 5, "`key`, a seed, must be from 0 to 4294967295; got 4294967296"),
        (jax.random.split(jax.random.key(0)), 5, r"must be one key, .*; got .* of shape \(2,\)"),
        (jax.numpy.zeros(3), 5, r"got an array of float32 of shape \(3,\)"),
        (jax.random.key(0), -1, "`n` must be non-negative; got -1"),
    ],
)
def test_samples_need_a_key_or_a_seed_and_a_number(key, n, message):
    with pytest.raises(ValueError, match=message):
        Mixture.from_arrays(**GOOD).sample(key, n)


def test_samples_work_under_jit():
    mixture = Mixture.from_arrays(**GOOD)
    with jax.enable_x64(True):
        jitted = jax.jit(lambda m, key: m.sample(key, 5))(mixture, jax.random.key(3))
    np.testing.assert_allclose(jitted, mixture.sample(jax.random.key(3), 5), rtol=1e-14)
