import jax
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mog_jax
from mog_jax import Mixture, component_log_density, log_density, log_likelihood, responsibilities
from tests.strategies import mixtures_with_points


@mpmath.workdps(60)
def slow_densities(mixture, x):
    """Weighted component densities of one point in 60 digits, straight from the definition."""
    densities = []
    for weight, mean, variance in zip(
        mixture.weights, mixture.means, mixture.variances, strict=True
    ):
        w, m, v = mpmath.mpf(float(weight)), mpmath.mpf(float(mean)), mpmath.mpf(float(variance))
        density = mpmath.exp(-((mpmath.mpf(float(x)) - m) ** 2) / (2 * v))
        densities.append(w * density / mpmath.sqrt(2 * mpmath.pi * v))
    return densities


def rounding(mixture, x):
    """What rounding the inputs to doubles may move a point's log-density by."""
    z = (x[:, None] - mixture.means) / mixture.standard_deviations
    reach = (np.abs(x)[:, None] + np.abs(mixture.means)) / mixture.standard_deviations
    largest = np.max(np.abs(z) * reach + z**2, axis=1)
    return np.finfo(np.float64).eps * (largest + np.abs(np.log(mixture.variances)).max() + 10)


@given(mixtures_with_points(largest_score=40.0))
def test_log_density_agrees_with_sixty_digits(drawn):
    mixture, x = drawn
    exact = [float(mpmath.log(sum(slow_densities(mixture, point)))) for point in x]
    assert (np.abs(log_density(mixture, x) - exact) <= 4 * rounding(mixture, x)).all()


@given(mixtures_with_points(largest_score=40.0))
def test_responsibilities_agree_with_sixty_digits(drawn):
    mixture, x = drawn
    gamma = responsibilities(mixture, x)
    np.testing.assert_allclose(gamma.sum(axis=1), 1, rtol=1e-14)
    for row, point, scale in zip(gamma, x, rounding(mixture, x), strict=True):
        densities = slow_densities(mixture, point)
        exact = [float(density / sum(densities)) for density in densities]
        np.testing.assert_allclose(row, exact, rtol=8 * scale, atol=1e-300)


@given(mixtures_with_points())
def test_log_likelihood_is_the_sum_of_log_densities(drawn):
    mixture, x = drawn
    by_point = log_density(mixture, x)
    np.testing.assert_allclose(
        log_likelihood(mixture, x), by_point.sum(), rtol=1e-14, atol=1e-14 * np.abs(by_point).sum()
    )


@given(mixtures_with_points(sizes=(7,)), st.lists(st.integers(0, 3), min_size=7, max_size=7))
def test_counts_are_repetitions(drawn, counts):
    mixture, x = drawn
    repeated = np.repeat(x, counts)
    expected = log_density(mixture, repeated).sum() if repeated.size else 0.0
    total = np.abs(log_density(mixture, x)).sum() * 3
    assert abs(log_likelihood(mixture, x, counts) - expected) <= 1e-14 * total


def test_a_point_with_count_zero_does_not_exist():
    mixture = Mixture.from_arrays(weights=[1.0], means=[0.0], variances=[1e-200])
    assert log_density(mixture, [1e200])[0] == -np.inf
    assert np.isfinite(log_likelihood(mixture, [0.0, 1e200], counts=[1, 0]))


@given(mixtures_with_points(min_components=2))
def test_labels_do_not_matter(drawn):
    mixture, x = drawn
    swapped = jax.tree.map(lambda field: field[::-1].copy(), mixture)
    np.testing.assert_allclose(log_density(swapped, x), log_density(mixture, x), rtol=1e-13)
    np.testing.assert_allclose(
        responsibilities(swapped, x)[:, ::-1], responsibilities(mixture, x), rtol=1e-12
    )


@given(mixtures_with_points(), st.sampled_from([0.25, 2.0, 1024.0]))
def test_change_of_units_adds_the_logarithm_of_the_scale(drawn, scale):
    mixture, x = drawn
    # A power of two is exact, so nothing but the logarithm may change.
    np.testing.assert_allclose(
        log_density(mixture.affine(scale, 0.0), x * scale),
        log_density(mixture, x) - np.log(scale),
        rtol=1e-13,
        atol=1e-13,
    )


@pytest.mark.parametrize("variance", [1e-200, 1e-30, 1.0, 1e30, 1e200])
def test_finite_and_right_a_million_deviations_away(variance):
    deviation = np.sqrt(variance)
    mixture = Mixture.from_arrays(
        weights=[0.25, 0.75], means=[0.0, deviation], variances=[variance, 4 * variance]
    )
    x = np.array([0.0, 1e6 * deviation, -1e6 * deviation])
    exact = [float(mpmath.log(sum(slow_densities(mixture, point)))) for point in x]
    np.testing.assert_allclose(log_density(mixture, x), exact, rtol=1e-14)
    gamma = responsibilities(mixture, x)
    assert np.isfinite(gamma).all()
    np.testing.assert_array_equal(gamma[1:], [[0, 1], [0, 1]])


def test_variances_four_hundred_decades_apart():
    mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[0.0, 0.0], variances=[1e-200, 1e200])
    x = np.array([0.0, 1e-100, 1.0, 1e100])
    exact = [float(mpmath.log(sum(slow_densities(mixture, point)))) for point in x]
    np.testing.assert_allclose(log_density(mixture, x), exact, rtol=1e-14)


@given(mixtures_with_points())
def test_a_component_of_weight_zero_is_not_there(drawn):
    mixture, x = drawn

    def with_ghost(mean, variance):
        return Mixture.from_arrays(
            weights=np.append(mixture.weights, 0.0),
            means=np.append(mixture.means, mean),
            variances=np.append(mixture.variances, variance),
        )

    for ghost in (with_ghost(x[0], 1e-200), with_ghost(0.0, 1.0)):
        np.testing.assert_array_equal(log_density(ghost, x), log_density(mixture, x))
        gamma = responsibilities(ghost, x)
        np.testing.assert_array_equal(gamma[:, -1], 0)
        np.testing.assert_array_equal(gamma[:, :-1], responsibilities(mixture, x))


def test_component_log_density_leaves_the_weight_out():
    mixture = Mixture.from_arrays(weights=[0.0, 1.0], means=[0, 0], variances=[1, 1])
    np.testing.assert_allclose(
        component_log_density(mixture, [0.0]), [[-0.5 * np.log(2 * np.pi)] * 2]
    )


@pytest.mark.parametrize("function", [component_log_density, log_density, responsibilities])
def test_one_dataset_only_and_it_says_so(function):
    mixture = Mixture.from_arrays(weights=[1.0], means=[0.0], variances=[1.0])
    with pytest.raises(ValueError, match=r"one dataset; got mixture \(1,\) and x \(2, 3\).*vmap"):
        function(mixture, np.zeros((2, 3)))


def test_arguments_in_the_wrong_order_are_refused():
    mixture = Mixture.from_arrays(weights=[1.0], means=[0.0], variances=[1.0])
    with pytest.raises(ValueError, match="the first argument must be a Mixture, the second the"):
        log_likelihood(np.zeros(3), mixture)


def test_counts_of_another_shape_are_refused():
    mixture = Mixture.from_arrays(weights=[1.0], means=[0.0], variances=[1.0])
    with pytest.raises(
        ValueError, match=r"`counts` must have the shape of `x`, \(3,\); got \(2,\)"
    ):
        log_likelihood(mixture, np.zeros(3), counts=np.ones(2))


def test_missing_points_show():
    mixture = Mixture.from_arrays(weights=[1.0], means=[0.0], variances=[1.0])
    assert np.isnan(log_likelihood(mixture, [0.0, np.nan]))


def test_the_reference_has_no_rule_of_its_own():
    mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 1], variances=[1, 1])
    program = str(jax.make_jaxpr(mog_jax.log_likelihood)(mixture, np.zeros(3)))
    assert "custom_" not in program
