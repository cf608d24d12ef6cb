"""Rules for linear algebra: products, convolutions, triangular systems, factorisations.

The textbook algorithms, unblocked: sizes here are those of tests, and a singular pivot shows as an
infinite or unknown answer.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import arb

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import balls
from mog_jax.crosscheck.exact.balls import ZERO, Ball
from mog_jax.crosscheck.exact.errors import UnknownPrimitive
from mog_jax.crosscheck.exact.evaluation import Evaluation, Rule
from mog_jax.crosscheck.exact.functions import FUNCTIONS
from mog_jax.crosscheck.exact.structure import pad

Operands = Sequence[Array]
Params = dict[str, Any]


def _products(evaluation: Evaluation, x: Array, y: Array) -> Array:
    return evaluation.elementwise("mul", balls.multiply, x, y, symmetric=True)


def _dot_general(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    x, y = operands
    (x_sum, y_sum), (x_batch, y_batch) = params["dimension_numbers"]
    x_free = [axis for axis in range(x.ndim) if axis not in (*x_sum, *x_batch)]
    y_free = [axis for axis in range(y.ndim) if axis not in (*y_sum, *y_batch)]
    batch = tuple(x.shape[axis] for axis in x_batch)
    rows = tuple(x.shape[axis] for axis in x_free)
    columns = tuple(y.shape[axis] for axis in y_free)
    summed = int(np.prod([x.shape[axis] for axis in x_sum], dtype=int))
    left = x.transpose(*x_batch, *x_free, *x_sum)
    right = y.transpose(*y_batch, *y_free, *y_sum)
    left = left.reshape(*batch, *rows, *[1] * len(columns), summed)
    right = right.reshape(*batch, *[1] * len(rows), *columns, summed)
    return evaluation.total(_products(evaluation, left, right))


def _ragged_dot(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    x, y, sizes = operands
    dims = params["ragged_dot_dimension_numbers"]
    (along,) = dims.lhs_ragged_dimensions
    plain: Params = {"dimension_numbers": dims.dot_dimension_numbers}
    (summed, _), (batch, _) = dims.dot_dimension_numbers
    if along in batch:
        return _dot_general(evaluation, [x, y], plain)
    if sizes.ndim > 1:
        raise UnknownPrimitive(
            "`ragged_dot_general` with other groups for each element of a batch: check one of them."
        )
    if along not in summed:
        (axis,) = dims.rhs_group_dimensions
        y, plain = np.moveaxis(y, axis, 0), {"dimension_numbers": _without(axis, dims)}
    rows = np.arange(x.shape[along]).reshape([-1 if i == along else 1 for i in range(x.ndim)])
    products = []
    for i, end in enumerate(np.cumsum(sizes)):
        inside = (rows >= end - sizes[i]) & (rows < end)
        group = np.where(inside, x, np.asarray(ZERO, object))
        products.append(_dot_general(evaluation, [group, y if along in summed else y[i]], plain))
    if along in summed:
        return np.stack(products)
    return evaluation.total(np.stack(products, axis=-1))


def _without(axis: int, dims: Any) -> Any:
    """Return the dimension numbers of a product whose right operand has one axis less."""
    (x_sum, y_sum), (x_batch, y_batch) = dims.dot_dimension_numbers
    y_sum, y_batch = (tuple(i - (i > axis) for i in axes) for axes in (y_sum, y_batch))
    return (x_sum, y_sum), (x_batch, y_batch)


def _convolution(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    dims = params["dimension_numbers"]
    x = operands[0].transpose(dims.lhs_spec)
    kernel = operands[1].transpose(dims.rhs_spec)
    groups, batches = params["feature_group_count"], params["batch_group_count"]
    edges = zip(params["padding"], params["lhs_dilation"], strict=True)
    keep = [(0, 0, 0), (0, 0, 0)]
    x = pad(x, ZERO, [*keep, *[(low, high, step - 1) for (low, high), step in edges]])
    kernel = pad(kernel, ZERO, [*keep, *[(0, 0, step - 1) for step in params["rhs_dilation"]]])
    spatial = tuple(range(2, x.ndim))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], spatial)
    steps = tuple(slice(None, None, step) for step in params["window_strides"])
    windows = windows[(slice(None), slice(None), *steps)]
    out = windows.shape[2 : 2 + len(spatial)]
    # Here (batch groups, n, feature groups, inputs, *out, *taps); the kernel is (outputs, inputs,
    # *taps), and its outputs belong to one group after the other, of either kind.
    n, features = x.shape[0] // batches, x.shape[1] // groups
    windows = windows.reshape(batches, n, groups, features, *out, *kernel.shape[2:])
    either = groups * batches
    kernel = kernel.reshape(either, -1, *kernel.shape[1:])
    windows = np.moveaxis(windows, 1, 2).reshape(either, n, features, *out, *kernel.shape[3:])
    windows = np.moveaxis(windows, 2, 2 + len(out))
    windows = windows.reshape(either, n, 1, *out, -1)
    taps = kernel.reshape(either, 1, kernel.shape[1], *[1] * len(out), windows.shape[-1])
    result = evaluation.total(_products(evaluation, windows, taps))
    result = np.moveaxis(result, 0, 1).reshape(n, -1, *out)
    return result.transpose(np.argsort(dims.out_spec))


def _solve_lower(evaluation: Evaluation, matrix: Array, right: Array, unit: bool) -> Array:
    # Forward substitution, `right` of shape (rows, columns).
    solution = right.copy()
    for i in range(len(matrix)):
        known = _products(evaluation, matrix[i, :i, None], solution[:i])
        rest = evaluation.elementwise("sub", balls.subtract, right[i], evaluation.total(known.T))
        pivot = matrix[i, i : i + 1]
        solution[i] = rest if unit else evaluation.elementwise("div", balls.divide, rest, pivot)
    return solution


def _triangular_solve(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    matrices, right = operands
    lower = params["lower"]
    if not params["left_side"]:  # X A = B is A' X' = B'.
        matrices, right, lower = _transposed(matrices), _transposed(right), not lower
    if params["transpose_a"]:
        matrices, lower = _transposed(matrices), not lower
    if not lower:  # An upper system is a lower one read from its end.
        matrices, right = matrices[..., ::-1, ::-1], right[..., ::-1, :]
    solution = np.empty(right.shape, dtype=object)
    for at in np.ndindex(*right.shape[:-2]):
        solution[at] = _solve_lower(evaluation, matrices[at], right[at], params["unit_diagonal"])
    if not lower:
        solution = solution[..., ::-1, :]
    return solution if params["left_side"] else _transposed(solution)


def _transposed(x: Array) -> Array:
    return np.swapaxes(x, -1, -2)


def _cholesky(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    (x,) = operands
    factor = np.full(x.shape, ZERO, dtype=object)
    size = x.shape[-1]
    for at in np.ndindex(*x.shape[:-2]):
        lower = factor[at]
        for i in range(size):
            for j in range(i + 1):
                terms = _products(evaluation, lower[i, :j], lower[j, :j])
                rest = balls.subtract(x[at][i, j], evaluation.total(terms)[()])
                lower[i, j] = FUNCTIONS["sqrt"](rest) if i == j else balls.divide(rest, lower[j, j])
        if any(v.is_nan() for v in lower.flat):
            lower[np.tril_indices(size)] = balls.NAN  # Not positive definite: JAX gives all NaN.
    return factor


def _lu(evaluation: Evaluation, operands: Operands, params: Params) -> list[Array]:
    (x,) = operands
    rows, columns = x.shape[-2:]
    factors = x.copy()
    pivots = np.zeros((*x.shape[:-2], min(rows, columns)), dtype=np.int32)
    permutation = np.broadcast_to(np.arange(rows, dtype=np.int32), (*x.shape[:-2], rows)).copy()
    for at in np.ndindex(*x.shape[:-2]):
        matrix, order = factors[at], permutation[at]
        for k in range(min(rows, columns)):
            best = _largest([abs(v) for v in matrix[k:, k]]) + k
            pivots[at][k] = best
            matrix[[k, best]] = matrix[[best, k]]
            order[[k, best]] = order[[best, k]]
            for i in range(k + 1, rows):
                if matrix[k, k].is_zero():
                    continue  # As LAPACK: a column of zeros is left alone.
                ratio = matrix[i, k] = balls.divide(matrix[i, k], matrix[k, k])
                for j in range(k + 1, columns):
                    matrix[i, j] = balls.subtract(matrix[i, j], balls.multiply(ratio, matrix[k, j]))
    return [factors, pivots, permutation]


def _largest(sizes: list[Ball]) -> int:
    # Any nonzero pivot gives exact results; JAX takes the largest, and so does this if decidable.
    best = 0
    for i, size in enumerate(sizes):
        if arb(size.abs_lower()) > arb(sizes[best].abs_lower()):
            best = i
    return best


RULES: dict[str, Rule] = {
    "dot_general": _dot_general,
    "ragged_dot_general": _ragged_dot,
    "conv_general_dilated": _convolution,
    "triangular_solve": _triangular_solve,
    "cholesky": _cholesky,
    "lu": _lu,
}
