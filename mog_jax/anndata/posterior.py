"""`posterior`: the posterior probability of the upper component, cell by cell."""

from typing import Any

import jax
import numpy as np

from mog_jax import inference
from mog_jax.anndata.matrices import groups_of, matrix_of, refuse_other_objects
from mog_jax.anndata.storage import check_key, kept
from mog_jax.arrays import HostArray as Array
from mog_jax.fitting import Ragged
from mog_jax.fitting.options import true_or_false
from mog_jax.fitting.results.map_points import read_points
from mog_jax.mixture import Mixture

# Number of entries of a sparse matrix that are made dense at a time.
_BLOCK = 1 << 22


def posterior(adata: Any, *, key: str = "mixture", monotone: bool = False) -> None:
    """Store the posterior probability of each cell's upper component as ``mixture_posterior``.

    It becomes a layer, or an entry of ``obsm`` if an array of ``obsm`` was fitted, in float32.
    After ``fit(..., zeros="drop")`` it is sparse, with an entry for each nonzero value; the
    posterior of a zero is 0. After ``zeros="keep"`` zeros have a posterior, too, and it is dense:
    four bytes for each cell and variable. Values are taken as points, also where `fit` was told a
    resolution or limits; ``Fit.responsibilities(values, resolution=...)`` has that of an interval.

    Parameters
    ----------
    adata : AnnData
        With the answers of `fit`, and the matrix that was fitted.
    key : str
        The `key` that was given to `fit`.
    monotone : bool
        Whether the posterior is made monotone. If the variances differ, the posterior of the upper
        component falls again far out, where the wider component dominates on both sides.

    Raises
    ------
    ValueError
        If there are no fits of that name.
    """
    refuse_other_objects(adata)
    true_or_false("monotone", monotone)
    choice, mixtures = kept(adata, check_key(key))
    matrix, _ = matrix_of(adata, choice.layer, choice.obsm)
    groups = groups_of(adata, choice.by) if choice.by is not None else {}
    cells = {
        group: np.arange(len(adata)) if group is None else np.flatnonzero(groups.get(group, 0))
        for group in mixtures
    }
    write = _of_counts if choice.zeros == "drop" else _of_all
    whole = write(matrix, cells, mixtures, monotone)
    there = adata.layers if choice.obsm is None else adata.obsm
    there[f"{key}_posterior"] = whole


def _of_all(
    matrix: Any,
    cells: dict[str | None, Array],
    mixtures: dict[str | None, Mixture],
    monotone: bool,
) -> Array:
    """Return the posterior of every entry, computed in blocks of columns.

    It is NaN for cells without a group.
    """
    whole = np.full(matrix.shape, np.nan, np.float32)
    for group, rows in cells.items():
        some = matrix[rows]
        at_once = max(1, _BLOCK // max(1, len(rows)))
        for first in range(0, matrix.shape[1] if len(rows) else 0, at_once):
            columns = slice(first, first + at_once)
            block = some[:, columns]
            block = np.asarray(block.toarray() if hasattr(block, "toarray") else block)
            own = jax.tree.map(lambda field, columns=columns: field[columns], mixtures[group])
            whole[rows, columns] = _upper(own, block.T, monotone).T
    return whole


def _of_counts(
    matrix: Any,
    cells: dict[str | None, Array],
    mixtures: dict[str | None, Mixture],
    monotone: bool,
) -> Any:
    """Return the posterior of the nonzero entries, as a sparse matrix."""
    from scipy import sparse

    places, found = [], []
    for group, rows in cells.items():
        some = sparse.csc_array(matrix[rows])
        some.sum_duplicates()
        some.eliminate_zeros()
        columns = np.repeat(np.arange(matrix.shape[1]), np.diff(some.indptr))
        places.append((rows[some.indices], columns))
        points = Ragged(some.data, np.diff(some.indptr))
        found.append(_upper(mixtures[group], points, monotone) if some.nnz else np.zeros(0))
    row, column = (np.concatenate(part) for part in zip(*places, strict=True))
    upper = np.concatenate(found).astype(np.float32)
    return sparse.csr_matrix((upper, (row, column)), shape=matrix.shape)


def _upper(mixtures: Mixture, points: Any, monotone: bool) -> Array:
    ask = inference.monotone_responsibilities if monotone else inference.responsibilities
    answers = read_points(points, mixtures.means.shape[:1]).map_points(ask, mixtures)
    upper: Array = np.asarray(answers)[..., 1]
    return upper
