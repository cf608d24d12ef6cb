"""Eigenvalues, singular values, QR: they satisfy their definitions, and have JAX's signs."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mog_jax.crosscheck.exact import ball_arrays
from tests.crosscheck.exact.oracles import assert_agrees, exactly, to_floats

RANDOM = np.random.default_rng(0)
TALL, SQUARE = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(3, 3))
small = st.integers(-3, 3).map(float)


def svd(a):
    return jnp.linalg.svd(a, full_matrices=False)


def pushed(function):
    return lambda a: jax.jvp(function, (a,), (a * a - 1,))


@pytest.mark.parametrize("matrix", [TALL, TALL.T, SQUARE], ids=["tall", "wide", "square"])
@pytest.mark.parametrize(
    "function",
    [
        svd,
        jnp.linalg.qr,
        lambda a: jnp.linalg.svd(a, compute_uv=False),
        lambda a: jnp.linalg.norm(a, 2),
        lambda a: jnp.linalg.norm(a, "nuc"),
        jnp.linalg.pinv,
        lambda a: jnp.linalg.lstsq(a, a[:, 0] + 1)[0],
        lambda a: jnp.linalg.eigh(a @ a.T),
        lambda a: jnp.linalg.eigvalsh(a.T @ a),
    ],
)
def test_they_are_those_of_jax(function, matrix):
    assert_agrees(function, matrix)


@pytest.mark.parametrize("function", [svd, jnp.linalg.qr, lambda a: jnp.linalg.eigh(a[:3])])
def test_their_derivatives_are_those_of_jax(function):
    assert_agrees(pushed(function), TALL)


def test_each_matrix_of_a_batch_has_its_own():
    batch = np.stack([SQUARE, SQUARE.T, SQUARE @ SQUARE])
    for function in (svd, jnp.linalg.eigh, jnp.linalg.qr):
        assert_agrees(jax.vmap(function), batch)
        (first, *_) = exactly(jax.vmap(function), batch[:0])
        assert first.shape[0] == 0


@pytest.mark.parametrize("matrix", [TALL, TALL.T, SQUARE], ids=["tall", "wide", "square"])
def test_reflections_are_those_of_lapack(matrix):
    assert_agrees(lambda a: jnp.linalg.qr(a, mode="raw"), matrix)
    assert_agrees(lambda a: jnp.linalg.qr(a, mode="complete"), matrix)
    with_zeros = np.triu(np.ones_like(matrix)) + np.eye(*matrix.shape)
    assert_agrees(jnp.linalg.qr, with_zeros)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("transpose", [True, False])
def test_products_with_reflections_are_those_of_lapack(left, transpose):
    other = np.ones((4, 2)) + np.arange(2) if left else np.arange(8.0).reshape(2, 4)
    factors, scales = np.linalg.qr(TALL, mode="raw")

    def product(c):
        return jax.lax.linalg.ormqr(factors.T.copy(), scales, c, left=left, transpose=transpose)

    assert_agrees(product, other)


def test_triangles_pivots_and_least_squares():
    assert_agrees(lambda a: jax.lax.linalg.eigh(a, lower=False, symmetrize_input=False), SQUARE)
    assert_agrees(lambda a: jax.scipy.linalg.qr(a, mode="economic", pivoting=True), TALL)
    assert_agrees(lambda y: jnp.polyfit(jnp.arange(4.0), y, 2), TALL[:, 0])


def test_tridiagonal_systems():
    below, diagonal, above = TALL.T[:, :3] + np.array([[0.0], [4.0], [0.0]])
    assert_agrees(jax.lax.linalg.tridiagonal_solve, below, diagonal, above, SQUARE)
    (unknown,) = exactly(
        jax.lax.linalg.tridiagonal_solve, below, 0 * diagonal, 0 * above, SQUARE, limit=80
    )
    assert not ball_arrays.finite(unknown.ravel()).any()


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(float, (3, 3), elements=small))
def test_known_vectors_satisfy_what_defines_them(matrix):
    symmetric = matrix + matrix.T
    vectors, values = exactly(jax.lax.linalg.eigh, symmetric, limit=80)
    assert ball_arrays.finite(values).all()
    with ball_arrays.precision(300):
        for vector, value in zip(vectors.T, values, strict=True):
            if ball_arrays.finite(vector).all():
                residual = ball_arrays.as_balls(symmetric).dot(vector) - value * vector
                assert all(0 in r and float(r.rad()) < 1e-35 for r in residual)
                assert 1 in vector.dot(vector)
            else:
                assert sum(value.overlaps(other) for other in values) > 1
    left, right = to_floats(values), np.linalg.eigvalsh(symmetric)
    np.testing.assert_allclose(left, right, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(float, (3, 2), elements=small))
def test_singular_values_are_proved_to_be_zero_where_they_are(matrix):
    (sizes,) = exactly(lambda a: jnp.linalg.svd(a, compute_uv=False), matrix, limit=80)
    rank = np.linalg.matrix_rank(matrix)
    assert [size.is_zero() for size in sizes] == [k >= rank for k in range(2)]


def test_vectors_of_a_multiple_eigenvalue_are_unknown_and_the_others_are_not():
    vectors, values = exactly(jax.lax.linalg.eigh, np.diag([2.0, 1.0, 2.0]), limit=80)
    assert [v == w for v, w in zip(values, (1, 2, 2), strict=True)] == [True] * 3
    known = [ball_arrays.finite(vector).all() for vector in vectors.T]
    assert known == [True, False, False]


def test_small_eigenvalues_of_a_graded_matrix_have_all_their_digits():
    scale = np.array([1e10, 1.0, 1e-10])
    graded = (SQUARE + SQUARE.T) * scale[:, None] * scale
    _, values = exactly(jax.lax.linalg.eigh, graded)
    with mpmath.workdps(150):
        wanted = sorted(mpmath.eigsy(mpmath.matrix(graded.tolist()), eigvals_only=True))
        for value, true in zip(values, wanted, strict=True):
            with ball_arrays.precision(400):
                assert abs(value / arb(mpmath.nstr(true, 80)) - 1) < 1e-35


def test_what_is_not_finite_has_unknown_factors():
    (values,) = exactly(jnp.linalg.eigvalsh, SQUARE * np.inf, limit=80)
    assert not ball_arrays.finite(values).any()


def put_together(a):
    left, sizes, right = svd(a)
    return (left * sizes[None]) @ right


@pytest.mark.parametrize("shape", [(3, 2), (2, 3), (2, 1)], ids=str)
def test_left_vectors_of_a_zero_singular_value_are_unknown(shape):
    left, sizes, right = exactly(svd, np.zeros(shape), limit=80)
    assert all(size.is_zero() for size in sizes)
    assert not ball_arrays.finite((right if shape[0] < shape[1] else left).ravel()).any()
    (whole,) = exactly(put_together, np.zeros(shape), limit=80)
    assert all(value.is_zero() for value in whole.flat)
