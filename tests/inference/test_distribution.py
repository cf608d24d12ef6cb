import jax
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mog_jax import Mixture, log_density, responsibilities
from mog_jax.inference import cdf, distribution, kolmogorov_distance, quantile
from tests.inference.cases import TRUTH, dataset, mixture_of, pairs, stacked


def exact_cdf(mixture, x):
    with mpmath.workdps(60):
        parts = zip(
            np.asarray(mixture.weights).tolist(),
            np.asarray(mixture.means).tolist(),
            np.asarray(mixture.variances).tolist(),
            strict=True,
        )
        x = mpmath.mpf(float(x))
        return float(
            sum(
                mpmath.mpf(w) * mpmath.ncdf((x - m) / mpmath.sqrt(mpmath.mpf(v)))
                for w, m, v in parts
            )
        )


@given(pairs())
def test_cdf_keeps_its_digits_in_the_lower_tail(mixture):
    deviation = float(np.min(mixture.standard_deviations))
    x = float(mixture.means[0]) + deviation * np.array([-12.0, -3.0, 0.0, 1.0, 5.0])
    expected = [exact_cdf(mixture, value) for value in x]
    np.testing.assert_allclose(cdf(mixture, x), expected, rtol=1e-9)


@given(pairs(), st.floats(-30, 30))
def test_quantile_undoes_cdf(mixture, log_odds):
    p = 1 / (1 + np.exp(-log_odds))
    x = quantile(mixture, [p])
    scale = np.max(mixture.standard_deviations) + np.max(np.abs(np.asarray(mixture.means)))
    with mpmath.workdps(60):
        below, above = (exact_cdf(mixture, x[0] + step * scale) for step in (-1e-9, 1e-9))
    assert below <= p * (1 + 1e-9)
    assert p * (1 - 1e-9) <= above


def test_quantiles_rise_from_minus_to_plus_infinity():
    mixture = mixture_of(TRUTH["acidity"])
    p = np.array([0, 1e-300, 1e-20, 0.001, 0.25, 0.5, 0.75, 0.999, 1 - 1e-12, 1])
    found = quantile(mixture, p)
    assert np.all(np.diff(found) > 0)
    assert np.isinf(found[[0, -1]]).all()
    np.testing.assert_allclose(cdf(mixture, found)[1:], p[1:], rtol=1e-9)


def test_a_component_of_weight_zero_does_not_matter():
    mixture = Mixture.from_arrays(weights=[0, 1], means=[-1e6, 2], variances=[1, 4])
    np.testing.assert_allclose(quantile(mixture, [0.5, 0.975]), [2, 2 + 2 * 1.959963984540054])


def test_kolmogorov_distance_is_the_largest_gap():
    mixture, x = mixture_of(TRUTH["faithful_waiting"]), dataset("faithful_waiting")
    values, repeats = np.unique(x, return_counts=True)
    steps = np.concatenate([[0], np.cumsum(repeats)]) / x.size
    at = cdf(mixture, values)
    expected = max(np.max(np.abs(steps[1:] - at)), np.max(np.abs(steps[:-1] - at)))
    np.testing.assert_allclose(kolmogorov_distance(mixture, x), expected, rtol=1e-12)
    np.testing.assert_allclose(kolmogorov_distance(mixture, values, repeats), expected, rtol=1e-12)
    padded = kolmogorov_distance(mixture, np.append(values, 1e6), np.append(repeats, 0))
    np.testing.assert_allclose(padded, expected, rtol=1e-12)


def test_the_right_model_is_close_and_a_wrong_one_is_not():
    mixture = mixture_of(TRUTH["faithful_waiting"])
    x = mixture.sample(jax.random.key(0), 10_000)
    assert kolmogorov_distance(mixture, x) < 0.02
    assert kolmogorov_distance(mixture.affine(1.0, 5.0), x) > 0.1


@pytest.mark.parametrize("name", ["log_density", "responsibilities", "cdf"])
def test_a_batch_is_its_members(name):
    single = {"log_density": log_density, "responsibilities": responsibilities, "cdf": cdf}[name]
    members = [mixture_of(TRUTH["acidity"]), mixture_of(TRUTH["galaxies_mass"])]
    x = np.array([[3.0, 5.0, 9.0], [10.0, 11.0, 30.0]])
    whole = getattr(distribution, name)(stacked(members), x)
    for i, member in enumerate(members):
        np.testing.assert_allclose(whole[i], single(member, x[i]), rtol=1e-13)


@pytest.mark.parametrize("bad", [-0.1, 1.5, np.nan])
def test_impossible_probabilities_are_refused_by_place(bad):
    with pytest.raises(ValueError, match=r"between 0 and 1; got probabilities\[1\] = "):
        quantile(mixture_of(TRUTH["acidity"]), [0.5, bad])
