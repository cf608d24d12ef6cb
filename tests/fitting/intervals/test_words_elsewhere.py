"""The arguments of `fit` for intervals, in other functions that take them, and in the guide."""

import re
from pathlib import Path

import mpmath
import numpy as np
import pytest

import mog_jax
from mog_jax import Mixture

X = mog_jax.datasets.faithful()
MIXTURE = Mixture.from_arrays(weights=[0.4, 0.6], means=[0, 5], variances=[1, 4])


def exact_log_probability(low, high):
    def below(x):
        return sum(
            weight * mpmath.ncdf(x, mean, mpmath.sqrt(variance))
            for weight, mean, variance in ((0.4, 0, 1), (0.6, 5, 4))
        )

    return mpmath.log(below(high) - below(low))


def test_log_likelihood_is_that_of_probabilities():
    with mpmath.workdps(40):
        rounded = sum(exact_log_probability(x - 0.05, x + 0.05) for x in (0.1, 4, 4))
        binned = 3 * exact_log_probability(1, 2) + exact_log_probability(2, mpmath.inf)
        censored = exact_log_probability(-mpmath.inf, 0) + mpmath.log(
            0.4 * mpmath.npdf(1) + 0.3 * mpmath.npdf(2)
        )
        window = 3 * exact_log_probability(-1, 6)
    close = {"rtol": 1e-12}
    np.testing.assert_allclose(
        mog_jax.log_likelihood(MIXTURE, [0.1, 4.0], counts=[1, 2], resolution=0.1),
        float(rounded),
        **close,
    )
    np.testing.assert_allclose(
        mog_jax.log_likelihood(MIXTURE, [1.0, 2.0], [3, 1], upper=[2.0, np.inf]),
        float(binned),
        **close,
    )
    np.testing.assert_allclose(
        mog_jax.log_likelihood(MIXTURE, [-3.0, 1.0], limits=(0, None)), float(censored), **close
    )
    np.testing.assert_allclose(
        mog_jax.log_likelihood(MIXTURE, [0.1, 4.0, 4.0], resolution=0.1, window=(-1, 6)),
        float(rounded - window),
        **close,
    )


def test_log_likelihood_is_what_a_fit_reports():
    for words in ({"resolution": 1}, {"limits": (50, 85)}, {"resolution": 1, "window": (40, 100)}):
        fit = mog_jax.fit(X, **words)
        found = mog_jax.log_likelihood(fit.mixture, X, **words)
        np.testing.assert_allclose(found, fit.log_likelihood, rtol=1e-12)


def test_local_maximum_is_that_of_the_fit():
    fit = mog_jax.fit(X, resolution=1)
    start = Mixture.from_arrays(weights=[0.5, 0.5], means=[85, 50], variances=[30, 30])
    found = mog_jax.local_maximum(X, start, resolution=1)
    np.testing.assert_allclose(found.means, fit.mixture.means[::-1], rtol=1e-8)
    held = Mixture(
        weights=np.full(2, np.nan), means=np.array([80.0, np.nan]), variances=np.full(2, np.nan)
    )
    assert mog_jax.local_maximum(X, start, resolution=1, fixed=held).means[0] == 80
    stuck = mog_jax.local_maximum(X, start, resolution=1, max_steps=1)
    assert np.isnan(stuck.means).all()


def test_profile_interval_reaches_its_level():
    interval = mog_jax.profile_interval(X, "means", 0, resolution=1)
    fit = mog_jax.fit(X, resolution=1)
    for end in (interval.lower, interval.upper):
        held = mog_jax.fit(X, resolution=1, fixed={"mean_1": float(end)})
        deviance = 2 * (fit.log_likelihood - held.log_likelihood)
        np.testing.assert_allclose(deviance, 3.841459, rtol=1e-3)


@pytest.mark.parametrize(
    "words",
    [
        {"resolution": 1},
        {"limits": (50, None), "resolution": 1},
        {"upper": 5 * (X // 5) + 5},
        {"window": (40, 100), "resolution": 1},
    ],
    ids=["rounded", "censored", "binned", "truncated"],
)
def test_replicates_are_recorded_as_the_data_are(words):
    data = 5 * (X // 5) if "upper" in words else np.maximum(X, 50) if "limits" in words else X
    test = mog_jax.bootstrap_test(data, key=0, replicates=9, **words)
    assert test.replicates == 9
    np.testing.assert_allclose(test.p_value, 0.1)


def test_one_gaussian_that_was_rounded_is_no_two():
    x = np.round(np.random.default_rng(2).normal(size=(2, 100)) / 0.5) * 0.5
    test = mog_jax.bootstrap_test(x, key=1, replicates=19, resolution=0.5)
    assert (test.p_value > 0.05).all()


def test_replicates_of_intervals_that_overlap_are_refused():
    with pytest.raises(ValueError, match="bins that do not overlap"):
        mog_jax.bootstrap_test(X - 0.7, key=0, replicates=9, upper=X + 0.7)


def test_the_guide_says_what_is_true():
    page = Path(mog_jax.__file__).parent / "guide" / "intervals.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 5
    exec(compile("\n".join(blocks), str(page), "exec"), {})
