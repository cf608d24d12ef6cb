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
    """Fit a two-component mixture to each gene, protein or guide, and keep the answers.

    Parameters
    ----------
    adata : AnnData
        Cells in rows. A sparse matrix is not filled in; one that is backed by a file is read.
    layer : str, optional
        A layer to fit in place of ``adata.X``.
    obsm : str, optional
        An array of ``adata.obsm`` to fit in its place, such as the proteins of CITE-seq.
    by : str, optional
        A column of ``adata.obs``: each of its groups is fitted apart. Cells without a group are in
        none.
    zeros : "keep" or "drop"
        Whether a zero is a measurement like any other, or none: "drop" fits what is not zero in
        each column, as is done for the counts of guides. NaN is missing in any case.
    key : str
        Under which name to keep the answers; what it held before goes.
    **options
        Passed on to :func:`mog_jax.fit`.

    Returns
    -------
    Fit, or dict from group to Fit
        Named by the variables. The answers are in `adata` as well: as columns of ``adata.var``,
        ``mixture_mean_1``, ``mixture_threshold``, ``mixture_delta_bic``, ``mixture_status`` and so
        on, or with `by` as a frame ``adata.varm["mixture_<group>"]`` for each group; of an array
        of ``obsm`` in ``adata.uns["mixture"]["fits"]``.

    Raises
    ------
    ValueError
        If `adata` is something else, or has no such layer, array or column; if an argument cannot
        be used.
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
