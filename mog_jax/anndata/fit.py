"""`fit`: a mixture for each column of an AnnData object's matrix."""

import dataclasses
from typing import Any

import numpy as np

from mog_jax import fitting
from mog_jax.anndata.matrices import groups_of, matrix_of, refuse_other_objects
from mog_jax.anndata.storage import Choice, check_key, keep
from mog_jax.fitting import Fit
from mog_jax.fitting.data.sparse import check_zeros, sparse_datasets


def fit(
    adata: Any,
    *,
    layer: str | None = None,
    obsm: str | None = None,
    by: str | None = None,
    zeros: str = "keep",
    key: str = "mixture",
    **options: Any,
) -> Fit | dict[str, Fit]:
    """Fit a two-component mixture to each gene, protein or guide, and store the answers.

    Parameters
    ----------
    adata : AnnData
        Cells in rows. A sparse matrix stays sparse; a matrix that is backed by a file is read.
    layer : str, optional
        A layer to fit instead of ``adata.X``.
    obsm : str, optional
        An array of ``adata.obsm`` to fit instead, such as the proteins of CITE-seq.
    by : str, optional
        A column of ``adata.obs``: each of its groups is fitted separately. Cells without a group
        are left out.
    zeros : "keep" or "drop"
        "keep" takes zeros for measurements like any other. "drop" fits the nonzero values of each
        column, as is done for guide counts. NaN is a missing value with either.
    key : str
        Name under which the answers are stored; earlier answers of that name are removed.
    **options
        Options of :func:`mog_jax.fit`.

    Returns
    -------
    Fit, or dict from group to Fit
        Named by the variables. The answers are stored in `adata` as well: as columns of
        ``adata.var``, ``mixture_mean_1``, ``mixture_threshold``, ``mixture_delta_bic``,
        ``mixture_status`` and so on; with `by`, as a frame ``adata.varm["mixture_<group>"]`` for
        each group; for an array of ``obsm``, in ``adata.uns["mixture"]["fits"]``.

    Raises
    ------
    ValueError
        If `adata` is not an AnnData object, or has no such layer, array or column; or if an
        argument has a wrong value.
    """
    refuse_other_objects(adata)
    check_key(key)
    check_zeros(zeros)
    matrix, names = matrix_of(adata, layer, obsm)
    choice = Choice(layer=layer, obsm=obsm, by=by, zeros=zeros)
    if by is None:
        fits = _named(_fit(matrix, zeros, options), names)
        keep(adata, key, choice, {None: fits})
        return fits
    by_group = {
        group: _named(_fit(matrix[cells], zeros, options), names)
        for group, cells in groups_of(adata, by).items()
    }
    keep(adata, key, choice, by_group)
    return by_group


def _fit(matrix: Any, zeros: str, options: dict[str, Any]) -> Fit:
    from scipy import sparse

    if zeros == "keep" and not sparse.issparse(matrix):
        return fitting.fit(matrix.T, **options)
    data, counts = sparse_datasets(sparse.csc_array(matrix), zeros=zeros)
    return fitting.fit(data, counts=counts, **options)


def _named(fits: Fit, names: Any) -> Fit:
    return dataclasses.replace(fits, names=np.asarray(names, dtype=object))
