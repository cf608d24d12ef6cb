"""`fit_batches`: rows sorted by group in, a row per group out, a chunk at a time.

On one machine DuckDB supplies the rows; on a cluster Spark's ``mapInArrow`` or Ray's
``map_batches``. The answers depend neither on how the incoming batches were cut nor on the order of
the rows within a group: points are sorted before they are summed, and chunks are cut by the groups
alone. A run that is resumed at the first group of a chunk therefore gives the same bits.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.data.inputs import Ragged
from mog_jax.fitting.options import whole_number
from mog_jax.tables.batches import opened, selected
from mog_jax.tables.chunks import Chunk, chunks_of_groups
from mog_jax.tables.errors import TableError
from mog_jax.tables.fixed import check_fixed, columns_of
from mog_jax.tables.group_fits import fit_groups
from mog_jax.tables.interval_options import TableIntervalOptions, refuse_limits, refuse_steps
from mog_jax.tables.keys import column_name, key_names, one_column, output_schema
from mog_jax.tables.options import plain, table_options

# Enough for an efficient fit, and so few that a killed run loses a few seconds.
CHUNK_POINTS = 1 << 22
CHUNK_GROUPS = 1 << 12
_ARGUMENTS = ("by", "value", "count", "fixed", "chunk_points", "chunk_groups")


def fit_batches(
    batches: Any,
    *,
    by: str | Sequence[str],
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
    batches : iterable of pyarrow.RecordBatch, or frame
        Rows; those of one group are consecutive, across batches too. A frame is anything that
        converts to Arrow: a table, a batch or a reader of pyarrow, a frame of pandas or polars, a
        DuckDB relation.
    by : str or sequence of str
        The columns that name the group. Null is a group of its own, and so is NaN.
    value : str
        The column to fit. Null and NaN are missing: left out, and counted.
    count : str, optional
        How often each value occurs.
    fixed : mapping, optional
        What is known beforehand: see `fit_table`.
    chunk_points, chunk_groups : int
        A chunk is closed by the group that brings it to either.
    **options
        Passed on to `mog_jax.fit`; of those that say what the values are, see `fit_table`.

    Returns
    -------
    iterator of pyarrow.RecordBatch
        One for each chunk, with the columns of `mog_jax.tables.output_schema`. A frame without rows
        gives one batch without rows; an iterable without batches, whose columns are unknown, gives
        none, as a partition without rows should. Memory is bounded by a chunk and its largest
        group, and 8 bytes for each group.

    Raises
    ------
    TableError
        At once, if an argument cannot be used, or the columns of a frame; at the first batch of an
        iterator, if a column is not there or holds no numbers; and where a group comes back after
        another.

    Examples
    --------
    >>> import pyarrow
    >>> x = [*range(10), *range(30, 40), *[5] * 20]
    >>> rows = pyarrow.table({"gene": ["a"] * 20 + ["b"] * 20, "x": x})
    >>> for fits in fit_batches(rows, by="gene", value="x"):
    ...     print(fits["gene"].to_pylist(), fits["status"].to_pylist())
    ['a', 'b'] ['converged', 'constant']
    """
    return StreamFitter.checked(
        by=by,
        value=value,
        count=count,
        fixed=fixed,
        options=options,
        function="fit_batches",
        chunk_points=chunk_points,
        chunk_groups=chunk_groups,
    )(batches)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamFitter:
    """`fit_batches` with its arguments checked: a callable to send to the workers of an engine.

    Attributes
    ----------
    by, value, count, fixed, chunk_points, chunk_groups, options
        See `fit_batches`.
    interval_options : TableIntervalOptions
    fit_chunk : callable
        Fits a chunk: `mog_jax.tables.group_fits.fit_groups`.
    """

    by: list[str]
    value: str
    count: str | None
    interval_options: TableIntervalOptions
    fixed: dict[str, float | str]
    chunk_points: int
    chunk_groups: int
    options: dict[str, Any]
    fit_chunk: Callable[..., list[pyarrow.Array]]

    @classmethod
    def checked(
        cls,
        *,
        by: Any,
        value: Any,
        count: Any,
        fixed: Any,
        options: dict[str, Any],
        function: str,
        chunk_points: Any = CHUNK_POINTS,
        chunk_groups: Any = CHUNK_GROUPS,
    ) -> "StreamFitter":
        """Check the arguments of `function`, before any row is seen."""
        table_options(function, options, _ARGUMENTS)
        return cls(
            by=key_names(by),
            value=column_name("value", value),
            count=None if count is None else column_name("count", count),
            interval_options=TableIntervalOptions.checked(options),
            fixed=check_fixed(fixed),
            chunk_points=whole_number("chunk_points", chunk_points),
            chunk_groups=whole_number("chunk_groups", chunk_groups),
            options=plain(options),
            fit_chunk=fit_groups,
        )

    @property
    def numbers(self) -> list[str]:
        """The columns that hold numbers."""
        beside = [*([self.count] if self.count else []), *self.interval_options.columns.values()]
        return list(dict.fromkeys([self.value, *beside, *columns_of(self.fixed).values()]))

    @property
    def columns(self) -> list[str]:
        """All columns that are used."""
        return list(dict.fromkeys([*self.by, *self.numbers]))

    def output_schema(self, schema: pyarrow.Schema) -> pyarrow.Schema:
        """Check the columns of the rows, and give those of the answer."""
        answer = output_schema(schema, by=self.by)
        for name in self.numbers:
            _refuse_no_numbers(one_column(schema, name))
        return answer

    def __call__(self, batches: Any) -> Iterator[pyarrow.RecordBatch]:
        """Fit the groups of these rows."""
        schema, rows = opened(batches)
        return self._fits(rows, None if schema is None else self.output_schema(schema))

    def _fits(
        self, rows: Iterator[pyarrow.RecordBatch], answer: pyarrow.Schema | None
    ) -> Iterator[pyarrow.RecordBatch]:
        if answer is None:
            first = next(rows, None)
            if first is None:
                return
            rows, answer = itertools.chain([first], rows), self.output_schema(first.schema)
        is_empty = True
        for chunk in self.chunks(rows):
            columns = [*chunk.keys.columns, *self.fit_chunk(*self.prepared(chunk))]
            yield pyarrow.RecordBatch.from_arrays(columns, schema=answer)
            is_empty = False
        if is_empty:
            yield pyarrow.RecordBatch.from_pylist([], schema=answer)

    def chunks(self, rows: Iterable[pyarrow.RecordBatch]) -> Iterator[Chunk]:
        """Cut rows, sorted by group, into chunks of whole groups."""
        return chunks_of_groups(
            selected(rows, self.columns),
            by=self.by,
            numbers=self.numbers,
            chunk_points=self.chunk_points,
            chunk_groups=self.chunk_groups,
        )

    def prepared(self, chunk: Chunk) -> tuple[Array, Array, Array | None, Array, dict[str, Any]]:
        """Return what is fitted of a chunk: values, lengths, counts, number dropped, options."""
        values = _numbers(chunk.rows[self.value])
        counts = None if self.count is None else _counts(chunk.rows[self.count], self.count)
        options = dict(self.options)
        if self.fixed:
            options["fixed"] = {
                name: _one_each(chunk, value) if isinstance(value, str) else value
                for name, value in self.fixed.items()
            }
        said = {
            role: _numbers(chunk.rows[name]) for role, name in self.interval_options.columns.items()
        }
        self._refuse_impossible(said)
        (values, lengths, counts, n_missing), said = _usable(values, chunk.lengths, counts, said)
        options |= self.interval_options.for_fit(said, lambda each: Ragged(each, lengths))
        return values, lengths, counts, n_missing, options

    def _refuse_impossible(self, said: Mapping[str, Array]) -> None:
        names = self.interval_options.columns
        if "resolution" in said:
            refuse_steps(names["resolution"], said["resolution"])
        if {"lower_limit", "upper_limit"} & said.keys():
            ends = self.interval_options.numbers.get("limits") or (None, None)
            low, high = (
                said.get(role, np.float64(np.nan if end is None else end))
                for role, end in zip(("lower_limit", "upper_limit"), ends, strict=True)
            )
            shown = [names.get(role, "a number") for role in ("lower_limit", "upper_limit")]
            refuse_limits((shown[0], shown[1]), *np.broadcast_arrays(low, high))


def _refuse_no_numbers(column: pyarrow.Field) -> None:
    kind = column.type.value_type if pyarrow.types.is_dictionary(column.type) else column.type
    types = pyarrow.types
    accepted = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean)
    if not any(accepts(kind) for accepts in (*accepted, types.is_null)):
        raise TableError(f"column {column.name!r} should hold numbers; it holds {column.type}.")


def _numbers(column: pyarrow.ChunkedArray) -> Array:
    if pyarrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    # Whole numbers beyond 2^53 are rounded to the nearest float64.
    numbers: Array = column.cast(pyarrow.float64(), safe=False).fill_null(np.nan).to_numpy()
    return numbers


def _counts(column: pyarrow.ChunkedArray, name: str) -> Array:
    counts = _numbers(column)
    wrong = counts[(counts < 0) | np.isinf(counts)]
    if wrong.size:
        raise TableError(
            f"column {name!r} holds counts, which must be finite and not negative; "
            f"got {wrong[0]:g}."
        )
    return counts


def _one_each(chunk: Chunk, name: str) -> Array:
    """Return each group's value of a column that holds one in a whole group."""
    column = _numbers(chunk.rows[name])
    first: Array = column[np.cumsum(chunk.lengths) - chunk.lengths]
    if not np.array_equal(column, np.repeat(first, chunk.lengths), equal_nan=True):
        raise TableError(f"column {name!r} must hold one value in a whole group.")
    return first


def _usable(
    values: Array, lengths: Array, counts: Array | None, said: Mapping[str, Array]
) -> tuple[tuple[Array, Array, Array | None, Array], dict[str, Array]]:
    """Drop missing values and sort each group.

    Returns values, lengths, counts, number dropped; and the interval options in the same order.
    """
    group = np.repeat(np.arange(len(lengths)), lengths)
    missing = np.isnan(values)
    if "upper" in said:
        # One that is open on both sides says nothing; one end alone that is missing is refused.
        missing &= np.isnan(said["upper"])
        missing |= np.isneginf(values) & np.isposinf(said["upper"])
    if counts is not None:
        missing |= np.isnan(counts)
    n_missing = np.zeros_like(lengths)
    said = dict(said)
    if missing.any():
        n_missing = np.bincount(group[missing], minlength=len(lengths))
        values, group = values[~missing], group[~missing]
        counts = None if counts is None else counts[~missing]
        said = {role: each[~missing] for role, each in said.items()}
        lengths = lengths - n_missing
    is_descent = (values[1:] < values[:-1]) & (group[1:] == group[:-1])
    beside = [*said.values(), *([] if counts is None else [counts])]
    if beside or is_descent.any():
        order = np.lexsort((*beside, values, group))
        values = values[order]
        counts = None if counts is None else counts[order]
        said = {role: each[order] for role, each in said.items()}
    return (values, lengths, counts, n_missing), said
