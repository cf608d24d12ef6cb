"""Many climbs at once: packed into tiles of lanes, moved a few steps, and packed anew.

A tile has a fixed number of lanes, and all of them take as many steps as the slowest. So the climbs
that are still under way are gathered every few steps, and the ones that are done cost nothing more.
"""

import dataclasses
import functools
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.fitting.climb import ascent
from mog_jax.fitting.climb.ascent import Ascent, Lanes
from mog_jax.fitting.options import AscentOptions
from mog_jax.kernel import row_bytes, totals
from mog_jax.precision import COMPILER

# A NumPy array. The type checker takes it for any, as fields annotated for JAX hold it here.
Array = Any

# Lanes that one program climbs, tile after tile: to call one takes as long as many steps.
_LANES = 4096

# So much narrower is the tile, of another program, that takes the last few climbs.
_FEW = 8

# Points of one tile at most: long datasets climb alone, and memory stays bounded.
_TILE_POINTS = 2**20


@dataclasses.dataclass(frozen=True, eq=False)
class BlockPoints:
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

    @property
    def rows(self) -> int:
        """Points of a lane."""
        rows: int = self.points.shape[0]
        return rows

    @functools.cached_property
    def on_device(self) -> "FullPoints":
        """All datasets of the block, a lane for each."""

        def put(array: Array) -> jax.Array:
            return jnp.asarray(array, self.dtype)

        x = put(self.points)
        counts = None if self.counts is None else put(self.counts)
        padding = None if counts is not None else put(self.rows - self.n)
        return FullPoints(
            Lanes(
                x=x,
                totals=_totals(x, counts, padding),
                counts=counts,
                padding=padding,
                free=None if self.free.all() else jnp.asarray(self.free),
            )
        )


_totals = jax.jit(totals, compiler_options=COMPILER)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class FullPoints:
    """Datasets side by side, of which climbs see all points."""

    datasets: Lanes

    def lanes(self, dataset: jax.Array, start: jax.Array) -> Lanes:
        """Give what climbs of some datasets see."""
        lanes: Lanes = jax.tree.map(functools.partial(columns_of, dataset), self.datasets)
        return lanes


class DevicePoints(Protocol):
    """The datasets of a block on the device."""

    def lanes(self, dataset: jax.Array, start: jax.Array) -> Lanes:
        """Give what climbs of some datasets see that began at these starts."""


class PointSource(Protocol):
    """What climbs look at: a block of datasets, in whole or in part."""

    @property
    def n(self) -> Array:
        """How many points each dataset has."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Precision in which they climb."""

    @property
    def rows(self) -> int:
        """Points of a lane."""

    @property
    def on_device(self) -> DevicePoints:
        """A pytree."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Climbs:
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

    def take(self, index: Array) -> "Climbs":
        """Give some of the climbs."""
        # By place: to pick columns by a mask takes three times as long.
        index = np.arange(self.dataset.size)[index]
        rows = np.take(self.rows, index, axis=1)
        return Climbs(dataset=self.dataset[index], start=self.start[index], rows=rows)

    def of_all_datasets(self, b: int) -> Ascent:
        """Put climbs, at most one of each dataset, in the columns of their datasets.

        Returns
        -------
        Ascent, shape (..., b)
            NaN, or 0 where numbers are whole, for a dataset without a climb.
        """

        def spread(leaf: Array) -> Array:
            nothing = np.nan if leaf.dtype.kind == "f" else 0
            columns = np.full((*leaf.shape[:-1], b), nothing, leaf.dtype)
            columns[..., self.dataset] = leaf
            return columns

        whole: Ascent = jax.tree.map(spread, self.state)
        return whole

    def joined(self, other: "Climbs") -> "Climbs":
        """Give the climbs of both."""
        return Climbs(
            dataset=np.concatenate([self.dataset, other.dataset]),
            start=np.concatenate([self.start, other.start]),
            rows=np.concatenate([self.rows, other.rows], axis=1),
        )


def begin_climbs(theta: Array, dataset: Array, start: Array, dtype: np.dtype[Any]) -> Climbs:
    """Let climbs begin at `theta`, shape (5, lanes)."""
    state = ascent.begin(theta.astype(dtype))
    rows = [np.atleast_2d(np.asarray(leaf, dtype)) for leaf in jax.tree.leaves(state)]
    return Climbs(dataset=dataset, start=start, rows=np.concatenate(rows))


def advance(climbs: Climbs, data: PointSource, options: AscentOptions, steps: int) -> Climbs:
    """Climb a few steps with all lanes that are not done yet."""
    active = np.flatnonzero(climbs.state.climbing)
    lanes, at_once = _tiling(data, active.size)
    origin = np.stack([climbs.dataset, climbs.start]).astype(np.int32)
    rows = climbs.rows.copy()
    for lo in range(0, active.size, at_once):
        some = active[lo : lo + at_once]
        n_tiles = -(-some.size // lanes)
        # What is missing to whole tiles is filled up with the last lane.
        filled = some[np.minimum(np.arange(n_tiles * lanes), some.size - 1)]
        end = _climb_tiles(
            _columns(climbs.rows, filled, at_once),
            _columns(origin, filled, at_once),
            np.int32(n_tiles),
            data.on_device,
            np.int32(steps),
            options=options,
            lanes=lanes,
        )
        for row, new in zip(rows, np.asarray(end), strict=True):
            row[some] = new[: some.size]
    return dataclasses.replace(climbs, rows=rows)


def _columns(rows: Array, index: Array, width: int) -> Array:
    """Give some columns, and zeros up to a width."""
    columns: Array = np.zeros((len(rows), width), rows.dtype)
    columns[:, : index.size] = rows[:, index]
    return columns


@functools.partial(jax.jit, static_argnames=("options", "lanes"), compiler_options=COMPILER)
def _climb_tiles(
    rows: jax.Array,
    origin: jax.Array,
    n_tiles: jax.Array,
    data: DevicePoints,
    steps: jax.Array,
    *,
    options: AscentOptions,
    lanes: int,
) -> jax.Array:
    """Climb with tiles of lanes, one after the other."""
    how = options.as_arguments()

    def climb_tile(i: jax.Array, rows: jax.Array) -> jax.Array:
        begun, of = (
            jax.lax.dynamic_slice_in_dim(each, i * lanes, lanes, axis=1) for each in (rows, origin)
        )
        end = ascent.ascend(ascent.unpacked(begun), data.lanes(*of), steps=steps, **how)
        return jax.lax.dynamic_update_slice_in_dim(rows, ascent.packed(end), i * lanes, axis=1)

    climbed: jax.Array = jax.lax.fori_loop(0, n_tiles, climb_tile, rows)
    return climbed


def columns_of(place: jax.Array, rows: jax.Array) -> jax.Array:
    """Gather columns, shape (n, place.size), of rows of shape (n, b)."""
    # Element by element: whole columns XLA would lay out the other way round, and turn again.
    index = jnp.broadcast_to(place, (*rows.shape[:-1], place.size))
    columns: jax.Array = jnp.take_along_axis(rows, index, axis=-1, mode="promise_in_bounds")
    return columns


def _tiling(data: PointSource, n_climbs: int) -> tuple[int, int]:
    """Lanes that climb side by side, and how many a program takes in."""
    lanes = row_bytes() // data.dtype.itemsize
    while lanes > 1 and lanes * data.rows > _TILE_POINTS:
        lanes //= 2
    # Fewer lanes add up a dataset's points in another order: in double precision nobody can tell.
    if data.dtype == np.float64 and n_climbs <= lanes // _FEW:
        return lanes // _FEW, lanes // _FEW
    return lanes, max(1, _LANES // lanes) * lanes
