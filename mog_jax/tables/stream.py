"""The middle of it all: rows sorted by group in, a row per group out, a chunk at a time.

What DuckDB feeds here on one machine is what Spark's ``mapInArrow`` or Ray's ``map_batches`` feeds
on a cluster. The answers do not depend on where the incoming batches were cut, nor on the order of
the rows within a group: points are sorted before they are summed, and chunks are cut by the groups
alone. So a run that is taken up again at the first group of a chunk gives the same bits.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.options import whole_number
from mog_jax.tables.errors import TableError
from mog_jax.tables.fixed import check_fixed, columns_of
from mog_jax.tables.group_fits import fit_groups
from mog_jax.tables.options import table_options
from mog_jax.tables.schema import ANSWERS

# Enough to keep the fitter busy, and so few that a run which is killed loses some seconds.
CHUNK_POINTS = 1 << 22
CHUNK_GROUPS = 1 << 12
_ARGUMENTS = ("by", "value", "count", "fixed", "chunk_points", "chunk_groups")


def fit_batches(
    batches: Iterable[pyarrow.RecordBatch],
    *,
    by: Sequence[str],
    value: str,
    count: str | None = None,
    fixed: Mapping[str, float | str] | None = None,
    chunk_points: int = CHUNK_POINTS,
    chunk_groups: int = CHUNK_GROUPS,
    **options: Any,
) -> Iterator[pyarrow.RecordBatch]:
    """Fit every group of a stream of rows that is sorted by group.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        Rows; those of one group follow one another, across batches too.
    by : sequence of str
        The columns that name the group.
    value : str
        The column to fit. Null and NaN are missing: left out, and counted.
    count : str, optional
        How often each value occurs.
    fixed : mapping, optional
        What is known beforehand: see `fit_table`.
    chunk_points, chunk_groups : int
        A chunk is closed by the group that brings it to either.
    **options
        Passed on to `mog_jax.fit`.

    Yields
    ------
    pyarrow.RecordBatch
        One for each chunk: the columns of `by`, then those of `mog_jax.tables.schema`. Memory is
        bounded by a chunk and its largest group.

    Raises
    ------
    TableError
        If a column is not there or holds no numbers.

    Examples
    --------
    >>> import pyarrow
    >>> x = [*range(10), *range(30, 40), *[5] * 20]
    >>> rows = pyarrow.table({"gene": ["a"] * 20 + ["b"] * 20, "x": x})
    >>> for fits in fit_batches(rows.to_batches(), by=["gene"], value="x"):
    ...     print(fits["gene"].to_pylist(), fits["status"].to_pylist())
    ['a', 'b'] ['converged', 'constant']
    """
    table_options("fit_batches", options, _ARGUMENTS)
    chunk_points = whole_number("chunk_points", chunk_points)
    chunk_groups = whole_number("chunk_groups", chunk_groups)
    held = check_fixed(fixed)
    wanted = [*by, value, *([count] if count else []), *columns_of(held).values()]
    for chunk in _chunks(batches, by, value, count, wanted, chunk_points, chunk_groups):
        values, lengths, counts, n_missing = _usable(chunk)
        if held:
            options["fixed"] = {
                name: _one_each(chunk, value) if isinstance(value, str) else value
                for name, value in held.items()
            }
        columns = fit_groups(values, lengths, counts, n_missing, options)
        fields = [*chunk.keys.schema, *ANSWERS]
        yield pyarrow.RecordBatch.from_arrays(
            [*chunk.keys.columns, *columns], schema=pyarrow.schema(fields)
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Chunk:
    """Whole groups: a row of `keys` each, their points one after the other, and their rows."""

    keys: pyarrow.RecordBatch
    values: Array
    lengths: Array
    counts: Array | None
    rows: pyarrow.Table


def _chunks(
    batches: Iterable[pyarrow.RecordBatch],
    by: Sequence[str],
    value: str,
    count: str | None,
    wanted: Sequence[str],
    chunk_points: int,
    chunk_groups: int,
) -> Iterator[_Chunk]:
    pieces: list[pyarrow.RecordBatch] = []  # rows not yet handed on
    lengths = np.zeros(0, dtype=np.int64)  # of their groups; the last one may still grow
    last: pyarrow.RecordBatch | None = None

    def cut(n_groups: int) -> _Chunk:
        nonlocal pieces, lengths
        rows = pyarrow.Table.from_batches(pieces).combine_chunks()
        sizes, lengths = lengths[:n_groups], lengths[n_groups:]
        n_rows = int(sizes.sum())
        pieces = rows.slice(n_rows).to_batches()
        rows = rows.slice(0, n_rows)
        starts = pyarrow.array(np.cumsum(sizes) - sizes)
        keys = rows.select(list(by)).take(starts).combine_chunks()
        return _Chunk(
            keys=pyarrow.RecordBatch.from_arrays(
                [_one(column) for column in keys.columns], schema=keys.schema
            ),
            values=_numbers(rows[value], value),
            lengths=sizes,
            counts=None if count is None else _numbers(rows[count], count),
            rows=rows,
        )

    for batch in batches:
        missing = [name for name in wanted if name not in batch.schema.names]
        if missing:
            there = ", ".join(batch.schema.names)
            raise TableError(f"the rows have no column {missing[0]!r}; they have {there}.")
        if batch.num_rows == 0:
            continue
        batch = batch.select(list(dict.fromkeys(wanted)))
        begins = np.flatnonzero(_begins(batch, by, last))
        edges = np.append(begins, batch.num_rows)
        if len(lengths):
            lengths[-1] += edges[0]
        lengths = np.concatenate([lengths, np.diff(edges)])
        pieces.append(batch)
        last = batch.slice(batch.num_rows - 1)
        while (n_groups := _full(lengths[:-1], chunk_points, chunk_groups)) > 0:
            yield cut(n_groups)
    while len(lengths):
        yield cut(_full(lengths, chunk_points, chunk_groups) or len(lengths))


def _full(lengths: Array, chunk_points: int, chunk_groups: int) -> int:
    """How many of these whole groups close a chunk; 0 if they do not."""
    reached = np.searchsorted(np.cumsum(lengths), chunk_points) + 1
    n_groups = min(int(reached), chunk_groups)
    return n_groups if n_groups <= len(lengths) else 0


def _begins(
    batch: pyarrow.RecordBatch, by: Sequence[str], last: pyarrow.RecordBatch | None
) -> Array:
    """Whether each row begins a group; `last` is the row before the first."""
    begins = np.zeros(batch.num_rows, dtype=bool)
    begins[0] = last is None
    for name in by:
        now = batch[name]
        if pyarrow.types.is_dictionary(now.type):
            now = now.dictionary_decode()
        if last is not None:
            before = last[name]
            if pyarrow.types.is_dictionary(before.type):
                before = before.dictionary_decode()
            now = pyarrow.concat_arrays([before, now])
        left, right = now.slice(0, len(now) - 1), now.slice(1)
        differ = pyarrow.compute.not_equal(left, right).fill_null(False)
        differ = differ.to_numpy(zero_copy_only=False)
        for absent in (pyarrow.compute.is_null, *_is_nan(now.type)):
            ours, theirs = (
                absent(side).fill_null(False).to_numpy(zero_copy_only=False)
                for side in (left, right)
            )
            # Null is a group of its own, and so is NaN, which differs even from itself.
            differ = np.where(ours & theirs, False, differ | (ours != theirs))
        begins[len(begins) - len(differ) :] |= differ
    return begins


def _is_nan(kind: pyarrow.DataType) -> list[Any]:
    return [pyarrow.compute.is_nan] if pyarrow.types.is_floating(kind) else []


def _one(column: pyarrow.ChunkedArray | pyarrow.Array) -> pyarrow.Array:
    return column.combine_chunks() if isinstance(column, pyarrow.ChunkedArray) else column


def _numbers(column: pyarrow.ChunkedArray, name: str) -> Array:
    try:
        numbers: Array = column.cast(pyarrow.float64()).fill_null(np.nan).to_numpy()
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):
        raise TableError(f"column {name!r} should hold numbers; it holds {column.type}.") from None
    return numbers


def _one_each(chunk: _Chunk, name: str) -> Array:
    """Give each group's value of a column that holds one in a whole group."""
    column = _numbers(chunk.rows[name], name)
    first: Array = column[np.cumsum(chunk.lengths) - chunk.lengths]
    if not np.array_equal(column, np.repeat(first, chunk.lengths), equal_nan=True):
        raise TableError(f"column {name!r} must hold one value in a whole group.")
    return first


def _usable(chunk: _Chunk) -> tuple[Array, Array, Array | None, Array]:
    """Drop what is missing and sort each group: values, lengths, counts, number dropped."""
    values, lengths, counts = chunk.values, chunk.lengths, chunk.counts
    group = np.repeat(np.arange(len(lengths)), lengths)
    missing = np.isnan(values)
    if counts is not None:
        missing |= np.isnan(counts)
    n_missing = np.zeros_like(lengths)
    if missing.any():
        n_missing = np.bincount(group[missing], minlength=len(lengths))
        values, group = values[~missing], group[~missing]
        counts = None if counts is None else counts[~missing]
        lengths = lengths - n_missing
    is_descent = (values[1:] < values[:-1]) & (group[1:] == group[:-1])
    if counts is not None or is_descent.any():
        order = np.lexsort((values, group) if counts is None else (counts, values, group))
        values = values[order]
        counts = None if counts is None else counts[order]
    return values, lengths, counts, n_missing
