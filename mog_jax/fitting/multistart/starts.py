"""Computes the starts of the climbs from windows of neighbouring points.

A maximum of the likelihood splits the data into one component and the rest. So each start takes a
window of the sorted points as one component, and all other points as the other.

- *Dense* windows are short and find clusters: their points lie closest together, compared with a
  Gaussian of the data's mean and variance. A window may begin at every point.
- *Likely* windows are longer and find cores: the likelihood of two Gaussians, one for the window
  and one for the rest, is highest. A few points more or less hardly change where the climb ends,
  so these windows begin and end at edges that cut the data into equal shares.
- Windows at an end of the data find tails and splits.

No single start suits all data. The starts are not random; reflected or rescaled data have the
reflected or rescaled starts.
"""

from typing import NamedTuple

import numpy as np

from mog_jax.arrays import HostArray as Array


class Plan(NamedTuple):
    """The windows that start a climb.

    The length of a window is a number of points or a share of the data, whichever is longer. Of the
    two windows at the ends, the likelier one comes first.
    """

    # Length in points; number of windows, which have no point in common.
    dense: tuple[tuple[int, int], ...]
    # Length in points; length as a share; number of windows.
    likely: tuple[tuple[int, float, int], ...]
    # Length in points; length as a share; number of ends.
    ends: tuple[tuple[int, float, int], ...]


# Chosen greedily from a far larger set, by how often a start leads to a highest maximum that the
# others miss, and by the steps it takes. The data were simulated: pairs of Gaussians, near and far
# apart, outliers, tight clusters, skew, and coarse rounding.
PLANS = {
    "thorough": Plan(
        dense=((5, 1), (7, 2), (9, 2), (13, 1)),
        likely=((24, 0.05, 2), (50, 0.1125, 2), (113, 0.575, 1)),
        ends=((7, 0.0, 1), (40, 0.09, 2)),
    ),
    "quick": Plan(
        dense=((7, 1), (11, 1)),
        likely=((90, 0.46, 1),),
        ends=((40, 0.09, 2),),
    ),
}
# Number of equal shares that the data are cut into, and the number for few points. Both are odd:
# with an even number, the middle edge of an odd number of points would not be its own reflection.
_SHARES = 127
_FEW_SHARES, _FEW_POINTS = 63, 64
# Shorter windows, in standard deviations, are taken to have this extent.
_NARROWEST_EXTENT = 1e-3


def n_starts(plan: str) -> int:
    """Return the number of climbs that a plan starts."""
    return sum(rule[-1] for rules in PLANS[plan] for rule in rules)


def window_lengths(plan: str, rows: int) -> tuple[Array, Array]:
    """Return the lengths of the likely windows, in shares, and of the end windows, in points.

    Parameters
    ----------
    plan : str
        A key of `PLANS`.
    rows : int
        Number of points of the datasets, rounded by `pad_rows`. A dataset's windows follow from its
        own length, not from the length that it is padded to beside other datasets.
    """
    likely, ends = (
        np.array([max(points, share * rows) for points, share, _ in rules])
        for rules in (PLANS[plan].likely, PLANS[plan].ends)
    )
    shares = np.maximum(np.rint(likely * (n_shares(rows) / rows)), 1)
    return shares.astype(np.int64), np.rint(ends).astype(np.int64)


def n_shares(rows: int) -> int:
    """Return the number of equal shares into which datasets of `rows` points are cut."""
    return _FEW_SHARES if rows <= _FEW_POINTS else _SHARES


def window_starts(
    x: Array, n: Array, sums: "RunningSums", *, rows: int, plan: str, narrowest: float
) -> tuple[Array, Array]:
    """Return the starts of a plan: their coordinates and their windows.

    Parameters
    ----------
    x : array, shape (b, at least n)
        The points, sorted and standardised; entries beyond the first `n` are ignored.
    n : array of int, shape (b,)
        Number of points of each dataset.
    sums : RunningSums
        Sums of these points.
    rows : int
        Number of points, rounded by :func:`mog_jax.lane_shapes.pad_rows`: the same for all.
    plan : str
        A key of `PLANS`.
    narrowest : float
        Lowest variance that a start may have.

    Returns
    -------
    theta : array, shape (5, starts, b)
    windows : array of int, shape (starts, 2, b)
        First point and number of points.
    """
    dense, likely, ends = PLANS[plan]
    shares, end_lengths = window_lengths(plan, rows)
    # If all datasets have one length, values that depend on the length alone are computed once.
    length_of = n[:1] if (n == n[0]).all() else n
    data = _Data(sums, length_of[:, None], narrowest)
    found = _dense_windows(x[:, : n.max()].astype(np.float32), n, dense)
    found += _likely_windows(data, n_shares(rows), shares, [picks for *_, picks in likely])
    for pair, (*_, sides) in zip(_end_windows(data, end_lengths), ends, strict=True):
        found += pair[:sides]
    # If the data have too few points for a window, the lower half takes its place.
    half = np.maximum(n // 2, 1)
    start = np.stack([np.where(fits, start, 0) for start, _, fits in found], axis=1)
    length = np.stack([np.where(fits, length, half) for _, length, fits in found], axis=1)
    theta = data.split(sums.upto(start), sums.upto(start + length), length).theta
    return np.swapaxes(theta, 1, 2), np.stack([start.T, length.T], axis=1)


class RunningSums(NamedTuple):
    """Sums of the first 0, 1, ... points of each row, and of their squares."""

    points: Array
    squares: Array

    def upto(self, place: Array) -> "RunningSums":
        """Return the sums of the points below some places, shape (b, places)."""
        at = place + self.points.shape[1] * np.arange(len(self.points))[:, None]
        return RunningSums(*(sums.reshape(-1).take(at) for sums in self))


def running_sums(x: Array) -> RunningSums:
    """Return the running sums of each row."""
    sums = RunningSums(*np.zeros((2, len(x), x.shape[1] + 1)))
    np.cumsum(x, axis=1, out=sums.points[:, 1:])
    np.cumsum(np.square(x), axis=1, out=sums.squares[:, 1:])
    return sums


# A window of each dataset: its first point, its number of points, and whether it exists.
_Window = tuple[Array, Array | int, Array]


class _Split(NamedTuple):
    """Number of points, mean and variance of windows, and of the points outside each window."""

    inside: Array
    outside: Array
    mean: Array
    rest_mean: Array
    variance: Array
    rest_variance: Array

    @property
    def theta(self) -> Array:
        log_odds = np.log(self.inside / self.outside)
        log_variances = np.log(self.variance), np.log(self.rest_variance)
        return np.stack([log_odds, self.mean, self.rest_mean, *log_variances])

    @property
    def score(self) -> Array:
        """Twice the log-likelihood of both parts, less the terms common to all windows."""
        score: Array = self.inside * np.log(self.variance / np.square(self.inside))
        score += self.outside * np.log(self.rest_variance / np.square(self.outside))
        return -score


class _Data(NamedTuple):
    sums: RunningSums
    n: Array
    narrowest: float

    def split(self, below: RunningSums, upto: RunningSums, length: Array) -> _Split:
        """Return the split into windows and the rest, from the sums at the windows' two ends."""
        whole = self.sums.upto(self.n)
        inside = np.maximum(length, 1).astype(np.float32)
        outside = np.maximum(self.n - length, 1).astype(np.float32)
        points, squares = upto.points - below.points, upto.squares - below.squares
        mean = points / inside
        variance = squares / inside - np.square(mean)
        # Single precision is enough for a start, but not for the differences above, which are small
        # if the window is narrow.
        rest = (whole.points - points).astype(np.float32) / outside
        rest_variance = (whole.squares - squares).astype(np.float32) / outside - np.square(rest)
        narrowest = np.float32(self.narrowest)
        return _Split(
            inside,
            outside,
            mean.astype(np.float32),
            rest,
            np.maximum(variance.astype(np.float32), narrowest),
            np.maximum(rest_variance, narrowest),
        )


def _dense_windows(x: Array, n: Array, rules: tuple[tuple[int, int], ...]) -> list[_Window]:
    """Return short windows whose points are closer together than those of a Gaussian would be."""
    gaussian = np.exp(np.float32(-0.5) * np.square(x))
    rows, width = np.arange(len(x)), x.shape[1]
    found: list[_Window] = []
    for length, picks in rules:
        # Windows that begin at the first point, or end at the last, are windows at an end.
        place = np.arange(1, width - length)
        if not place.size:
            found += [(np.zeros_like(n), length, np.zeros(n.shape, bool))] * picks
            continue
        # Number of points that the Gaussian would have in the window, up to a factor.
        expected = x[:, length:-1] - x[:, 1:-length]
        np.maximum(expected, np.float32(_NARROWEST_EXTENT), out=expected)
        middle = 1 + length // 2
        expected *= gaussian[:, middle : middle + place.size]
        if n.min() < width:
            np.copyto(expected, np.inf, where=place >= (n - length)[:, None])
        for pick in range(picks):
            at = _outermost_least(expected, 2 * place + length, n)
            found.append((place[at], length, np.isfinite(expected[rows, at])))
            if pick + 1 < picks:
                # The next one may not share points with this one.
                near = at[:, None] + np.arange(1 - length, length)
                near = np.clip(near, 0, place.size - 1)
                expected[rows[:, None], near] = np.inf
    return found


def _outermost_least(expected: Array, middles: Array, n: Array) -> Array:
    """Return the place of each row's least value; of equal values, the outermost one.

    This rule gives the reflected place in reflected data.
    """
    rows = np.arange(len(expected))
    at: Array = np.argmin(expected, axis=1)
    # Is there another value equal to it?
    least = expected[rows, at]
    expected[rows, at] = np.inf
    again = expected[rows, np.argmin(expected, axis=1)]
    expected[rows, at] = least
    tied = np.flatnonzero((again == least) & (least < np.inf))
    if tied.size:
        off = middles - n[tied, None]
        rank = np.where(off > 0, 2 * off + 1, -2 * off)
        equal = expected[tied] == least[tied, None]
        at[tied] = np.argmax(np.where(equal, rank, -1), axis=1)
    return at


def _likely_windows(data: _Data, shares: int, lengths: Array, picks: list[int]) -> list[_Window]:
    """Return the likeliest windows that begin and end at the edges of equal shares."""
    n, edge = data.n, np.arange(shares + 1)
    place = np.where(2 * edge < shares, edge * n // shares, n - (shares - edge) * n // shares)
    sums = data.sums.upto(place)
    rows = np.arange(len(sums.points))
    found: list[_Window] = []
    for length, number in zip(lengths.tolist(), picks, strict=True):
        start, end = place[:, :-length], place[:, length:]
        if not start.size:
            nothing = np.zeros(rows.size, np.int64)
            found += [(nothing, nothing, nothing > 0)] * number
            continue
        below, upto = (
            RunningSums(*(each[:, some] for each in sums))
            for some in (slice(None, -length), slice(length, None))
        )
        score = data.split(below, upto, end - start).score
        np.copyto(score, -np.inf, where=(start <= 0) | (end >= n))
        start, end = np.broadcast_to(start, score.shape), np.broadcast_to(end, score.shape)
        for _ in range(number):
            # Of equal scores, the last one.
            at = score.shape[1] - 1 - np.argmax(score[:, ::-1], axis=1)
            first, stop = start[rows, at], end[rows, at]
            found.append((first, stop - first, np.isfinite(score[rows, at])))
            near = np.abs(np.arange(score.shape[1]) - at[:, None]) < length
            score[near] = -np.inf
    return found


def _end_windows(data: _Data, lengths: Array) -> list[tuple[_Window, _Window]]:
    """Return the windows of each length at the two ends, the likelier one first."""
    n = data.n
    lengths = np.where(lengths < n - 1, lengths, np.maximum(n // 2, 1))
    start = np.concatenate([np.zeros_like(lengths), n - lengths], axis=1)
    both = np.concatenate([lengths, lengths], axis=1)
    score = data.split(data.sums.upto(start), data.sums.upto(start + both), both).score
    low, high = np.split(score, 2, axis=1)
    first = np.where(low >= high, 0, n - lengths)
    second = n - lengths - first
    lengths = np.broadcast_to(lengths, first.shape)
    fits = lengths > 0
    return [
        ((first[:, i], lengths[:, i], fits[:, i]), (second[:, i], lengths[:, i], fits[:, i]))
        for i in range(lengths.shape[1])
    ]
