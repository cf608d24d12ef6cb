"""Strategies of mixtures and points with the structure of real data."""

import hypothesis.strategies as st
import numpy as np

from mog_jax import Mixture


@st.composite
def mixtures(draw, min_components=1, max_components=3, smallest_weight=1e-6):
    """Draw a mixture: log-weights, log-scales and an offset apart, with ties and edges."""
    k = draw(st.integers(min_components, max_components))
    log_weights = draw(
        st.lists(st.floats(np.log(smallest_weight), 0), min_size=k, max_size=k).map(np.array)
    )
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    scale = 10.0 ** draw(st.floats(-4, 4))
    offset = draw(st.sampled_from([0.0, 1.0, -1e3, 1e5]))
    means = [offset + scale * draw(st.floats(-5, 5) | st.just(0.0)) for _ in range(k)]
    deviations = [scale * 10.0 ** draw(st.floats(-1.5, 1.5) | st.just(0.0)) for _ in range(k)]
    return Mixture.from_arrays(weights=weights, means=means, variances=np.square(deviations))


@st.composite
def points(draw, mixture, sizes=(1, 7), largest_score=6.0):
    """Draw points as z-scores of the mixture's components, with ties and points on the means."""
    n = draw(st.sampled_from(sizes))
    score = st.floats(-largest_score, largest_score) | st.sampled_from([0.0, 1.0])
    chosen = draw(
        st.lists(st.tuples(score, st.integers(0, mixture.n_components - 1)), min_size=n, max_size=n)
    )
    deviations = mixture.standard_deviations
    return np.array([mixture.means[k] + z * deviations[k] for z, k in chosen])


@st.composite
def mixtures_with_points(draw, sizes=(1, 7), largest_score=6.0, **options):
    """Draw a mixture and points around its components."""
    mixture = draw(mixtures(**options))
    return mixture, draw(points(mixture, sizes, largest_score))
