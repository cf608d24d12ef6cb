"""Binary files that are no tables of DuckDB's own, as streams of Arrow: Arrow, ORC, NumPy, DuckDB.

No code in a file is run: no pickle, no view.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow
import pyarrow.feather
import pyarrow.ipc
import pyarrow.orc

from mog_jax.tables.errors import TableError, first_line
from mog_jax.tables.formats import File
from mog_jax.tables.paths import identifier

_ROWS = 1 << 18
_LOCKED = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "lock_configuration": "true",
}


@contextlib.contextmanager
def opened_batches(file: File) -> Iterator[pyarrow.RecordBatchReader]:
    """Open a binary file as a stream of rows.

    Raises
    ------
    TableError
        If it is damaged, or holds no single table of columns.
    """
    try:
        with contextlib.ExitStack() as stack:
            yield _READERS[file.kind](file, stack)
    except (pyarrow.ArrowException, OSError, ValueError, EOFError, duckdb.Error) as error:
        if isinstance(error, TableError):
            raise
        raise TableError(
            f"cannot read {file.name}: it is a broken {_NAMES[file.kind]} file "
            f"({first_line(error)})."
        ) from None


def _arrow(file: File, stack: contextlib.ExitStack) -> pyarrow.RecordBatchReader:
    # Feather is Arrow's own format; the file is mapped, not copied.
    return pyarrow.feather.read_table(file.path, memory_map=True).to_reader()


def _orc(file: File, stack: contextlib.ExitStack) -> pyarrow.RecordBatchReader:
    orc = pyarrow.orc.ORCFile(file.path)
    stripes = (orc.read_stripe(index) for index in range(orc.nstripes))
    return pyarrow.RecordBatchReader.from_batches(orc.schema, stripes)


def _numpy(file: File, stack: contextlib.ExitStack) -> pyarrow.RecordBatchReader:
    array = np.load(file.path, mmap_mode="r", allow_pickle=False)
    return _of_columns(file, _columns(file, array))


def _npz(file: File, stack: contextlib.ExitStack) -> pyarrow.RecordBatchReader:
    arrays = stack.enter_context(np.load(file.path, allow_pickle=False))
    if len(arrays.files) == 1:
        return _of_columns(file, _columns(file, arrays[arrays.files[0]]))
    columns = {name: arrays[name] for name in arrays.files}
    if (
        any(array.ndim != 1 for array in columns.values())
        or len(set(map(len, columns.values()))) > 1
    ):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in columns.items())
        raise TableError(
            f"cannot read {file.name}: its arrays ({shapes}) are not columns of one length; save "
            "the one that you mean with numpy.save."
        )
    return _of_columns(file, columns)


def _columns(file: File, array: Any) -> dict[str, Any]:
    if array.dtype.names and array.ndim == 1:
        return {name: array[name] for name in array.dtype.names}
    if array.ndim not in (1, 2) or array.dtype.names:
        raise TableError(
            f"cannot read {file.name}: its array has the shape {array.shape}; a table has rows, or "
            "rows and columns."
        )
    columns = array[:, None] if array.ndim == 1 else array
    return {f"column{index}": columns[:, index] for index in range(columns.shape[1])}


def _of_columns(file: File, columns: dict[str, Any]) -> pyarrow.RecordBatchReader:
    for name, column in columns.items():
        if column.dtype.kind not in "biufUSM":
            raise TableError(
                f"cannot read {file.name}: {name} holds {column.dtype}; columns hold numbers or "
                "texts."
            )
    if not columns:
        raise TableError(f"{file.name} has no columns.")
    length = len(next(iter(columns.values())))

    def batch(start: int, stop: int) -> pyarrow.RecordBatch:
        parts = {name: _for_arrow(column[start:stop]) for name, column in columns.items()}
        return pyarrow.RecordBatch.from_pydict(parts)

    batches = (batch(start, start + _ROWS) for start in range(0, length, _ROWS))
    return pyarrow.RecordBatchReader.from_batches(batch(0, 0).schema, batches)


def _for_arrow(column: Any) -> pyarrow.Array:
    if column.dtype.kind == "f" and column.dtype.itemsize not in (4, 8):
        column = column.astype(np.float64)
    return pyarrow.array(np.ascontiguousarray(column.astype(column.dtype.newbyteorder("="))))


def _duckdb(file: File, stack: contextlib.ExitStack) -> pyarrow.RecordBatchReader:
    if "?" in file.path:
        # DuckDB takes what follows a question mark for arguments of an address.
        raise TableError(
            f"cannot read {file.name}: a database with '?' in its path cannot be opened; rename it."
        )
    try:
        connection = duckdb.connect(file.path, read_only=True, config=dict(_LOCKED))
    except duckdb.Error as error:
        raise TableError(f"cannot read {file.name}: {first_line(error)}.") from None
    stack.callback(connection.close)
    tables = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal ORDER BY ALL"
    ).fetchall()
    if len(tables) != 1:
        names = ", ".join(table for _, table in tables)
        held = f"{len(tables)} tables ({names})" if tables else "no table"
        raise TableError(
            f"cannot read {file.name}: this database holds {held}; write the one that you mean to "
            "Parquet: COPY (FROM its_name) TO 'its_name.parquet'."
        )
    table = ".".join(map(identifier, tables[0]))
    return connection.sql(f"FROM {table}").to_arrow_reader(_ROWS)


_READERS = {"arrow": _arrow, "orc": _orc, "numpy": _numpy, "npz": _npz, "duckdb": _duckdb}
_NAMES = {"arrow": "Arrow", "orc": "ORC", "numpy": "NumPy", "npz": "NumPy", "duckdb": "DuckDB"}
