import numpy as np
import pytest
import scipy.optimize

import mog_jax
from mog_jax.inference import Reason
from tests.inference.cases import dataset


@pytest.mark.parametrize("parameter", ["weights", "means", "variances"])
def test_at_its_ends_the_likelihood_has_fallen_by_the_quantile(parameter):
    x = dataset("acidity")
    fit = mog_jax.fit(x)
    found = mog_jax.profile_interval(x, parameter, 0)
    estimate = getattr(fit.mixture, parameter)[0]
    assert found.lower < estimate < found.upper
    for end in (found.lower, found.upper):
        # An independent maximiser, over the parameters that are left, from the fit.
        assert (
            abs(2 * (float(fit.log_likelihood) - best_with(x, fit, parameter, end)) - 3.8415) < 1e-3
        )


def best_with(x, fit, parameter, value):
    place = {"weights": 0, "means": 1, "variances": 3}[parameter]
    w, m, v = (np.asarray(getattr(fit.mixture, f)) for f in ("weights", "means", "variances"))
    start = np.concatenate([[np.log(w[0] / w[1])], m, np.log(v)])
    held = {0: np.log(value / (1 - value)) if place == 0 else 0, 1: value, 3: np.log(abs(value))}[
        place
    ]

    def minus(free):
        theta = np.insert(free, place, held)
        weight = 1 / (1 + np.exp(-theta[0]))
        parts = [
            np.log(p)
            - 0.5
            * (np.log(2 * np.pi) + theta[3 + k] + (x - theta[1 + k]) ** 2 / np.exp(theta[3 + k]))
            for k, p in enumerate((weight, 1 - weight))
        ]
        return -np.logaddexp(*parts).sum()

    start = np.delete(start, place)
    return -scipy.optimize.minimize(minus, start, method="BFGS").fun


def test_a_batch_is_its_members_and_standard_deviations_are_roots():
    data = [dataset("iris_petal_width"), np.ones(150), dataset("acidity")]
    found = mog_jax.profile_interval(data, "standard_deviations", 1, level=0.9)
    assert found.reason.tolist() == [Reason.KNOWN, Reason.NOTHING_FITTED, Reason.KNOWN]
    assert np.isnan([found.lower[1], found.upper[1]]).all()
    alone = mog_jax.profile_interval(data[2], "variances", 1, level=0.9)
    np.testing.assert_allclose(
        [found.lower[2], found.upper[2]], np.sqrt([alone.lower, alone.upper]), rtol=1e-4
    )
    assert repr(found) == "ProfileInterval of 3 fits: 2 known, 1 NaN"
    assert repr(alone) == f"ProfileInterval({alone.lower:.6g}, {alone.upper:.6g})"


def test_where_the_data_set_no_bound_the_interval_is_open():
    x = np.random.default_rng(4).normal(size=150)
    found = mog_jax.profile_interval(x, "means", 0, level=0.999)
    assert np.isinf([found.lower, found.upper]).any() or found.reason != Reason.KNOWN


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("mean", 0), {}, "`parameter` must be one of 'weights', .* got 'mean'"),
        (("means", 2), {}, "`component` must be 0 or 1; got 2"),
        (("means", 0), {"level": 95}, "`level` must lie between 0 and 1; got 95"),
        (("means", 0), {"equal_variances": True}, "`equal_variances` cannot be combined"),
    ],
)
def test_wrong_arguments_are_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        mog_jax.profile_interval(np.arange(30.0), *arguments, **options)
