"""Data, counts and fixed values of any magnitude: a status, and no effect on other datasets."""

import functools

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mog_jax
from mog_jax import Status

RNG = np.random.default_rng(12)
ROWS, POINTS = 8, 24
X = RNG.normal(size=(ROWS, POINTS)) + 4 * (RNG.random((ROWS, POINTS)) < 0.4)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
# Uniform in the exponent: floats() itself seldom leaves the middle of the range.
MAGNITUDES = st.builds(
    lambda sign, exponent, digits: sign * digits * 10.0**exponent,
    st.sampled_from([-1, 1]),
    st.integers(-320, 307),
    st.floats(1, 9.9),
)


@functools.cache
def alone(row):
    """The fit of a row by itself."""
    return mog_jax.fit(X[row])


def assert_same(fit, other, message=""):
    assert Status(int(fit.status)) is Status(int(other.status)), message
    pairs = zip(
        jax.tree.leaves((fit.mixture, fit.log_likelihood)),
        jax.tree.leaves((other.mixture, other.log_likelihood)),
        strict=True,
    )
    for one, two in pairs:
        size = np.max(np.abs(two), where=~np.isnan(two), initial=0)
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9 * size)


def assert_neighbours_kept(fits, changed):
    for row in range(ROWS):
        if row != changed:
            assert_same(fits[row], alone(row), f"row {row}")


def assert_nothing_fitted(fit):
    for field in jax.tree.leaves((fit.mixture, fit.log_likelihood, fit.information)):
        assert np.isnan(field).all()
    assert np.isnan(fit.one_component.log_likelihood)
    assert fit.n_passes == 0


def test_a_fixed_value_out_of_range_is_its_own_dataset_s_fault():
    means = np.full(ROWS, np.nan)
    means[3] = 1e25
    fits = mog_jax.fit(X, fixed={"mean_1": means})
    assert fits.status_name[3] == "out_of_range"
    assert_nothing_fitted(fits[3])
    assert_neighbours_kept(fits, 3)


@pytest.mark.parametrize("count", [1e31, 1e39, 1e200, 1e306, 1.7e308])
def test_a_count_out_of_range_is_its_own_dataset_s_fault(count):
    counts = np.ones(X.shape)
    counts[3, 5] = count
    fits = mog_jax.fit(X, counts=counts)
    assert fits.status_name[3] == "out_of_range"
    assert_nothing_fitted(fits[3])
    assert_neighbours_kept(fits, 3)


@pytest.mark.parametrize(
    "counts", [np.where(np.arange(POINTS) == 0, 1e300, 1), np.full(POINTS, 1e307)]
)
def test_where_nothing_can_be_climbed_there_is_a_status_and_no_error(counts):
    fit = mog_jax.fit(X[0], counts=counts)
    assert Status(int(fit.status)) is Status.OUT_OF_RANGE
    assert_nothing_fitted(fit)
    assert "out_of_range" in repr(fit)
    batch = mog_jax.fit(X[:2], counts=np.stack([counts, counts]))
    assert (batch.status == Status.OUT_OF_RANGE).all()


def test_counts_out_of_range_and_missing_values_take_no_neighbour_down():
    x, counts = X.copy(), np.ones(X.shape)
    x[6, :5], counts[6] = np.nan, 1e307
    fits = mog_jax.fit(x, counts=counts)
    assert fits.status_name[6] == "out_of_range"
    assert_neighbours_kept(fits, 6)


@pytest.mark.parametrize("exponent", [8, 20, 28])
def test_the_magnitude_of_counts_within_the_contract_changes_nothing(exponent):
    thousand, times = 1e3, 10.0**exponent
    # The penalty and BIC weigh less in more points, so the choice by them may be another.
    fits, expected = (
        mog_jax.fit(X, counts=np.full(X.shape, each), min_points=5 * each, choose="regular")
        for each in (times, thousand)
    )
    assert (fits.status == Status.CONVERGED).all()
    np.testing.assert_allclose(fits.mixture.means, expected.mixture.means, rtol=1e-9)
    np.testing.assert_allclose(
        fits.log_likelihood / times, expected.log_likelihood / thousand, rtol=1e-9
    )


@pytest.mark.parametrize("exponent", [-28, -8])
def test_a_dataset_of_next_to_no_points_has_finite_numbers(exponent):
    fits = mog_jax.fit(X, counts=np.full(X.shape, 10.0**exponent))
    assert (fits.status == Status.DEGENERATE).all()
    assert np.isfinite(fits.log_likelihood).all()


@pytest.mark.parametrize(
    ("dtype", "scale", "status"),
    [
        (np.float64, 1e-320, Status.OUT_OF_RANGE),
        (np.float64, 1e-200, Status.OUT_OF_RANGE),
        (np.float64, 1e-140, Status.CONVERGED),
        (np.float64, 1e140, Status.CONVERGED),
        (np.float64, 1e200, Status.OUT_OF_RANGE),
        (np.float64, 1e307, Status.OUT_OF_RANGE),
        (np.float32, 1e-20, Status.OUT_OF_RANGE),
        (np.float32, 1e-14, Status.CONVERGED),
        (np.float32, 1e14, Status.CONVERGED),
        (np.float32, 1e20, Status.OUT_OF_RANGE),
    ],
)
def test_the_unit_of_the_data_is_in_range_or_said_not_to_be(dtype, scale, status):
    fits = mog_jax.fit((X * scale).astype(dtype))
    if status is Status.CONVERGED:
        assert fits.converged.all()
    else:
        assert (fits.status == status).all()
    assert np.isfinite(fits.mixture.variances).all() == (status is Status.CONVERGED)


@settings(max_examples=40)
@given(
    kind=st.sampled_from(["point", "count", "mean_1", "sd_1", "sd_2", "weight_1"]),
    row=st.integers(0, ROWS - 1),
    magnitude=st.one_of(FINITE, MAGNITUDES),
)
def test_no_row_ever_has_another_s_fit_and_each_has_its_own(kind, row, magnitude):
    x, options = X.copy(), {}
    if kind == "point":
        x[row, 7] = magnitude
    elif kind == "count":
        counts = np.ones(X.shape)
        counts[row, 7] = abs(magnitude)
        options["counts"] = counts
    else:
        value = abs(magnitude) if kind.startswith(("sd", "weight")) else magnitude
        if kind.startswith("weight"):
            value = np.clip(value, 5e-324, np.nextafter(1, 0))
        elif kind.startswith("sd"):
            value = max(value, 5e-324)
        values = np.full(ROWS, np.nan)
        values[row] = value
        options["fixed"] = {kind: values}
    fits = mog_jax.fit(x, **options)
    for other in range(ROWS):
        if other != row:
            assert fits.converged[other]
            assert fits.status[other] == alone(other).status
            np.testing.assert_allclose(
                fits.mixture.means[other], alone(other).mixture.means, rtol=1e-9
            )
    own = {
        name: value[row] if name == "counts" else {kind: value[kind][row]}
        for name, value in options.items()
    }
    assert_same(fits[row], mog_jax.fit(x[row], **own))
