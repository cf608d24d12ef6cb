"""The choice of the maximum, end to end: real data, and laws."""

from pathlib import Path

import jax
import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mog_jax
from mog_jax import Status
from mog_jax.inference import Reason
from tests.fitting.test_company import assert_same_bits

DATA = Path(__file__).parent.parent / "data"
RNG = np.random.default_rng(17)
NORMAL = RNG.normal(size=200)
FOUR_FAR = np.concatenate([NORMAL, [9, 9.4, 9.8, 10.1]])
RATINGS = np.repeat([1.0, 2, 3, 4, 5], [80, 12, 10, 30, 110])
ZEROS = np.concatenate([np.zeros(90), RNG.gamma(3, 1, 210)])
CAPPED = np.minimum(np.concatenate([RNG.normal(20, 6, 250), RNG.normal(44, 8, 60)]), 50)


def real(name):
    """Values of a column, as often as they were seen (R's MASS: survey, Boston)."""
    values, counts = np.loadtxt(DATA / f"{name}.csv", delimiter=",", skiprows=1).T
    return np.repeat(values, counts.astype(int))


def gain(fits):
    return np.asarray(fits.log_likelihood) - np.asarray(fits.one_component.log_likelihood)


def test_four_points_far_away_are_a_component():
    fits = mog_jax.fit(FOUR_FAR)
    assert fits.status_name == "few_points"
    assert fits.converged
    np.testing.assert_allclose(fits.mixture.means[1], 9.575, atol=0.01)
    assert fits.delta_bic() > 100
    assert np.isfinite(fits.standard_errors().means).all()
    assert np.isfinite(fits.threshold().standard_error)
    regular = mog_jax.fit(FOUR_FAR, choose="regular")
    assert regular.status_name == "converged"
    assert gain(fits) - gain(regular) > 50


def test_a_point_alone_is_not():
    fits = mog_jax.fit(np.append(NORMAL[:100], 12.0))
    assert fits.status_name != "few_points"


def test_star_ratings_reach_the_highest_regular_maximum():
    fits = mog_jax.fit(RATINGS)
    assert fits.status_name == "converged"
    np.testing.assert_allclose(fits.log_likelihood, -326.41074, atol=1e-4)
    # A remark tells of the spike at 5, which is not the answer.
    assert fits.higher_by > 500
    np.testing.assert_allclose(fits.higher_points, 110, atol=0.1)
    counted = mog_jax.fit([1.0, 2, 3, 4, 5], counts=[80, 12, 10, 30, 110])
    np.testing.assert_allclose(counted.log_likelihood, fits.log_likelihood, rtol=1e-10)


def test_zeros_are_an_atom_of_known_place():
    fits = mog_jax.fit(ZEROS)
    assert fits.status_name == "atom"
    assert not fits.converged
    np.testing.assert_allclose(fits.mixture.weights[0], 0.3, atol=0.01)
    np.testing.assert_allclose(fits.mixture.means[0], 0, atol=1e-9)
    np.testing.assert_allclose(fits.mixture.means[1], ZEROS[ZEROS > 0].mean(), rtol=0.05)
    assert fits.delta_bic() > 100
    errors = fits.standard_errors()
    assert errors.reason == 0
    assert errors.means[0] == errors.standard_deviations[0] == 0
    assert (np.asarray([errors.weights[0], errors.means[1], errors.variances[1]]) > 0).all()
    assert np.isfinite(fits.threshold().value)
    # Of the values that are not zero, about what one Gaussian says.
    rest = ZEROS[ZEROS > 0]
    np.testing.assert_allclose(errors.means[1], rest.std() / np.sqrt(rest.size), rtol=0.2)
    shares = np.sqrt(0.3 * 0.7 / ZEROS.size)
    np.testing.assert_allclose(errors.weights[0], shares, rtol=0.05)


def test_eighteen_equal_heights_of_two_hundred_are_no_component():
    x = real("survey_height")
    fits = mog_jax.fit(x)
    assert fits.status_name == "converged"
    assert np.sqrt(np.asarray(fits.mixture.variances)).min() > 5
    assert fits.delta_bic() < 0
    assert fits.higher_by > 20
    assert mog_jax.fit(x, choose="regular").delta_bic() > 50


def test_a_column_with_a_heap_reaches_the_highest_regular_maximum():
    fits = mog_jax.fit(real("boston_ptratio"))
    assert fits.status_name == "converged"
    np.testing.assert_allclose(fits.log_likelihood, -1014.1151, atol=1e-4)


def test_a_column_of_zeros_is_an_atom_and_the_rest():
    fits = mog_jax.fit(real("boston_zn"))
    assert fits.status_name == "atom"
    np.testing.assert_allclose(fits.mixture.weights[0], 372 / 506, atol=1e-3)
    assert np.isfinite([fits.delta_bic(), fits.standard_errors().means[1]]).all()


def test_a_cap_does_not_hide_the_rest():
    fits = mog_jax.fit(CAPPED)
    assert np.isfinite(fits.delta_bic())
    labels = fits.predict(CAPPED)
    assert (labels == (CAPPED > 32)).mean() > 0.9


def test_twelve_far_points_among_twenty_thousand_are_found_as_in_chunks():
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(size=20_000), rng.normal(30, 1, 12)])
    fits, chunks = mog_jax.fit(x), mog_jax.fit_chunks([x])
    assert fits.status_name == chunks.status_name == "converged"
    np.testing.assert_allclose(fits.mixture.means, chunks.mixture.means, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(fits.mixture.weights[1], 12 / x.size, rtol=1e-2)


@pytest.mark.parametrize("x", [FOUR_FAR, ZEROS], ids=["few", "zeros"])
def test_chunks_end_where_a_fit_ends(x):
    fits, chunks = mog_jax.fit(x), mog_jax.fit_chunks([x[:77], x[77:]])
    assert fits.status == chunks.status
    np.testing.assert_allclose(fits.log_likelihood, chunks.log_likelihood, rtol=1e-9)
    regular = mog_jax.fit_chunks([x], choose="regular")
    assert regular.status == mog_jax.fit(x, choose="regular").status


def test_the_same_choice_in_a_comparison_and_a_test():
    comparison = mog_jax.compare(FOUR_FAR)
    assert comparison.free.status_name == "few_points"
    assert comparison.best > 0
    assert mog_jax.compare(FOUR_FAR, choose="regular").free.status_name == "converged"
    test = mog_jax.bootstrap_test(FOUR_FAR, key=0, replicates=39)
    assert test.p_value == pytest.approx(1 / 40)


@pytest.mark.parametrize("choose", ["height", 3, None])
def test_another_choice_is_refused(choose):
    with pytest.raises(ValueError, match=r"`choose` must be one of 'penalised', 'regular'; got"):
        mog_jax.fit(NORMAL, choose=choose)


def kinds(seed):
    """Return a dataset of 204 points of some kind."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=204)
    kind = seed % 6
    if kind == 0:
        x[:4] += 9
    elif kind == 1:
        x[:60] = 0.25
    elif kind == 2:
        x = np.round(x + 4 * (rng.random(204) < 0.3), 1)
    elif kind == 3:
        x[:80] += 3
    elif kind == 4:
        x = np.round(2 * x)
    return x


@settings(max_examples=12)
@given(st.integers(0, 59), st.sampled_from([2.0, -0.125, 1024.0]), st.sampled_from([0.0, 64.0]))
def test_the_choice_does_not_depend_on_the_unit(seed, scale, shift):
    x = kinds(seed)
    here, there = mog_jax.fit(x), mog_jax.fit(scale * x + shift)
    assert here.status == there.status
    np.testing.assert_allclose(gain(here), gain(there), rtol=1e-6, atol=1e-6)
    means = np.sort(scale * np.asarray(here.mixture.means) + shift)
    spread = abs(scale) * x.std()
    np.testing.assert_allclose(there.mixture.means, means, atol=1e-3 * spread)


@settings(max_examples=12)
@given(st.integers(0, 59))
def test_points_counted_are_points_repeated(seed):
    x = kinds(seed)
    values, counts = np.unique(x, return_counts=True)
    fits, counted = mog_jax.fit(x), mog_jax.fit(values, counts=counts.astype(float))
    assert fits.status == counted.status
    np.testing.assert_allclose(gain(fits), gain(counted), rtol=1e-6, atol=1e-6)


@settings(max_examples=6)
@given(st.permutations(range(6)))
def test_the_choice_does_not_depend_on_company(order):
    x = np.stack([kinds(seed) for seed in range(6)])
    together = mog_jax.fit(x[np.array(order)])
    for place, seed in enumerate(order):
        assert_same_bits(together[place], mog_jax.fit(x[seed]))


@settings(max_examples=8)
@given(st.integers(0, 500))
def test_where_the_answer_is_the_highest_regular_maximum_it_has_its_bits(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(8, 204)) + 5 * (rng.random((8, 204)) < 0.4)
    here, regular = mog_jax.fit(x), mog_jax.fit(x, choose="regular")
    same = np.abs(gain(here) - gain(regular)) < 1e-6
    for one, other in zip(
        jax.tree.leaves(here.mixture), jax.tree.leaves(regular.mixture), strict=True
    ):
        np.testing.assert_array_equal(np.asarray(one)[same], np.asarray(other)[same])


def test_equal_variances_and_what_is_fixed_are_chosen_among_as_well():
    equal = mog_jax.fit(FOUR_FAR, equal_variances=True)
    assert equal.status_name == "few_points"
    known = mog_jax.fit(FOUR_FAR, fixed={"mean_1": 0.0, "sd_1": 1.0})
    np.testing.assert_allclose(known.mixture.means, [0, 9.575], atol=0.05)
    assert known.status_name == "few_points"


def test_every_status_says_what_it_means():
    assert "fewer than min_points" in Status.FEW_POINTS.message
    assert "one value" in Status.ATOM.message


def test_remarks_tell_of_what_is_higher_narrower_than_a_step_and_of_no_gaussian():
    ratings, normal = mog_jax.fit([RATINGS, np.append(NORMAL, 0.1)]).remarks(
        [RATINGS, np.append(NORMAL, 0.1)]
    )
    for said in ("nats higher has a component of 110", "narrower than the step", "neither one"):
        assert any(said in remark for remark in ratings), said
    assert not any("neither" in remark or "step" in remark for remark in normal)
    assert mog_jax.fit(FOUR_FAR).remarks() == []


def test_what_an_atom_does_not_have_is_missing_with_a_reason():
    place = mog_jax.profile_interval(ZEROS, "means", 0)
    assert np.isnan([place.lower, place.upper]).all()
    assert place.reason == Reason.BOUNDARY
    other = mog_jax.profile_interval(ZEROS, "means", 1)
    assert other.lower < ZEROS[ZEROS > 0].mean() < other.upper


def test_a_table_has_the_same_answers():
    datasets = {"far": FOUR_FAR, "ratings": RATINGS, "zeros": ZEROS}
    rows = pandas.DataFrame(
        {
            "group": np.repeat(list(datasets), [x.size for x in datasets.values()]),
            "x": np.concatenate([*datasets.values()]),
        }
    )
    fits = mog_jax.fit(list(datasets.values()))
    for choose in ("penalised", "regular"):
        table = mog_jax.fit_table(rows, by="group", value="x", choose=choose).to_pandas()
        expected = mog_jax.fit(list(datasets.values()), choose=choose)
        table = table.set_index("group").loc[list(datasets)]
        assert table["status"].tolist() == expected.status_name.tolist()
        np.testing.assert_allclose(table["log_likelihood"], expected.log_likelihood, rtol=1e-12)
    assert fits.status_name.tolist() == ["few_points", "converged", "atom"]
