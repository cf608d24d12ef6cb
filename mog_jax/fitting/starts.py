"""Where the climbs begin: windows of neighbouring points, found by exhaustive search.

A maximum of the likelihood splits the data into one component and the rest. So each start is a
window of the sorted points, taken as one component, and all other points as the other. Among all
windows of a length the ones are taken that are most likely when each of the two parts is a
Gaussian of its own. Short windows find clusters, long ones cores, and windows at an end of the data
tails and splits; no start suits all data. Nothing is random, and a reflection or change of units
of the data changes nothing but the units.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# A NumPy array.
Array = np.ndarray[Any, Any]

# Window lengths, as points or as shares of the data, whichever is more; how many of the best
# interior windows start a climb, and whether the windows at the two ends do. Chosen greedily from
# a far larger set on simulated data, by how often a start leads to a highest maximum that the
# others miss.
_THOROUGH = (
    # points, share, interior, ends
    (5, 0.0, 1, 0),
    (7, 0.0, 2, 1),
    (10, 0.0, 2, 0),
    (15, 0.0, 1, 0),
    (24, 0.05, 0, 1),
    (40, 0.09, 2, 0),
    (60, 0.26, 2, 0),
    (90, 0.46, 1, 1),
)
_QUICK = (
    (10, 0.0, 1, 0),
    (40, 0.09, 1, 0),
    (90, 0.46, 1, 2),
)
PLANS = {"thorough": _THOROUGH, "quick": _QUICK}
_RATIO = 1.25
_PICKS = 2


def n_starts(plan: str) -> int:
    """How many climbs a plan begins."""
    return sum(interior + ends for _, _, interior, ends in PLANS[plan])


def window_lengths(plan: str, rows: int) -> Array:
    """Lengths of the windows that a plan tries in datasets of a size, shape (rules, 2).

    Parameters
    ----------
    plan : str
        A key of `PLANS`.
    rows : int
        How many points the datasets have, as :func:`mog_jax.kernel.pad_rows` rounds it: a dataset
        has its own windows, whatever it is padded to beside others.
    """
    shortest = np.array([max(length, round(share * rows)) for length, share, _, _ in PLANS[plan]])
    return np.stack([shortest, np.ceil(_RATIO * shortest)], axis=1).astype(np.int32)


def window_starts(
    lengths: jax.Array,
    points: jax.Array,
    squares: jax.Array,
    n: jax.Array,
    *,
    plan: str,
    narrowest: float,
) -> tuple[jax.Array, jax.Array]:
    """Give the starts of a plan: their coordinates, and the windows they are.

    Parameters
    ----------
    lengths : array of int, shape (rules, 2)
        From :func:`window_lengths`.
    points, squares : array, shape (n + 1, lanes)
        Sums of the first 0, 1, ..., n points, sorted and standardised, and of their squares.
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
    points, squares = (
        jnp.concatenate([s, jnp.broadcast_to(s[-1:], s.shape)]) for s in (points, squares)
    )
    sums = _Windows(points, squares, n)

    def search(_: None, lengths: jax.Array) -> tuple[None, jax.Array]:
        return None, _best_windows(sums, lengths, narrowest)

    _, found = jax.lax.scan(search, None, lengths)
    chosen = []
    for rule, (_, _, interior, ends) in enumerate(PLANS[plan]):
        chosen += [found[rule, pick] for pick in range(interior)]
        chosen += [found[rule, _PICKS + end] for end in range(ends)]
    windows = jnp.stack(chosen)
    return sums.describe(windows[:, 0], windows[:, 1], narrowest), windows


class _Windows(NamedTuple):
    points: jax.Array
    squares: jax.Array
    n: jax.Array

    def describe(self, start: jax.Array, length: jax.Array, narrowest: float) -> jax.Array:
        """Coordinates of windows against the rest; `start` and `length` of shape (w, lanes)."""
        inside = [
            jnp.take_along_axis(s, start + length, axis=0) - jnp.take_along_axis(s, start, axis=0)
            for s in (self.points, self.squares)
        ]
        return jnp.stack(self.parts(inside[0], inside[1], length, narrowest))

    def parts(
        self, points: jax.Array, squares: jax.Array, length: jax.Array, narrowest: float
    ) -> tuple[jax.Array, ...]:
        """Log-odds of being inside, the means and the log-variances of inside and rest.

        `points` and `squares` are their sums over the windows.
        """
        inside = jnp.maximum(length, 1).astype(points.dtype)
        outside = jnp.maximum(self.n[None] - length, 1).astype(jnp.float32)
        # Divided once for each length, and not for each window.
        per_inside, per_outside = 1 / inside, 1 / outside
        mean = points * per_inside
        variance = squares * per_inside - mean * mean
        # Single precision is enough for a start, but not to take the difference above, which is
        # small where the window is narrow.
        rest = (self.points[-1:] - points).astype(jnp.float32) * per_outside
        rest_squares = (self.squares[-1:] - squares).astype(jnp.float32) * per_outside
        log_variance, rest_log_variance = (
            jnp.log(jnp.maximum(each.astype(jnp.float32), narrowest))
            for each in (variance, rest_squares - rest * rest)
        )
        log_odds = jnp.log(inside.astype(jnp.float32) * per_outside)
        return log_odds, mean.astype(jnp.float32), rest, log_variance, rest_log_variance


def _best_windows(sums: _Windows, lengths: jax.Array, narrowest: float) -> jax.Array:
    """Start and length of the best windows: `_PICKS` interior ones, then those at the two ends.

    Returns
    -------
    array of int, shape (picks + 2, 2, lanes)
    """
    rows = sums.points.shape[0] // 2
    start = jax.lax.broadcasted_iota(jnp.int32, (rows, sums.n.shape[0]), 0)
    best = jnp.full(start.shape, -jnp.inf, jnp.float32)
    best_length = jnp.zeros(start.shape, jnp.int32)
    ends = []
    for length in lengths:
        inside = [
            jax.lax.dynamic_slice_in_dim(s, length, rows, axis=0) - s[:rows] for s in sums[:2]
        ]
        odds, _, _, log_variance, rest_log_variance = sums.parts(
            inside[0], inside[1], length, narrowest
        )
        # Twice the log-likelihood of both parts, each a Gaussian of its own, less constants.
        n = sums.n[None].astype(jnp.float32)
        part = length.astype(jnp.float32)
        score = 2 * part * odds - part * log_variance - (n - part) * rest_log_variance
        last = sums.n[None] - length
        interior = (start > 0) & (start < last)
        better = interior & (score > best)
        best = jnp.where(better, score, best)
        best_length = jnp.where(better, length, best_length)
        low = score[0]
        high = jnp.max(jnp.where(start == last, score, -jnp.inf), axis=0)
        ends.append((low, high))
    chosen = []
    # Where the data have too few points for any window, the lower half is one.
    half = jnp.maximum(sums.n // 2, 1)
    for _ in range(_PICKS):
        top = jnp.max(best, axis=0)
        at = jnp.max(jnp.where(best == top[None], start, 0), axis=0)
        length = jnp.max(jnp.where(start == at[None], best_length, 0), axis=0)
        fits = jnp.isfinite(top)
        chosen.append([jnp.where(fits, at, 0), jnp.where(fits, length, half)])
        # The next one may not share points with this one.
        apart = jnp.abs(2 * (start - at[None]) + best_length - length[None])
        best = jnp.where(apart < best_length + length[None], -jnp.inf, best)
    # Of the longer end windows, first the one that is more likely, then the other.
    low, high = ends[-1]
    length = jnp.minimum(lengths[-1], jnp.maximum(sums.n - 1, 1))
    length = jnp.where(lengths[-1] < sums.n - 1, length, half)
    lower_first = low >= high
    top_start = sums.n - length
    zero = jnp.zeros_like(length)
    chosen.append([jnp.where(lower_first, zero, top_start), length])
    chosen.append([jnp.where(lower_first, top_start, zero), length])
    return jnp.stack([jnp.stack(window) for window in chosen])
