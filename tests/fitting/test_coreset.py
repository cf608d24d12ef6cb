"""Coresets: every point near the window, all others in groups, and a reflection seen reflected."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mog_jax.fitting.climb.derivatives import unpack
from mog_jax.fitting.multistart.coreset import FEWEST, Coresets, bin_edges
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


def digests_of(points, several):
    """Give the digests of one dataset, (rows, windows), and how many points each row stands for."""
    n = len(points)
    filled = np.pad(points, (0, ROWS - n), mode="edge")[:, None]
    digests = Coresets(filled, np.array([n]), several, np.ones((5, 1), bool))
    start = np.arange(WINDOWS, dtype=np.int32)
    with jax.enable_x64(True):
        lanes = digests.on_device.lanes(np.zeros_like(start), start)
    return lanes, np.asarray(lanes.x), np.repeat(np.asarray(lanes.counts), GROUPS, axis=0)


@given(windows())
def test_turns_share_out_all_points(drawn):
    n, several = drawn
    edges = np.asarray(bin_edges(jnp.asarray(several), jnp.array([n])))[..., 0]
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
    edges, others = (
        np.asarray(bin_edges(jnp.asarray(each), jnp.array([n]))) for each in (several, reflected)
    )
    np.testing.assert_array_equal(np.where(central, edges, n - others), edges)


@settings(max_examples=20)
@given(windows(), st.integers(0, 2**32 - 1))
def test_groups_are_means_of_neighbours_and_stand_for_all_points(drawn, seed):
    n, several = drawn
    points = np.sort(np.random.default_rng(seed).standard_t(3, n))
    points = (points - points.mean()) / points.std()
    lanes, means, sizes = digests_of(points, several)
    np.testing.assert_allclose(sizes.sum(axis=0), n, rtol=1e-6)
    ordered = np.sort(means, axis=0)
    assert ((ordered[0] >= points[0] - 1e-4) & (ordered[-1] <= points[-1] + 1e-4)).all()
    # The groups are in the order of the points, one way or the other.
    rising = np.diff(means, axis=0) >= -1e-4
    falling = np.diff(means, axis=0) <= 1e-4
    assert (rising.all(axis=0) | falling.all(axis=0)).all()
    # What the data are as a whole is known exactly.
    np.testing.assert_allclose(lanes.totals.count, n)
    np.testing.assert_allclose(lanes.totals.mean, 0, atol=1e-6)
    np.testing.assert_allclose(lanes.totals.variance, 1, rtol=1e-6)


@settings(max_examples=20)
@given(windows(), st.integers(0, 2**32 - 1))
def test_a_short_window_is_seen_point_by_point(drawn, seed):
    n, several = drawn
    several[:, 1] = np.minimum(several[:, 1], GROUPS)
    points = np.sort(np.random.default_rng(seed).normal(size=n))
    _, means, sizes = digests_of(points, several)
    for window, (start, length) in enumerate(several[:, :, 0]):
        alone = means[sizes[:, window] == 1, window]
        for point in points[start : start + length]:
            assert np.abs(alone - point).min() < 1e-4


@pytest.mark.parametrize("n", [FEWEST + 1, 300, ROWS])
def test_the_log_likelihood_of_a_digest_is_nearly_that_of_the_data(n):
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
    lanes, _, _ = digests_of(points, np.array(several, np.int32)[:, :, None])
    at = unpack(tuple(np.array(theta, np.float32).T))
    seen = lane_sums(at, lanes.x, lanes.totals, lanes.counts)
    column = np.repeat(points[:, None], WINDOWS, axis=1).astype(np.float32)
    whole = lane_sums(at, column, totals(column))
    np.testing.assert_allclose(seen.log_likelihood, whole.log_likelihood, atol=0.005 * n)
    np.testing.assert_allclose(seen.effective_counts[0], whole.effective_counts[0], atol=0.01 * n)


@jax.jit
def log_likelihood_and_slope(theta, x, counts):
    def sums(logit):
        at = unpack((logit, *theta[1:]))
        return lane_sums(
            at, x, totals(x, jnp.repeat(counts, len(x) // len(counts), axis=0)), counts
        )

    _, slope = jax.jvp(lambda logit: sums(logit).log_likelihood, theta[:1], (jnp.ones(3),))
    return sums(theta[0]).stacked(), slope


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_a_count_that_sixteen_points_share_repeats_each(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(48, 3))
    shared = rng.uniform(0.5, 9.0, (3, 3))
    theta = tuple(rng.normal(size=(5, 3)))
    with jax.enable_x64(True):
        once, each = (
            log_likelihood_and_slope(theta, x, counts)
            for counts in (shared, np.repeat(shared, 16, axis=0))
        )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9), once, each)
