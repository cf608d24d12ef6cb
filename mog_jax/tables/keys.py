"""The columns that name the groups of a stream: types, where a group begins, which came before.

Keys of any type are given back unchanged. For comparison they are simplified: a dictionary becomes
its values, a struct its fields, a time its number.
"""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow
import pyarrow.compute

from mog_jax.arrays import HostArray as Array
from mog_jax.tables.errors import TableError, no_such
from mog_jax.tables.schema import ANSWERS, KNOWN

_types = pyarrow.types


def output_schema(input_schema: pyarrow.Schema, *, by: str | Sequence[str]) -> pyarrow.Schema:
    """Return the columns that `fit_batches` makes of rows with these columns.

    Parameters
    ----------
    input_schema : pyarrow.Schema
        Of the rows.
    by : str or sequence of str
        The columns that name the group.

    Returns
    -------
    pyarrow.Schema
        The columns of `by` as they are, then those of `mog_jax.tables.schema`. Their types are
        signed, so that Spark has them all: ``pyspark.sql.pandas.types.from_arrow_schema`` converts.

    Raises
    ------
    TableError
        If a column of `by` is not there, is of a type that cannot be compared, such as a list, or
        is called like a column of the answer.

    Examples
    --------
    >>> import pyarrow
    >>> rows = pyarrow.schema([("gene", pyarrow.string()), ("x", pyarrow.float64())])
    >>> output_schema(rows, by="gene").names[:3]
    ['gene', 'weight_1', 'weight_2']
    """
    names = key_names(by)
    keys = [one_column(input_schema, name) for name in names]
    for key in keys:
        if not _can_be_compared(key.type):
            raise TableError(
                f"column {key.name!r} cannot name groups: it holds {key.type}; give numbers, "
                "texts, times or structs of these."
            )
    return pyarrow.schema([*keys, *ANSWERS])


def column_names(argument: str, given: object) -> list[str]:
    """Read an argument that names one column, or several, or none.

    Raises
    ------
    TableError
        If it is something else than texts.
    """
    several = [given] if isinstance(given, str) or not isinstance(given, Iterable) else given
    return [column_name(argument, name) for name in several]


def key_names(by: object) -> list[str]:
    """Read the columns that name the groups of a stream: at least one, none of them twice.

    Raises
    ------
    TableError
        If it is something else, or one is called like a column of the answer.
    """
    names = column_names("by", by)
    if not names:
        raise TableError(f"`by` must name at least one column; got {by!r}.")
    for index, name in enumerate(names):
        if name in names[:index]:
            raise TableError(f"`by` names column {name!r} twice.")
    refuse_clashes("`by`", names)
    return names


def column_name(argument: str, given: object) -> str:
    """Read an argument that names a column.

    Raises
    ------
    TableError
        If it is no text.
    """
    if not isinstance(given, str):
        raise TableError(
            f"`{argument}` must name columns, and names are texts; got {given!r}. Rename them, as "
            "by frame.rename(columns=str)."
        )
    return given


def one_column(schema: pyarrow.Schema, name: str) -> pyarrow.Field:
    """Return the column of this name.

    Raises
    ------
    TableError
        If there is none, or more than one.
    """
    places = schema.get_all_field_indices(name)
    if not places:
        raise no_such("column", name, schema.names, source="the table")
    if len(places) > 1:
        raise TableError(f"the rows have {len(places)} columns called {name!r}; rename them.")
    return schema.field(places[0])


def refuse_clashes(source: str, keys: Sequence[str]) -> None:
    """Refuse keys that are called like a column of the answer or like each other, case aside."""
    taken = {name.lower() for name in KNOWN}
    for index, key in enumerate(keys):
        if key.lower() in taken or key.lower() in [other.lower() for other in keys[:index]]:
            raise TableError(
                f"{source}: a group column cannot be called {key!r}, which is a column of the "
                "answer; rename it."
            )


def _can_be_compared(kind: pyarrow.DataType) -> bool:
    if isinstance(kind, pyarrow.BaseExtensionType):
        return _can_be_compared(kind.storage_type)
    if _types.is_dictionary(kind) or _types.is_run_end_encoded(kind):
        return _can_be_compared(kind.value_type)
    if _types.is_struct(kind):
        return all(_can_be_compared(field.type) for field in kind)
    return not (_types.is_nested(kind) or _types.is_interval(kind))


class GroupEdges:
    """Finds where the groups of a stream begin, and refuses a group that comes back.

    A group that came before is recognised by a hash of 8 bytes. Among a million groups two have the
    same hash with a probability of 3e-8; the rows are then refused, never mixed.
    """

    def __init__(self) -> None:
        self._last: list[pyarrow.Array] | None = None
        self._seen = _Hashes()

    def begins(self, keys: pyarrow.RecordBatch) -> Array:
        """Return the rows at which a group begins; the batches follow one another.

        Raises
        ------
        TableError
            If one of these groups has ended before.
        """
        parts = [part for column in keys.columns for part in _comparable(column)]
        is_first = np.zeros(keys.num_rows, dtype=bool)
        is_first[0] = self._last is None
        for index, part in enumerate(parts):
            before = [] if self._last is None else [self._last[index]]
            differ = _differ(pyarrow.concat_arrays([*before, part]))
            is_first[len(is_first) - len(differ) :] |= differ
        self._last = [_taken(part, [keys.num_rows - 1]) for part in parts]
        begins: Array = np.flatnonzero(is_first)
        again = self._seen.first_again(_hashes([_taken(part, begins) for part in parts], begins))
        if again is not None:
            raise TableError(
                f"the group {_shown(keys, int(begins[again]))} comes back after another: sort the "
                f"rows by {', '.join(keys.schema.names)}."
            )
        return begins


def take(keys: pyarrow.RecordBatch, rows: Array) -> pyarrow.RecordBatch:
    """Return these rows of a batch."""
    columns = [_taken(column, rows) for column in keys.columns]
    return pyarrow.RecordBatch.from_arrays(columns, schema=keys.schema)


def _taken(column: pyarrow.Array, rows: Array | list[int]) -> pyarrow.Array:
    try:
        return column.take(pyarrow.array(rows, pyarrow.int64()))
    except pyarrow.ArrowNotImplementedError:  # views of texts
        slices = [column.slice(int(row), 1) for row in rows]
        return pyarrow.concat_arrays(slices) if slices else column.slice(0, 0)


def _comparable(column: pyarrow.Array) -> list[pyarrow.Array]:
    """Take a column apart into arrays that Arrow can compare, and that hold simple values."""
    kind = column.type
    if isinstance(kind, pyarrow.BaseExtensionType):
        return _comparable(column.storage)
    if _types.is_dictionary(kind):
        return _comparable(column.dictionary_decode())
    if _types.is_run_end_encoded(kind):
        return _comparable(pyarrow.compute.run_end_decode(column))
    if _types.is_null(kind):
        return []
    if _types.is_struct(kind):
        fields = [part for field in column.flatten() for part in _comparable(field)]
        return [column.is_valid(), *fields]
    if _types.is_floating(kind):
        # 0.0 makes one zero of the two.
        return [pyarrow.compute.add(column.cast(pyarrow.float64()), 0.0)]
    if _types.is_temporal(kind):
        return [column.view(pyarrow.int32() if kind.bit_width == 32 else pyarrow.int64())]
    if _types.is_string(kind) or _types.is_large_string(kind):
        return [column.cast(pyarrow.binary() if _types.is_string(kind) else pyarrow.large_binary())]
    return [column]


def _differ(column: pyarrow.Array) -> Array:
    """Return whether each value but the first differs from the one before."""
    left, right = column.slice(0, len(column) - 1), column.slice(1)
    differ = _mask(pyarrow.compute.not_equal(left, right))
    absences = [pyarrow.compute.is_null]
    if _types.is_floating(column.type):
        absences.append(pyarrow.compute.is_nan)
    for is_absent in absences:
        ours, theirs = _mask(is_absent(left)), _mask(is_absent(right))
        # Null is a group of its own, and so is NaN, which is not equal to itself.
        differ = np.where(ours & theirs, False, differ | (ours != theirs))
    return differ


def _mask(column: pyarrow.Array) -> Array:
    mask: Array = column.fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def _hashes(parts: list[pyarrow.Array], begins: Array) -> Array:
    rows = zip(*(part.to_pylist() for part in parts), strict=True) if parts else [()] * len(begins)
    digests = [hashlib.blake2b(repr(row).encode(), digest_size=8).digest() for row in rows]
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


class _Hashes:
    """A set of numbers in sorted arrays, each at most half as long as the one before."""

    def __init__(self) -> None:
        self._runs: list[Array] = []

    def first_again(self, hashes: Array) -> int | None:
        """Add these; give the place of the first that was there before, if any was."""
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        again = np.zeros(len(hashes), dtype=bool)
        again[order[1:]] = ordered[1:] == ordered[:-1]
        for run in self._runs:
            places = np.searchsorted(run, hashes).clip(max=len(run) - 1)
            again |= run[places] == hashes
        if len(ordered):
            self._runs.append(ordered)
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            last = self._runs.pop()
            self._runs[-1] = np.sort(np.concatenate([self._runs[-1], last]), kind="stable")
        return int(np.argmax(again)) if again.any() else None


def _shown(keys: pyarrow.RecordBatch, row: int) -> str:
    return ", ".join(
        f"{name}={_value(column[row])}"
        for name, column in zip(keys.schema.names, keys.columns, strict=True)
    )


def _value(scalar: pyarrow.Scalar) -> str:
    try:
        return repr(scalar.as_py())
    except ValueError:  # times finer than Python's
        return str(scalar.value)
