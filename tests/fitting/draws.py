"""Strategies of datasets for the tests of the fit: two Gaussians, ties and outliers."""

import hypothesis.strategies as st
import numpy as np

# One size for all, so that all share their programs.
SIZE = 60


@st.composite
def datasets(draw, least_separation=0.0, rounded=True, outliers=True):
    """Draw points of two Gaussians, with ties and an outlier.

    Their order is random. The separation is in mean standard deviations.
    """
    separation = draw(st.floats(least_separation, 8.0))
    ratio = 10.0 ** draw(st.sampled_from([0.0]) | st.floats(-0.7, 0.7))
    weight = draw(st.sampled_from([0.5]) | st.floats(0.2, 0.8))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    lower = rng.random(SIZE) < weight
    lower[:12], lower[12:24] = True, False
    z = rng.normal(size=SIZE)
    x = np.where(lower, z, separation * (1 + ratio) / 2 + ratio * z)
    if rounded:
        digits = draw(st.sampled_from([None, 1, 0]))
        x = x if digits is None else np.round(x, digits)
    if outliers:
        far = draw(st.sampled_from([None, 12.0, -40.0]))
        if far is not None:
            x[0] = far
    return rng.permutation(x)


def two_clear_components():
    """Draw datasets whose best maximum, the two components, is far higher than any other."""
    return datasets(least_separation=5.0, rounded=False, outliers=False)
