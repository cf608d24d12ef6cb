"""Defines the compiled program that advances the climbs of datasets of any number and length.

Its arguments have fixed shapes, and the part of them that is in use is given by numbers: so it is
compiled once for each precision. Climbs are lanes of *tiles*; the device sets the number of lanes.
A tile's points are a range of rows of a buffer; its length, the number of steps and the limits are
numbers as well. A long dataset is cut into 2, 4, 8, ... *strips* on neighbouring lanes, and their
sums are added. (:mod:`mog_jax.fitting.multistart.packing` writes climbs into the buffers.)

The result of a climb depends on its own points alone, to the last bit: not on the climbs beside it,
and not on its place.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.fitting.climb.ascent import ascend, packed, unpacked
from mog_jax.fitting.climb.directions import Direction
from mog_jax.fuse import fuse
from mog_jax.kernel import (
    Sums,
    Totals,
    add_turn,
    assemble,
    log_odds,
    nothing_added,
    sums_so_far,
    without,
)
from mog_jax.lane_shapes import TURN
from mog_jax.mixture import Coordinates
from mog_jax.precision import COMPILER
from mog_jax.program_cache import keep_compiled

# Number of tiles of a call.
TILES = 32
# Facts of a lane: count, mean and variance of its dataset; number of copies of its last point that
# pad its last turn; and that point. If coordinates are fixed, five more say which are free.
FACTS = 5
# By default XLA orders the loops of a step so that some can run on other threads at the same time:
# handing over such small loops takes longer than the loops.
_SEQUENTIAL = {"xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Buffers:
    """The data of all tiles of a call: tile after tile, `lanes` climbs or strips side by side.

    Parameters
    ----------
    points : array, shape (rows, lanes)
    counts : array, shape (rows, lanes), or None
        How often each point was seen.
    weights : array, shape (rows / 16, lanes), or None
        How often the sixteen points of each turn were seen, if `counts` is not given; 0 for turns
        beyond the lane's own end.
    facts : array, shape (FACTS or FACTS + 5, TILES * lanes)
        Facts of each lane.
    tiles : array of int, shape (3, TILES)
        First turn in the buffers, number of turns, and how often lanes are added in pairs.
    """

    points: Any
    counts: Any
    weights: Any
    facts: Any
    tiles: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Limits:
    """Limits of the climbs: the numbers :func:`mog_jax.fitting.climb.ascent.ascend` takes."""

    n_tiles: Any
    steps: Any
    max_steps: Any
    give_up: Any
    tolerance: Any
    smallest: Any
    penalty_strength: Any


@dataclasses.dataclass(frozen=True, eq=False)
class _Tile:
    """The lanes of one tile."""

    buffers: Buffers
    facts: jax.Array
    tile: jax.Array

    @property
    def count(self) -> jax.Array:
        return self.facts[0]

    @property
    def free(self) -> jax.Array | None:
        return None if len(self.facts) == FACTS else self.facts[FACTS:] > 0

    def sums(self, coordinates: Coordinates) -> Sums:
        """Compute the nine sums turn by turn, over the tile's own number of turns."""
        first, turns, doublings = self.tile
        count, mean, variance, padding, last = self.facts[:FACTS]
        buffers, odds = self.buffers, fuse(log_odds(coordinates))

        def add_next(turn: jax.Array, whole: jax.Array) -> jax.Array:
            rows = functools.partial(_rows, at=turn * TURN, number=TURN)
            counts = None if buffers.counts is None else rows(buffers.counts)
            weight = None if buffers.weights is None else _rows(buffers.weights, turn, 1)[0]
            return add_turn(odds, whole, rows(buffers.points), counts, weight)

        nothing = nothing_added(count.size, count.dtype)
        whole = sums_so_far(jax.lax.fori_loop(first, first + turns, add_next, nothing))
        if buffers.counts is None:
            whole = without(whole, padding, odds, last)
        joined = tuple(jax.lax.fori_loop(0, doublings, _join_pairs, jnp.stack(whole)))
        totals = Totals(count=count, mean=mean, variance=variance)
        return assemble(odds, joined, coordinates, totals)


def _rows(array: jax.Array, at: jax.Array, number: int) -> jax.Array:
    return jax.lax.dynamic_slice_in_dim(array, at, number)


def _join_pairs(doubling: jax.Array, sums: jax.Array) -> jax.Array:
    """Add to each lane the lane whose number differs in one bit: then both hold their sum."""
    lane = jax.lax.iota(np.int32, sums.shape[1])
    other = lane ^ jnp.left_shift(np.int32(1), doubling)
    joined: jax.Array = sums + sums.at[:, other].get(mode="promise_in_bounds")
    return joined


@functools.partial(
    keep_compiled,
    static_argnames=("direction", "equal_variances"),
    compiler_options=COMPILER | _SEQUENTIAL,
)
def climb_tiles(
    state: jax.Array,
    buffers: Buffers,
    limits: Limits,
    *,
    direction: Direction,
    equal_variances: bool,
) -> jax.Array:
    """Advance the climbs of all lanes of the tiles.

    Parameters
    ----------
    state : array, shape (28, TILES * lanes)
        Packed states; those of lanes that are not climbing do not change.
    buffers : Buffers
    limits : Limits
    direction : Direction
    equal_variances : bool

    Returns
    -------
    array, shape (28, TILES * lanes)
        Packed states.
    """
    lanes = buffers.points.shape[1]

    def climb_tile(i: jax.Array, state: jax.Array) -> jax.Array:
        def own(array: jax.Array) -> jax.Array:
            return jax.lax.dynamic_slice_in_dim(array, i * lanes, lanes, axis=1)

        end = ascend(
            unpacked(own(state)),
            _Tile(buffers, own(buffers.facts), buffers.tiles[:, i]),
            direction=direction,
            tolerance=limits.tolerance,
            smallest=limits.smallest,
            steps=limits.steps,
            max_steps=limits.max_steps,
            equal_variances=equal_variances,
            give_up=limits.give_up,
            penalty_strength=limits.penalty_strength,
        )
        return jax.lax.dynamic_update_slice_in_dim(state, packed(end), i * lanes, axis=1)

    climbed: jax.Array = jax.lax.fori_loop(0, limits.n_tiles, climb_tile, state)
    return climbed
