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

    @functools.cached_property
    def columns(self) -> Lanes:
        """The same on the device, with their totals."""
        rows = self.points.shape[0]
        points = self.points.astype(self.dtype)
        row = np.arange(rows)[:, None]
        weight = (row < self.n).astype(np.float64) if self.counts is None else self.counts
        count = weight.sum(axis=0)
        mean = (weight * points).sum(axis=0) / np.maximum(count, 1e-30)
        variance = (weight * (points - mean) ** 2).sum(axis=0) / np.maximum(count, 1e-30)
        lanes = Lanes(
            x=points,
            totals=Totals(count=count, mean=mean, variance=variance),
            counts=self.counts,
            padding=None if self.counts is not None else rows - self.n,
            free=None if self.free.all() else self.free,
        )
        columns: Lanes = jax.tree.map(
            lambda leaf: jnp.asarray(leaf if leaf.dtype == bool else leaf.astype(self.dtype)),
            lanes,
        )
        return columns


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
    rows = herd.rows.copy()
    tile = _tile(data, active.size)
    for lo in range(0, active.size, tile):
        hi = min(lo + tile, active.size)
        index = active[np.minimum(np.arange(lo, lo + tile), hi - 1)]
        moved = _climb_tile(
            rows[:, index], data.columns, herd.dataset[index], np.int32(steps), rules=rules
        )
        rows[:, index[: hi - lo]] = np.asarray(moved)[:, : hi - lo]
    return dataclasses.replace(herd, rows=rows)


@functools.partial(jax.jit, static_argnames="rules", compiler_options=COMPILER)
def _climb_tile(
    rows: jax.Array, columns: Lanes, dataset: jax.Array, steps: jax.Array, *, rules: Rules
) -> jax.Array:
    gathered: Lanes = jax.tree.map(lambda leaf: jnp.take(leaf, dataset, axis=-1), columns)
    how = {field.name: getattr(rules, field.name) for field in dataclasses.fields(rules)}
    end = ascent.ascend(ascent.unpacked(rows), gathered, steps=steps, **how)
    return ascent.packed(end)


def _tile(data: Data, n_lanes: int) -> int:
    """Lanes that one program climbs: few sizes, so that there are few programs."""
    tile = 1024 if data.dtype == np.float32 and n_lanes > 128 else 128
    while tile > 8 and tile * data.points.shape[0] > _TILE_POINTS:
        tile //= 2
    return tile
