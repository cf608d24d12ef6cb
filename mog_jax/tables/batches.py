"""Frames and iterables of batches, read as a stream of Arrow batches."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow

from mog_jax.tables.errors import TableError, first_line
from mog_jax.tables.keys import one_column


def opened(batches: Any) -> tuple[pyarrow.Schema | None, Iterator[pyarrow.RecordBatch]]:
    """Return the columns of the rows (None until the first batch is read) and the batches.

    Raises
    ------
    TableError
        If it is neither a frame that converts to Arrow nor an iterable of batches.
    """
    if isinstance(batches, pyarrow.RecordBatch):
        return batches.schema, iter([batches])
    if hasattr(batches, "__arrow_c_stream__"):
        try:
            reader = pyarrow.RecordBatchReader.from_stream(batches)
        except (pyarrow.ArrowException, TypeError) as error:
            raise TableError(
                f"the rows cannot be converted to Arrow: {first_line(error)}."
            ) from None
        return reader.schema, iter(reader)
    if isinstance(batches, str | bytes | dict) or not isinstance(batches, Iterable):
        hint = "; collect() it first" if hasattr(batches, "collect") else ""
        raise TableError(
            "`batches` must be an iterable of pyarrow.RecordBatch, or a frame that converts to "
            f"Arrow (pandas, polars, pyarrow, DuckDB); got {type(batches).__name__}{hint}."
        )
    first = batches[0] if isinstance(batches, Sequence) and len(batches) else None
    known = first.schema if isinstance(first, pyarrow.RecordBatch | pyarrow.Table) else None
    return known, _each(batches)


def _each(batches: Iterable[Any]) -> Iterator[pyarrow.RecordBatch]:
    for index, item in enumerate(batches):
        if not (isinstance(item, pyarrow.RecordBatch) or hasattr(item, "__arrow_c_stream__")):
            raise TableError(
                "`batches` must be an iterable of pyarrow.RecordBatch; item "
                f"{index} is of type {type(item).__name__}."
            )
        yield from opened(item)[1]


def selected(
    batches: Iterable[pyarrow.RecordBatch], names: Sequence[str]
) -> Iterator[pyarrow.RecordBatch]:
    """Return these columns of the batches that have rows.

    Raises
    ------
    TableError
        If a column is not there, or not of the same type in all batches.
    """
    first: pyarrow.Schema | None = None
    for index, batch in enumerate(batches):
        fields = [one_column(batch.schema, name) for name in names]
        first = first or pyarrow.schema(fields)
        for field, before in zip(fields, first, strict=True):
            if field.type != before.type:
                raise TableError(
                    f"column {field.name!r} holds {field.type} in batch {index}, and "
                    f"{before.type} in those before; cast it."
                )
        if batch.num_rows:
            yield pyarrow.RecordBatch.from_arrays([batch[name] for name in names], schema=first)
