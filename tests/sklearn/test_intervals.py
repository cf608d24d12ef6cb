"""Values of which more is said: rounded, censored, cut off; by parameters of the estimators."""

import numpy as np
import pytest
from sklearn.base import clone

import mog_jax
from mog_jax.sklearn import GaussianMixture, MixtureTransformer

X = mog_jax.datasets.faithful().reshape(-1, 1)
WORDS = [{"resolution": 1}, {"limits": (50, 85), "resolution": 1}, {"window": (40, 100)}]


@pytest.mark.parametrize("words", WORDS, ids=["rounded", "censored", "truncated"])
def test_a_mixture_is_that_of_the_same_words(words):
    estimator = clone(GaussianMixture(**words)).fit(X)
    fit = mog_jax.fit(X.ravel(), **words)
    np.testing.assert_array_equal(estimator.means_.ravel(), fit.mixture.means)
    # The likelihood is that of the samples as they were recorded, and so are the criteria.
    np.testing.assert_allclose(estimator.score(X), estimator.lower_bound_, rtol=1e-12)
    np.testing.assert_allclose(estimator.bic(X), fit.bic(), rtol=1e-12)
    given = {name: word for name, word in words.items() if name != "window"}
    np.testing.assert_allclose(
        estimator.predict_proba(X), fit.responsibilities(X.ravel(), **given), rtol=1e-12
    )


def test_each_column_has_words_of_its_own():
    both = np.hstack([X, 10 * X])
    words = {"resolution": [1, 10], "limits": ([50, 500], None)}
    estimator = MixtureTransformer(**words).fit(both)
    found = estimator.transform(both)
    np.testing.assert_allclose(found[:, 0], found[:, 1], rtol=1e-6, atol=1e-9)
    # Below the limit a value is only known to lie there.
    assert np.unique(found[X.ravel() <= 50, 0]).size == 1


def test_few_values_or_one_have_posteriors_too():
    estimator = GaussianMixture(resolution=1).fit(X)
    assert estimator.predict([[50.0]]).tolist() == [0]
    assert estimator.predict([[79.8], [80.1]]).tolist() == [1, 1]


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValueError, match="`monotone` goes with points"):
        MixtureTransformer(monotone=True, resolution=1).fit(X)
    with pytest.raises(ValueError, match="`resolution` must be positive"):
        GaussianMixture(resolution=-1).fit(X)
    with pytest.raises(ValueError, match="`limits` must be in order"):
        GaussianMixture(limits=(2, 1)).fit(X)
