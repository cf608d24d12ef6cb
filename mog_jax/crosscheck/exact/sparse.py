"""Rules for products with the sparse matrices of `jax.experimental.sparse`, made dense first.

The other primitives of sparse matrices are evaluated by their implementations.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import balls
from mog_jax.crosscheck.exact.balls import ZERO
from mog_jax.crosscheck.exact.evaluation import Evaluation, Rule
from mog_jax.crosscheck.exact.linear import RULES as LINEAR

Operands = Sequence[Array]
Params = dict[str, Any]
_add = np.frompyfunc(balls.add, 2, 1)


def _dense(data: Array, indices: Array, shape: tuple[int, ...]) -> Array:
    """Return the dense array: entries of one place are added, and those outside are padding."""
    n_batch, n_sparse = indices.ndim - 2, indices.shape[-1]
    batch, extent = shape[:n_batch], shape[n_batch : n_batch + n_sparse]
    data = np.broadcast_to(data, (*batch, *data.shape[n_batch:]))
    indices = np.broadcast_to(indices, (*batch, *indices.shape[n_batch:]))
    result = np.full(shape, ZERO, dtype=object)
    for at in np.ndindex(*batch):
        for place, entry in zip(indices[at].astype(int), data[at], strict=True):
            if all(0 <= i < size for i, size in zip(place, extent, strict=True)):
                where = (*at, *place.tolist())
                result[where] = _add(result[where], entry)
    return result


def _dot_general(evaluation: Evaluation, operands: Operands, params: Params) -> Any:
    data, indices, other = operands
    dense = _dense(data, indices, params["lhs_spinfo"].shape)
    return LINEAR["dot_general"](evaluation, [dense, other], params)


def _by_rows(evaluation: Evaluation, operands: Operands, params: Params) -> Any:
    data, columns, starts, other = operands
    rows = np.empty(columns.shape, dtype=int)
    for at in np.ndindex(*columns.shape[:-1]):
        # Padding comes after the last row, outside the matrix.
        rows[at] = np.searchsorted(starts[at], np.arange(columns.shape[-1]), side="right") - 1
    indices = np.stack([rows, columns], axis=-1)
    return _dot_general(evaluation, [data, indices, other], params)


RULES: dict[str, Rule] = {
    "bcoo_dot_general": _dot_general,
    "bcsr_dot_general": _by_rows,
}
