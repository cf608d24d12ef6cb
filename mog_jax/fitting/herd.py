"""Many climbs at once: packed into tiles of lanes, moved a few steps, and packed anew.

A tile has a fixed number of lanes, and all of them take as many steps as the slowest. So the climbs
that are still under way are gathered every few steps, and the ones that are done cost nothing more.
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
from mog_jax.kernel import Totals, row_bytes

# A NumPy array. The type checker takes it for any, as fields annotated for JAX hold it here.
Array = Any

# XLA uses vectors of half the width that the machine has, unless told otherwise.
COMPILER = {"xla_cpu_prefer_vector_width": 512}

# Lanes that one program climbs, tile after tile: to call one takes as long as many steps.
_LANES = 4096

# Points of one tile at most: long datasets climb alone, and memory stays bounded.
_TILE_POINTS = 2**20


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

    @functools.cached_property
    def on_device(self) -> Lanes:
        """All datasets of the block, a lane for each."""
        points = self.points.astype(self.dtype)
        row = np.arange(points.shape[0])[:, None]
        weight = (row < self.n).astype(np.float64) if self.counts is None else self.counts
        count = weight.sum(axis=0)
        mean = (weight * points).sum(axis=0) / np.maximum(count, 1e-30)
        variance = (weight * (points - mean) ** 2).sum(axis=0) / np.maximum(count, 1e-30)
        lanes = Lanes(
            x=points,
            totals=Totals(count=count, mean=mean, variance=variance),
            counts=self.counts,
            padding=None if self.counts is not None else points.shape[0] - self.n,
            free=None if self.free.all() else self.free,
        )

        def put(leaf: Array) -> jax.Array:
            return jnp.asarray(leaf if leaf.dtype == bool else leaf.astype(self.dtype))

        on_device: Lanes = jax.tree.map(put, lanes)
        return on_device


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
    rows = [np.atleast_2d(np.asarray(leaf, dtype)) for leaf in jax.tree.leaves(state)]
    return Herd(dataset=dataset, start=start, rows=np.concatenate(rows))


def climb(herd: Herd, data: Data, rules: Rules, steps: int) -> Herd:
    """Climb a few steps with all lanes that are not done yet."""
    active = np.flatnonzero(herd.state.climbing)
    lanes = _lanes_of_a_tile(data)
    # What is missing to whole tiles is filled up with the last lane.
    n_tiles = -(-active.size // lanes)
    filled = active[np.minimum(np.arange(n_tiles * lanes), active.size - 1)]
    begun = herd.rows[:, filled].reshape(len(herd.rows), n_tiles, lanes).swapaxes(0, 1)
    dataset = herd.dataset[filled].reshape(n_tiles, lanes).astype(np.int32)
    moved = np.empty_like(begun)
    at_once = max(1, _LANES // lanes)
    for lo in range(0, n_tiles, at_once):
        some = slice(lo, min(lo + at_once, n_tiles))
        end = _climb_tiles(
            _padded(begun[some], at_once),
            _padded(dataset[some], at_once),
            np.int32(some.stop - lo),
            data.on_device,
            np.int32(steps),
            rules=rules,
        )
        moved[some] = np.asarray(end)[: some.stop - lo]
    rows = herd.rows.copy()
    rows[:, active] = moved.swapaxes(0, 1).reshape(len(rows), -1)[:, : active.size]
    return dataclasses.replace(herd, rows=rows)


def _padded(tiles: Array, number: int) -> Array:
    whole: Array = np.zeros((number, *tiles.shape[1:]), tiles.dtype)
    whole[: len(tiles)] = tiles
    return whole


@functools.partial(jax.jit, static_argnames="rules", compiler_options=COMPILER)
def _climb_tiles(
    rows: jax.Array,
    dataset: jax.Array,
    n_tiles: jax.Array,
    data: Lanes,
    steps: jax.Array,
    *,
    rules: Rules,
) -> jax.Array:
    """Climb with tiles of lanes, one after the other."""
    how = {field.name: getattr(rules, field.name) for field in dataclasses.fields(rules)}

    def climb_tile(i: jax.Array, rows: jax.Array) -> jax.Array:
        place = dataset[i]
        lanes = jax.tree.map(functools.partial(_columns_of, place), data)
        end = ascent.ascend(ascent.unpacked(rows[i]), lanes, steps=steps, **how)
        return rows.at[i].set(ascent.packed(end))

    climbed: jax.Array = jax.lax.fori_loop(0, n_tiles, climb_tile, rows)
    return climbed


def _columns_of(place: jax.Array, rows: jax.Array) -> jax.Array:
    # Element by element: whole columns XLA would lay out the other way round, and turn again.
    index = jnp.broadcast_to(place, (*rows.shape[:-1], place.size))
    columns: jax.Array = jnp.take_along_axis(rows, index, axis=-1, mode="promise_in_bounds")
    return columns


def _lanes_of_a_tile(data: Data) -> int:
    """Lanes that climb side by side."""
    lanes = row_bytes() // data.dtype.itemsize
    while lanes > 1 and lanes * data.points.shape[0] > _TILE_POINTS:
        lanes //= 2
    return lanes
