"""Where the climbs begin: windows of neighbouring points.

A maximum of the likelihood splits the data into one component and the rest. So each start is a
window of the sorted points, taken as one component, and all other points as the other.

- *Dense* windows are short and find clusters: those whose points lie closest together, compared
  with a Gaussian of the data's mean and variance. Sought from every point.
- *Likely* windows are longer and find cores: those that are most likely when each of the two parts
  is a Gaussian of its own. A long window may as well begin a few points later, as the climb moves
  on from it: so they are sought between edges that cut the data into equal shares.
- Windows at an end of the data find tails and splits.

No start suits all data. Nothing is random, and a reflection or change of units of the data changes
nothing but the units.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# A NumPy array.
Array = np.ndarray[Any, Any]


class Plan(NamedTuple):
    """Which windows start a climb.

    Lengths are in points or shares of the data, whichever is more; of the ones at the two ends the
    likelier comes first.
    """

    # points, and how many of the best that share none
    dense: tuple[tuple[int, int], ...]
    # points, share, and how many of the best
    likely: tuple[tuple[int, float, int], ...]
    # points, share, and at how many ends
    ends: tuple[tuple[int, float, int], ...]


# Chosen greedily from a far larger set, by how often a start leads to a highest maximum that the
# others miss and by the steps it takes: on simulated pairs of Gaussians, near and far, outliers,
# tight clusters, skew and coarsely rounded data.
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
# Equal shares into which the data are cut. Odd: else the edge in the middle of an odd number of
# points would be no reflection of itself.
_SHARES = 127
# Below it a window gets no denser; in standard deviations.
_NARROWEST_EXTENT = 1e-3


def n_starts(plan: str) -> int:
    """How many climbs a plan begins."""
    return sum(rule[-1] for rules in PLANS[plan] for rule in rules)


def window_lengths(plan: str, rows: int) -> tuple[Array, Array]:
    """Lengths of the likely windows, in shares, and of those at the ends, in points.

    Parameters
    ----------
    plan : str
        A key of `PLANS`.
    rows : int
        How many points the datasets have, as :func:`mog_jax.kernel.pad_rows` rounds it: a dataset
        has its own windows, whatever it is padded to beside others.
    """
    likely, ends = (
        np.array([max(points, share * rows) for points, share, _ in rules])
        for rules in (PLANS[plan].likely, PLANS[plan].ends)
    )
    shares = np.maximum(np.rint(likely * (_SHARES / rows)), 1)
    return shares.astype(np.int32), np.rint(ends).astype(np.int32)


def window_starts(
    lengths: tuple[jax.Array, jax.Array],
    x: jax.Array,
    n: jax.Array,
    *,
    plan: str,
    narrowest: float,
) -> tuple[jax.Array, jax.Array]:
    """Give the starts of a plan: their coordinates, and the windows they are.

    Parameters
    ----------
    lengths : pair of int arrays
        From :func:`window_lengths`.
    x : array, shape (rows, lanes)
        The points, sorted and standardised; whatever stands beyond the first `n` has no part.
    n : array of int, shape (lanes,)
        How many points there are.
    plan : str
        A key of `PLANS`.
    narrowest : float
        Lowest variance to begin with.

    Returns
    -------
    theta : array, shape (5, starts, lanes)
    windows : array of int, shape (starts, 2, lanes)
        First point and number of points.
    """
    dense, likely, ends = PLANS[plan]
    shares, end_lengths = lengths
    # A row of datasets, as all that is computed of each.
    n = n[None]
    data = _Data(*running_sums(x), n, narrowest)
    found = _dense_windows(x, n, dense)
    found += _likely_windows(data, shares, [picks for *_, picks in likely])
    for length, (*_, sides) in zip(end_lengths, ends, strict=True):
        found += _end_windows(data, length)[:sides]
    # Where the data have too few points for a window, the lower half is one.
    half = jnp.maximum(n // 2, 1)
    start = jnp.concatenate([jnp.where(fits, start, 0) for start, _, fits in found])
    length = jnp.concatenate([jnp.where(fits, length, half) for _, length, fits in found])
    theta = data.split(data.upto(start), data.upto(start + length), length).theta
    return theta, jnp.stack([start, length], axis=1)


def running_sums(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sums of the first 0, 1, ..., rows points of each lane, and of their squares."""
    rows = x.shape[0]

    def add(sums: _Pair, i: jax.Array) -> tuple[_Pair, _Pair]:
        point = x[jnp.minimum(i, rows - 1)]
        return (sums[0] + point, sums[1] + point * point), sums

    nothing = jnp.zeros_like(x[0])
    # Row by row, along the memory: several times faster than a cumulative sum over columns.
    _, sums = jax.lax.scan(add, (nothing, nothing), jnp.arange(rows + 1, dtype=np.int32))
    points, squares = sums
    return points, squares


# Of each dataset, shape (1, lanes): first point and number of points of a window, and whether there
# is one.
_Window = tuple[jax.Array, jax.Array, jax.Array]
_Pair = tuple[jax.Array, jax.Array]


class _Split(NamedTuple):
    """Windows and the rest: how many points, their mean and variance."""

    inside: jax.Array
    outside: jax.Array
    mean: jax.Array
    rest_mean: jax.Array
    variance: jax.Array
    rest_variance: jax.Array

    @property
    def theta(self) -> jax.Array:
        log_odds = jnp.log(self.inside / self.outside)
        log_variances = jnp.log(self.variance), jnp.log(self.rest_variance)
        return jnp.stack([log_odds, self.mean, self.rest_mean, *log_variances])

    @property
    def score(self) -> jax.Array:
        """Twice the log-likelihood of both parts, less what all windows have in common."""
        return -(
            self.inside * jnp.log(self.variance / self.inside**2)
            + self.outside * jnp.log(self.rest_variance / self.outside**2)
        )


class _Data(NamedTuple):
    points: jax.Array
    squares: jax.Array
    n: jax.Array
    narrowest: float

    def upto(self, place: jax.Array) -> _Pair:
        """Sums of the points below a place, and of their squares."""
        points, squares = (
            jnp.take_along_axis(sums, place, axis=0) for sums in (self.points, self.squares)
        )
        return points, squares

    def split(self, below: _Pair, upto: _Pair, length: jax.Array) -> _Split:
        """Windows against the rest, from the sums at their two ends."""
        whole = self.upto(self.n)
        inside = jnp.maximum(length, 1).astype(jnp.float32)
        outside = jnp.maximum(self.n - length, 1).astype(jnp.float32)
        points, squares = (above - under for above, under in zip(upto, below, strict=True))
        per_inside = 1 / inside.astype(points.dtype)
        mean = points * per_inside
        variance = squares * per_inside - mean * mean
        # Single precision is enough for a start, but not to take the differences above, which are
        # small where the window is narrow.
        rest, rest_squares = (
            (total - part).astype(jnp.float32) / outside
            for total, part in zip(whole, (points, squares), strict=True)
        )
        variance, rest_variance = (
            jnp.maximum(each.astype(jnp.float32), self.narrowest)
            for each in (variance, rest_squares - rest * rest)
        )
        return _Split(inside, outside, mean.astype(jnp.float32), rest, variance, rest_variance)


def _dense_windows(x: jax.Array, n: jax.Array, rules: tuple[tuple[int, int], ...]) -> list[_Window]:
    """Windows of few points, close together where a Gaussian would have them far apart."""
    x = x.astype(jnp.float32)
    gaussian = jnp.exp(-0.5 * x * x)
    place = jax.lax.broadcasted_iota(jnp.int32, x.shape, 0)
    found = []
    for length, picks in rules:
        extent = jnp.maximum(_ahead(x, length - 1) - x, _NARROWEST_EXTENT)
        # Points that the Gaussian would have in the window, less a factor.
        expected = extent * _ahead(gaussian, length // 2)
        expected = jnp.where((place > 0) & (place < n - length), expected, jnp.inf)
        # Of equals the outermost is taken, on either side: so in a reflection as well.
        off = 2 * place + length - n
        rank = jnp.where(off > 0, 2 * off + 1, -2 * off)
        for _ in range(picks):
            least = jnp.min(expected, axis=0, keepdims=True)
            top = jnp.max(jnp.where(expected == least, rank, 0), axis=0, keepdims=True)
            start = (n - length + jnp.where(top % 2 == 1, top // 2, -(top // 2))) // 2
            found.append((start, jnp.full_like(n, length), jnp.isfinite(least)))
            # The next one may not share points with this one.
            expected = jnp.where(jnp.abs(place - start) < length, jnp.inf, expected)
    return found


def _likely_windows(data: _Data, lengths: jax.Array, picks: list[int]) -> list[_Window]:
    """Windows between the edges of equal shares."""
    n = data.n
    edge = jax.lax.broadcasted_iota(jnp.int32, (_SHARES + 1, n.size), 0)
    place = jnp.where(2 * edge < _SHARES, edge * n // _SHARES, n - (_SHARES - edge) * n // _SHARES)
    below = data.upto(place)
    found = []
    for length, number in zip(lengths, picks, strict=True):
        end, *upto = (_ahead(each, length) for each in (place, *below))
        score = data.split(below, (upto[0], upto[1]), end - place).score
        score = jnp.where((place > 0) & (end < n), score, -jnp.inf)
        for _ in range(number):
            best = jnp.max(score, axis=0, keepdims=True)
            at = jnp.max(jnp.where(score == best, edge, 0), axis=0, keepdims=True)
            start, stop = (jnp.take_along_axis(each, at, axis=0) for each in (place, end))
            found.append((start, stop - start, jnp.isfinite(best)))
            score = jnp.where(jnp.abs(edge - at) < length, -jnp.inf, score)
    return found


def _end_windows(data: _Data, length: jax.Array) -> list[_Window]:
    """Give the windows at the two ends, the likelier one first."""
    n = data.n
    length = jnp.where(length < n - 1, length, jnp.maximum(n // 2, 1))
    nothing = jnp.zeros_like(n)
    low, high = (
        data.split(data.upto(start), data.upto(start + length), length).score
        for start in (nothing, n - length)
    )
    first = jnp.where(low >= high, nothing, n - length)
    return [(start, length, length > 0) for start in (first, n - length - first)]


def _ahead(rows: jax.Array, steps: jax.Array | int) -> jax.Array:
    """What stands so many rows further on, or else in the last row."""
    padded = jnp.concatenate([rows, jnp.broadcast_to(rows[-1:], rows.shape)])
    return jax.lax.dynamic_slice_in_dim(padded, steps, rows.shape[0], axis=0)
