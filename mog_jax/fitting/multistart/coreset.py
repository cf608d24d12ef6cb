"""A dataset as it is seen from where a climb begins: point by point nearby, and in groups far off.

A climb begins at a window of the sorted points. Far from it lies the bulk of the other component,
whose every point it need not see: there neighbours are put together, the more of them the further
away they are. Some hundred groups then say nearly what the points would, however many those are,
and the search takes a fraction of the time. A coreset errs by about a thousandth of a nat a point,
and by least where the window is narrow; so what the search finds is compared on the data.
"""

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.fitting.climb.ascent import Lanes
from mog_jax.fitting.multistart.climbs import Array, columns_of
from mog_jax.fitting.multistart.starts import running_sums
from mog_jax.kernel import Totals
from mog_jax.precision import COMPILER

# Groups come in turns of sixteen of equal size, as the kernel takes them. Four turns, and one
# dataset in a hundred ends lower; eight, and no fewer do.
_GROUPS = 16
_TURNS = 6
# Turns at the window itself: point by point, or, for each so many points that it has, one more to
# a group.
_NEAR = 2
_SHARP = 48
# Coresets are made of more points only.
FEWEST = 128
# Coresets that are made side by side.
_TILE = 128


def bin_edges(windows: jax.Array, n: jax.Array) -> jax.Array:
    """Give the ranks between which a coreset's turns lie.

    Parameters
    ----------
    windows : array of int, shape (starts, 2, b)
        The first point of each window, and how many there are.
    n : array of int, shape (b,)
        Points of each dataset: more than `FEWEST`.

    Returns
    -------
    array of int, shape (turns + 1, starts, b)
        From 0 up to `n`, or from `n` down to 0: reflected data are seen in reflection.
    """
    start, length, n = windows[:, 0], windows[:, 1], n[None]
    twice_middle = 2 * start + length
    falls = twice_middle > n
    twice_middle = jnp.where(falls, 2 * n - twice_middle, twice_middle)
    far = _TURNS - _NEAR
    # What remains on both sides must fill the turns there.
    largest = (n - (far + 2) * _GROUPS) // (_NEAR * _GROUPS)
    size = _NEAR * _GROUPS * jnp.clip(_whole(length.astype(np.float32) / _SHARP), 1, largest)
    below = jnp.clip((twice_middle - size) // 2, 0, n - size)
    # A turn takes in as many points as it has groups: there is room for one, or for none.
    below = jnp.where(below < _GROUPS, _whole(below.astype(np.float32) / _GROUPS) * _GROUPS, below)
    above = n - size - below
    above = jnp.where(above < _GROUPS, _whole(above.astype(np.float32) / _GROUPS) * _GROUPS, above)
    below = n - size - above
    # Groups grow in proportion to their distance: turns are equal on a logarithmic scale.
    half = 0.5 * size.astype(np.float32)
    reach = [jnp.log1p(side.astype(np.float32) / half) for side in (below, above)]
    share = _whole(far * reach[0] / (reach[0] + reach[1]))
    share = jnp.clip(share, jnp.minimum(1, below), far - jnp.minimum(1, above))
    share = jnp.clip(share, far - above // _GROUPS, below // _GROUPS)

    def distance(turns: jax.Array, of: jax.Array, ranks: jax.Array, reach: jax.Array) -> jax.Array:
        """How many ranks the first `turns` of the turns on one side take up."""
        turns = jnp.clip(turns, 0, of)
        part = turns.astype(np.float32) / jnp.maximum(of, 1).astype(np.float32)
        grown = _whole(half * jnp.expm1(reach * part))
        return jnp.clip(grown, _GROUPS * turns, ranks - _GROUPS * (of - turns))

    edges = []
    for turn in range(_TURNS + 1):
        before, after = share - turn, turn - share - _NEAR
        low = below - distance(before, share, below, reach[0])
        high = below + size + distance(after, far - share, above, reach[1])
        near = below - before * (size // _NEAR)
        edges.append(jnp.where(before >= 0, low, jnp.where(after >= 0, high, near)))
    return jnp.stack([jnp.where(falls, n - edge, edge) for edge in edges])


def _whole(value: jax.Array) -> jax.Array:
    return jnp.rint(value).astype(np.int32)


@dataclasses.dataclass(frozen=True, eq=False)
class Coresets:
    """A block's datasets, each as it is seen from the windows where its climbs began.

    Parameters
    ----------
    points : array, shape (n, b)
        Sorted; each dataset fills up its column with its last point.
    n : array of int, shape (b,)
        How many points there are.
    windows : array of int, shape (starts, 2, b)
        Where the climbs begin.
    free : array of bool, shape (5, b)
        The coordinates that are not held fixed.
    """

    points: Array
    n: Array
    windows: Array
    free: Array

    @property
    def dtype(self) -> np.dtype[Any]:
        """Precision in which they are climbed."""
        return np.dtype(np.float32)

    @property
    def rows(self) -> int:
        """Groups of a coreset."""
        return _TURNS * _GROUPS

    @functools.cached_property
    def on_device(self) -> "DeviceCoresets":
        """A coreset for each start and dataset."""
        coresets, totals = _coresets(self.points, self.n.astype(np.int32), self.windows)
        return DeviceCoresets(
            coresets=coresets,
            totals=totals,
            free=None if self.free.all() else jnp.asarray(self.free),
        )


@functools.partial(jax.jit, compiler_options=COMPILER)
def _coresets(points: jax.Array, n: jax.Array, windows: jax.Array) -> tuple[jax.Array, Totals]:
    """Give coresets, shape (rows, starts * b): a row for each group, then each turn's size."""
    starts, _, b = windows.shape
    tile = math.gcd(b, _TILE)
    edges = bin_edges(windows, jnp.maximum(n, FEWEST + 1))
    sums, squares = running_sums(points)
    count = n.astype(sums.dtype)
    mean, square = (
        jnp.take_along_axis(each, n[None], axis=0)[0] / count for each in (sums, squares)
    )
    totals = Totals(count=count, mean=mean, variance=square - mean * mean)
    sums = sums.astype(np.float32)
    column = jnp.arange(starts * b, dtype=np.int32).reshape(-1, tile)

    def coreset(column: jax.Array) -> jax.Array:
        start, dataset = column // b, column % b
        ends = edges[:, start, dataset]
        steps = jnp.diff(ends, axis=0)
        place = jax.lax.broadcasted_iota(np.int32, (1, _GROUPS, 1), 1)
        # Halves are rounded the way the turn goes, so that a reflected one has the same groups.
        taken = (place * jnp.abs(steps)[:, None] + _GROUPS // 2) // _GROUPS
        ranks = (ends[:-1, None] + jnp.sign(steps)[:, None] * taken).reshape(-1, tile)
        ranks = jnp.concatenate([ranks, ends[-1:]])
        below = sums.at[ranks, dataset[None]].get(mode="promise_in_bounds")
        means = jnp.diff(below, axis=0) / jnp.diff(ranks, axis=0).astype(np.float32)
        return jnp.concatenate([means, jnp.abs(steps).astype(np.float32) / _GROUPS])

    table = jnp.moveaxis(jax.lax.map(coreset, column), 1, 0).reshape(-1, starts * b)
    return table, jax.tree.map(lambda field: field.astype(np.float32), totals)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class DeviceCoresets:
    """Coresets on the device, a lane for each."""

    coresets: jax.Array
    totals: Totals
    free: jax.Array | None

    def lanes(self, dataset: jax.Array, start: jax.Array) -> Lanes:
        """Give what climbs of some datasets see that began at these starts."""
        column = start * self.totals.count.size + dataset
        means, sizes = jnp.split(columns_of(column, self.coresets), [_TURNS * _GROUPS])
        return Lanes(
            x=means,
            totals=jax.tree.map(lambda field: field[dataset], self.totals),
            counts=sizes,
            padding=None,
            free=None if self.free is None else self.free[:, dataset],
        )
