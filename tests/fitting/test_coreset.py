"""Coresets: single points near the window, groups far away, and reflected data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mog_jax.fitting.climb.derivatives import unpack
from mog_jax.fitting.multistart.coreset import FEWEST, bin_edges, coresets
from mog_jax.kernel import lane_sums, totals

GROUPS, TURNS = 16, 6
ROWS = 512
WINDOWS = 8


@st.composite
def windows(draw):
    """Draw how many points there are, and windows of them."""
    n = draw(st.integers(FEWEST + 1, ROWS))
    several = []
    for _ in range(WINDOWS):
        length = draw(st.integers(1, n - 1))
        several.append([draw(st.integers(0, n - length)), length])
    return n, np.array(several, np.int32)[:, :, None]


def coresets_of(points, several):
    """Give coresets of a dataset, (rows, windows), and how many points each row stands for."""
    sums = np.concatenate([[0], np.cumsum(np.pad(points, (0, ROWS - len(points)), mode="edge"))])
    means, sizes = coresets(sums[None], np.array([len(points)]), several)
    return means[..., 0], np.repeat(sizes[..., 0], GROUPS, axis=0)


@given(windows())
def test_turns_share_out_all_points(drawn):
    n, several = drawn
    edges = bin_edges(several, np.array([n]))[..., 0]
    assert edges.shape == (TURNS + 1, WINDOWS)
    assert set(edges[0]) | set(edges[-1]) <= {0, n}
    steps = np.abs(np.diff(edges, axis=0))
    assert (steps >= GROUPS).all()
    assert (steps.sum(axis=0) == n).all()


@given(windows())
def test_a_reflected_window_has_reflected_turns(drawn):
    n, several = drawn
    central = 2 * several[:, 0] + several[:, 1] == n
    reflected = np.stack([n - several.sum(axis=1), several[:, 1]], axis=1)
    edges, others = (bin_edges(each, np.array([n])) for each in (several, reflected))
    np.testing.assert_array_equal(np.where(central, edges, n - others), edges)


@settings(max_examples=20)
@given(windows(), st.integers(0, 2**32 - 1))
def test_groups_are_means_of_neighbours_and_stand_for_all_points(drawn, seed):
    n, several = drawn
    points = np.sort(np.random.default_rng(seed).standard_t(3, n))
    points = (points - points.mean()) / points.std()
    means, sizes = coresets_of(points, several)
    np.testing.assert_allclose(sizes.sum(axis=0), n, rtol=1e-6)
    ordered = np.sort(means, axis=0)
    assert ((ordered[0] >= points[0] - 1e-4) & (ordered[-1] <= points[-1] + 1e-4)).all()
    # The groups are in the order of the points, one way or the other.
    rising = np.diff(means, axis=0) >= -1e-4
    falling = np.diff(means, axis=0) <= 1e-4
    assert (rising.all(axis=0) | falling.all(axis=0)).all()


@settings(max_examples=20)
@given(windows(), st.integers(0, 2**32 - 1))
def test_a_short_window_is_seen_point_by_point(drawn, seed):
    n, several = drawn
    several[:, 1] = np.minimum(several[:, 1], GROUPS)
    points = np.sort(np.random.default_rng(seed).normal(size=n))
    means, sizes = coresets_of(points, several)
    for window, (start, length) in enumerate(several[:, :, 0]):
        alone = means[sizes[:, window] == 1, window]
        for point in points[start : start + length]:
            assert np.abs(alone - point).min() < 1e-4


@pytest.mark.parametrize("n", [FEWEST + 1, 300, ROWS])
def test_the_log_likelihood_of_a_coreset_is_nearly_that_of_the_data(n):
    rng = np.random.default_rng(n)
    points = np.sort(
        np.where(rng.random(n) < 0.3, rng.normal(size=n), 3 + 0.5 * rng.normal(size=n))
    )
    points = (points - points.mean()) / points.std()
    several, theta = [], []
    for length in np.linspace(5, 0.9 * n, WINDOWS).astype(int):
        start = (n - length) // 3
        inside = points[start : start + length]
        rest = np.delete(points, slice(start, start + length))
        several.append([start, length])
        theta.append(
            [
                np.log(length / (n - length)),
                *(inside.mean(), rest.mean()),
                *(np.log(inside.var()), np.log(rest.var())),
            ]
        )
    means, sizes = coresets_of(points, np.array(several)[:, :, None])
    at = unpack(tuple(np.array(theta, np.float32).T))
    column = np.repeat(points[:, None], WINDOWS, axis=1).astype(np.float32)
    whole = lane_sums(at, column, totals(column))
    seen = lane_sums(at, means.astype(np.float32), totals(column), sizes.astype(np.float32))
    np.testing.assert_allclose(seen.log_likelihood, whole.log_likelihood, atol=0.005 * n)
    np.testing.assert_allclose(seen.effective_counts[0], whole.effective_counts[0], atol=0.01 * n)
