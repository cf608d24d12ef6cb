"""Fits mixtures to AnnData objects: one for each gene, protein or guide.

===========  ======================================================================================
`matrices`   the matrix to fit, cells in rows, and the groups of its cells
`storage`    answers in the object's columns, and back
`fit`        fits ``adata.X``, a layer or an array of ``obsm``, all cells or group by group; the
             answers become columns of ``adata.var``
`posterior`  the posterior probability of the upper component of every cell, as a layer
===========  ======================================================================================

The answers are stored in the object, so that they are written and read with it. These functions do
not import anndata. Reading ``.h5ad`` files, as ``mog-jax fit cells.h5ad`` does, needs an extra:
``pip install 'mog_jax[anndata]'``.
"""

from mog_jax.anndata.fit import fit
from mog_jax.anndata.posterior import posterior

__all__ = ["fit", "posterior"]
