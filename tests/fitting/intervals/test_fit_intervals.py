"""Fits of intervals: upper ends, resolution, limits and window, in all forms, and their laws."""

import math

import numpy as np
import pytest

import mog_jax
from mog_jax.fitting.data.intervals import OffGridWarning

X = mog_jax.datasets.faithful()


def same_fit(one, other, rtol=1e-9):
    np.testing.assert_allclose(one.log_likelihood, other.log_likelihood, rtol=rtol)
    np.testing.assert_allclose(one.mixture.means, other.mixture.means, rtol=1e-6)
    np.testing.assert_allclose(one.mixture.variances, other.mixture.variances, rtol=1e-6)
    np.testing.assert_array_equal(one.status, other.status)


@pytest.fixture(scope="module")
def rounded():
    return mog_jax.fit(X, resolution=1)


def test_ends_counts_and_resolution_say_the_same(rounded):
    level, counts = np.unique(X, return_counts=True)
    same_fit(mog_jax.fit(X - 0.5, upper=X + 0.5), rounded)
    same_fit(mog_jax.fit(level - 0.5, upper=level + 0.5, counts=counts), rounded)
    same_fit(mog_jax.fit(level, counts=counts, resolution=1), rounded)


def test_a_batch_has_a_resolution_for_each_and_any_form(rounded):
    single = mog_jax.fit(X[:100], resolution=0.5)
    for data, upper in (
        ([X, X[:100]], None),
        (mog_jax.Ragged([*X, *X[:100]], [272, 100]), None),
        ([X - 0.5, X[:100] - 0.25], [X + 0.5, X[:100] + 0.25]),
    ):
        words = {"upper": upper} if upper else {"resolution": [1.0, 0.5]}
        fits = mog_jax.fit(data, **words)
        same_fit(fits[0], rounded)
        same_fit(fits[1], single)
    named = mog_jax.fit({"long": X, "short": X[:100]}, resolution=[1.0, 0.5])
    same_fit(named["short"], single)


def test_what_is_found_of_a_dataset_depends_on_it_alone(rounded):
    company = mog_jax.fit([X[:50], X, X[::3]], resolution=1)[1]
    np.testing.assert_array_equal(company.mixture.means, rounded.mixture.means)
    np.testing.assert_array_equal(company.log_likelihood, rounded.log_likelihood)


def test_exact_values_are_fitted_as_points_are():
    jittered = X + np.linspace(-0.4, 0.4, X.size)
    points = mog_jax.fit(jittered)
    exact = mog_jax.fit(jittered, upper=jittered)
    np.testing.assert_allclose(exact.log_likelihood, points.log_likelihood, rtol=1e-12)
    np.testing.assert_allclose(exact.mixture.means, points.mixture.means, rtol=1e-8)
    np.testing.assert_allclose(exact.information, points.information, rtol=1e-6, atol=1e-3)
    np.testing.assert_allclose(exact.delta_bic(), points.delta_bic(), rtol=1e-9)


def test_a_fine_resolution_tends_to_points():
    jittered = X + np.linspace(-0.4, 0.4, X.size)
    points = mog_jax.fit(jittered)
    with pytest.warns(OffGridWarning):
        fine = mog_jax.fit(jittered, resolution=1e-6)
    limit = points.log_likelihood + X.size * math.log(1e-6)
    np.testing.assert_allclose(fine.log_likelihood, limit, rtol=1e-11)
    np.testing.assert_allclose(fine.mixture.means, points.mixture.means, rtol=1e-7)


def test_a_change_of_unit_changes_the_unit_alone(rounded):
    scaled = mog_jax.fit(1000 - 60 * X, resolution=60)
    np.testing.assert_allclose(scaled.log_likelihood, rounded.log_likelihood, rtol=1e-10)
    np.testing.assert_allclose(scaled.mixture.means, 1000 - 60 * rounded.mixture.means[::-1])


def test_missing_values_and_what_may_be_anything_are_left_out(rounded):
    lower = np.concatenate([X - 0.5, [np.nan, -np.inf]])
    upper = np.concatenate([X + 0.5, [np.nan, np.inf]])
    fit = mog_jax.fit(lower, upper=upper)
    assert (fit.n_points, fit.n_missing) == (272, 2)
    same_fit(fit, rounded)


def test_values_at_a_limit_are_known_to_lie_beyond():
    censored = np.clip(X, 50, 85)
    fit = mog_jax.fit(censored, limits=(50, 85), resolution=1)
    assert fit.converged
    lower = np.where(censored <= 50, -np.inf, np.where(censored >= 85, 85, censored - 0.5))
    upper = np.where(censored >= 85, np.inf, np.where(censored <= 50, 50, censored + 0.5))
    same_fit(mog_jax.fit(lower, upper=upper), fit)
    whole = mog_jax.fit(X, resolution=1)
    np.testing.assert_allclose(fit.mixture.means, whole.mixture.means, atol=2)
    same_fit(
        mog_jax.fit(censored[censored < 85], limits=(50, None)),
        mog_jax.fit([censored[censored < 85]], limits=([50], None))[0],
    )


def test_a_window_makes_up_for_what_was_never_recorded():
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(0, 1, 3000), rng.normal(5, 1, 2000)])
    seen = mog_jax.fit(x[x > -0.5], window=(-0.5, None))
    assert seen.converged
    np.testing.assert_allclose(seen.mixture.means, [0, 5], atol=0.3)
    np.testing.assert_allclose(seen.mixture.weights, [0.6, 0.4], atol=0.05)
    # Without the resolution the lower component is narrow.
    assert mog_jax.fit(x[x > -0.5]).mixture.means[0] > 0.3


def test_fixed_and_equal_variances_hold():
    fit = mog_jax.fit(X, resolution=1, fixed={"mean_1": 55.0, "sd_1": 5.0})
    np.testing.assert_allclose([fit.mixture.means[0], fit.mixture.standard_deviations[0]], [55, 5])
    assert fit.standard_errors().means[0] == 0
    equal = mog_jax.fit(X, resolution=1, equal_variances=True)
    assert equal.converged
    assert equal.mixture.variances[0] == equal.mixture.variances[1]
    comparison = mog_jax.compare(X, resolution=1)
    assert comparison.best == mog_jax.Model.EQUAL


def test_rounding_does_not_make_two_of_one():
    rng = np.random.default_rng(11)
    for step in (0.1, 0.25, 0.5, 1.0):
        x = np.round(rng.normal(size=(8, 200)) / step) * step
        fits = mog_jax.fit(x, resolution=step)
        assert not (fits.delta_bic() > 0).any()


def test_ratings_have_a_component_below_the_resolution():
    fit = mog_jax.fit(np.repeat(np.arange(1.0, 6), [80, 12, 10, 30, 110]), resolution=1)
    assert fit.status_name == "below_resolution"
    np.testing.assert_allclose(fit.delta_bic(), 287, atol=0.5)
    np.testing.assert_allclose(fit.mixture.weights, [0.38, 0.62], atol=0.005)
    np.testing.assert_allclose(fit.mixture.means, [1.20, 4.65], atol=0.01)
    errors = fit.standard_errors()
    assert errors.reason == mog_jax.inference.Reason.BELOW_RESOLUTION
    assert np.isnan([errors.means[0], errors.standard_deviations[0]]).all()
    assert np.isfinite([errors.weights[0], errors.means[1], errors.standard_deviations[1]]).all()
    assert 1.5 < fit.threshold().value < 3.5


def test_few_distinct_intervals_are_saturated():
    lower = [-np.inf, 1.5, 2.5, 3.5, 4.5]
    fit = mog_jax.fit(lower, upper=[1.5, 2.5, 3.5, 4.5, np.inf], counts=[80, 12, 10, 30, 110])
    assert fit.status_name == "saturated"
    # The bound: the shares of the data themselves.
    np.testing.assert_allclose(fit.log_likelihood, -305.82731, atol=0.05)
    assert np.isfinite(fit.delta_bic())
    assert np.isnan(fit.standard_errors().means).all()
    assert mog_jax.fit(np.arange(4.0), resolution=1).status_name == "saturated"


def test_zeros_below_a_limit_do_not_keep_the_rest_from_being_found():
    rng = np.random.default_rng(3)
    x = np.concatenate([np.zeros(60), rng.normal(3, 0.5, 140)])
    fit = mog_jax.fit(x, limits=(0, None))
    assert fit.status_name == "below_resolution"
    np.testing.assert_allclose(fit.mixture.weights[0], 0.3, atol=0.01)
    assert fit.delta_bic() > 50
    assert np.isfinite(fit.standard_errors().means[1])


def test_nothing_is_fitted_where_there_is_nothing():
    fits = mog_jax.fit([[1.0, 1.0, 1.0], [np.nan], [1.0, np.inf, 2.0], [3.0]], resolution=0.5)
    assert list(fits.status_name) == ["constant", "too_few_points", "not_finite", "too_few_points"]
    assert np.isnan(fits.log_likelihood).all()


@pytest.mark.parametrize("power", [-170, 170, 305])
def test_what_no_double_holds_the_variance_of_is_out_of_range(power):
    fit = mog_jax.fit(X * 10.0**power / 100, resolution=10.0**power / 100)
    assert fit.status_name == "out_of_range"


def test_counts_need_not_be_whole(rounded):
    level, counts = np.unique(X, return_counts=True)
    few = mog_jax.fit(level, counts=counts / 1000, resolution=1)
    np.testing.assert_allclose(few.n_points, 0.272)
    many = mog_jax.fit(level, counts=1000 * counts, resolution=1)
    np.testing.assert_allclose(many.mixture.means, rounded.mixture.means, rtol=1e-6)
    np.testing.assert_allclose(many.log_likelihood, 1000 * rounded.log_likelihood, rtol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"upper": X - 1}, r"`upper` must not be below `data`.*data\[0\] = 79.*upper\[0\] = 78"),
        ({"upper": np.where(X == 79, np.nan, X)}, r"must not have NaN at one end only"),
        ({"upper": X[:5]}, r"`upper` must have the form and shape of `data`"),
        ({"upper": X, "resolution": 1}, r"`resolution` and `upper` exclude each other"),
        ({"upper": X, "limits": (0, None)}, r"`limits` and `upper` exclude each other"),
        ({"resolution": -0.1}, r"`resolution` must be positive.*-0.1"),
        ({"resolution": 0}, r"`resolution` must be positive.*got 0"),
        ({"resolution": np.nan}, r"`resolution` must be positive.*nan"),
        ({"resolution": 100}, r"`resolution` is coarser than the data: a step of 100.*43 to 96"),
        ({"resolution": [1.0, 2.0]}, r"`resolution` must be a number, or one for each dataset"),
        ({"resolution": "fine"}, r"`resolution` must be a number, or one for each dataset"),
        ({"limits": (60, 50)}, r"`limits` must be in order.*\(60, 50\)"),
        ({"limits": (None, None)}, r"`limits` must have at least one end that is a number"),
        ({"limits": 50}, r"`limits` must be a pair, lower and upper"),
        ({"limits": (np.nan, 50)}, r"`limits` must not be NaN"),
        ({"window": (50, 60)}, r"nothing outside of 50 to 60 was recorded; got data\[0\] = 79"),
        ({"window": (60, 50)}, r"`window` must be in order"),
        ({"resolution": 1, "direction": "em"}, r"`direction` must be 'newton'"),
        ({"resolution": 1, "dtype": "float32"}, r"fitted in float64"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        mog_jax.fit(X, **arguments)


def test_values_between_the_steps_are_warned_of():
    with pytest.warns(OffGridWarning, match=r"do not lie on a grid of 0.1, the `resolution`"):
        mog_jax.fit(X + np.linspace(0, 0.1, X.size), resolution=0.1)


def test_a_heap_on_a_fine_grid_is_no_component():
    # Heights to a millimetre, of which many were said to the centimetre: as points do, the second
    # maximum is the answer, and not a spike into which the first one falls.
    random = np.random.default_rng(8)
    x = np.where(random.random(500) < 0.4, random.normal(160, 4, 500), random.normal(174, 7, 500))
    x = np.where(random.random(500) < 0.3, np.round(x), np.round(x, 1))
    of_points, fit = mog_jax.fit(x), mog_jax.fit(x, resolution=0.1)
    assert fit.status_name == "converged"
    np.testing.assert_allclose(fit.mixture.means, of_points.mixture.means, atol=0.05)


def test_where_one_value_holds_a_component_its_delta_bic_stands():
    random = np.random.default_rng(9)
    x = np.concatenate([np.round(random.normal(310, 70, 370)), np.full(132, 666.0)])
    fit = mog_jax.fit(x, resolution=1)
    assert fit.status_name == "below_resolution"
    np.testing.assert_allclose(fit.mixture.weights[1], 132 / 502, rtol=1e-3)
    # All of them in their own interval, which is sure: no more can be had.
    rest = x[:370]
    one = mog_jax.fit(rest, resolution=1).one_component.log_likelihood
    highest = one + 132 * np.log(132 / 502) + 370 * np.log(370 / 502)
    assert highest - 2 < fit.log_likelihood < highest
    assert fit.mixture.standard_deviations[1] < 1
