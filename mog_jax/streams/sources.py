"""Opens sources that can be read repeatedly: a callable, arrays, Parquet, a DuckDB relation."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mog_jax.array_like import real_array
from mog_jax.arrays import HostArray
from mog_jax.chunks.blocks import Chunk, Chunks

# Rows of a table that are read at a time.
_ROWS = 2**18


def open_chunks(chunks: Any, column: str | None, count: str | None) -> Chunks:
    """Return a function that yields the chunks of a source from the first, each time it is called.

    Raises
    ------
    ValueError
        If the source cannot be read repeatedly; and, from the iterators, if a chunk is not an array
        of numbers.
    """
    paths = chunks if isinstance(chunks, list | tuple) and chunks else [chunks]
    if all(isinstance(path, str | Path) for path in paths):
        return _table(chunks, column, count)
    if type(chunks).__name__ == "DuckDBPyRelation":
        return _relation(chunks, column, count)
    for name, given in (("column", column), ("count", count)):
        if given is not None:
            raise ValueError(
                f"`{name}` names a column of a Parquet file or a DuckDB relation; `chunks` is "
                f"{_kind(chunks)}."
            )
    if isinstance(chunks, list | tuple):
        return lambda: _checked(chunks)
    if isinstance(chunks, np.ndarray):
        return lambda: _checked([chunks])
    if callable(chunks):
        return _called(chunks)
    again = ""
    if isinstance(chunks, Iterator):
        again = ", which can be read once, where several passes are made"
    raise ValueError(
        "`chunks` must be a callable that gives a fresh iterator of arrays, a list of arrays, the "
        f"path of a Parquet file or a DuckDB relation; got {_kind(chunks)}{again}."
    )


def _called(function: Callable[[], Any]) -> Chunks:
    first, second = _iterable(function()), _iterable(function())
    if first is second and isinstance(first, Iterator):
        raise ValueError(
            "`chunks` must give a fresh iterator each time it is called; it gave the same one "
            "twice. Make it within: `lambda: read(...)`."
        )
    # The second is read in the first pass: opening it may have closed the first.
    waiting = [second]
    return lambda: _checked(waiting.pop() if waiting else _iterable(function()))


def _iterable(given: Any) -> Iterable[Any]:
    if not isinstance(given, Iterable) or isinstance(given, str | bytes):
        raise ValueError(
            f"`chunks` must give an iterator of arrays when called; got {_kind(given)}."
        )
    return given


def _checked(chunks: Iterable[Any]) -> Iterator[Chunk]:
    """Yield validated chunks; all must have the dtype and form of the first."""
    before: Chunk | None = None
    for number, given in enumerate(chunks):
        chunk = _read(given, number)
        if not chunk.values.size:
            continue
        if before is not None:
            _check_alike(chunk, before, number)
        before = chunk if before is None else before
        yield chunk


def _read(given: Any, number: int) -> Chunk:
    values, counts = given, None
    if isinstance(given, tuple):
        if len(given) != 2:
            raise ValueError(
                f"`chunks` must give arrays, or pairs of values and counts; got a tuple of "
                f"{len(given)} as chunk {number}."
            )
        values, counts = given
    values = _points(values, f"chunk {number}")
    if counts is None:
        return Chunk(values, None)
    counts = _points(counts, f"counts of chunk {number}")
    if counts.shape != values.shape:
        raise ValueError(
            f"`counts of chunk {number}` must have the shape of its values, {values.shape}; got "
            f"{counts.shape}."
        )
    # The count of a missing value does not matter.
    wrong = ~((counts >= 0) & (counts < np.inf)) & ~np.isnan(values)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"`counts` must be non-negative and finite; got {counts[at]} at place {at} of chunk "
            f"{number}."
        )
    return Chunk(values, counts)


def _points(given: Any, name: str) -> HostArray:
    array: HostArray = np.asarray(real_array(given, name))
    if array.ndim != 1:
        hint = ": give one of its columns" if array.ndim == 2 else ""
        raise ValueError(f"`{name}` must have shape (n,); got {array.shape}{hint}.")
    return array


def _check_alike(chunk: Chunk, first: Chunk, number: int) -> None:
    if chunk.values.dtype != first.values.dtype:
        raise ValueError(
            f"`chunks` must give arrays of one dtype; got {first.values.dtype}, and "
            f"{chunk.values.dtype} in chunk {number}. Give all as floats, `chunk.astype(float)`."
        )
    if (chunk.counts is None) != (first.counts is None):
        has, had = ("no counts" if each.counts is None else "counts" for each in (chunk, first))
        raise ValueError(
            f"`chunks` must give counts with all arrays, or with none; chunk {number} has {has}, "
            f"and those before have {had}."
        )


def _table(path: Any, column: str | None, count: str | None) -> Chunks:
    # Needs DuckDB, which is optional.
    from mog_jax.tables.database import connect
    from mog_jax.tables.read_options import ReadOptions
    from mog_jax.tables.sources import open_source

    connection = connect()
    # A file is read in place: nothing is written.
    if str(path) == "-":
        raise ValueError("`chunks` is read several times, and standard input once; give a file.")
    source = open_source(connection, path, Path(), ReadOptions())
    selected = _selected(source.name, source.types, source.columns, column, count)
    query = f"SELECT {selected} FROM {source.sql}"
    return lambda: _batches(source.name, lambda: connection.sql(query))


def _relation(relation: Any, column: str | None, count: str | None) -> Chunks:
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    own = {name: name for name in types}
    selected = _selected("the relation", types, own, column, count)
    return lambda: _batches("the relation", lambda: relation.project(selected))


def _selected(
    name: str,
    types: dict[str, str],
    columns: dict[str, str],
    column: str | None,
    count: str | None,
) -> str:
    """Return the selected columns as SQL: `value`, and `count` if there is one.

    `types` and `columns` map a column's own name to its type and to its name in SQL.
    """
    from mog_jax.tables.columns import holds_numbers
    from mog_jax.tables.errors import TableError, no_such
    from mog_jax.tables.paths import identifier

    rest = [each for each in types if each != count]
    if column is None and len(rest) != 1:
        raise TableError(
            f"{name} has several columns ({', '.join(rest[:12])}); choose one with `column`."
        )
    wanted = {"value": rest[0] if column is None else column, "count": count}
    selected = []
    for role, each in wanted.items():
        if each is None:
            continue
        if each not in types:
            raise no_such("column", each, types, source=name)
        if not holds_numbers(types[each]):
            raise TableError(
                f"{name}: column {each!r} should hold numbers; it holds {types[each]}."
            )
        selected.append(f"{identifier(columns[each])}::DOUBLE AS {role}")
    return ", ".join(selected)


def _batches(name: str, query: Callable[[], Any]) -> Iterator[Chunk]:
    """Run a query, and yield its result batch by batch."""
    from mog_jax.tables.errors import reading

    with reading(name):
        batches = iter(query().to_arrow_reader(_ROWS))
    for number in itertools.count():
        with reading(name):
            batch = next(batches, None)
        if batch is None:
            return
        columns = [column.to_numpy(zero_copy_only=False) for column in batch.columns]
        yield _read(tuple(columns) if len(columns) == 2 else columns[0], number)


def _kind(given: Any) -> str:
    kind = type(given).__name__
    return f"{'an' if kind[:1] in 'aeiouAEIOU' else 'a'} {kind}"
