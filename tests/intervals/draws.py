"""Mixtures of two, and intervals around them."""

import hypothesis.strategies as st
import numpy as np


@st.composite
def coordinates_and_intervals(draw, n=2):
    """Draw coordinates of a mixture of two, and points, intervals and half-lines around it.

    Centres as z-scores of either component, half-widths from 0 to five standard deviations and
    half-lines to both sides; counts, of which one may be negative.
    """
    separation = draw(st.floats(0, 6) | st.just(0.0))
    log_variances = [draw(st.floats(-4, 4) | st.just(0.0)) for _ in range(2)]
    theta = np.array([draw(st.floats(-5, 5)), 0.0, separation, *log_variances])
    deviations = np.exp(0.5 * theta[3:])
    half = st.sampled_from([0.0, 1e-9, 0.05, 0.5, 1.9, 5.0, np.inf, -np.inf]) | st.floats(0, 3)
    score = st.floats(-6, 6) | st.sampled_from([0.0, 9.0, -9.0])
    drawn = [draw(st.tuples(score, half, st.integers(0, 1))) for _ in range(n)]
    centre = np.array([theta[1 + k] + z * deviations[k] for z, _, k in drawn])
    half_width = np.array([h * deviations[k] for _, h, k in drawn])
    counts = np.array([draw(st.sampled_from([1.0, 0.0, 3.0, 1000.0, -2.0])) for _ in range(n)])
    return theta, centre, half_width, counts
