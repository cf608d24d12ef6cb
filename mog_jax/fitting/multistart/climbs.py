"""Many climbs at once: packed into tiles of lanes, moved a few steps, and packed anew.

All lanes of a tile take as many steps as the slowest. So the climbs that are still under way are
gathered every few steps, and the ones that are done cost nothing more.
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

    def as_type(self, dtype: np.dtype[Any]) -> "Climbs":
        """Give the same in another precision."""
        return dataclasses.replace(self, rows=self.rows.astype(dtype))

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
    """Begin to compile a program, or to load it, that is needed later: on a thread of its own."""

    def call_for_nothing() -> None:
        # Whoever calls it next meets the same error, and is told.
        with contextlib.suppress(Exception), jax.enable_x64(True):
            _climb_call(layout.memory(), options, 0, 0)

    threading.Thread(target=call_for_nothing).start()


def _climb_call(memory: Memory, options: AscentOptions, n_tiles: int, steps: int) -> Array:
    """Call the program, and wait until the memory is free again."""
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
