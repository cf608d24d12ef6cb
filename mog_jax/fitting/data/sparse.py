"""`sparse_datasets`: reads the columns of a sparse matrix as datasets, without densifying it."""

from typing import Any

import numpy as np

from mog_jax.array_like import real_array
from mog_jax.fitting.data.inputs import Ragged

_ZEROS = ("keep", "drop")


def check_zeros(zeros: Any) -> None:
    """Raise `ValueError` unless `zeros` is "keep" or "drop"."""
    if zeros not in _ZEROS:
        raise ValueError(f"`zeros` must be 'keep' or 'drop'; got {zeros!r}.")


def sparse_datasets(matrix: Any, *, zeros: str) -> tuple[Ragged, Ragged | None]:
    """Read each column of a sparse matrix as a dataset: cells in rows and genes in columns.

    Parameters
    ----------
    matrix : sparse matrix or array of SciPy, shape (n, b)
        Such as ``adata.X``, or a layer. It is not converted to a dense array.
    zeros : "keep" or "drop"
        "keep" takes zeros for measurements like any other. "drop" leaves them out and fits the
        nonzero values of each column, as is done for guide counts. Zeros that are stored are
        treated like those that are not; a stored NaN is a missing value.

    Returns
    -------
    data : Ragged
        For :func:`mog_jax.fit`. With "keep", the zeros of a column are one point.
    counts : Ragged or None
        With "keep", the counts: of that point, the number of zeros. None with "drop".

    Raises
    ------
    ValueError
        If `matrix` is not sparse, has not two axes, or does not hold real numbers; or if `zeros` is
        neither "keep" nor "drop".

    Examples
    --------
    >>> import mog_jax, numpy as np, scipy.sparse
    >>> x = mog_jax.datasets.faithful()
    >>> cells = scipy.sparse.csr_array(np.stack([np.where(x > 70, x, 0), x], axis=1))
    >>> data, counts = sparse_datasets(cells, zeros="drop")
    >>> mog_jax.fit(data, counts=counts).n_points
    array([165., 272.])
    """
    from scipy import sparse

    check_zeros(zeros)
    if not sparse.issparse(matrix) or matrix.ndim != 2:
        raise ValueError(
            "`matrix` must be a sparse matrix of SciPy, with a dataset in each column; got "
            f"{type(matrix).__name__}. `mog_jax.fit` takes an array with a dataset in each row."
        )
    columns = sparse.csc_array(matrix)
    if not columns.has_canonical_format:
        columns = columns.copy()
        columns.sum_duplicates()
    stored = np.asarray(real_array(columns.data, "matrix"))
    if stored.dtype not in (np.float32, np.float64):
        stored = stored.astype(np.float64)
    n, b = columns.shape
    other = stored != 0
    column = np.repeat(np.arange(b), np.diff(columns.indptr))
    lengths = np.bincount(column[other], minlength=b)
    values = stored[other]
    if zeros == "drop":
        return Ragged(values, lengths), None
    left = n - lengths
    has = left > 0
    ends = np.cumsum(lengths)[has]
    counts = np.insert(np.ones(values.size), ends, left[has])
    lengths = lengths + has
    return Ragged(np.insert(values, ends, 0), lengths), Ragged(counts, lengths)
