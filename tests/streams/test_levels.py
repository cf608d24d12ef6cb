"""Chunks of rounded and censored values: counted in one pass, and fitted as `fit` does."""

import numpy as np
import pytest

import mog_jax

X = mog_jax.datasets.faithful()


@pytest.mark.parametrize(
    "words", [{"resolution": 1}, {"limits": (50, None), "resolution": 1, "window": (None, 120)}]
)
def test_the_answer_is_that_of_fit(words):
    chunks = [X[:100], np.append(X[100:200], np.nan), X[200:]]
    found = mog_jax.fit_chunks(lambda: iter(chunks), **words)
    known = mog_jax.fit(X, **words)
    np.testing.assert_array_equal(found.mixture.means, known.mixture.means)
    np.testing.assert_array_equal(found.log_likelihood, known.log_likelihood)
    assert (found.n_points, found.n_missing) == (272, 1)


def test_what_is_not_there_is_refused():
    with pytest.raises(ValueError, match="gave no values at all"):
        mog_jax.fit_chunks(lambda: iter([np.zeros(0)]), resolution=1)
    with pytest.raises(ValueError, match="no option `upper`: count the intervals"):
        mog_jax.fit_chunks([X], upper=[X + 1])
    with pytest.raises(ValueError, match="`resolution` must be positive"):
        mog_jax.fit_chunks([X], resolution=-1)
