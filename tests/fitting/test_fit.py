"""The fit of one dataset and of a batch: published maxima, laws, and bad input."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mog_jax
from mog_jax import Status, gradient

DATA = Path(__file__).parent.parent / "data"
TRUTH = json.loads((DATA / "truth.json").read_text(encoding="utf-8"))
NAMES = [name for name in TRUTH if not name.startswith("_")]


def load(name):
    return np.loadtxt(DATA / f"{name}.csv", skiprows=1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("direction", ["em", "gradient"])
def test_published_maxima_are_reached(name, direction):
    truth = TRUTH[name]
    fit = mog_jax.fit(load(name), direction=direction)
    assert fit.converged
    assert fit.n_points == truth["n"]
    np.testing.assert_allclose(fit.log_likelihood, truth["log_likelihood"], rtol=1e-10)
    np.testing.assert_allclose(fit.mixture.weights, truth["weights"], rtol=2e-4)
    np.testing.assert_allclose(fit.mixture.means, truth["means"], rtol=2e-4)
    np.testing.assert_allclose(fit.mixture.variances, truth["variances"], rtol=2e-4)


def test_gain_left_is_what_is_left_to_gain():
    fit = mog_jax.fit(load("quakes_depth"), tolerance=1e-4)
    left = TRUTH["quakes_depth"]["log_likelihood"] - float(fit.log_likelihood)
    assert 1e-6 < left < 1e-4
    np.testing.assert_allclose(fit.gain_left, left, rtol=0.05)


def test_batch_equals_loop_and_bad_rows_touch_nobody():
    rng = np.random.default_rng(5)
    good = np.concatenate([rng.normal(0, 1, (4, 30)), rng.normal(5, 2, (4, 30))], axis=1)
    bad = np.ones((3, 60))
    bad[1, 0] = np.inf
    bad[2, 1:] = np.nan
    fits = mog_jax.fit(np.concatenate([good[:2], bad, good[2:]]))
    assert len(fits) == 7
    assert [Status(s) for s in fits.status[2:5]] == [
        Status.CONSTANT,
        Status.NOT_FINITE,
        Status.TOO_FEW_POINTS,
    ]
    assert np.isnan(fits.mixture.means[2:5]).all()
    assert np.isnan(fits.log_likelihood[2:5]).all()
    for fit, row in zip([fits[i] for i in (0, 1, 5, 6)], good, strict=True):
        alone = mog_jax.fit(row)
        assert alone.converged
        np.testing.assert_allclose(fit.mixture.means, alone.mixture.means, rtol=1e-12)
        np.testing.assert_allclose(fit.log_likelihood, alone.log_likelihood, rtol=1e-13)
    assert repr(fits) == (
        "Fit of 7 datasets: 4 converged, 1 too_few_points, 1 constant, 1 not_finite"
    )


def test_missing_is_dropped_and_counted():
    x = load("acidity")
    holes = np.insert(x, [0, 7, 155], np.nan)
    with_holes, without = mog_jax.fit(holes), mog_jax.fit(x)
    assert (with_holes.n_points, with_holes.n_missing) == (155, 3)
    np.testing.assert_allclose(with_holes.mixture.means, without.mixture.means, rtol=1e-10)


@settings(max_examples=20)
@given(
    st.sampled_from([1e-8, 0.1, 3.0, 1e9]),
    st.sampled_from([0.0, -7.0, 1e6]),
    st.permutations(range(60)),
)
def test_a_change_of_units_or_of_order_changes_nothing_else(scale, shift, order):
    rng = np.random.default_rng(8)
    x = np.concatenate([rng.normal(0, 1, 25), rng.normal(6, 2, 35)])
    fit = mog_jax.fit(x, tolerance=1e-12)
    moved = mog_jax.fit((x * scale + shift * scale)[order], tolerance=1e-12)
    expected = fit.mixture.affine(scale, shift * scale)
    # The shift costs the digits that it takes from x itself.
    near = 1e-6 + 1e-14 * abs(shift)
    np.testing.assert_allclose(moved.mixture.weights, expected.weights, rtol=near)
    np.testing.assert_allclose(moved.mixture.means, expected.means, rtol=near, atol=near * scale)
    np.testing.assert_allclose(moved.mixture.variances, expected.variances, rtol=10 * near)


def test_the_gradient_vanishes_along_the_simplex():
    x = mog_jax.datasets.faithful()
    fit = mog_jax.fit(x, tolerance=1e-14)
    slope = gradient(fit.mixture, x)
    deviations = fit.mixture.standard_deviations
    np.testing.assert_allclose(slope.means * deviations, 0, atol=1e-4)
    np.testing.assert_allclose(slope.variances * fit.mixture.variances, 0, atol=1e-4)
    np.testing.assert_allclose(slope.weights, 272, atol=1e-3)


def test_single_precision_stays_single():
    x = mog_jax.datasets.faithful().astype(np.float32)
    fit = mog_jax.fit(x, tolerance=1e-3)
    assert fit.mixture.means.dtype == np.float32
    np.testing.assert_allclose(fit.mixture.means, TRUTH["faithful_waiting"]["means"], rtol=1e-3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((2, 2, 2)), r"`data` must have shape \(n,\) or \(b, n\).*got \(2, 2, 2\)"),
        (np.zeros((0, 5)), r"got \(0, 5\)"),
        ([], r"got \(0,\)"),
        (3.0, r"got \(\)"),
        (["a", "b"], r"`data` must be real numbers; got dtype <U1"),
        ([1j, 2.0], r"`data` must be real numbers; got dtype complex128"),
    ],
)
def test_data_of_a_wrong_kind_are_refused(data, message):
    with pytest.raises(ValueError, match=message):
        mog_jax.fit(data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"direction": "down"}, r"`direction` must be one of .*'em'.*; got 'down'"),
        ({"tolerance": 0.0}, r"`tolerance` must be positive; got 0.0"),
        ({"max_steps": 0}, r"`max_steps` must be at least 1; got 0"),
        ({"variance_floor": -1.0}, r"`variance_floor` must be positive; got -1.0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        mog_jax.fit([0.0, 1.0, 2.0], **options)


def test_one_fit_has_no_length_and_a_batch_can_be_iterated():
    one = mog_jax.fit(mog_jax.datasets.faithful())
    with pytest.raises(TypeError, match="one dataset"):
        len(one)
    with pytest.raises(TypeError, match="one dataset"):
        one[0]
    batch = mog_jax.fit(np.stack([mog_jax.datasets.faithful()] * 2))
    assert [int(fit.n_points) for fit in batch] == [272, 272]
    assert "converged" in repr(one)
