"""A dataset in chunks against the same points at once."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mog_jax
from mog_jax import Mixture, Status
from mog_jax.chunks import blocks, survey
from tests.fitting.draws import datasets, two_clear_components

RNG = np.random.default_rng(3)
LARGE = RNG.permutation(np.concatenate([RNG.normal(0, 1, 12_000), RNG.normal(3, 0.7, 8_000)]))
COUNTS = RNG.integers(0, 4, LARGE.size) + 0.5


@pytest.fixture
def sampled(monkeypatch):
    """Make blocks and samples small, so that a test's dataset has many of them."""
    monkeypatch.setattr(blocks, "BLOCK", 4096)
    monkeypatch.setattr(survey, "_SAMPLED", 2048)
    monkeypatch.setattr(survey, "_EXTREMES", 64)


def cut(x, counts=None, parts=7):
    """Return a callable that yields the points in chunks."""
    if counts is None:
        return lambda: iter(np.array_split(x, parts))
    return lambda: zip(np.array_split(x, parts), np.array_split(counts, parts), strict=True)


def agree(found, expected, rtol=1e-8):
    """Assert that two fits of the same points are equal."""
    assert found.status_name == expected.status_name
    np.testing.assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=1e-10)
    for field in ("weights", "means", "variances"):
        one, other = getattr(found.mixture, field), getattr(expected.mixture, field)
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol, err_msg=field)
    np.testing.assert_allclose(
        found.standard_errors().means, expected.standard_errors().means, rtol=1e-7
    )
    size = np.abs(expected.information).max()
    np.testing.assert_allclose(found.information, expected.information, atol=1e-6 * size)
    for field in ("n_points", "n_missing"):
        np.testing.assert_allclose(getattr(found, field), getattr(expected, field), rtol=1e-12)
    for one, other in zip(
        jax.tree.leaves(found.one_component), jax.tree.leaves(expected.one_component), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(found.fixed, expected.fixed)


@settings(max_examples=30)
@given(datasets(), st.sampled_from([1e-8, 1.0, 1e9]), st.sampled_from([0.0, 1e6]))
def test_few_points_are_fitted_as_by_fit(x, unit, offset):
    x = unit * (x + offset)
    found, expected = mog_jax.fit_chunks(cut(x)), mog_jax.fit(x)
    assert found.status_name == expected.status_name
    if expected.status == Status.DEGENERATE:
        return  # the parameters of two are not determined
    np.testing.assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=1e-9, atol=1e-7)
    scale = np.sqrt(expected.one_component.variance)
    np.testing.assert_allclose(
        found.mixture.means, expected.mixture.means, rtol=0, atol=1e-6 * scale
    )


OPTIONS = {
    "plain": {},
    "equal variances": {"equal_variances": True},
    "fixed by name": {"fixed": {"mean_1": 0.0, "sd_1": 1.0}},
    "fixed, and the other way round": {"fixed": {"mean_1": 3.0, "weight_1": 0.4}},
    "fixed as a mixture": {
        "fixed": Mixture(
            weights=np.array([np.nan] * 2), means=np.array([0, np.nan]), variances=np.ones(2)
        )
    },
    "a high floor": {"variance_floor": 0.1},
    "quick starts": {"starts": "quick"},
    "many points wanted": {"min_points": 9_000},
}


@pytest.mark.parametrize("counted", [False, True], ids=["", "counted"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_many_points_are_fitted_as_by_fit(sampled, options, counted):
    counts = COUNTS if counted else None
    found = mog_jax.fit_chunks(cut(LARGE, counts), **options)
    agree(found, mog_jax.fit(LARGE, counts=counts, **options))
    assert 3 <= found.n_passes <= 15


@settings(max_examples=10)
@given(two_clear_components(), st.booleans())
def test_points_in_chunks_of_many_kinds(x, single):
    x = x.astype(np.float32 if single else np.float64)
    expected = mog_jax.fit(x.astype(np.float64))
    agree(mog_jax.fit_chunks([x[:10], [], x[10:]]), expected)
    agree(mog_jax.fit_chunks(x), expected)
    agree(mog_jax.fit_chunks(lambda: [list(map(float, x))]), expected)
    agree(
        mog_jax.fit_chunks(lambda: [jax.numpy.asarray(x[:20]), x[20:]] if single else [x]), expected
    )


CUTS = st.lists(st.integers(0, LARGE.size), max_size=5).map(sorted)


@settings(max_examples=8)
@given(cuts=CUTS, counted=st.booleans(), every=st.sampled_from([1, 7]))
def test_the_same_bits_however_the_points_are_cut(cuts, counted, every):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", 4096)
        patch.setattr(survey, "_SAMPLED", 2048)
        patch.setattr(survey, "_EXTREMES", 64)
        x = LARGE.copy()
        x[::every][1:] = np.nan if every > 1 else x[::every][1:]
        counts = COUNTS if counted else np.ones(LARGE.size)
        one = mog_jax.fit_chunks(lambda: [(x, counts)])
        pairs = list(zip(np.split(x, cuts), np.split(counts, cuts), strict=True))
        other = mog_jax.fit_chunks(lambda: iter(pairs))
    for ours, theirs in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_points_that_stand_out_are_found_however_few_they_are(sampled):
    # Sixty of twenty thousand, of which a sample of two thousand would hold six.
    x = np.concatenate([LARGE[:10_000], 500 + RNG.normal(size=60), LARGE[10_000:]])
    found = mog_jax.fit_chunks(cut(x))
    # The unit of both climbs is the data's standard deviation, 27 of the components' own.
    agree(found, mog_jax.fit(x), rtol=1e-7)
    assert found.converged
    assert found.mixture.means[1] > 490


@pytest.mark.parametrize(
    "extra",
    [[400.0], [400.0] * 9, [400.0, 401.0, 402.0]],
    ids=["one far away", "tied far away", "few far away"],
)
def test_ends_that_are_no_regular_maximum_are_those_of_fit(sampled, extra):
    x = np.concatenate([LARGE[:4000] * 1e-9, extra])
    found, expected = mog_jax.fit_chunks(cut(x)), mog_jax.fit(x)
    assert found.status_name == expected.status_name
    # At such a distance the sums themselves are no more accurate.
    np.testing.assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=1e-6)


def test_clusters_by_chance_in_the_sample_do_not_hide_a_rare_component(sampled):
    # Twenty of twenty thousand, of which the sample holds all, among points that stand for ten.
    rng = np.random.default_rng(12)
    x = np.concatenate([rng.normal(size=20_000), rng.normal(6, 2, size=20)])
    agree(mog_jax.fit_chunks(cut(x)), mog_jax.fit(x))


def test_twelve_points_far_away_are_found(sampled):
    x = np.concatenate([LARGE[:10_000], 500 + RNG.normal(size=12), LARGE[10_000:]])
    found = mog_jax.fit_chunks(cut(x))
    assert found.converged
    assert found.mixture.means[1] == pytest.approx(500, abs=2)
    expected = mog_jax.fit(x).log_likelihood
    assert found.log_likelihood > expected - 1e-9 * abs(expected)


def test_what_is_missing_is_counted_and_left_out():
    x = LARGE[:300].copy()
    x[::10] = np.nan
    masked = np.ma.masked_array(LARGE[:300], np.arange(300) % 10 == 0)
    for given_chunks in (cut(x), [masked[:100], masked[100:]]):
        found = mog_jax.fit_chunks(given_chunks)
        agree(found, mog_jax.fit(x))
        assert found.n_missing == 30


@pytest.mark.parametrize(
    ("x", "status"),
    [
        ([1.0, 2.0, np.inf, np.nan], Status.NOT_FINITE),
        ([np.nan, np.nan], Status.TOO_FEW_POINTS),
        ([1.0, np.nan], Status.TOO_FEW_POINTS),
        ([2.0] * 50, Status.CONSTANT),
        (np.linspace(0, 1, 50) * 1e-170, Status.OUT_OF_RANGE),
        (np.linspace(-1, 1, 50) * 1.7e308, Status.OUT_OF_RANGE),
    ],
    ids=lambda given: getattr(given, "name", None),
)
def test_data_that_cannot_be_fitted_have_the_status_that_fit_gives(x, status):
    x = np.asarray(x)
    found, expected = mog_jax.fit_chunks([x[:2], x[2:]]), mog_jax.fit(x)
    assert found.status == expected.status == status
    assert (found.n_points, found.n_missing) == (expected.n_points, expected.n_missing)
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_an_infinity_in_one_chunk_is_a_status(sampled):
    x = LARGE.copy()
    x[17_000] = -np.inf
    assert mog_jax.fit_chunks(cut(x)).status == Status.NOT_FINITE


def test_a_climb_that_runs_out_of_steps_says_so(sampled):
    found = mog_jax.fit_chunks(cut(LARGE), max_steps=1)
    assert found.status == Status.STEP_LIMIT
    assert found.n_passes == 2


def test_chunks_of_very_different_magnitude_are_no_obstacle():
    x = np.concatenate([[0.0, 1e-180], LARGE[:500] * 1e100])
    agree(mog_jax.fit_chunks([x[:2], x[2:]]), mog_jax.fit(x))


def test_sorted_points_are_no_obstacle(sampled):
    agree(mog_jax.fit_chunks(cut(np.sort(LARGE))), mog_jax.fit(LARGE))
