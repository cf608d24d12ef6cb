"""Reads AnnData files as a table: a row for each cell and variable, with the columns of ``obs``.

The values go into a table of numbers only; names of cells and variables, and the columns of
``obs``, are joined to them by each query.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow

from mog_jax.tables.errors import TableError, first_line, no_such
from mog_jax.tables.formats import File
from mog_jax.tables.read_options import ReadOptions

# The columns that are not from obs. A column of obs with such a name gets the prefix obs_.
CELL, FEATURE, VALUE = OWN = ("cell", "feature", "value")
# Number of entries of the matrix that are made dense at a time.
_BLOCK = 1 << 21
_NUMBERS = pyarrow.schema(
    [("cell", pyarrow.int64()), ("feature", pyarrow.int64()), ("value", pyarrow.float64())]
)


def store(
    connection: duckdb.DuckDBPyConnection, files: list[File], options: ReadOptions
) -> tuple[str, list[str]]:
    """Write the matrices of files into DuckDB.

    Parameters
    ----------
    connection : duckdb connection
    files : list of File
        AnnData files with the same columns of ``obs``.
    options : ReadOptions
        ``layer`` names the layer to read instead of ``X``; ``zeros`` says whether zeros are left
        out.

    Returns
    -------
    sql : str
        A table expression.
    names : list of str
        Names of its columns.

    Raises
    ------
    TableError
        If a file is damaged or is not an AnnData file, or the layer does not exist.
    """
    names: list[str] = []
    n_cells = n_features = 0
    for file in files:
        with _opened(file) as content:
            obs, features = _names_of(content, n_cells, n_features)
            if names and obs.column_names != names:
                raise TableError(
                    f"{file.name}: {file.path} has other columns than {files[0].path}."
                )
            first, names = not names, obs.column_names
            matrix = _chosen(file, content, options.layer)
            if tuple(matrix.shape) != (obs.num_rows, features.num_rows):
                raise _no_matrix(file, f"it has the shape {tuple(matrix.shape)}")
            _put(connection, "source_obs", _numbered(obs), first=first)
            _put(connection, "source_var", features, first=first)
            batches = _batches(matrix, n_cells, n_features, options.zeros == "drop")
            reader = pyarrow.RecordBatchReader.from_batches(_NUMBERS, batches)
            _put(connection, "source", reader, first=first)
            n_cells, n_features = n_cells + obs.num_rows, n_features + features.num_rows
    of_obs = "".join(f", o.c{place}" for place in range(2, len(names)))
    sql = (
        f"(SELECT o.c1 AS cell, v.name AS feature, x.value AS value{of_obs} FROM source AS x "
        "JOIN source_obs AS o ON x.cell = o.c0 JOIN source_var AS v ON x.feature = v.id)"
    )
    return sql, [*OWN, *(f"obs_{name}" if name in OWN else name for name in names[2:])]


@contextlib.contextmanager
def _opened(file: File) -> Iterator[Any]:
    try:
        import anndata.io  # noqa: F401
        import h5py
    except ImportError:
        raise TableError(
            f"cannot read {file.name}: it is an HDF5 file, and those of AnnData need an extra: "
            "pip install 'mog_jax[anndata]'."
        ) from None
    try:
        with h5py.File(file.path, "r") as content:
            _refuse_links(file, content)
            if "mod" in content:
                listed = ", ".join(content["mod"])
                raise TableError(
                    f"cannot read {file.name}: it is of MuData, with {listed}; write one to a file "
                    "of its own: mdata['prot'].write_h5ad(...)."
                )
            if "obs" not in content or "var" not in content:
                raise TableError(
                    f"cannot read {file.name}: it is an HDF5 file, but none of AnnData; write a "
                    "table of it to Parquet, as with pandas.read_hdf."
                )
            yield content
    except (TableError, MemoryError, duckdb.Error):
        raise
    # The readers may raise any exception on a damaged file.
    except Exception as error:
        raise TableError(
            f"cannot read {file.name}: it is a broken file of AnnData ({first_line(error)})."
        ) from None


def _refuse_links(file: File, content: Any) -> None:
    """Refuse a file with links to other files: its author must not choose what is read here."""
    import h5py

    def look(_: str, item: Any) -> None:
        if isinstance(item, h5py.Group):
            links = (item.get(name, getlink=True) for name in item)
            leads_away = any(isinstance(link, h5py.ExternalLink) for link in links)
        else:
            leads_away = item.is_virtual or bool(item.external)
        if leads_away:
            raise TableError(
                f"cannot read {file.name}: parts of it lie in other files; write it anew, as with "
                "anndata's read_h5ad(...).write_h5ad(...)."
            )

    look("", content)
    content.visititems(look)


def _names_of(content: Any, n_cells: int, n_features: int) -> tuple[pyarrow.Table, pyarrow.Table]:
    """Return the cells, with numbers, names and the columns of obs; and the variables' names."""
    from anndata.io import read_elem

    obs, var = read_elem(content["obs"]), read_elem(content["var"])
    columns = {"id": np.arange(len(obs)) + n_cells, CELL: [str(name) for name in obs.index]}
    arrays = [pyarrow.array(column) for column in columns.values()]
    arrays += [_of_obs(obs[name]) for name in obs.columns]
    table = pyarrow.Table.from_arrays(arrays, [*columns, *map(str, obs.columns)])
    features = {
        "id": np.arange(len(var)) + n_features,
        "name": pyarrow.array([str(name) for name in var.index], pyarrow.string()),
    }
    return table, pyarrow.table(features)


def _of_obs(column: Any) -> pyarrow.Array:
    try:
        found = pyarrow.array(column, from_pandas=True)
    except (pyarrow.ArrowException, TypeError):
        found = pyarrow.array([None if x is None or x != x else str(x) for x in column])
    return found.dictionary_decode() if pyarrow.types.is_dictionary(found.type) else found


def _numbered(table: pyarrow.Table) -> pyarrow.Table:
    return table.rename_columns([f"c{place}" for place in range(table.num_columns)])


def _chosen(file: File, content: Any, layer: str | None) -> Any:
    """Return the matrix: ``X`` or a layer."""
    import h5py
    from anndata.io import sparse_dataset

    if layer is None or layer == "X":
        if "X" not in content:
            raise _no_matrix(file, "there is no X; name a layer with `layer` (--layer)")
        chosen = content["X"]
    else:
        there = content.get("layers", {})
        if layer not in there:
            raise no_such("layer", layer, there, source=file.name)
        chosen = there[layer]
    if isinstance(chosen, h5py.Dataset):
        if chosen.ndim != 2 or chosen.dtype.kind not in "biuf":
            raise _no_matrix(file, f"it holds {chosen.dtype} of the shape {chosen.shape}")
        return chosen
    if str(chosen.attrs.get("encoding-type", "")) not in ("csr_matrix", "csc_matrix"):
        raise _no_matrix(file, "it is not a matrix")
    return sparse_dataset(chosen)


def _no_matrix(file: File, what: str) -> TableError:
    return TableError(f"cannot read {file.name}: its matrix cannot be used: {what}.")


def _batches(matrix: Any, n_cells: int, n_features: int, drop: bool) -> Iterator[Any]:
    """Yield the entries in blocks of rows, or of columns if the matrix is stored by column."""
    is_by_column = getattr(matrix, "format", "csr") == "csc"
    along, across = matrix.shape[::-1] if is_by_column else matrix.shape
    at_once = max(1, _BLOCK // max(1, across))
    for begin in range(0, along, at_once):
        part = slice(begin, min(begin + at_once, along))
        block = matrix[:, part] if is_by_column else matrix[part]
        rows, columns, values = _entries(block, drop)
        rows, columns = (rows, columns + begin) if is_by_column else (rows + begin, columns)
        yield pyarrow.RecordBatch.from_arrays(
            [pyarrow.array(rows + n_cells), pyarrow.array(columns + n_features), values],
            schema=_NUMBERS,
        )


def _entries(block: Any, drop: bool) -> tuple[Any, Any, pyarrow.Array]:
    if drop and hasattr(block, "tocoo"):
        block = block.tocoo()
        block.sum_duplicates()
        kept = block.data != 0
        rows, columns, values = block.row[kept], block.col[kept], block.data[kept]
    else:
        block = np.asarray(block.toarray() if hasattr(block, "toarray") else block)
        rows, columns = (
            np.nonzero(block) if drop else (each.ravel() for each in np.indices(block.shape))
        )
        values = block[rows, columns]
    return (
        rows.astype(np.int64),
        columns.astype(np.int64),
        pyarrow.array(values.astype(np.float64)),
    )


def _put(connection: duckdb.DuckDBPyConnection, name: str, rows: Any, *, first: bool) -> None:
    connection.register("incoming", rows)
    begin = f"CREATE OR REPLACE TEMP TABLE {name} AS" if first else f"INSERT INTO {name}"
    connection.execute(f"{begin} SELECT * FROM incoming")
    connection.unregister("incoming")
