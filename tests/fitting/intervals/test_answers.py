"""What a fit of intervals answers about its data: by the intervals, or not at all."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, norm

import mog_jax
from mog_jax.inference.intervals import interval_kolmogorov_distance, interval_statistics

X = mog_jax.datasets.faithful()
WORDS = [
    {"resolution": 1},
    {"limits": (50, 85), "resolution": 1},
    {"upper": X + 1.0},
    {"window": (40, 100)},
    {"window": (40, None), "resolution": 1},
]
IDS = ["rounded", "censored", "ends", "truncated", "both"]


def probabilities(fit, words):
    """Probability of each value under each component with its weight, by SciPy's tails."""
    mixture = fit.mixture
    parts = np.array(mixture.weights), np.array(mixture.means), np.sqrt(mixture.variances)
    half = 0.5 * words.get("resolution", 0)
    low, high = (words.get("limits") or (-np.inf, np.inf))[:2]
    found = []
    for place, x in enumerate(X):
        a, b = (x, words["upper"][place]) if "upper" in words else (x - half, x + half)
        if x <= low:
            a, b = -np.inf, low
        if x >= high:
            a, b = high, np.inf
        each = [
            w * (norm.pdf(a, m, s) if a == b else norm.cdf(b, m, s) - norm.cdf(a, m, s))
            for w, m, s in zip(*parts, strict=True)
        ]
        found.append(each)
    return np.array(found)


@pytest.mark.parametrize("words", WORDS, ids=IDS)
def test_posteriors_labels_and_icl_are_those_of_the_intervals(words):
    fit = mog_jax.fit(X, **words)
    joint = probabilities(fit, words)
    posterior = joint / joint.sum(axis=1, keepdims=True)
    given = {name: word for name, word in words.items() if name != "window"}
    if given:
        found = fit.responsibilities(X, **given)
        np.testing.assert_allclose(found, posterior, atol=1e-12)
        np.testing.assert_array_equal(fit.predict(X, **given), posterior[:, 1] > 0.5)
    icl = fit.bic() - 2 * np.log(posterior.max(axis=1)).sum()
    np.testing.assert_allclose(fit.icl(X, **words), icl, rtol=1e-12)


@pytest.mark.parametrize("words", WORDS, ids=IDS)
def test_the_sandwich_is_that_of_numerical_scores(words):
    fit = mog_jax.fit(X, **words)
    own = jax.tree.map(np.asarray, fit.mixture)
    theta = np.array([np.log(own.weights[0] / own.weights[1]), *own.means, *np.log(own.variances)])

    def log_likelihood(at, place):
        share = 1 / (1 + np.exp(-at[0]))
        mixture = mog_jax.Mixture.from_arrays(
            weights=[share, 1 - share], means=at[1:3], variances=np.exp(at[3:])
        )
        one = {
            name: word[place : place + 1] if name == "upper" else word
            for name, word in words.items()
        }
        return float(mog_jax.log_likelihood(mixture, X[place : place + 1], **one))

    places = [0, 1, 100]
    steps = 1e-5 * np.eye(5)
    scores = np.array(
        [
            [(log_likelihood(theta + h, i) - log_likelihood(theta - h, i)) / 2e-5 for h in steps]
            for i in places
        ]
    )
    counts = np.isin(np.arange(X.size), places).astype(float)
    covariance = np.asarray(fit.covariance())
    expected = covariance @ scores.T @ scores @ covariance
    found = fit.covariance(X, counts=counts, kind="sandwich", **words)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7 * np.abs(expected).max())


def test_the_sandwich_of_what_comes_from_the_model_is_near_the_information():
    random = np.random.default_rng(3)
    x = np.where(random.random(4000) < 0.4, random.normal(0, 1, 4000), random.normal(5, 1, 4000))
    fit = mog_jax.fit(np.round(x), resolution=1)
    plain, robust = (
        fit.standard_errors(np.round(x), kind=kind, resolution=1).means
        for kind in ("observed", "sandwich")
    )
    np.testing.assert_allclose(robust, plain, rtol=0.15)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.5, 3.0]), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_of_exact_values_the_distance_is_kolmogorovs(values):
    x = np.array(values)
    mixture = mog_jax.Mixture.from_arrays(weights=[1.0, 0.0], means=[1, 1], variances=[4, 4])
    found = interval_kolmogorov_distance(mixture, x, x, np.ones(x.size), (-np.inf, np.inf))
    np.testing.assert_allclose(found, kstest(x, norm(1, 2).cdf).statistic, rtol=1e-12)


def test_of_bins_the_distance_is_that_at_their_ends():
    edges = np.array([-np.inf, 50, 60, 70, 80, 90, np.inf])
    counts = np.histogram(X, edges)[0]
    fit = mog_jax.fit(edges[:-1], upper=edges[1:], counts=counts)
    seen = np.cumsum(counts)[:-1] / counts.sum()
    expected = np.abs(np.asarray(fit.cdf(edges[1:-1])) - seen).max()
    found = fit.kolmogorov_distance(edges[:-1], upper=edges[1:], counts=counts)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@given(st.lists(st.floats(-2, 8), min_size=1, max_size=6), st.integers(0, 5))
@settings(max_examples=50, deadline=None)
def test_no_data_within_the_intervals_are_nearer(values, seed):
    random = np.random.default_rng(seed)
    low = np.array(values)
    high = low + random.exponential(1, low.size)
    mixture = mog_jax.Mixture.from_arrays(weights=[0.3, 0.7], means=[1, 4], variances=[1, 2])
    least = interval_kolmogorov_distance(mixture, low, high, np.ones(low.size), (-np.inf, np.inf))
    within = low + (high - low) * random.random(low.size)
    assert least <= mog_jax.inference.kolmogorov_distance(mixture, within) + 1e-12


def test_remarks_of_intervals_are_about_intervals():
    fit = mog_jax.fit(X, resolution=1)
    assert fit.remarks(X, resolution=1) == []
    # Whole minutes as points: the fit of points says so, and that of limits alone too.
    censored = mog_jax.fit(X, limits=(None, 90))
    (remark,) = censored.remarks(X, limits=(None, 90))
    assert "give resolution=1" in remark


def test_a_batch_by_name_is_asked_as_it_was_fitted():
    data = {"a": X, "b": X[:100]}
    fits = mog_jax.fit(data, resolution={"b": 1, "a": 1})
    posterior = fits.responsibilities(data, resolution=1)
    assert posterior["b"].shape == (100, 2)
    np.testing.assert_allclose(
        posterior["a"], mog_jax.fit(X, resolution=1).responsibilities(X, resolution=1), rtol=1e-9
    )
    assert fits.icl(data, resolution=1).shape == (2,)
    assert fits.kolmogorov_distance(data, resolution=1).shape == (2,)


def test_missing_values_have_no_posterior():
    fit = mog_jax.fit(X, resolution=1)
    found = fit.responsibilities([np.nan, -np.inf, 3.0], upper=[np.nan, np.inf, 4.0])
    assert np.isnan(found[:2]).all()
    np.testing.assert_allclose(found[2], [1, 0], atol=1e-9)
    np.testing.assert_array_equal(fit.predict([np.nan, 90.0], resolution=1), [-1, 1])


def test_far_intervals_have_odds_of_all_digits():
    mixture = mog_jax.Mixture.from_arrays(weights=[[0.5, 0.5]], means=[[0, 1]], variances=[[1, 1]])
    terms = interval_statistics(
        mixture, np.zeros(3, int), np.array([30.0, 30.0, 30.0]), np.array([0.0, 1e-9, np.inf])
    )
    np.testing.assert_allclose(terms.log_odds[:2], 29.5, rtol=1e-12)
    np.testing.assert_allclose(terms.log_odds[2], norm.logsf(29.0) - norm.logsf(30.0), rtol=1e-12)


@pytest.mark.parametrize("method", ["icl", "kolmogorov_distance", "remarks"])
def test_data_must_be_said_as_they_were_fitted(method):
    of_intervals, of_points = mog_jax.fit(X, resolution=1), mog_jax.fit(X)
    with pytest.raises(ValueError, match=rf"fit of intervals: give .* {method}\(data, resolution"):
        getattr(of_intervals, method)(X)
    with pytest.raises(ValueError, match="`resolution` was not given"):
        getattr(of_points, method)(X, resolution=1)
    with pytest.raises(ValueError, match="no option `resolutoin`: did you mean `resolution`"):
        getattr(of_intervals, method)(X, resolutoin=1)


def test_what_cannot_be_meant_is_refused():
    fit = mog_jax.fit(X, resolution=1)
    with pytest.raises(ValueError, match="give the options that"):
        fit.standard_errors(X, kind="sandwich")
    with pytest.raises(ValueError, match="`monotone` goes with points"):
        fit.responsibilities(X, monotone=True, resolution=1)
    with pytest.raises(ValueError, match="`data` must be one dataset"):
        fit.icl([X, X], resolution=1)


def test_whether_values_were_intervals_is_kept(tmp_path):
    fit = mog_jax.fit(X, resolution=1)
    fit.save(tmp_path / "fit.arrow")
    assert mog_jax.Fit.load(tmp_path / "fit.arrow").of_intervals
    assert mog_jax.fit([X, X], resolution=1)[1].of_intervals
    assert not mog_jax.fit(X).of_intervals
