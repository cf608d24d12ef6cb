"""Verdicts on derivatives through singular values, eigenvalues, QR and least squares."""

import jax.numpy as jnp
import numpy as np
import pytest

from mog_jax.crosscheck import crosscheck, crosscheck_rule

RANDOM = np.random.default_rng(0)
TALL, SQUARE = RANDOM.normal(size=(3, 2)), RANDOM.normal(size=(3, 3))
RANK_ONE = np.ones((3, 2))


def outer_of_first(a):
    u, _, vt = jnp.linalg.svd(a, full_matrices=False)
    return jnp.outer(u[:, 0], vt[0])


def polar(a):
    u, _, vt = jnp.linalg.svd(a, full_matrices=False)
    return u @ vt


def outer_of_largest(a):
    _, v = jnp.linalg.eigh(a)
    return jnp.outer(v[:, -1], v[:, -1])


def of_pinv(a):
    p = jnp.linalg.pinv(a)
    return -2 * p.T @ p @ p.T


def log_volume(a):
    return jnp.sum(jnp.log(jnp.abs(jnp.diag(jnp.linalg.qr(a)[1]))))


CASES = {
    "spectral norm": (lambda a: jnp.linalg.norm(a, 2), outer_of_first, [TALL, RANK_ONE]),
    "nuclear norm": (lambda a: jnp.linalg.norm(a, "nuc"), polar, [TALL]),
    "largest eigenvalue": (lambda a: jnp.linalg.eigvalsh(a)[-1], outer_of_largest, [SQUARE]),
    "pseudo-inverse": (lambda a: jnp.sum(jnp.linalg.pinv(a) ** 2), of_pinv, [TALL]),
    "volume by QR": (log_volume, lambda a: jnp.linalg.pinv(a).T, [TALL]),
    "log-determinant": (
        lambda a: jnp.linalg.slogdet(a)[1],
        lambda a: jnp.linalg.inv(a).T,
        [SQUARE],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_right_ones_pass_and_those_off_by_a_part_of_a_million_fail(name):
    function, derivative, matrices = CASES[name]
    inputs = [(matrix,) for matrix in matrices]
    report = crosscheck(function, derivative, inputs, order=1)
    assert report.ok, str(report)
    report = crosscheck(function, lambda a: derivative(a) * (1 + 1e-6), inputs, order=1)
    assert [finding.kind for finding in report.findings] == ["wrong_formula"]


def test_second_order_is_judged_beside_a_singular_value_far_below_any_step():
    almost_singular = np.array([[1.0, 0.0], [0.0, 2e-86], [0.0, 0.0]])
    function, derivative, _ = CASES["nuclear norm"]
    report = crosscheck(function, derivative, [(almost_singular,)])
    assert report.ok, str(report)


def test_least_squares_by_its_normal_equations():
    grid = np.vander(np.arange(4.0), 2)

    def cost(y):
        return jnp.sum(jnp.polyfit(jnp.arange(4.0), y, 1) ** 2)

    def by_hand(y):
        p = jnp.linalg.pinv(grid)
        return 2 * p.T @ (p @ y)

    report = crosscheck(cost, by_hand, [(RANDOM.normal(size=4),)], order=1)
    assert report.ok, str(report)


@pytest.mark.parametrize(
    ("function", "matrix"),
    [
        (jnp.linalg.pinv, RANK_ONE),
        (jnp.linalg.eigh, 0.5 * np.eye(3)),
        (lambda a: jnp.linalg.svd(a, full_matrices=False), np.zeros((3, 2))),
        (jnp.linalg.qr, np.zeros((3, 2))),
    ],
    ids=["pinv", "eigh", "svd", "qr"],
)
def test_what_nothing_determines_is_nobodys_fault(function, matrix):
    full = RANDOM.normal(size=matrix.shape)
    report = crosscheck_rule(function, function, [(matrix,), (full,)], order=1)
    assert report.ok, str(report)


def test_a_derivative_of_which_rounding_the_matrix_leaves_no_digit_is_nobodys():
    matrix = np.full((3, 3), 1e-38)
    np.fill_diagonal(matrix, 0.5)
    inputs = [(matrix,), (SQUARE,)]
    report = crosscheck_rule(jnp.linalg.eigh, jnp.linalg.eigh, inputs, order=1, normwise=True)
    assert report.ok, str(report)


def test_float32_may_take_the_other_sign_of_a_vector():
    matrix = np.diag([1.5, 0.5, 0.5])
    matrix[0, 2] = matrix[2, 0] = 3.1864649807644696e-10
    report = crosscheck_rule(jnp.linalg.eigh, jnp.linalg.eigh, [(matrix,)], order=0)
    assert report.ok, str(report)
    assert report.claims["value"].executions["float32"].inputs

    def twice_in_float32(a):
        found = jnp.linalg.eigh(a)
        factor = 2 if a.dtype == jnp.float32 else 1
        return found._replace(eigenvectors=found.eigenvectors * factor)

    report = crosscheck_rule(twice_in_float32, jnp.linalg.eigh, [(SQUARE,)], order=0)
    assert {finding.execution for finding in report.findings} == {"float32"}
