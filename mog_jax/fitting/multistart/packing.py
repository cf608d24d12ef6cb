"""Climbs into tiles: which lanes they take, and what they see written into the program's buffers.

The program's buffers have fixed shapes (:mod:`mog_jax.fitting.climb.tiles`). Climbs of datasets of
like length become one tile, and as many tiles as there is room for are one call.
"""

import dataclasses
import functools
import itertools
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from mog_jax.arrays import Array
from mog_jax.fitting.climb.ascent import ROWS
from mog_jax.fitting.climb.tiles import FACTS, TILES, Buffers
from mog_jax.lane_shapes import TURN, row_bytes

# Turns of the buffers: the first is for ordinary use. A longer dataset than fits takes the next,
# and that is another program.
_CAPACITIES = (2**9, 2**13, 2**17)
# Points that one lane takes in: longer datasets are cut into strips.
_STRIP = 1024
# Rows that are transposed together: as many as fill a cache line.
_AT_ONCE = 16
# Where an array begins, in bytes, so that JAX takes it as it is, without a copy.
_ALIGNED = 64


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class PointSource:
    """What climbs look at: a column of points for each dataset, or for each start of each.

    Parameters
    ----------
    points : array, shape (rows, columns)
        In whole turns; each column is filled up with its last point. Its dtype is the precision in
        which they are climbed.
    n : array of int, shape (columns,)
        How many points there are.
    totals : array, shape (3, columns)
        Count, mean and variance.
    free : array of bool, shape (5, b)
        The coordinates that are not held fixed.
    counts : array, shape (rows, columns), optional
        How often each point was seen; 0 for what fills up.
    sizes : array, shape (turns, columns), optional
        How often the points of each turn were seen, where all columns are full.
    """

    points: Array
    n: Array
    totals: Array
    free: Array
    counts: Array | None = None
    sizes: Array | None = None

    @property
    def n_datasets(self) -> int:
        """How many datasets they belong to."""
        return int(self.free.shape[1])

    def column(self, dataset: Array, start: Array) -> Array:
        """Give the columns that climbs of some datasets see that began at these starts."""
        starts = self.n.size // self.n_datasets
        return dataset if starts == 1 else start % starts * self.n_datasets + dataset

    @functools.cached_property
    def rows(self) -> Array:
        """The points of each dataset one after the other, to be cut into strips."""
        return np.ascontiguousarray(self.points.T)

    @functools.cached_property
    def doublings(self) -> Array:
        """How often each column is cut into halves: by its own length alone."""
        lanes = lanes_of(self.points.dtype)
        return np.ceil(np.log2(np.clip(self.n / _STRIP, 1, lanes))).astype(np.int64)

    @functools.cached_property
    def turns(self) -> Array:
        """Turns of each column, or of each of its strips."""
        return -(-self.n // (TURN << self.doublings))

    @functools.cached_property
    def facts(self) -> Array:
        """Facts of the lane of a column that is not cut."""
        last = self.points[np.maximum(self.n, 1) - 1, np.arange(self.n.size)]
        return np.stack([*self.totals, -self.n % TURN, last]).astype(self.points.dtype)


def standardised_points(
    points: Array, counts: Array | None, *, n: Array, total: Array, free: Array
) -> PointSource:
    """Give climbs all points of standardised datasets.

    Parameters
    ----------
    points : array, shape (b, rows)
        Each dataset fills up its row with its last point.
    counts : array, shape (b, rows), or None
    n : array of int, shape (b,)
    total : array, shape (b,)
        Sum of the counts.
    free : array of bool, shape (5, b)
    """
    return PointSource(
        points=columns_of(points, points.dtype),
        n=n,
        totals=np.stack([total, np.zeros(n.size), np.ones(n.size)]),
        free=free,
        counts=None if counts is None else columns_of(counts, points.dtype),
    )


def columns_of(rows: Array, dtype: np.dtype[Any]) -> Array:
    """Give the transpose, row after row in memory."""
    columns = np.empty(rows.shape[::-1], dtype)
    for lo in range(0, len(rows), _AT_ONCE):
        columns[:, lo : lo + _AT_ONCE] = rows[lo : lo + _AT_ONCE].T
    return columns


class Memory(NamedTuple):
    """What the program reads; it is written over from call to call.

    Parameters
    ----------
    state : array, shape (28, TILES * lanes)
        Where the climbs stand, packed.
    buffers : Buffers
        What they see.
    """

    state: Array
    buffers: Buffers


class Layout(NamedTuple):
    """What a program's memory is like: each has a program of its own."""

    dtype: np.dtype[Any]
    is_counted: bool
    is_held: bool
    turns: int = _CAPACITIES[0]

    def memory(self) -> Memory:
        """Give new memory."""
        lanes, turns, rows = lanes_of(self.dtype), self.turns, self.turns * TURN
        buffers = Buffers(
            points=_aligned((rows, lanes), self.dtype),
            counts=_aligned((rows, lanes), self.dtype) if self.is_counted else None,
            weights=None if self.is_counted else _aligned((turns, lanes), self.dtype),
            facts=_aligned((FACTS + 5 * self.is_held, TILES * lanes), self.dtype),
            tiles=_aligned((3, TILES), np.dtype(np.int32)),
        )
        return Memory(_aligned((ROWS, TILES * lanes), self.dtype), buffers)


class Tile(NamedTuple):
    """Climbs that are put side by side.

    Parameters
    ----------
    climbs : array of int
        Which climbs.
    columns : array of int
        What each sees.
    doublings : int
        How often each column is cut into halves.
    turns : int
        Of the longest.
    is_full : bool
        Whether all have as many.
    """

    climbs: Array
    columns: Array
    doublings: int
    turns: int
    is_full: bool


class Call(NamedTuple):
    """What one call of the program takes in.

    Parameters
    ----------
    climbs : array of int
        Which climbs.
    lanes : array of int
        The lane of each, the first one of those that are cut.
    memory : Memory
        Its state is to be filled in.
    n_tiles : int
    spread : array of int, shape (n_tiles * lanes,)
        The climb of each lane; any for one that is not in use.
    used : array of bool, shape (n_tiles * lanes,)
    """

    climbs: Array
    lanes: Array
    memory: Memory
    n_tiles: int
    spread: Array
    used: Array


def lanes_of(dtype: np.dtype[Any]) -> int:
    """How many lanes stand side by side."""
    return row_bytes() // dtype.itemsize


def calls(data: PointSource, dataset: Array, start: Array) -> Iterator[Call]:
    """Share out climbs among tiles, and tiles among calls of the program.

    The memory of a call is written over by the next.
    """
    column = data.column(dataset, start)
    waiting: list[Tile] = []
    room = 0
    capacity = _capacity(int(data.turns[column].max(initial=1)))
    for tile in _tiles(data, column):
        if len(waiting) == TILES or room + tile.turns > capacity:
            yield _packed(data, dataset, waiting, capacity)
            waiting, room = [], 0
        waiting.append(tile)
        room += tile.turns
    if waiting:
        yield _packed(data, dataset, waiting, capacity)


def _capacity(turns: int) -> int:
    """Turns of the buffers that hold a tile of so many."""
    return next((each for each in _CAPACITIES if turns <= each), turns)


def _tiles(data: PointSource, column: Array) -> Iterator[Tile]:
    """Put climbs side by side whose columns are cut alike and nearly equally long."""
    turns, doublings = data.turns[column], data.doublings[column]
    lanes, order = lanes_of(data.points.dtype), np.arange(column.size)
    if (turns != turns[:1]).any() or (doublings != doublings[:1]).any():
        order = np.lexsort((column, turns, doublings))
        column, turns, doublings = column[order], turns[order], doublings[order]
    begins = np.flatnonzero(np.diff(doublings, prepend=-1)).tolist()
    for begin, end in itertools.pairwise([*begins, order.size]):
        cut = int(doublings[begin])
        for lo in range(begin, end, lanes >> cut):
            hi = min(lo + (lanes >> cut), end)
            most = int(turns[hi - 1])
            yield Tile(order[lo:hi], column[lo:hi], cut, most, turns[lo] == most)


def _packed(data: PointSource, dataset: Array, tiles: list[Tile], capacity: int) -> Call:
    lanes = lanes_of(data.points.dtype)
    layout = Layout(data.points.dtype, data.counts is not None, not data.free.all(), capacity)
    memory = _memory(layout)
    buffers, n_tiles = memory.buffers, len(tiles)
    turns = [tile.turns for tile in tiles]
    doublings = np.array([tile.doublings for tile in tiles])
    begins = list(itertools.accumulate(turns, initial=0))
    buffers.tiles[:, :n_tiles] = begins[:-1], turns, doublings
    climbs, columns = (
        np.concatenate([getattr(tile, name) for tile in tiles]) for name in ("climbs", "columns")
    )
    # The strips of a climb are neighbours.
    sizes = np.array([tile.climbs.size for tile in tiles])
    tile_of = np.repeat(np.arange(n_tiles), sizes)
    place = np.arange(climbs.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    first = tile_of * lanes + (place << doublings[tile_of])
    strips = 1 << doublings[tile_of]
    lane = np.repeat(first - (np.cumsum(strips) - strips), strips) + np.arange(strips.sum())
    owner = np.zeros(n_tiles * lanes, np.int64)
    owner[lane] = np.repeat(np.arange(climbs.size), strips)
    used = np.zeros(owner.size, bool)
    used[lane] = True
    spread = climbs[owner]
    take_columns(data.facts, columns[owner], buffers.facts[:FACTS])
    if len(buffers.facts) > FACTS:
        take_columns(data.free, dataset[spread], buffers.facts[FACTS:])
    for i, tile in enumerate(tiles):
        _write(data, buffers, tile, slice(begins[i], begins[i + 1]), i * lanes)
    return Call(climbs, first, memory, n_tiles, spread, used)


def _write(data: PointSource, buffers: Buffers, tile: Tile, turns: slice, lane: int) -> None:
    """Write what a tile sees into its place in the buffers."""
    rows = slice(turns.start * TURN, turns.stop * TURN)
    columns = tile.columns
    if tile.doublings:
        own = slice(lane, lane + (columns.size << tile.doublings))
        _write_strips(data, buffers, tile, columns, turns, rows, own)
        return
    take_columns(data.points, columns, buffers.points[rows])
    if data.counts is not None:
        take_columns(data.counts, columns, buffers.counts[rows])
    elif data.sizes is not None:
        take_columns(data.sizes, columns, buffers.weights[turns])
    elif tile.is_full:
        buffers.weights[turns] = 1
    else:
        _write_weights(buffers.weights[turns], data.turns[columns])


def _write_strips(
    data: PointSource,
    buffers: Buffers,
    tile: Tile,
    columns: Array,
    turns: slice,
    rows: slice,
    own: slice,
) -> None:
    """Write columns that are cut: the strips of each on neighbouring lanes."""
    number, lanes = 1 << tile.doublings, buffers.points.shape[1]
    last = np.empty((columns.size, number))
    seen = np.empty((columns.size, number), np.int64)
    pairs = [(data.rows, buffers.points)]
    if data.counts is not None:
        pairs.append((np.ascontiguousarray(data.counts.T), buffers.counts))
    for at, column in enumerate(columns):
        length = int(data.turns[column]) * TURN
        begin = length * np.arange(number)
        seen[at] = np.clip(data.n[column] - begin, 0, length)
        last[at] = data.rows[column, np.maximum(begin + seen[at], 1) - 1]
        for source, target in pairs:
            lane = target[rows].reshape(-1, lanes // number, number)[:length, at]
            row = source[column, : length * number]
            if row.size < length * number:
                filling = row[-1] if target is buffers.points else 0
                row = np.append(row, np.full(length * number - row.size, filling, row.dtype))
            lane[:] = row.reshape(number, length).T
    facts = buffers.facts[:, own]
    facts[3], facts[4] = (-seen % TURN).reshape(-1), last.reshape(-1)
    if data.counts is None:
        _write_weights(buffers.weights[turns], -(-seen // TURN).reshape(-1))


def _write_weights(weights: Array, turns: Array) -> None:
    """Weigh the turns that a lane has by 1, and those beyond its end by 0."""
    weights[:, : turns.size] = np.arange(len(weights))[:, None] < turns


def take_columns(source: Array, columns: Array, target: Array) -> None:
    """Gather columns of as many rows as the target has; those behind them are written over."""
    source, width, some = source[: len(target)], target.shape[1], as_slice(columns)
    if isinstance(some, slice):
        target[:, : columns.size] = source[:, some]
    elif 2 * columns.size <= width or source.dtype != target.dtype:
        target[:, : columns.size] = np.take(source, columns, axis=1)
    else:
        filled = columns
        if columns.size < width:
            filled = columns[np.minimum(np.arange(width), columns.size - 1)]
        # Without a look at each index NumPy writes in place.
        np.take(source, filled, axis=1, out=target, mode="clip")


def as_slice(index: Array) -> Any:
    """Give places as a slice, where they are in a row: what they index need not be gathered."""
    first, size = int(index[0]), index.size
    is_slice = index[-1] - first + 1 == size and (index[1:] - index[:-1] == 1).all()
    return slice(first, first + size) if is_slice else index


_of_thread = threading.local()


def _memory(layout: Layout) -> Memory:
    """Give this thread's memory, or a new one where it is large."""
    if layout.turns > _CAPACITIES[0]:
        return layout.memory()
    known: dict[Layout, Memory] = _of_thread.__dict__.setdefault("memory", {})
    if layout not in known:
        known[layout] = layout.memory()
    return known[layout]


def _aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    size = int(np.prod(shape)) * dtype.itemsize
    memory = np.zeros(size + _ALIGNED, np.uint8)
    begin = -memory.ctypes.data % _ALIGNED
    return memory[begin : begin + size].view(dtype).reshape(shape)
