"""Writes the arrays of a batch to an Arrow file, a row for each dataset, and reads them back.

A file that is read is not trusted: names, types and shapes are checked.
"""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mog_jax.arrays import HostArray

_FORMAT = 1
_KEY = b"mog_jax.Fit"


def needed() -> Any:
    """Import and return pyarrow.

    Raises
    ------
    ImportError
        Without pyarrow, saying how to install it.
    """
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError:
        raise ImportError(
            "Arrow files need pyarrow; install it with: pip install 'mog_jax[table]'"
        ) from None
    return pyarrow


def write(
    path: str | Path, arrays: Mapping[str, HostArray], names: Any, about: Mapping[str, bool]
) -> None:
    """Write arrays of shape (b, ...) as columns; the file is replaced only once it is complete.

    Parameters
    ----------
    path : path
    arrays : mapping from name to array
    names : array of str, shape (b,), or None
        Names of the datasets.
    about : mapping
        Facts about all datasets, for the record in the file's metadata.
    """
    pyarrow = needed()
    columns = {} if names is None else {"name": pyarrow.array(names.tolist(), pyarrow.string())}
    for name, array in arrays.items():
        flat = pyarrow.array(array.ravel())
        if array.ndim > 1:
            flat = pyarrow.FixedSizeListArray.from_arrays(flat, int(np.prod(array.shape[1:])))
        columns[name] = flat
    record = json.dumps({"format": _FORMAT, **about}).encode()
    table = pyarrow.table(columns).replace_schema_metadata({_KEY: record})
    whole = Path(path)
    part = whole.with_name(f".{whole.name[:100]}.{secrets.token_hex(8)}")
    try:
        with pyarrow.ipc.new_file(str(part), table.schema) as file:
            file.write_table(table)
        part.replace(whole)
    finally:
        part.unlink(missing_ok=True)


def read(
    path: str | Path, wanted: Mapping[str, tuple[tuple[int, ...], str]], about: tuple[str, ...]
) -> tuple[dict[str, HostArray], HostArray | None, dict[str, bool]]:
    """Read a file that `write` has written.

    Parameters
    ----------
    path : path
    wanted : mapping
        From the name of each array to its shape after the batch axis, and to its kind as NumPy's
        letter: "f" for float32 or float64, "i" for an integer, "b" for a bool.
    about : tuple of str
        Names of the facts in the record, each True or False.

    Returns
    -------
    arrays, names, about
        The arguments of `write`.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If its content is anything else.
    """
    pyarrow = needed()
    content = Path(path).read_bytes()
    try:
        table = pyarrow.ipc.open_file(content).read_all()
        table.validate(full=True)
        record = json.loads((table.schema.metadata or {})[_KEY])
    except (pyarrow.ArrowException, ValueError, KeyError, OSError, RecursionError):
        raise ValueError(f"{path} is not a complete file written by `Fit.save`.") from None
    if not isinstance(record, dict) or record.get("format") != _FORMAT:
        raise ValueError(f"{path} has a format that this version of mog_jax does not know.")
    if any(not isinstance(record.get(name), bool) for name in about):
        raise ValueError(f"{path}: its record is damaged; it must say {', '.join(about)}.")
    columns = table.column_names
    if sorted(name for name in columns if name != "name") != sorted(wanted):
        raise ValueError(f"{path} must have the columns {', '.join(wanted)}; it has {columns}.")
    arrays = {
        name: _array(pyarrow, table[name], name, shape, kind, str(path))
        for name, (shape, kind) in wanted.items()
    }
    names = _names(pyarrow, table["name"], str(path)) if "name" in columns else None
    return arrays, names, {name: record[name] for name in about}


def _array(
    pyarrow: Any, column: Any, name: str, shape: tuple[int, ...], kind: str, path: str
) -> HostArray:
    held = column.combine_chunks()
    size = int(np.prod(shape))
    is_list = pyarrow.types.is_fixed_size_list(held.type)
    inner = held.type.value_type if is_list else held.type
    try:
        dtype = np.dtype(inner.to_pandas_dtype())
    except (NotImplementedError, TypeError):
        dtype = np.dtype(object)
    if is_list != bool(shape) or (is_list and held.type.list_size != size) or not _is(dtype, kind):
        raise ValueError(f"{path}: column {name} cannot hold {held.type}.")
    flat = held.flatten() if is_list else held
    if held.null_count or flat.null_count:
        raise ValueError(f"{path}: column {name} must have no nulls.")
    return np.array(flat.to_numpy(zero_copy_only=False), dtype=dtype).reshape(len(held), *shape)


def _is(dtype: Any, kind: str) -> bool:
    return dtype in (np.float32, np.float64) if kind == "f" else dtype.kind == kind


def _names(pyarrow: Any, column: Any, path: str) -> HostArray:
    if not pyarrow.types.is_string(column.type) or column.null_count:
        raise ValueError(f"{path}: the names must be texts.")
    names = np.array(column.to_pylist(), dtype=object)
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: the names must differ.")
    return names
