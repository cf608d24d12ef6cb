"""Many climbs at once: packed into tiles of lanes, moved a few steps, and packed anew.

A program has a fixed number of lanes, and all of them take as many steps as the slowest. So the
climbs that are still under way are gathered every few steps, in tiles of few sizes, and the ones
that are done cost nothing more.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.fitting import ascent
from mog_jax.fitting.ascent import Ascent, Lanes
from mog_jax.fitting.directions import Direction
from mog_jax.kernel import Totals

# A NumPy array. The type checker takes it for any, as fields annotated for JAX hold it here.
Array = Any

# XLA uses vectors of half the width that the machine has, unless told otherwise.
COMPILER = {"xla_cpu_prefer_vector_width": 512}

# Points that one program is given at most, so that memory stays bounded for long datasets.
_TILE_POINTS = 2**22


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules:
    """How to climb: hashable, one compiled program for each."""

    direction: Direction
    tolerance: float
    max_steps: int
    variance_floor: float
    equal_variances: bool
    give_up: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Data:
    """A block's points in one precision, from which any lanes can be gathered.

    Parameters
    ----------
    points : array, shape (n, b)
        Each dataset fills up its column with its last point.
    counts : array, shape (n, b), or None
        How often each point was seen; 0 for what fills up.
    n : array of int, shape (b,)
        How many points there are.
    free : array of bool, shape (5, b)
        The coordinates that are not held fixed.
    dtype : float32 or float64
    """

    points: Array
    counts: Array | None
    n: Array
    free: Array
    dtype: np.dtype[Any]

    def lanes(self, dataset: Array) -> Lanes:
        """Gather the points of some datasets, and what holds for each, as lanes of a program."""
        # Wider indices, or one program for all that is gathered, and XLA is several times slower.
        place = dataset.astype(np.int32)
        points, times = self._on_device
        counts = None if times is None else _columns_of(times, place)
        totals: Totals = jax.tree.map(lambda leaf: leaf[dataset], self._totals)
        padding: Any = None
        if counts is None:
            padding = (self.points.shape[0] - self.n[dataset]).astype(self.dtype)
        free = None if self.free.all() else self.free[:, dataset]
        return Lanes(
            x=_columns_of(points, place), totals=totals, counts=counts, padding=padding, free=free
        )

    @functools.cached_property
    def _on_device(self) -> tuple[Any, Any]:
        points = jnp.asarray(self.points.astype(self.dtype))
        return points, None if self.counts is None else jnp.asarray(self.counts, self.dtype)

    @functools.cached_property
    def _totals(self) -> Totals:
        points = self.points.astype(self.dtype)
        row = np.arange(points.shape[0])[:, None]
        weight = (row < self.n).astype(np.float64) if self.counts is None else self.counts
        count = weight.sum(axis=0)
        mean = (weight * points).sum(axis=0) / np.maximum(count, 1e-30)
        variance = (weight * (points - mean) ** 2).sum(axis=0) / np.maximum(count, 1e-30)
        totals: Totals = jax.tree.map(
            lambda leaf: leaf.astype(self.dtype),
            Totals(count=count, mean=mean, variance=variance),
        )
        return totals


@functools.partial(jax.jit, compiler_options=COMPILER)
def _columns_of(matrix: jax.Array, index: jax.Array) -> jax.Array:
    return jnp.take(matrix, index, axis=-1, mode="clip")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Herd:
    """Climbs of a block under way (NumPy arrays).

    Parameters
    ----------
    dataset : array of int, shape (lanes,)
        Which dataset each climbs.
    start : array of int, shape (lanes,)
        Where it began; no two climbs of a dataset began at the same.
    rows : array, shape (28, lanes)
        Where it stands, packed.
    """

    dataset: Array
    start: Array
    rows: Array

    @functools.cached_property
    def state(self) -> Ascent:
        """Where the climbs stand."""
        return ascent.unpacked(self.rows)

    def take(self, index: Array) -> "Herd":
        """Give some of the climbs."""
        return Herd(dataset=self.dataset[index], start=self.start[index], rows=self.rows[:, index])

    def joined(self, other: "Herd") -> "Herd":
        """Give the climbs of both."""
        return Herd(
            dataset=np.concatenate([self.dataset, other.dataset]),
            start=np.concatenate([self.start, other.start]),
            rows=np.concatenate([self.rows, other.rows], axis=1),
        )


def begin(theta: Array, dataset: Array, start: Array, dtype: np.dtype[Any]) -> Herd:
    """Let climbs begin at `theta`, shape (5, lanes)."""
    state = ascent.begin(theta.astype(dtype))
    rows = [np.asarray(leaf, dtype).reshape(-1, dataset.size) for leaf in jax.tree.leaves(state)]
    return Herd(dataset=dataset, start=start, rows=np.concatenate(rows))


def climb(herd: Herd, data: Data, rules: Rules, steps: int) -> Herd:
    """Climb a few steps with all lanes that are not done yet."""
    active = np.flatnonzero(herd.state.climbing)
    begun, dataset = np.take(herd.rows, active, axis=1), herd.dataset[active]
    tile = _tile(data, active.size)
    moved = np.empty_like(begun)
    for lo in range(0, active.size, tile):
        lanes = slice(lo, min(lo + tile, active.size))
        # The last tile is filled up with its last lane.
        filled = np.minimum(np.arange(lo, lo + tile), lanes.stop - 1)
        end = _climb_tile(
            np.take(begun, filled, axis=1),
            data.lanes(dataset[filled]),
            np.int32(steps),
            rules=rules,
        )
        moved[:, lanes] = np.asarray(end)[:, : lanes.stop - lo]
    if active.size == herd.dataset.size:
        return dataclasses.replace(herd, rows=moved)
    rows = herd.rows.copy()
    rows[:, active] = moved
    return dataclasses.replace(herd, rows=rows)


@functools.partial(jax.jit, static_argnames="rules", compiler_options=COMPILER)
def _climb_tile(rows: jax.Array, lanes: Lanes, steps: jax.Array, *, rules: Rules) -> jax.Array:
    how = {field.name: getattr(rules, field.name) for field in dataclasses.fields(rules)}
    return ascent.packed(ascent.ascend(ascent.unpacked(rows), lanes, steps=steps, **how))


def _tile(data: Data, n_lanes: int) -> int:
    """Lanes that one program climbs: few sizes, so that there are few programs."""
    tile = 512 if data.dtype == np.float32 and n_lanes > 128 else 128
    while tile > 8 and tile * data.points.shape[0] > _TILE_POINTS:
        tile //= 2
    return tile
