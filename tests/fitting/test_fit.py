"""The fit of one dataset and of a batch: published maxima, laws, and bad input."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mog_jax
from mog_jax import Status, gradient
from mog_jax.inference import Reason

DATA = Path(__file__).parent.parent / "data"
TRUTH = json.loads((DATA / "truth.json").read_text(encoding="utf-8"))
RNG = np.random.default_rng(8)
NAMES = [name for name in TRUTH if not name.startswith("_")]


def load(name):
    return np.loadtxt(DATA / f"{name}.csv", skiprows=1)


@pytest.mark.parametrize("name", NAMES)
def test_published_maxima_are_reached(name):
    truth = TRUTH[name]
    # The published maxima are the highest regular ones.
    fit = mog_jax.fit(load(name), choose="regular")
    assert fit.converged
    assert fit.n_points == truth["n"]
    np.testing.assert_allclose(fit.log_likelihood, truth["log_likelihood"], rtol=1e-12)
    for field in ("weights", "means", "variances"):
        np.testing.assert_allclose(getattr(fit.mixture, field), truth[field], rtol=1e-6)
    one = truth["one_component"]
    np.testing.assert_allclose(fit.one_component.mean, one["mean"], rtol=1e-12)
    np.testing.assert_allclose(fit.one_component.variance, one["variance"], rtol=1e-12)
    np.testing.assert_allclose(fit.one_component.log_likelihood, one["loglik"], rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_published_maxima_with_equal_variances_are_reached(name):
    truth = TRUTH[name]["equal_variances"]
    fit = mog_jax.fit(load(name), equal_variances=True, choose="regular")
    np.testing.assert_allclose(fit.log_likelihood, truth["log_likelihood"], rtol=1e-10)
    np.testing.assert_allclose(fit.mixture.means, truth["means"], rtol=1e-5)
    assert fit.mixture.variances[0] == pytest.approx(fit.mixture.variances[1], rel=1e-12)


@pytest.mark.parametrize("direction", ["em", "gradient"])
def test_slower_directions_arrive_at_the_same_place(direction):
    x = mog_jax.datasets.faithful()
    slow, fast = mog_jax.fit(x, direction=direction), mog_jax.fit(x)
    np.testing.assert_allclose(slow.log_likelihood, fast.log_likelihood, rtol=1e-11)


def test_gain_left_is_what_is_left_to_gain():
    fit = mog_jax.fit(load("quakes_depth"), direction="em", tolerance=1e-4)
    left = TRUTH["quakes_depth"]["log_likelihood"] - float(fit.log_likelihood)
    assert 1e-7 < left < 1e-4
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
    # The shift costs digits of x itself.
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
    fit = mog_jax.fit(x)
    assert fit.mixture.means.dtype == np.float32
    assert fit.converged
    np.testing.assert_allclose(fit.mixture.means, TRUTH["faithful_waiting"]["means"], rtol=1e-3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((2, 2, 2)), r"`data` must have shape \(n,\) or \(b, n\).*got \(2, 2, 2\)"),
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


ROW = np.concatenate([RNG.normal(0, 1, 25), RNG.normal(6, 2, 35)])


def close(found, expected, rtol=1e-9):
    np.testing.assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=rtol)
    for field in ("weights", "means", "variances"):
        np.testing.assert_allclose(
            getattr(found.mixture, field), getattr(expected.mixture, field), rtol=rtol, atol=1e-9
        )


@pytest.mark.parametrize("with_counts", [False, True])
def test_every_form_of_data_gives_the_same_fits(with_counts):
    short, counts = ROW[:50], np.arange(60) % 3 + 0.5
    rows = np.full((2, 60), np.nan)
    rows[0], rows[1, :50] = ROW, short
    matrix = mog_jax.fit(rows, counts=np.stack([counts, counts]) if with_counts else None)
    lists = mog_jax.fit([ROW, short], counts=[counts, counts[:50]] if with_counts else None)
    flat = np.concatenate([counts, counts[:50]])
    ragged = mog_jax.fit(
        mog_jax.Ragged(np.concatenate([ROW, short]), [60, 50]), counts=flat if with_counts else None
    )
    close(matrix, lists, 1e-12)
    close(matrix, ragged, 1e-12)
    assert matrix.n_missing.tolist() == [0, 10]
    assert lists.n_missing.tolist() == [0, 0]


def test_counts_repeat_points():
    counts = np.arange(60) % 3
    close(mog_jax.fit(ROW, counts=counts), mog_jax.fit(np.repeat(ROW, counts)))
    close(mog_jax.fit(ROW, counts=np.full(60, 7)), mog_jax.fit(np.tile(ROW, 7)))


def test_held_parameters_stay_where_they_are_and_the_rest_is_at_its_best():
    fit = mog_jax.fit(ROW, fixed={"mean_1": 0.2, "sd_1": np.sqrt(1.3)})
    assert fit.converged
    np.testing.assert_allclose(fit.mixture.means[0], 0.2, rtol=1e-12)
    np.testing.assert_allclose(fit.mixture.variances[0], 1.3, rtol=1e-12)
    assert fit.fixed.tolist() == [False, True, False, True, False]
    slope = gradient(fit.mixture, ROW)
    np.testing.assert_allclose([slope.means[1], slope.variances[1]], 0, atol=1e-4)
    assert abs(slope.weights[0] - slope.weights[1]) < 1e-3


def test_information_is_minus_the_hessian_in_the_fits_coordinates():
    fit = mog_jax.fit(ROW)

    def value(theta):
        weights = jax.nn.softmax(jnp.stack([theta[0], jnp.zeros_like(theta[0])]))
        mixture = mog_jax.Mixture(weights=weights, means=theta[1:3], variances=jnp.exp(theta[3:]))
        return mog_jax.log_likelihood(mixture, jnp.asarray(ROW))

    at = fit.mixture
    with jax.enable_x64(True):
        theta = jnp.asarray(
            [np.log(at.weights[0] / at.weights[1]), *at.means, *np.log(at.variances)]
        )
        expected = -jax.jit(jax.hessian(value))(theta)
    np.testing.assert_allclose(fit.information, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ([], Status.TOO_FEW_POINTS),
        ([np.nan] * 5, Status.TOO_FEW_POINTS),
        ([1.0], Status.TOO_FEW_POINTS),
        ([1.0, 2.0], Status.VARIANCE_FLOOR),
        ([1.0, 2.0, 4.0, 9.0, 9.5], Status.FEW_POINTS),
        (np.ones(50), Status.CONSTANT),
        ([0.0] * 20 + [1.0] * 30, Status.VARIANCE_FLOOR),
        ([1.0, np.inf, 2.0], Status.NOT_FINITE),
        (ROW * 1e-310, Status.OUT_OF_RANGE),
        (ROW * 1e-150, Status.CONVERGED),
        (ROW * 1e150, Status.CONVERGED),
        (ROW * 1e306, Status.OUT_OF_RANGE),
        (ROW + 1e12, Status.CONVERGED),
    ],
)
def test_awkward_data_get_a_status_and_no_exception(data, status):
    fit = mog_jax.fit(data)
    assert Status(int(fit.status)) is status
    known = fit.reason != Reason.NOTHING_FITTED
    assert np.isfinite(fit.log_likelihood) == known
    assert np.isfinite(fit.mixture.means).all() == known


def test_an_empty_batch_has_no_fits():
    assert len(mog_jax.fit(np.zeros((0, 5)))) == 0


def test_neighbours_do_not_matter():
    bad = np.full((4, 60), np.nan)
    bad[0], bad[1, :3], bad[2] = 1.0, [1, 2, np.inf], np.repeat([0.0, 1e9], 30)
    alone, among = mog_jax.fit(ROW), mog_jax.fit(np.vstack([bad, ROW]))[4]
    close(among, alone, 1e-12)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (-np.ones(60), r"`counts` must be non-negative and finite; got counts\[0\] = -1.0"),
        (np.ones(3), r"`counts` must have the shape of `data`, \(60,\); got \(3,\)"),
    ],
)
def test_counts_out_of_range_are_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        mog_jax.fit(ROW, counts=counts)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_components_share_their_variance_where_many_points_are_equal(dtype):
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.3, 2000) + (rng.random(2000) < 0.03) * rng.negative_binomial(
        3, 0.05, 2000
    )
    x = np.log1p(counts).astype(dtype)
    for data in (x, x[x > 0]):
        one, two = np.asarray(mog_jax.fit(data, equal_variances=True).mixture.variances)
        assert one == pytest.approx(two, rel=1e-5)
