"""Tight clusters in a wide bulk: no fit is lower than the climb that begins at the cluster."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import mog_jax
from mog_jax import Mixture, local_maximum

# One size, so that all share their programs, those of the search on coresets included.
SIZE = 400


@st.composite
def clusters(draw):
    """Draw a bulk with a cluster, and the mixture that they are drawn from.

    The cluster's standard deviation is from just above the variance floor, 1e-3, to a tenth of the
    whole's.
    """
    n_tight = draw(st.integers(20, 60))
    narrow = 10.0 ** draw(st.floats(-2.99, -2.8) | st.floats(-2.99, -1.0))
    place = draw(st.floats(-6.0, 6.0))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    bulk, tight = rng.normal(size=SIZE - n_tight), rng.normal(size=n_tight)
    scale = np.append(bulk, np.full(n_tight, place)).std()
    x = np.append(bulk, place + narrow * scale * tight / tight.std())
    share = n_tight / SIZE
    mixture = Mixture.from_arrays(
        weights=[share, 1 - share],
        means=[place, 0.0],
        variances=[(narrow * scale) ** 2, 1.0],
    )
    return rng.permutation(x), mixture


@settings(max_examples=60)
@given(clusters())
def test_a_fit_is_at_least_as_high_as_the_maximum_at_the_cluster(drawn):
    x, mixture = drawn
    there = local_maximum(x, mixture)
    # On the floor there is no maximum.
    assume(np.isfinite(there.means).all())
    fit = mog_jax.fit(x)
    assert fit.converged
    assert fit.log_likelihood >= mog_jax.log_likelihood(there, x) - 1e-6 * SIZE
