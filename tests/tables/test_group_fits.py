"""The columns of an answer that do not come from a fit: ranges and histograms."""

import types

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from mog_jax.fitting import Ragged
from mog_jax.fitting.data.interval_options import IntervalOptions
from mog_jax.fitting.results.columns import BINS
from mog_jax.tables import group_fits
from mog_jax.tables.schema import ANSWERS

# With a range that is a power of two every bin's edge is a double, and the bin of a value is exact.
RANGE = 2**7
groups = st.lists(
    st.lists(
        st.tuples(st.integers(0, RANGE), st.integers(0, 12).map(lambda quarters: quarters / 4)),
        max_size=9,
    ),
    min_size=1,
    max_size=4,
)


def drawn(values, lengths, counts):
    """Give the ranges and histograms, without a fit."""
    n = len(lengths)
    fits = types.SimpleNamespace(n_points=np.zeros(n), status_name=np.full(n, "converged"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_fits, "_fit", lambda *_: fits)
        names = {name: np.zeros(n) for name in ANSWERS.names}
        patch.setattr(group_fits, "columns_of", lambda _: names)
        columns = group_fits.fit_groups(values, lengths, counts, np.zeros(n), {})
    found = dict(zip(ANSWERS.names, columns, strict=True))
    return [found[name].to_pylist() for name in ("lowest", "highest", "histogram")]


@given(groups, st.booleans())
def test_a_histogram_is_that_of_the_counted_values(groups, is_counted):
    # A group of one value, or none, has no range to draw.
    groups = [sorted([(0, 1.0), *group, (RANGE, 0.0)]) if group else [] for group in groups]
    lengths = np.array([len(group) for group in groups])
    points = np.array([pair for group in groups for pair in group], float).reshape(-1, 2)
    values, counts = points.T
    lowest, highest, histograms = drawn(values, lengths, counts if is_counted else None)
    for i, group in enumerate(groups):
        if not group:
            assert lowest[i] is highest[i] is histograms[i] is None
            continue
        assert (lowest[i], highest[i]) == (0, RANGE)
        heights = np.zeros(BINS)
        for value, count in group:
            heights[min(value * BINS // RANGE, BINS - 1)] += count if is_counted else 1
        assert histograms[i] == np.rint(255 * (heights / heights.max())).tolist()


@pytest.mark.parametrize("values", [[2.0, 2.0], [0.0, np.inf], [-1.7e308, 1.7e308]])
def test_what_has_no_finite_range_has_no_histogram_and_its_neighbour_has_its_own(values):
    points = np.array([*values, 0.0, 32.0])
    _, _, histograms = drawn(points, np.array([2, 2]), None)
    assert histograms == [None, [255, *[0] * (BINS - 2), 255]]


def test_a_histogram_of_intervals_spreads_each_over_its_width():
    inf = np.inf
    low = np.array([-inf, 0, 0, 16, 40, 96, 128, 64])
    high = np.array([0, 4, 128, 16, 48, 128, inf, 68])
    counts = np.array([3.0, 2, 32, 4, 1, 8, 5, 0])
    lengths = np.array([8, 0, 1])
    low, high, counts = (np.append(each, each[-2]) for each in (low, high, counts))
    shown = group_fits._shown_of_intervals(
        low, lengths, counts, IntervalOptions(upper=Ragged(high, lengths))
    )
    # An end alone is a place, and no range.
    np.testing.assert_array_equal(shown.lowest, [0, np.nan, 128])
    np.testing.assert_array_equal(shown.highest, [128, np.nan, 128])
    np.testing.assert_array_equal(shown.n_below, [3, 0, 0])
    np.testing.assert_array_equal(shown.n_above, [5, 0, 5])
    heights = np.ones(32)
    heights[0] += 2
    heights[3] += 4  # an exact value, at the end of a bin
    heights[10:12] += 0.5
    heights[24:] += 1
    found = shown.histograms.to_pylist()
    assert found[1:] == [None, None]
    exact = np.rint(255 * heights / heights.max())
    moved = heights.copy()
    moved[3], moved[4] = 1, 5
    assert found[0] in (exact.tolist(), np.rint(255 * moved / moved.max()).tolist())
