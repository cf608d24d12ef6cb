"""Starts: the windows against a plain search, and invariance."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mog_jax.fitting.multistart.starts import (
    _SHARES,
    PLANS,
    n_starts,
    running_sums,
    window_lengths,
    window_starts,
)
from mog_jax.lane_shapes import pad_rows

NARROWEST = 1e-6
# Enough for every window, and too few for most of them.
SIZES = st.sampled_from([200, 200, 137, 60, 13, 5, 2])
SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed, n, *, rounded=False):
    rng = np.random.default_rng(seed)
    x = np.where(rng.random(n) < rng.uniform(0.05, 0.95), rng.normal(size=n), rng.normal(3, 0.3, n))
    x = np.round(x, 1) if rounded else x
    x[0] += 1
    return np.sort((x - x.mean()) / x.std())


def started(datasets, plan="thorough", rows=256, beyond=None):
    """Return theta and windows; rows are padded with the last point or with `beyond`."""
    n = np.array([len(x) for x in datasets])
    (padded,) = {pad_rows(len(x)) for x in datasets}
    x = np.stack(
        [
            np.append(x, np.full(rows - len(x), x[-1] if beyond is None else beyond))
            for x in datasets
        ]
    )
    return window_starts(x, n, running_sums(x), rows=padded, plan=plan, narrowest=NARROWEST)


def described(x, start, length):
    inside = np.zeros(len(x), bool)
    inside[start : start + length] = True
    parts = x[inside], x[~inside]
    log_odds = np.log(length / (len(x) - length))
    log_variances = [np.log(max(part.var(), NARROWEST)) for part in parts]
    return np.array([log_odds, *(part.mean() for part in parts), *log_variances])


def likelihood(x, start, length):
    """Log-likelihood of a window and the rest, each a Gaussian of its own."""
    *_, inside, outside = described(x, start, length)
    log_variances, sizes = np.array([inside, outside]), np.array([length, len(x) - length])
    return np.sum(sizes * (np.log(sizes / len(x)) - 0.5 * log_variances))


@settings(max_examples=40)
@given(SEEDS, SIZES, st.booleans(), st.sampled_from(sorted(PLANS)))
def test_theta_describes_windows_within_the_data(seed, n, rounded, plan):
    x = drawn(seed, n, rounded=rounded)
    theta, windows = started([x], plan)
    assert theta.shape == (5, n_starts(plan), 1)
    assert windows.shape == (n_starts(plan), 2, 1)
    for at, (start, length) in zip(theta[..., 0].T, windows[..., 0], strict=True):
        assert 0 <= start < start + length <= n
        assert 1 <= length < n
        np.testing.assert_allclose(at, described(x, start, length), rtol=1e-4, atol=2e-4)


@given(SEEDS)
def test_dense_windows_are_where_a_gaussian_has_the_fewest_points(seed):
    x = drawn(seed, 200).astype(np.float32)
    _, windows = started([x])
    first = 0
    for length, picks in PLANS["thorough"].dense:
        start = np.arange(1, len(x) - length)
        extent = np.maximum(x[start + length - 1] - x[start], 1e-3)
        expected = extent * np.exp(-0.5 * x[start + length // 2] ** 2)
        for window in windows[first : first + picks, :, 0]:
            assert window[1] == length
            assert window[0] in start
            here = expected[start == window[0]]
            np.testing.assert_allclose(here, expected.min(), rtol=1e-5)
            apart = np.abs(start - window[0]) >= length
            start, expected = start[apart], expected[apart]
        first += picks


@given(SEEDS, st.sampled_from([200, 137]))
def test_likely_windows_are_the_likeliest_between_edges_of_shares(seed, n):
    x = drawn(seed, n)
    _, windows = started([x])
    lower = np.arange(_SHARES // 2 + 1) * n // _SHARES
    edges = np.concatenate([lower, n - lower[::-1]])
    lengths, _ = window_lengths("thorough", pad_rows(n))
    first = sum(picks for _, picks in PLANS["thorough"].dense)
    for shares, (*_, picks) in zip(lengths, PLANS["thorough"].likely, strict=True):
        all_of_them = np.stack([edges[:-shares], edges[shares:]], axis=1)
        inner = all_of_them[(all_of_them[:, 0] > 0) & (all_of_them[:, 1] < n)]
        value = np.array([likelihood(x, lo, hi - lo) for lo, hi in inner])
        for start, length in windows[first : first + picks, :, 0]:
            (here,) = np.flatnonzero((inner == [start, start + length]).all(axis=1))
            np.testing.assert_allclose(value[here], value.max(), atol=1e-3)
            apart = np.abs(np.arange(len(inner)) - here) >= shares
            inner, value = inner[apart], value[apart]
        first += picks


@given(SEEDS)
def test_of_two_end_windows_the_likelier_comes_first(seed):
    x = drawn(seed, 200)
    _, windows = started([x], "quick")
    one, other = windows[-2:, :, 0]
    assert one[1] == other[1]
    assert {one[0], other[0]} == {0, len(x) - one[1]}
    assert likelihood(x, *one) >= likelihood(x, *other) - 1e-3


@settings(max_examples=40)
@given(SEEDS, SIZES, st.booleans())
@example(seed=0, n=137, rounded=True)
def test_a_reflection_reflects_the_windows(seed, n, rounded):
    x = drawn(seed, n, rounded=rounded)
    theta, windows = started([x])
    reflected, others = started([-x[::-1]])
    # If the data have too few points for a window, the lower half takes its place.
    length = windows[:, 1, 0]
    proper = length != max(n // 2, 1)
    np.testing.assert_array_equal(others[proper, 1, 0], length[proper])
    np.testing.assert_allclose(reflected[1, proper, 0], -theta[1, proper, 0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("rows", [200, 512])
@pytest.mark.parametrize("beyond", [None, 1e3])
@given(SEEDS)
@settings(max_examples=10)
def test_neither_padding_nor_a_neighbour_changes_a_start(rows, beyond, seed):
    x, neighbour = drawn(seed, 197), drawn(seed + 1, 200)
    theta, windows = started([x])
    others, same = started([neighbour, x], rows=rows, beyond=beyond)
    np.testing.assert_array_equal(same[..., 1], windows[..., 0])
    np.testing.assert_array_equal(others[..., 1], theta[..., 0])
