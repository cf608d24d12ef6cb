"""Advances many climbs at once: packs the active ones into tiles of lanes, a few steps at a time.

All lanes of a tile take as many steps as the slowest. So the active climbs are packed anew every
few steps, and the ones that are done cost nothing more.
"""

import contextlib
import dataclasses
import functools
import math
import threading
from typing import Any

import jax
import numpy as np

from mog_jax.arrays import Array
from mog_jax.fitting.climb import ascent
from mog_jax.fitting.climb.ascent import Ascent
from mog_jax.fitting.climb.tiles import Limits, climb_tiles
from mog_jax.fitting.multistart.packing import (
    Layout,
    Memory,
    PointSource,
    as_slice,
    calls,
    take_columns,
)
from mog_jax.fitting.options import AscentOptions


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Climbs:
    """The climbs of a block and their states (NumPy arrays).

    Parameters
    ----------
    dataset : array of int, shape (lanes,)
        Dataset of each climb.
    start : array of int, shape (lanes,)
        Number of its start; no two climbs of a dataset have the same.
    rows : array, shape (28, lanes)
        Its state, packed.
    """

    dataset: Array
    start: Array
    rows: Array

    @functools.cached_property
    def state(self) -> Ascent:
        """The states of the climbs."""
        return ascent.unpacked(self.rows)

    def take(self, index: Array) -> "Climbs":
        """Return some of the climbs."""
        # By place: selecting columns by a mask takes three times as long.
        index = np.arange(self.dataset.size)[index]
        rows = np.take(self.rows, index, axis=1)
        return Climbs(dataset=self.dataset[index], start=self.start[index], rows=rows)

    def of_all_datasets(self, b: int) -> Ascent:
        """Return the states with one column for each dataset; at most one climb of each is here.

        Returns
        -------
        Ascent, shape (..., b)
            NaN, or 0 in fields of integers, for a dataset without a climb.
        """

        def spread(leaf: Array) -> Array:
            nothing = np.nan if leaf.dtype.kind == "f" else 0
            columns = np.full((*leaf.shape[:-1], b), nothing, leaf.dtype)
            columns[..., self.dataset] = leaf
            return columns

        whole: Ascent = jax.tree.map(spread, self.state)
        return whole

    def as_type(self, dtype: np.dtype[Any]) -> "Climbs":
        """Return the same climbs in another precision."""
        return dataclasses.replace(self, rows=self.rows.astype(dtype))

    def joined(self, other: "Climbs") -> "Climbs":
        """Return the climbs of both."""
        return Climbs(
            dataset=np.concatenate([self.dataset, other.dataset]),
            start=np.concatenate([self.start, other.start]),
            rows=np.concatenate([self.rows, other.rows], axis=1),
        )


def begin_climbs(theta: Array, dataset: Array, start: Array, dtype: np.dtype[Any]) -> Climbs:
    """Return climbs that begin at `theta`, shape (5, lanes)."""
    state = ascent.begin(theta.astype(dtype))
    rows = [np.atleast_2d(np.asarray(leaf, dtype)) for leaf in jax.tree.leaves(state)]
    return Climbs(dataset=dataset, start=start, rows=np.concatenate(rows))


def advance(climbs: Climbs, data: PointSource, options: AscentOptions, steps: int) -> Climbs:
    """Advance all active climbs by at most `steps` steps."""
    active = np.flatnonzero(climbs.state.climbing)
    rows = climbs.rows.copy()
    for call in calls(data, climbs.dataset[active], climbs.start[active]):
        state = call.memory.state
        take_columns(climbs.rows, active[call.spread], state)
        # Those that are not in use stand still.
        state[ascent.CLIMBING, : call.used.size] *= call.used
        end = _climb_call(call.memory, options, call.n_tiles, steps)
        ended, lanes = as_slice(active[call.climbs]), as_slice(call.lanes)
        # Row by row NumPy takes half the time.
        for row, new in zip(rows, end, strict=True):
            row[ended] = new[lanes]
    return dataclasses.replace(climbs, rows=rows)


@functools.cache
def compile_ahead(options: AscentOptions, layout: Layout) -> None:
    """Start a thread that compiles, or loads, a program that is needed later."""

    def call_for_nothing() -> None:
        # The next call of the program raises the same error in the caller's thread.
        with contextlib.suppress(Exception), jax.enable_x64(True):
            _climb_call(layout.memory(), options, 0, 0)

    threading.Thread(target=call_for_nothing).start()


def _climb_call(memory: Memory, options: AscentOptions, n_tiles: int, steps: int) -> Array:
    """Call the program, and wait for its result: then the memory may be overwritten."""
    number = memory.state.dtype.type
    limits = Limits(
        n_tiles=np.int32(n_tiles),
        steps=np.int32(steps),
        max_steps=np.int32(options.max_steps),
        give_up=np.bool(options.give_up),
        tolerance=number(options.tolerance),
        smallest=number(math.log(options.variance_floor)),
        penalty_strength=number(options.penalty_strength),
    )
    climbed = climb_tiles(
        memory.state,
        memory.buffers,
        limits,
        direction=options.direction,
        equal_variances=options.equal_variances,
    )
    return np.asarray(climbed)
