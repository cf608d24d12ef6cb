"""Reads the matrix to fit from an AnnData object, cells in rows, and the groups of its cells."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.suggestions import did_you_mean

_PARTS = ("obs", "var", "layers", "obsm", "varm", "uns")


def refuse_other_objects(adata: Any) -> None:
    """Raise `ValueError` unless `adata` is an AnnData object."""
    if hasattr(adata, "mod"):
        raise ValueError(
            "`adata` must be an AnnData object; got MuData: give a modality, as mdata['prot']."
        )
    if not all(hasattr(adata, part) for part in _PARTS):
        raise ValueError(f"`adata` must be an AnnData object; got {type(adata).__name__}.")


def matrix_of(adata: Any, layer: str | None, obsm: str | None) -> tuple[Any, Array]:
    """Return the array or sparse matrix to fit, and the names of its columns.

    Raises
    ------
    ValueError
        If the layer or array does not exist, or is not a matrix.
    """
    if layer is not None and obsm is not None:
        raise ValueError("give `layer` or `obsm`, not both.")
    if layer is not None:
        matrix = _part("layer", adata.layers, layer)
    elif obsm is not None:
        matrix = _part("obsm", adata.obsm, obsm)
    else:
        matrix = adata.X
    what = "adata.X" if layer is None and obsm is None else repr(layer or obsm)
    if matrix is None:
        raise ValueError(f"{what} is empty; name a `layer` or an array of `obsm`.")
    names = np.array([str(name) for name in adata.var_names], dtype=object)
    if obsm is not None:
        columns = getattr(matrix, "columns", range(matrix.shape[1] if matrix.ndim == 2 else 0))
        names = np.array([str(name) for name in columns], dtype=object)
    matrix = in_memory(matrix)
    if matrix.ndim != 2:
        raise ValueError(
            f"{what} must be a matrix, with cells in rows; got the shape {matrix.shape}."
        )
    return matrix, names


def in_memory(matrix: Any) -> Any:
    """Return a matrix in memory, if it is backed by a file, or lazy; a sparse one stays sparse."""
    from scipy import sparse

    if hasattr(matrix, "to_memory"):
        matrix = matrix.to_memory()
    if hasattr(matrix, "compute"):
        matrix = matrix.compute()
    if sparse.issparse(matrix):
        return matrix
    return np.asarray(matrix.to_numpy() if hasattr(matrix, "to_numpy") else matrix)


def groups_of(adata: Any, by: str) -> dict[str, Array]:
    """Return the cells of each group of ``obs``: from its name to a mask, shape (n_obs,).

    Raises
    ------
    ValueError
        If the column does not exist, or the name of a group cannot be stored in a file.
    """
    if not isinstance(by, str) or by not in adata.obs:
        raise _no_such("by", by, adata.obs.columns, "a column of adata.obs")
    column = adata.obs[by]
    groups: dict[str, Array] = {}
    values = column.cat.categories if hasattr(column, "cat") else sorted(column.dropna().unique())
    for value in values:
        mask = np.asarray(column == value, dtype=bool)
        if mask.any():
            groups[str(value)] = groups.get(str(value), np.zeros(len(mask), bool)) | mask
    for name in groups:
        if "/" in name:
            raise ValueError(
                f"`by`: a group is called {name!r}, and a file of AnnData cannot hold a name with "
                f"'/'; rename it: adata.obs[{by!r}].str.replace('/', '-')."
            )
    if not groups:
        raise ValueError(f"`by`: {by!r} is missing for all cells.")
    return groups


def _part(argument: str, there: Any, name: Any) -> Any:
    if not isinstance(name, str) or name not in there:
        where = "adata.layers" if argument == "layer" else f"adata.{argument}"
        raise _no_such(argument, name, there.keys(), f"one of {where}")
    return there[name]


def _no_such(argument: str, name: Any, there: Iterable[Any], what: str) -> ValueError:
    names = [str(each) for each in there]
    hint = did_you_mean(name, names, otherwise=f"; there are: {', '.join(names) or 'none'}.")
    return ValueError(f"`{argument}` must be {what}; got {name!r}{hint}")
