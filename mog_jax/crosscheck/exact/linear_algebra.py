"""Rules for products and factors of matrices, batched over leading axes."""

from collections.abc import Callable
from typing import Any

import flint
import numpy as np

from mog_jax.crosscheck.exact.elementwise import NAN, ZERO, divide, multiply, on_integers
from mog_jax.crosscheck.exact.rules import Array, each, is_exact_kind, less, rule

_multiply = each(multiply, 2)


@rule("dot_general")
def _dot_general(left: Array, right: Array, *, dimension_numbers: Any, **params: Any) -> Any:
    if not (is_exact_kind(left) or is_exact_kind(right)):
        return on_integers("dot_general")(
            left, right, dimension_numbers=dimension_numbers, **params
        )
    (contract_left, contract_right), (batch_left, batch_right) = dimension_numbers

    def arranged(x: Array, batch: Any, contract: Any) -> tuple[Array, tuple[int, ...]]:
        free = [axis for axis in range(x.ndim) if axis not in (*batch, *contract)]
        sizes = [int(np.prod([x.shape[a] for a in axes])) for axes in (batch, free, contract)]
        shape = tuple(x.shape[axis] for axis in free)
        return np.transpose(x, [*batch, *free, *contract]).reshape(sizes), shape

    rows, left_shape = arranged(left, batch_left, contract_left)
    columns, right_shape = arranged(right, batch_right, contract_right)
    batch_shape = tuple(left.shape[axis] for axis in batch_left)
    terms = _multiply(rows[:, :, None, :], columns[:, None, :, :])
    total = terms.sum(axis=-1) if terms.shape[-1] else np.full(terms.shape[:-1], ZERO, object)
    return np.asarray(total, dtype=object).reshape(batch_shape + left_shape + right_shape)


def batched(function: Callable[..., Any], *matrices: Array) -> Any:
    """Apply a function of matrices to each of a batch, and stack what it gives."""
    batch = matrices[0].shape[:-2]
    if not batch:
        return function(*matrices)
    results = [function(*(matrix[place] for matrix in matrices)) for place in np.ndindex(batch)]
    if isinstance(results[0], tuple):
        return [np.stack(part).reshape(*batch, *part[0].shape) for part in zip(*results, strict=True)]
    return np.stack(results).reshape(*batch, *results[0].shape)


@rule("cholesky")
def _cholesky(x: Array, **params: Any) -> Any:
    return batched(_cholesky_factor, x)


def _cholesky_factor(x: Array) -> Array:
    n = len(x)
    factor = np.full((n, n), ZERO, dtype=object)
    for i in range(n):
        for j in range(i + 1):
            # JAX takes the mean of the two triangles, so that the derivative is symmetric.
            rest = x[i, j] - sum((factor[i, k] * factor[j, k] for k in range(j)), ZERO)
            if i == j:
                if not rest > 0:
                    return np.full((n, n), NAN, dtype=object)
                factor[i, i] = rest.sqrt()
            else:
                factor[i, j] = rest / factor[j, j]
    return factor


@rule("triangular_solve")
def _triangular_solve(
    a: Array,
    b: Array,
    *,
    left_side: bool,
    lower: bool,
    transpose_a: bool,
    unit_diagonal: bool,
    **params: Any,
) -> Any:
    def solve(a: Array, b: Array) -> Array:
        if not left_side:
            # x a = b is the transpose of a' x' = b'.
            return _substitute(a.T, b.T, not lower, transpose_a, unit_diagonal).T
        return _substitute(a, b, lower, transpose_a, unit_diagonal)

    return batched(solve, a, b)


def _substitute(a: Array, b: Array, lower: bool, transposed: bool, unit: bool) -> Array:
    if transposed:
        a, lower = a.T, not lower
    n = len(a)
    x = np.array(b, dtype=object)
    for i in range(n) if lower else range(n - 1, -1, -1):
        known = range(i) if lower else range(i + 1, n)
        for j in known:
            x[i] = x[i] - _multiply(a[i, j], x[j])
        if not unit:
            x[i] = each(divide, 2)(x[i], a[i, i])
    return x


@rule("lu")
def _lu(x: Array, **params: Any) -> Any:
    return batched(_lu_factor, x)


def _lu_factor(x: Array) -> tuple[Array, Array, Array]:
    factors = np.array(x, dtype=object)
    rows, columns = factors.shape
    order = np.arange(rows, dtype=np.int32)
    pivots = np.arange(min(rows, columns), dtype=np.int32)
    for k in range(min(rows, columns)):
        best = k
        for i in range(k + 1, rows):
            if less(abs(factors[best, k]), abs(factors[i, k]), "pivot"):
                best = i
        pivots[k] = best
        factors[[k, best]] = factors[[best, k]]
        order[[k, best]] = order[[best, k]]
        for i in range(k + 1, rows):
            factors[i, k] = divide(factors[i, k], factors[k, k])
            for j in range(k + 1, columns):
                factors[i, j] = factors[i, j] - multiply(factors[i, k], factors[k, j])
    return factors, pivots, order


@rule("lu_pivots_to_permutation")
def _lu_pivots_to_permutation(pivots: Array, *, permutation_size: int, **params: Any) -> Array:
    batch = pivots.shape[:-1]
    result = np.empty((*batch, permutation_size), dtype=np.int32)
    for place in np.ndindex(batch):
        order = np.arange(permutation_size, dtype=np.int32)
        for k, pivot in enumerate(pivots[place]):
            order[[k, pivot]] = order[[pivot, k]]
        result[place] = order
    return result


def is_ball(value: Any) -> bool:
    """Whether a value is one ball."""
    return isinstance(value, flint.arb)
