"""Packs climbs into tiles of lanes, and writes their points into the program's buffers.

The program's buffers have fixed shapes (:mod:`mog_jax.fitting.climb.tiles`). Climbs of datasets of
similar length form a tile, and one call takes as many tiles as its buffers have room for.
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

# Capacities of the buffers, in turns: the first for ordinary use. A dataset that does not fit takes
# the next, which needs another compiled program.
_CAPACITIES = (2**9, 2**13, 2**17)
# Largest number of points of a lane: longer datasets are cut into strips.
_STRIP = 1024
# Rows that are transposed together: as many as fill a cache line.
_AT_ONCE = 16
# Alignment of an array, in bytes, that JAX needs to use it without a copy.
_ALIGNED = 64


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class PointSource:
    """The points that climbs use: a column for each dataset, or for each start of each dataset.

    Parameters
    ----------
    points : array, shape (rows, columns)
        In whole turns; each column is padded with its last point. The dtype is the precision of the
        climbs.
    n : array of int, shape (columns,)
        Number of points of each column.
    totals : array, shape (3, columns)
        Count, mean and variance.
    free : array of bool, shape (5, b)
        The coordinates that are not fixed.
    counts : array, shape (rows, columns), optional
        How often each point was seen; 0 for padding.
    sizes : array, shape (turns, columns), optional
        How often the points of each turn were seen, if no column is padded.
    """

    points: Array
    n: Array
    totals: Array
    free: Array
    counts: Array | None = None
    sizes: Array | None = None

    @property
    def n_datasets(self) -> int:
        """Number of datasets that the columns belong to."""
        return int(self.free.shape[1])

    def column(self, dataset: Array, start: Array) -> Array:
        """Return the columns of climbs, by their datasets and starts."""
        starts = self.n.size // self.n_datasets
        return dataset if starts == 1 else start % starts * self.n_datasets + dataset

    @functools.cached_property
    def rows(self) -> Array:
        """The transposed points, shape (columns, rows), from which strips are cut."""
        return np.ascontiguousarray(self.points.T)

    @functools.cached_property
    def doublings(self) -> Array:
        """How often each column is halved into strips; it follows from its own length alone."""
        lanes = lanes_of(self.points.dtype)
        return np.ceil(np.log2(np.clip(self.n / _STRIP, 1, lanes))).astype(np.int64)

    @functools.cached_property
    def turns(self) -> Array:
        """Number of turns of each column, or of each of its strips."""
        return -(-self.n // (TURN << self.doublings))

    @functools.cached_property
    def facts(self) -> Array:
        """Facts of the lane of a column that is not cut into strips."""
        last = self.points[np.maximum(self.n, 1) - 1, np.arange(self.n.size)]
        return np.stack([*self.totals, -self.n % TURN, last]).astype(self.points.dtype)


def standardised_points(
    points: Array, counts: Array | None, *, n: Array, total: Array, free: Array
) -> PointSource:
    """Return all points of standardised datasets as the source of climbs.

    Parameters
    ----------
    points : array, shape (b, rows)
        Each row is padded with the dataset's last point.
    counts : array, shape (b, rows), or None
        How often each point was seen; 0 for padding.
    n : array of int, shape (b,)
        Number of points of each dataset.
    total : array, shape (b,)
        Sum of the counts.
    free : array of bool, shape (5, b)
        The coordinates that are not fixed.
    """
    return PointSource(
        points=columns_of(points, points.dtype),
        n=n,
        totals=np.stack([total, np.zeros(n.size), np.ones(n.size)]),
        free=free,
        counts=None if counts is None else columns_of(counts, points.dtype),
    )


def columns_of(rows: Array, dtype: np.dtype[Any]) -> Array:
    """Return the transpose as a contiguous array."""
    columns = np.empty(rows.shape[::-1], dtype)
    for lo in range(0, len(rows), _AT_ONCE):
        columns[:, lo : lo + _AT_ONCE] = rows[lo : lo + _AT_ONCE].T
    return columns


class Memory(NamedTuple):
    """Memory that the program reads; each call overwrites it.

    Parameters
    ----------
    state : array, shape (28, TILES * lanes)
        The packed states of the climbs.
    buffers : Buffers
        Their points and facts.
    """

    state: Array
    buffers: Buffers


class Layout(NamedTuple):
    """Precision, kind and size of a program's memory; each layout has a program of its own."""

    dtype: np.dtype[Any]
    is_counted: bool
    is_fixed: bool
    turns: int = _CAPACITIES[0]

    def memory(self) -> Memory:
        """Return new memory."""
        lanes, turns, rows = lanes_of(self.dtype), self.turns, self.turns * TURN
        buffers = Buffers(
            points=_aligned((rows, lanes), self.dtype),
            counts=_aligned((rows, lanes), self.dtype) if self.is_counted else None,
            weights=None if self.is_counted else _aligned((turns, lanes), self.dtype),
            facts=_aligned((FACTS + 5 * self.is_fixed, TILES * lanes), self.dtype),
            tiles=_aligned((3, TILES), np.dtype(np.int32)),
        )
        return Memory(_aligned((ROWS, TILES * lanes), self.dtype), buffers)


class Tile(NamedTuple):
    """Climbs that are packed side by side.

    Parameters
    ----------
    climbs : array of int
        The climbs, by their number.
    columns : array of int
        The column of points of each.
    doublings : int
        How often each column is cut into halves.
    turns : int
        Turns of the longest column.
    is_full : bool
        Whether all columns have as many turns.
    """

    climbs: Array
    columns: Array
    doublings: int
    turns: int
    is_full: bool


class Call(NamedTuple):
    """The climbs and buffers of one call of the program.

    Parameters
    ----------
    climbs : array of int
        The climbs, by their number.
    lanes : array of int
        The lane of each; the first of its lanes if it is cut into strips.
    memory : Memory
        Buffers that are filled in, and a state that is not.
    n_tiles : int
        Number of tiles in use.
    spread : array of int, shape (n_tiles * lanes,)
        The climb of each lane; arbitrary for a lane that is not in use.
    used : array of bool, shape (n_tiles * lanes,)
        Which lanes are in use.
    """

    climbs: Array
    lanes: Array
    memory: Memory
    n_tiles: int
    spread: Array
    used: Array


def lanes_of(dtype: np.dtype[Any]) -> int:
    """Return the number of lanes side by side."""
    return row_bytes() // dtype.itemsize


def calls(data: PointSource, dataset: Array, start: Array) -> Iterator[Call]:
    """Yield the calls of the program that advance the given climbs.

    The next call overwrites the memory of this one.
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
    """Return the turns of the smallest buffers that hold a tile of `turns` turns."""
    return next((each for each in _CAPACITIES if turns <= each), turns)


def _tiles(data: PointSource, column: Array) -> Iterator[Tile]:
    """Yield tiles of climbs whose columns are equally cut and of similar length."""
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
    """Write a tile's points and counts into its place in the buffers."""
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
    """Write columns that are cut into strips: those of each on neighbouring lanes."""
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
    """Set the weights of a lane's turns to 1, and of those beyond its end to 0."""
    weights[:, : turns.size] = np.arange(len(weights))[:, None] < turns


def take_columns(source: Array, columns: Array, target: Array) -> None:
    """Copy columns of the source into the target, in as many rows as the target has.

    Columns of the target behind these may be overwritten.
    """
    source, width, some = source[: len(target)], target.shape[1], as_slice(columns)
    if isinstance(some, slice):
        target[:, : columns.size] = source[:, some]
    elif 2 * columns.size <= width or source.dtype != target.dtype:
        target[:, : columns.size] = np.take(source, columns, axis=1)
    else:
        filled = columns
        if columns.size < width:
            filled = columns[np.minimum(np.arange(width), columns.size - 1)]
        # With mode="clip" NumPy writes straight to `out`, without a buffer.
        np.take(source, filled, axis=1, out=target, mode="clip")


def as_slice(index: Array) -> Any:
    """Return the index as a slice if it is a run of consecutive places: a slice makes no copy."""
    first, size = int(index[0]), index.size
    is_slice = index[-1] - first + 1 == size and (index[1:] - index[:-1] == 1).all()
    return slice(first, first + size) if is_slice else index


_of_thread = threading.local()


def _memory(layout: Layout) -> Memory:
    """Return this thread's memory of a layout; new memory if it is large."""
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
