"""A stream of batches, cut into chunks of whole groups; the cuts do not depend on the batches."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow

from mog_jax.arrays import HostArray as Array
from mog_jax.tables.errors import TableError
from mog_jax.tables.keys import GroupEdges, take


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chunk:
    """Whole groups.

    Attributes
    ----------
    keys : pyarrow.RecordBatch
        A row for each group.
    lengths : array of int
        How many rows each has.
    rows : pyarrow.Table
        Their other columns, one group after the other.
    """

    keys: pyarrow.RecordBatch
    lengths: Array
    rows: pyarrow.Table


def chunks_of_groups(
    batches: Iterable[pyarrow.RecordBatch],
    *,
    by: Sequence[str],
    numbers: Sequence[str],
    chunk_points: int,
    chunk_groups: int,
) -> Iterator[Chunk]:
    """Cut a stream that is sorted by group into chunks, each closed by the group that fills it.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        Each with rows, all with the same columns.
    by, numbers : sequence of str
        The columns that name the groups, and the columns of their rows to keep.
    chunk_points, chunk_groups : int
        A chunk is closed by the group that brings it to either.

    Raises
    ------
    TableError
        If a group comes back after another.
    """
    edges, waiting = GroupEdges(), _Waiting()
    for batch in batches:
        keys = batch.select(by)
        begins = edges.begins(keys)
        waiting.add(take(keys, begins), begins, batch.select(numbers))
        # The last group may still grow.
        while n_groups := _full(waiting.lengths[:-1], chunk_points, chunk_groups):
            yield waiting.cut(n_groups)
    while n_left := len(waiting.lengths):
        yield waiting.cut(_full(waiting.lengths, chunk_points, chunk_groups) or n_left)


def _full(lengths: Array, chunk_points: int, chunk_groups: int) -> int:
    """How many of these whole groups close a chunk; 0 if they do not."""
    reached = np.searchsorted(np.cumsum(lengths), chunk_points) + 1
    n_groups = min(int(reached), chunk_groups)
    return n_groups if n_groups <= len(lengths) else 0


class _Waiting:
    """Rows that are not yet in a chunk; `lengths` are those of their groups."""

    def __init__(self) -> None:
        self.lengths: Array = np.zeros(0, dtype=np.int64)
        self._keys: list[pyarrow.RecordBatch] = []
        self._rows: list[pyarrow.RecordBatch] = []

    def add(self, keys: pyarrow.RecordBatch, begins: Array, rows: pyarrow.RecordBatch) -> None:
        edges = np.append(begins, rows.num_rows)
        if len(self.lengths):
            self.lengths[-1] += edges[0]
        self.lengths = np.concatenate([self.lengths, np.diff(edges)])
        self._rows.append(rows)
        if keys.num_rows:
            self._keys.append(keys)

    def cut(self, n_groups: int) -> Chunk:
        """Take the first groups away, as a chunk."""
        lengths, self.lengths = self.lengths[:n_groups], self.lengths[n_groups:]
        keys, self._keys = _split(self._keys, n_groups)
        rows, self._rows = _split(self._rows, int(lengths.sum()))
        return Chunk(keys=_one_batch(keys), lengths=lengths, rows=pyarrow.Table.from_batches(rows))


def _split(
    batches: list[pyarrow.RecordBatch], n_rows: int
) -> tuple[list[pyarrow.RecordBatch], list[pyarrow.RecordBatch]]:
    """Split batches after this many rows."""
    before: list[pyarrow.RecordBatch] = []
    for index, batch in enumerate(batches):
        if n_rows < batch.num_rows:
            rest = [batch.slice(n_rows), *batches[index + 1 :]]
            return [*before, *([batch.slice(0, n_rows)] if n_rows else [])], rest
        before.append(batch)
        n_rows -= batch.num_rows
    return before, []


def _one_batch(batches: list[pyarrow.RecordBatch]) -> pyarrow.RecordBatch:
    schema = batches[0].schema
    columns = [_joined(field, [batch[field.name] for batch in batches]) for field in schema]
    return pyarrow.RecordBatch.from_arrays(columns, schema=schema)


def _joined(field: pyarrow.Field, pieces: list[pyarrow.Array]) -> pyarrow.Array:
    try:
        return pyarrow.concat_arrays(pieces)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):
        raise TableError(
            f"column {field.name!r} holds {field.type}, whose dictionaries cannot be merged; "
            "decode it first (dictionary_decode())."
        ) from None
