"""The sandwich of data of any shape, and the responsibilities that it is made of."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mog_jax import Mixture
from mog_jax.inference import responsibilities, sandwich
from mog_jax.inference.scores import scores
from mog_jax.inference.two_components import Pair, probabilities
from tests.inference.cases import pairs


def batch_of_mixtures(rng, b):
    weights = rng.uniform(0.1, 0.9, b)
    return Mixture(
        weights=np.stack([weights, 1 - weights], axis=1),
        means=np.sort(rng.normal(0, 2, (b, 2)), axis=1),
        variances=rng.uniform(0.3, 3, (b, 2)),
    )


@jax.jit
@jax.vmap
def by_definition(covariance, mixture, x, counts):
    s = scores(mixture, x)
    return covariance @ (s.T @ (counts[:, None] * s)) @ covariance


# Less than a turn of the loop and many; fewer datasets than lanes, and more than one tile of them.
@pytest.mark.parametrize(
    ("b", "n"), [(1, 1), (3, 3), (1, 1_000), (2, 37), (70, 20), (130, 5), (5, 0), (0, 5)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_data_of_any_shape_have_the_sums_that_the_scores_have(b, n, dtype):
    rng = np.random.default_rng(b + n)
    mixture = jax.tree.map(lambda field: field.astype(dtype), batch_of_mixtures(rng, b))
    x = rng.normal(0, 2, (b, n)).astype(dtype)
    # The last point pads the last turn: it must not contribute.
    x[:, -1:] = 6
    matrix = np.tile(np.eye(5, dtype=dtype), (b, 1, 1))
    counts = rng.integers(0, 3, (b, n)).astype(dtype)
    for times in (None, counts):
        found = sandwich(matrix, mixture, x, times)
        assert found.dtype == dtype
        times = np.ones_like(x) if times is None else times
        with jax.enable_x64(dtype == np.float64):
            expected = np.asarray(by_definition(matrix, mixture, x, times))
        unit = np.sqrt(np.diagonal(expected, axis1=1, axis2=2)) + 1e-10
        unit = unit[:, :, None] * unit[:, None, :]
        few = 1e4 * np.finfo(dtype).eps
        np.testing.assert_allclose(found / unit, expected / unit, rtol=0, atol=few)


def test_what_serves_all_datasets_and_further_axes_of_a_batch_are_allowed():
    rng = np.random.default_rng(1)
    mixture, x = batch_of_mixtures(rng, 6), rng.normal(0, 2, 40)
    matrix = np.eye(5)
    whole = sandwich(matrix, jax.tree.map(lambda field: field.reshape(2, 3, 2), mixture), x)
    assert whole.shape == (2, 3, 5, 5)
    for i in range(6):
        one = sandwich(matrix, jax.tree.map(lambda field, i=i: field[i], mixture), x)
        np.testing.assert_allclose(whole.reshape(6, 5, 5)[i], one, rtol=1e-12)


@given(pairs(), st.floats(-30, 30))
def test_responsibilities_keep_their_digits_however_small_they_are(mixture, z):
    x = float(mixture.means[0]) + z * float(np.sqrt(mixture.variances[0]))
    with mpmath.workdps(60):
        joint = [
            mpmath.mpf(w) * mpmath.npdf(mpmath.mpf(x), mpmath.mpf(m), mpmath.sqrt(mpmath.mpf(v)))
            for w, m, v in zip(mixture.weights, mixture.means, mixture.variances, strict=True)
        ]
        exact = np.array([float(each / sum(joint)) for each in joint])
        squares = [
            float((mpmath.mpf(x) - mpmath.mpf(m)) ** 2 / mpmath.mpf(v))
            for m, v in zip(mixture.means, mixture.variances, strict=True)
        ]
    # A rounding of a z-score moves the log-odds by its square, times how far x is from zero.
    offset = (abs(x) + np.abs(mixture.means).max()) / np.sqrt(np.min(mixture.variances))
    rounding = np.finfo(np.float64).eps * (1 + max(squares) + np.sqrt(max(squares)) * offset)
    normal = exact > 1e-300
    found = responsibilities(mixture, [x])[0]
    np.testing.assert_allclose(found[normal], exact[normal], rtol=4 * rounding + 1e-14)


def test_where_the_odds_are_even_probabilities_have_a_slope():
    slopes = jax.jacfwd(probabilities)(jnp.float32(0))
    np.testing.assert_array_equal(np.asarray(slopes), [0.25, -0.25])


def test_z_scores_whose_squares_overflow_still_decide():
    mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 1], variances=[1e-4, 1])
    np.testing.assert_array_equal(responsibilities(mixture, [1e160, -1e160]), [[0, 1], [0, 1]])
    with jax.enable_x64(True):
        pair = Pair.of(jax.tree.map(jnp.asarray, mixture))
        assert pair.log_odds(jnp.asarray([1e160]))[0] == -np.inf
