"""The methods of a fit: on the published datasets, in batches, and without an answer."""

import jax
import numpy as np
import pytest

import mog_jax
from mog_jax import Ragged
from mog_jax.inference import Crossing, Reason
from tests.inference.cases import TRUTH, dataset

# Datasets of two classes of size, so that few programs are compiled; the others are compared with
# published results in tests/inference.
NAMES = [name for name in TRUTH if name not in ("quakes_depth", "galaxies_mass")]


@pytest.fixture(scope="module")
def published():
    """All published datasets, fitted as one batch."""
    data = [dataset(name) for name in NAMES]
    return data, mog_jax.fit(data), mog_jax.fit(data, equal_variances=True, choose="regular")


def known(key):
    return np.array([TRUTH[name][key] for name in NAMES])


def test_one_batch_says_what_is_published(published):
    _, fits, equal = published
    errors = [TRUTH[name]["standard_errors"] for name in NAMES]
    found = fits.standard_errors()
    assert found.reason.tolist() == [Reason.KNOWN] * len(NAMES)
    np.testing.assert_allclose(found.weights[:, 0], [e["weight"] for e in errors], rtol=1e-6)
    np.testing.assert_allclose(found.means, [e["means"] for e in errors], rtol=1e-6)
    np.testing.assert_allclose(
        found.standard_deviations, [e["standard_deviations"] for e in errors], rtol=1e-6
    )
    bic = [TRUTH[name]["bic"] for name in NAMES]
    np.testing.assert_allclose(fits.bic(), [b["2V"] for b in bic], rtol=1e-9)
    np.testing.assert_allclose(equal.bic(), [b["2E"] for b in bic], rtol=1e-9)
    np.testing.assert_allclose(fits.delta_bic(), [b["1"] - b["2V"] for b in bic], rtol=1e-6)
    ratio = 2 * (fits.log_likelihood - fits.one_component.log_likelihood)
    np.testing.assert_allclose(ratio, known("likelihood_ratio_1_vs_2"), rtol=1e-6)
    np.testing.assert_allclose(equal.bimodality_index(), known("bimodality_index"), rtol=1e-6)
    # A root far out, where the variances nearly agree, moves by much more than the fit.
    roots, expected = fits.threshold().roots, known("half_posterior_points")
    np.testing.assert_allclose(roots[1:], expected[1:], rtol=1e-6)
    np.testing.assert_allclose(roots[0], expected[0], rtol=1e-5)


def test_the_bimodality_index_is_that_of_equal_variances(published):
    _, fits, _ = published
    with pytest.raises(ValueError, match="defined on the fit with equal variances: fit with"):
        fits.bimodality_index()


def test_equal_variances_share_their_standard_error(published):
    _, _, equal = published
    errors = equal.standard_errors()
    np.testing.assert_allclose(errors.variances[:, 0], errors.variances[:, 1], rtol=1e-9)
    np.testing.assert_allclose(equal.threshold().other, np.inf)


def test_every_form_of_the_data_gets_the_same_answers(published):
    data, fits, _ = published
    width = max(len(row) for row in data)
    matrix = np.full((len(data), width), np.nan)
    for row, filled in zip(data, matrix, strict=True):
        filled[: len(row)] = row
    ragged = Ragged(np.concatenate(data), [len(row) for row in data])
    for forms in [
        [fits.icl(form) for form in (data, matrix, ragged)],
        [fits.kolmogorov_distance(form) for form in (data, matrix, ragged)],
        [fits.standard_errors(form, kind="sandwich").means for form in (data, matrix, ragged)],
    ]:
        np.testing.assert_allclose(forms[1], forms[0], rtol=1e-12)
        np.testing.assert_allclose(forms[2], forms[0], rtol=1e-12)
    for ask in (fits.cdf, fits.log_density, fits.responsibilities, fits.predict):
        by_list, by_matrix, by_ragged = (ask(form) for form in (data, matrix, ragged))
        assert [len(row) for row in by_list] == [len(row) for row in data]
        np.testing.assert_array_equal(np.concatenate(by_list), by_ragged)
        for i, row in enumerate(by_list):
            np.testing.assert_allclose(by_matrix[i][: len(row)], row, rtol=1e-13)
            np.testing.assert_allclose(np.asarray(ask(data[i]))[i], row, rtol=1e-13)
    assert (fits.predict(matrix)[np.isnan(matrix)] == -1).all()


def test_one_dataset_is_its_row_of_the_batch(published):
    data, fits, _ = published
    alone = fits[0]
    np.testing.assert_allclose(alone.bic(), fits.bic()[0], rtol=1e-13)
    np.testing.assert_allclose(alone.threshold().value, fits.threshold().value[0], rtol=1e-13)
    np.testing.assert_allclose(alone.quantile(0.3), fits.quantile([0.3])[0, 0], rtol=1e-12)
    np.testing.assert_array_equal(alone.n_modes(), fits.n_modes()[0])
    np.testing.assert_array_equal(alone.predict(data[0]), fits.predict(data)[0])
    assert fits.sample(jax.random.key(0), 7).shape == (len(NAMES), 7)


def test_counts_are_repetitions():
    x, times = np.unique(dataset("faithful_waiting"), return_counts=True)
    fit, counted = mog_jax.fit(dataset("faithful_waiting")), mog_jax.fit(x, counts=times)
    np.testing.assert_allclose(counted.bic(), fit.bic(), rtol=1e-9)
    pairs = [
        (counted.icl(x, counts=times), fit.icl(dataset("faithful_waiting"))),
        (
            counted.standard_errors(x, counts=times, kind="sandwich").means,
            fit.standard_errors(dataset("faithful_waiting"), kind="sandwich").means,
        ),
    ]
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_where_there_is_no_answer_there_is_a_reason_and_neighbours_keep_theirs():
    rng = np.random.default_rng(0)
    good = np.concatenate([rng.normal(0, 1, 75), rng.normal(6, 1, 75)])
    rows = np.tile(good, (6, 1))
    rows[1] = 3.0
    rows[2, 0] = np.inf
    rows[3, 1:] = np.nan
    rows[4] = np.repeat([0.0, 1.0], 75)
    fits = mog_jax.fit(rows)
    reasons = [Reason.KNOWN] + [Reason.NOTHING_FITTED] * 3 + [Reason.BOUNDARY, Reason.KNOWN]
    errors = fits.standard_errors()
    assert errors.reason.tolist() == reasons
    alone = mog_jax.fit(good)
    for answer, by_itself in [
        (errors.means, alone.standard_errors().means),
        (fits.confidence_intervals().weights, alone.confidence_intervals().weights),
        (fits.bic(), alone.bic()),
        (fits.aic(), alone.aic()),
        (fits.delta_bic(), alone.delta_bic()),
        (fits.threshold().standard_error, alone.threshold().standard_error),
    ]:
        assert np.isnan(answer[1:5]).all()
        np.testing.assert_allclose(answer[0], by_itself, rtol=1e-12)
        np.testing.assert_allclose(answer[5], by_itself, rtol=1e-12)
    assert fits.n_modes().tolist()[:4] == [2, 0, 0, 0]
    assert fits.threshold().crossing.tolist()[1:4] == [Crossing.NOTHING_FITTED] * 3


def test_a_fit_that_was_stopped_says_so():
    fit = mog_jax.fit(dataset("acidity"), direction="em", max_steps=1, tolerance=1e-12)
    assert fit.status != mog_jax.Status.CONVERGED
    assert fit.standard_errors().reason == Reason.NOT_AT_MAXIMUM
    assert np.isnan([fit.bic(), fit.delta_bic(), fit.standard_errors().means[0]]).all()


def test_what_is_fixed_has_no_error_and_is_not_counted():
    x = dataset("faithful_waiting")
    fit, free = mog_jax.fit(x, fixed={"mean_1": 54, "sd_1": 5.5}), mog_jax.fit(x)
    errors = fit.standard_errors()
    assert (errors.means[0], errors.variances[0]) == (0, 0)
    assert 0 < errors.means[1] <= free.standard_errors().means[1] * 1.01
    np.testing.assert_allclose(fit.bic() + 2 * fit.log_likelihood, 3 * np.log(x.size), rtol=1e-12)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda fits: fits.standard_errors(kind="robust"), "one of 'observed', 'sandwich'; got"),
        (lambda fits: fits.standard_errors(kind="sandwich"), "the sandwich needs the data"),
        (lambda fits: fits.cdf(np.zeros((3, 4))), r"must have shape \(n,\) or \(6, n\)"),
        (lambda fits: fits[0].cdf(np.zeros((3, 4))), r"must have shape \(n,\), .* one fit; got"),
        (lambda fits: fits.icl(["a", "b"]), "real numbers"),
        (lambda fits: fits.confidence_intervals(level=95), "`level` must lie between 0 and 1"),
        (lambda fits: fits.threshold(posterior=2), "`posterior` must lie between 0 and 1"),
    ],
)
def test_wrong_questions_are_refused(published, ask, message):
    with pytest.raises(ValueError, match=message):
        ask(published[1])


def test_float32_stays_float32():
    fit = mog_jax.fit(dataset("faithful_waiting").astype(np.float32))
    for answer in (fit.bic(), fit.standard_errors().means, fit.threshold().value, fit.cdf([60.0])):
        assert np.asarray(answer).dtype in (np.float32, np.float64)
    assert np.asarray(fit.standard_errors().means).dtype == np.float32
