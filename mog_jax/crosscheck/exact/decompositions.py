r"""Rules for factorisations: eigenvalues, singular values, QR.

A symmetric matrix is rotated by Jacobi's method. The angles are found approximately, but taken as
exact numbers, and each rotation is then carried out in balls: so :math:`D=Q^\top AQ` is enclosed
for a :math:`Q` that is exactly orthogonal. What is left beside the diagonal of :math:`D` bounds
how far its eigenvalues (Weyl) and eigenvectors are from those of its diagonal. Singular values are
the roots of the eigenvalues of :math:`A^\top A`.

Eigenvectors of a multiple eigenvalue are not determined, nor are left singular vectors of a zero
singular value, and nothing is known of them here. Of the two signs that a vector can have, it is
given the one that JAX gives it in floating point.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flint
import jax
import numpy as np
from flint import arb

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import ball_arrays, balls, deadlines
from mog_jax.crosscheck.exact.balls import UNKNOWN, ZERO, Ball
from mog_jax.crosscheck.exact.evaluation import Evaluation, Rule

Operands = Sequence[Array]
Params = dict[str, Any]
# Jacobi's method converges quadratically: this is never reached.
_MOST_SWEEPS = 60


class Spectrum(NamedTuple):
    """Eigenvalues in ascending order, and the eigenvectors as columns, of unit length."""

    values: Array
    vectors: Array


def spectrum(matrix: Array) -> Spectrum:
    """Enclose eigenvalues and eigenvectors of a symmetric matrix of balls."""
    n = len(matrix)
    if not ball_arrays.finite(matrix.reshape(-1)).all():
        return Spectrum(_unknown(n), _unknown(n, n))
    diagonalised, rotation = _rotated(matrix)
    rest = abs(diagonalised)
    rest[np.diag_indices(n)] = ZERO
    centres = np.diagonal(diagonalised)
    order = sorted(range(n), key=lambda i: _middle(centres, i))
    slack = [arb(c.rad() + sum(row, ZERO).upper()) for c, row in zip(centres, rest, strict=True)]
    radius = arb(0, max(slack, default=ZERO).upper())
    values = np.array([centres[i].mid() + radius for i in order], dtype=object)
    values = _with_certain_zeros(values, matrix)
    columns = [_vector(values[k], i, centres, rest) for k, i in enumerate(order)]
    inside = np.stack(columns, axis=-1) if n else _unknown(0, 0)
    return Spectrum(values, _product(rotation, inside))


def _middle(values: Array, i: int) -> Ball:
    return values[i].mid()


def _unknown(*shape: int) -> Array:
    return np.full(shape, UNKNOWN, dtype=object)


def _rotated(matrix: Array) -> tuple[Array, Array]:
    """Rotate a symmetric matrix until it is almost diagonal; also return the rotation."""
    n = len(matrix)
    d, q = matrix.copy(), ball_arrays.as_balls(np.eye(n))
    size = arb(max((abs(v).upper() for v in d.flat), default=ZERO))
    negligible = size * arb(2) ** -flint.ctx.prec
    for _ in range(_MOST_SWEEPS):
        deadlines.check("eigenvalues", 10 * n**3)
        still = True
        for i in range(n):
            for j in range(i + 1, n):
                beside = d[i, j]
                if abs(beside.mid()) <= beside.rad() or abs(beside.mid()) <= negligible:
                    continue
                still = False
                cosine, sine = _rotation(d[i, i].mid(), d[j, j].mid(), beside.mid())
                _turn(d.T, i, j, cosine, sine)
                _turn(d, i, j, cosine, sine)
                _turn(q, i, j, cosine, sine)
        if still:
            break
    return d, q


def _rotation(first: Ball, second: Ball, beside: Ball) -> tuple[Ball, Ball]:
    """Return cosine and sine of an exact angle that makes an off-diagonal entry small."""
    ratio = (second - first) / (2 * beside)
    tangent = 1 / (abs(ratio) + (1 + ratio**2).sqrt())
    tangent = arb((tangent if ratio >= 0 else -tangent).mid())
    cosine = (1 + tangent**2).rsqrt()
    return cosine, tangent * cosine


def _turn(matrix: Array, i: int, j: int, cosine: Ball, sine: Ball) -> None:
    """Rotate two columns."""
    first, second = matrix[:, i].copy(), matrix[:, j].copy()
    matrix[:, i] = cosine * first - sine * second
    matrix[:, j] = sine * first + cosine * second


def _with_certain_zeros(values: Array, matrix: Array) -> Array:
    """Replace eigenvalues that are 0 by an exact 0: a matrix of exact numbers shows its rank."""
    around = [i for i, value in enumerate(values) if 0 in value and not value.is_zero()]
    if not around or not all(v.is_exact() for v in matrix.flat):
        return values
    entries = [[_fraction(v) for v in row] for row in matrix]
    if len(values) - flint.fmpq_mat(entries).rank() >= len(around):
        values = values.copy()
        values[around] = arb(0)
    return values


def _fraction(value: Ball) -> Any:
    mantissa, exponent = value.man_exp()
    power = flint.fmpz(2) ** abs(int(exponent))
    return flint.fmpq(mantissa * power if exponent >= 0 else mantissa) / (
        power if exponent < 0 else 1
    )


def _vector(value: Ball, i: int, centres: Array, rest: Array) -> Array:
    r"""Enclose an eigenvector of an almost diagonal matrix, in the coordinates of its diagonal.

    With :math:`x_i=1` the others obey :math:`(d_j-\lambda)x_j=-f_{ji}-\sum_k f_{jk}x_k`. Where
    every :math:`|d_j-\lambda|` is at least :math:`g`, and :math:`\sum_k|f_{jk}|\le b<g`, they are
    at most :math:`r=\max_j|f_{ji}|/(g-b)`, and :math:`x_i\ne0`, because by Gershgorin the matrix
    without row and column :math:`i` does not have the eigenvalue.
    """
    others = [j for j in range(len(centres)) if j != i]
    gaps = [arb(abs(centres[j] - value).abs_lower()) for j in others]
    beside = [arb(rest[j, i].upper()) for j in others]
    among = [arb(sum((rest[j, k] for k in others), ZERO).upper()) for j in others]
    smallest, most = min(gaps, default=arb(1)), max(among, default=ZERO)
    if not smallest > most:
        return _unknown(len(centres))
    radius = arb((max(beside, default=ZERO) / (smallest - most)).upper())
    vector = np.full(len(centres), arb(1), dtype=object)
    for j, gap, own, inner in zip(others, gaps, beside, among, strict=True):
        vector[j] = arb(0, ((own + inner * radius) / gap).upper())
    return np.asarray(vector / _length(vector), dtype=object)


def _length(vector: Array) -> Ball:
    return sum((balls.whole_power(v, 2) for v in vector), arb(0)).sqrt()


def _product(x: Array, y: Array) -> Array:
    terms = np.frompyfunc(balls.multiply, 2, 1)(x[:, :, None], y[None, :, :])
    if not x.shape[1]:
        return np.full((len(x), y.shape[1]), ZERO, dtype=object)
    return np.asarray(np.frompyfunc(balls.add, 2, 1).reduce(terms, axis=1), dtype=object)


def _floats(x: Array) -> Array:
    return np.array([float(v.mid()) if v.is_finite() else np.nan for v in x.flat]).reshape(x.shape)


def _signs(columns: Array, machine: Array) -> Array:
    """Return, as balls, the sign that turns each column towards that of the machine."""
    towards = (np.nan_to_num(_floats(columns)) * np.nan_to_num(machine)).sum(axis=0)
    return np.array([arb(-1) if t < 0 else arb(1) for t in towards], dtype=object)


def _by_matrix(name: str, factorise: Callable[[Array, Params], Sequence[Array]]) -> Rule:
    """Return a rule from a function of one matrix; equal matrices have the same factors."""

    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> list[Array]:
        (x,) = operands
        key = name, tuple(sorted((k, str(v)) for k, v in params.items()))
        found = [
            evaluation.once((*key, x[at].shape), lambda m: factorise(m, params), x[at])
            for at in np.ndindex(*x.shape[:-2])
        ]
        if not found:
            shapes = [part.shape for part in factorise(_unknown(*x.shape[-2:]), params)]
            return [np.empty((*x.shape[:-2], *shape), object) for shape in shapes]
        return [
            np.stack(parts).reshape(*x.shape[:-2], *parts[0].shape)
            for parts in zip(*found, strict=True)
        ]

    return rule


# JAX's factorisations of a matrix of doubles, by name.
_MACHINE: dict[str, Callable[..., Any]] = {
    "eigh": lambda x, lower: jax.lax.linalg.eigh(x, lower=lower, symmetrize_input=False),
    "svd": lambda x: jax.lax.linalg.svd(x, full_matrices=False),
    "qr": lambda x, pivoting: jax.lax.linalg.qr(x, full_matrices=False, pivoting=pivoting),
}


def _on_the_machine(name: str, x: Array, *options: bool) -> list[Array]:
    """Return the factors of the nearest double-precision matrix, by JAX."""
    floats = _floats(x)
    return _of_doubles(name, floats.tobytes(), floats.shape, options)


@functools.lru_cache(maxsize=64)
def _of_doubles(
    name: str, data: bytes, shape: tuple[int, ...], options: tuple[bool, ...]
) -> list[Array]:
    floats = np.frombuffer(data, np.float64).reshape(shape)
    with jax.enable_x64(True):
        return [np.asarray(part) for part in jax.tree.leaves(_MACHINE[name](floats, *options))]


def _eigh(matrix: Array, params: Params) -> list[Array]:
    triangle = np.tril(matrix) if params["lower"] else np.triu(matrix).T
    whole = np.where(_lower_part(matrix.shape), triangle, triangle.T)
    found = spectrum(whole)
    machine, _ = _on_the_machine("eigh", whole, params["lower"])
    return [found.vectors * _signs(found.vectors, machine), found.values]


def _lower_part(shape: tuple[int, ...]) -> Array:
    rows, columns = np.indices(shape)
    return np.asarray(rows >= columns)


def _svd(matrix: Array, params: Params) -> list[Array]:
    rows, columns = matrix.shape
    wide = rows < columns
    tall = matrix.T if wide else matrix
    found = spectrum(_product(tall.T, tall))
    squares, right = found.values[::-1], found.vectors[:, ::-1]
    sizes = np.array([v.nonnegative_part().sqrt() for v in squares], dtype=object)
    if not params["compute_uv"]:
        return [sizes]
    left = np.frompyfunc(balls.divide, 2, 1)(_product(tall, right), sizes)
    # If a singular value may be 0, its left vector is unknown; the quotient with an exact 0 could
    # absorb that.
    left[:, [0 in size for size in sizes]] = UNKNOWN
    left, right = (right, left) if wide else (left, right)
    _, _, machine = _on_the_machine("svd", matrix)
    signs = _signs(right, machine.T)
    left, right = left * signs, right * signs
    if params["full_matrices"]:
        left, right = _widened(left), _widened(right)
    return [sizes, left, right.T]


def _widened(vectors: Array) -> Array:
    """Complete columns to a square matrix; the added columns are unknown, as no basis is unique."""
    return np.concatenate(
        [vectors, _unknown(len(vectors), len(vectors) - vectors.shape[1])], axis=1
    )


def _qr(matrix: Array, params: Params) -> list[Array]:
    q, r, *order = _on_the_machine("qr", matrix, params["pivoting"])
    del q
    if order:
        matrix = matrix[:, order[0]]
    rows, columns = matrix.shape
    factors, scales = _reflected(matrix, np.diagonal(r))
    width = rows if params["full_matrices"] else min(rows, columns)
    triangle = factors[:width].copy()
    triangle[~_lower_part(triangle.T.shape).T] = arb(0)
    return [_product_of_reflections(factors, scales, width), triangle, *order]


def _geqrf(matrix: Array, params: Params) -> list[Array]:
    _, r = _on_the_machine("qr", matrix, False)
    return list(_reflected(matrix, np.diagonal(r)))


def _reflected(matrix: Array, diagonal: Array) -> tuple[Array, Array]:
    """Make a matrix triangular by reflections, in the form and with the signs of LAPACK."""
    matrix = matrix.copy()
    rows, columns = matrix.shape
    scales = np.full(min(rows, columns), arb(0), dtype=object)
    for k in range(min(rows, columns)):
        below = matrix[k + 1 :, k]
        if all(v.is_zero() for v in below):
            continue
        size, first = _length(matrix[k:, k]), matrix[k, k]
        pivot = -size if diagonal[k] < 0 else size
        scales[k] = balls.divide(pivot - first, pivot)
        matrix[k + 1 :, k] = [balls.divide(v, first - pivot) for v in below]
        matrix[k, k] = pivot
        _reflect(matrix[k:, k + 1 :], matrix[k + 1 :, k], scales[k])
    return matrix, scales


def _reflect(matrix: Array, vector: Array, scale: Ball) -> None:
    """Multiply by ``1 - scale v v'`` from the left, with 1 before the vector given."""
    if not matrix.size:
        return
    whole = np.array([arb(1), *vector], dtype=object)
    along = _product(whole[None, :], matrix)
    matrix -= _product(whole[:, None] * scale, along)


def _product_of_reflections(factors: Array, scales: Array, width: int) -> Array:
    result = ball_arrays.as_balls(np.eye(len(factors), width))
    for k in reversed(range(len(scales))):
        _reflect(result[k:], factors[k + 1 :, k], scales[k])
    return result


def _householder_product(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    factors, scales = operands
    result = np.empty(factors.shape, dtype=object)
    for at in np.ndindex(*factors.shape[:-2]):
        result[at] = _product_of_reflections(factors[at], scales[at], factors.shape[-1])
    return result


def _ormqr(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    factors, scales, right = operands
    if not params["left"]:  # C Q is (Q' C')'.
        right = np.swapaxes(right, -1, -2)
    transposed = params["transpose"] == params["left"]
    result = right.copy()
    for at in np.ndindex(*right.shape[:-2]):
        steps = range(scales.shape[-1])
        for k in steps if transposed else reversed(steps):
            _reflect(result[at][k:], factors[at][k + 1 :, k], scales[at][k])
    return result if params["left"] else np.swapaxes(result, -1, -2)


def _tridiagonal_solve(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    below, diagonal, above, right = operands
    solution = np.empty(right.shape, dtype=object)
    n = diagonal.shape[-1]
    for at in np.ndindex(*diagonal.shape[:-1]):
        matrix = flint.arb_mat(n, n)
        for i in range(n):
            matrix[i, i] = diagonal[at][i]
            if i:
                matrix[i, i - 1], matrix[i - 1, i] = below[at][i], above[at][i - 1]
        try:
            found = matrix.solve(flint.arb_mat(right[at].tolist())).tolist()
        except ZeroDivisionError:
            solution[at] = UNKNOWN
        else:
            solution[at] = np.array(found, dtype=object)
    return solution


RULES: dict[str, Rule] = {
    "eigh": _by_matrix("eigh", _eigh),
    "svd": _by_matrix("svd", _svd),
    "qr": _by_matrix("qr", _qr),
    "geqrf": _by_matrix("geqrf", _geqrf),
    "ormqr": _ormqr,
    "householder_product": _householder_product,
    "tridiagonal_solve": _tridiagonal_solve,
}
