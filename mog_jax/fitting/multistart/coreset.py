"""Builds the coreset of a start: single points near its window, and groups of points far from it.

A climb begins at a window of the sorted points. Far from the window lies the bulk of the other
component, which need not be known point by point: there neighbours are grouped, the more of them
the further away they are. About a hundred groups then give nearly the likelihood of all points,
however many there are, and the search takes a fraction of the time. The error is about a thousandth
of a nat a point, and least if the window is narrow; so the ends of climbs on coresets are compared
on the data.
"""

import numpy as np

from mog_jax.arrays import Array
from mog_jax.lane_shapes import TURN

# All groups of a turn, the unit of the kernel's loop, have the same size. With four turns one
# dataset in a hundred ends at a lower maximum; eight are no better than six.
_GROUPS = TURN
_TURNS = 6
ROWS = _TURNS * _GROUPS
# Turns at the window itself. Their groups have one point for each `_SHARP` points of the window,
# and at least one.
_NEAR = 2
_SHARP = 48
# Only datasets of more points have coresets.
FEWEST = 128


def bin_edges(windows: Array, n: Array) -> Array:
    """Return the ranks at which a coreset's turns begin and end.

    Parameters
    ----------
    windows : array of int, shape (starts, 2, b)
        The first point of each window, and its number of points.
    n : array of int, shape (b,)
        Points of each dataset: more than `FEWEST`.

    Returns
    -------
    array of int, shape (turns + 1, starts, b)
        From 0 up to `n`, or from `n` down to 0, so that reflected data have reflected edges.
    """
    start, length, n = windows[:, 0], windows[:, 1], n[None]
    twice_middle = 2 * start + length
    falls = twice_middle > n
    twice_middle = np.where(falls, 2 * n - twice_middle, twice_middle)
    far = _TURNS - _NEAR
    # The points that remain on both sides must fill the turns there.
    largest = (n - (far + 2) * _GROUPS) // (_NEAR * _GROUPS)
    size = _NEAR * _GROUPS * np.clip(_whole(length / _SHARP), 1, largest)
    below = np.clip((twice_middle - size) // 2, 0, n - size)
    # A turn takes in as many points as it has groups: there is room for one, or for none.
    below = np.where(below < _GROUPS, _whole(below / _GROUPS) * _GROUPS, below)
    above = n - size - below
    above = np.where(above < _GROUPS, _whole(above / _GROUPS) * _GROUPS, above)
    below = n - size - above
    # Groups grow in proportion to their distance: turns are equal on a logarithmic scale.
    half = 0.5 * size
    reach = [np.log1p(side / half) for side in (below, above)]
    share = _whole(far * reach[0] / (reach[0] + reach[1]))
    share = np.clip(share, np.minimum(1, below), far - np.minimum(1, above))
    share = np.clip(share, far - above // _GROUPS, below // _GROUPS)

    turn = np.arange(_TURNS + 1)[:, None, None]
    before, after = share - turn, turn - share - _NEAR
    is_below = before >= 0
    # Number of turns between the window and the edge, of the number on its side; then the number of
    # ranks that these turns take up.
    turns = np.where(is_below, before, np.maximum(after, 0))
    of = np.where(is_below, share, far - share)
    grown = np.where(is_below, *reach) * (turns / np.maximum(of, 1))
    grown = _whole(half * np.expm1(grown))
    ranks = np.where(is_below, below, above)
    grown = np.clip(grown, _GROUPS * turns, ranks - _GROUPS * (of - turns))
    near = below - before * (size // _NEAR)
    edges = np.where(is_below, below - grown, np.where(after >= 0, below + size + grown, near))
    return np.where(falls, n - edges, edges)


def _whole(value: Array) -> Array:
    return np.rint(value).astype(np.int64)


def coresets(sums: Array, n: Array, windows: Array) -> tuple[Array, Array]:
    """Return the coresets of datasets for the given windows.

    Parameters
    ----------
    sums : array, shape (b, more than n)
        Sums of the first 0, 1, ... points of each dataset, sorted.
    n : array of int, shape (b,)
        Number of points of each dataset: more than `FEWEST`.
    windows : array of int, shape (starts, 2, b)
        The first point of each window, and its number of points.

    Returns
    -------
    array, shape (ROWS, starts, b)
        Mean of each group.
    array, shape (turns, starts, b)
        Number of points in each group of a turn.
    """
    edges = bin_edges(windows, n)
    steps = np.diff(edges, axis=0)
    sizes = np.abs(steps)
    # Places in the sums of all datasets, one behind the other.
    edges += sums.shape[1] * np.arange(len(n))
    ranks = np.empty((ROWS + 1, *edges.shape[1:]), np.int32)
    ranks[-1] = edges[-1]
    first = ranks[:-1].reshape(_TURNS, _GROUPS, *edges.shape[1:])
    # Halves are rounded in the direction of the turn, so that a reflected one has the same groups.
    place = np.arange(_GROUPS, dtype=np.int32)[:, None, None]
    np.multiply(place, sizes.astype(np.int32)[:, None], out=first)
    first += np.int32(_GROUPS // 2)
    first //= np.int32(_GROUPS)
    first *= np.sign(steps).astype(np.int32)[:, None]
    first += edges[:-1, None].astype(np.int32)
    below = sums.astype(np.float32).reshape(-1).take(ranks)
    means: Array = below[1:] - below[:-1]
    means /= (ranks[1:] - ranks[:-1]).astype(np.float32)
    return means, sizes / _GROUPS
