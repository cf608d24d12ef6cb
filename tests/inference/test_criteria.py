import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mog_jax import responsibilities
from mog_jax.inference import aic, bic, icl, n_parameters
from tests.inference.cases import TRUTH, dataset, mixture_of, stacked


@pytest.mark.parametrize("name", TRUTH)
def test_bic_is_the_published_one(name):
    known = TRUTH[name]
    two, equal, one = (
        bic(log_likelihood, parameters, known["n"])
        for log_likelihood, parameters in [
            (known["log_likelihood"], n_parameters(equal_variances=False)),
            (known["equal_variances"]["log_likelihood"], n_parameters(equal_variances=True)),
            (known["one_component"]["loglik"], 2),
        ]
    )
    expected = [known["bic"][model] for model in ("2V", "2E", "1")]
    np.testing.assert_allclose([two, equal, one], expected, rtol=1e-12)


@given(st.floats(-1e6, 1e6), st.integers(1, 5), st.integers(8, 10**6))
def test_bic_punishes_more_than_aic_from_eight_points_on(log_likelihood, parameters, n):
    assert bic(log_likelihood, parameters, n) >= aic(log_likelihood, parameters)


def test_icl_adds_the_doubt_of_the_labels_and_counts_are_repetitions():
    name = "acidity"
    mixture, x = mixture_of(TRUTH[name]), dataset(name)
    doubt = np.log(np.max(responsibilities(mixture, x), axis=1))
    base = TRUTH[name]["bic"]["2V"]
    np.testing.assert_allclose(icl(base, mixture, x), base - 2 * doubt.sum(), rtol=1e-13)
    counts = np.arange(x.size) % 3
    repeated = icl(base, mixture, np.repeat(x, counts))
    np.testing.assert_allclose(icl(base, mixture, x, counts), repeated, rtol=1e-13)
    batch = icl(np.array([base, 0.0]), stacked([mixture] * 2), np.stack([x, x]))
    np.testing.assert_allclose(batch, [icl(base, mixture, x), icl(0.0, mixture, x)], rtol=1e-13)


def test_held_parameters_are_not_counted():
    np.testing.assert_array_equal(
        n_parameters(equal_variances=False, n_fixed=np.arange(3)), [5, 4, 3]
    )


def test_under_jit_the_surrounding_precision_holds():
    assert jax.jit(bic)(np.float32(-10), 5, 100).dtype == np.float32
