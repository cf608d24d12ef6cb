"""Primitives that move, fold, sort or solve: against JAX's float64, with derivatives and vmap."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from jax import lax

from mog_jax.crosscheck.exact import UnknownPrimitive
from mog_jax.crosscheck.exact.balls import precision
from tests.crosscheck.exact.oracles import assert_agrees, exactly

RANDOM = np.random.default_rng(5)
MATRIX = RANDOM.normal(size=(3, 4))
VECTOR = RANDOM.normal(size=6)
CUBE = RANDOM.normal(size=(2, 3, 4))
SQUARE = RANDOM.normal(size=(3, 3)) + 3 * np.eye(3)
POSITIVE_DEFINITE = SQUARE @ SQUARE.T
INDICES = np.array([[2, 0], [1, 1], [0, 3], [2, 3]])

MOVING = {
    "broadcast": (lambda x: jnp.broadcast_to(x[:, None, :], (3, 2, 4)), MATRIX),
    "reshape": (lambda x: x.reshape(2, 6), MATRIX),
    "reshape in another order": (lambda x: lax.reshape(x, (12,), dimensions=(1, 0)), MATRIX),
    "transpose": (lambda x: jnp.transpose(x, (2, 0, 1)), CUBE),
    "squeeze": (lambda x: jnp.squeeze(x[:1], 0), MATRIX),
    "slice with steps": (lambda x: x[1:, ::2], MATRIX),
    "reverse": (lambda x: jnp.flip(x, 1), MATRIX),
    "tile": (lambda x: jnp.tile(x, (2, 3)), MATRIX),
    "concatenate": (lambda x: jnp.concatenate([x, 2 * x], axis=1), MATRIX),
    "stack": (lambda x: jnp.stack([x, -x], axis=1), MATRIX),
    "split": (lambda x: jnp.split(x, [1, 3], axis=1), MATRIX),
    "pad": (lambda x: lax.pad(x, 7.0, [(1, -1, 2), (-1, 2, 0)]), MATRIX),
    "iota": (lambda x: x * jnp.arange(4.0), MATRIX[0]),
    "dynamic slice": (
        lambda x: lax.dynamic_slice(x, (jnp.int32(2), jnp.int32(-1)), (2, 3)),
        MATRIX,
    ),
    "dynamic update": (
        lambda x: lax.dynamic_update_slice(x, 2 * x[:2, :3], (jnp.int32(1), jnp.int32(9))),
        MATRIX,
    ),
    "gather rows": (lambda x: x[jnp.array([2, 0, 2])], MATRIX),
    "gather elements": (lambda x: x[INDICES[:, 0], INDICES[:, 1]], MATRIX),
    "gather past the end": (
        lambda x: x.at[jnp.array([1, 9, -1])].get(mode="fill", fill_value=5.0),
        MATRIX,
    ),
    "gather clipped": (lambda x: x.at[:, jnp.array([1, 9])].get(mode="clip"), MATRIX),
    "take along axis": (
        lambda x: jnp.take_along_axis(x, jnp.array([[1], [0], [3]]), axis=1),
        MATRIX,
    ),
    "gather under vmap": (
        lambda x: jax.vmap(lambda row, i: row[i])(x, jnp.array([1, 0, 3])),
        MATRIX,
    ),
    "scatter": (lambda x: x.at[jnp.array([2, 0])].set(1.5), MATRIX),
    "scatter-add of repeats": (lambda x: x.at[jnp.array([2, 0, 2])].add(x), MATRIX),
    "scatter-add past the end": (lambda x: x.at[jnp.array([1, 9])].add(3.0, mode="drop"), MATRIX),
    "scatter-mul": (
        lambda x: x.at[:, jnp.array([1, 3])].mul(x[:, :2], unique_indices=True),
        MATRIX,
    ),
    "scatter-max": (lambda x: x.at[1].max(0.1), MATRIX),
    "scatter under vmap": (
        lambda x: jax.vmap(lambda row, i: row.at[i].add(1.0))(x, jnp.array([1, 0, 3])),
        MATRIX,
    ),
    "segment sum": (
        lambda x: jax.ops.segment_sum(x, jnp.array([0, 2, 2, 1, 0, 2]), num_segments=3),
        VECTOR,
    ),
    "diagonal": (jnp.diag, SQUARE),
    "triangle": (jnp.tril, SQUARE),
    "choice by number": (
        lambda x: lax.select_n(jnp.array([0, 2, 1, 2], jnp.int32), x[0], x[1], x[2]),
        MATRIX,
    ),
}

FOLDING = {
    "sum": (lambda x: jnp.sum(x, axis=(0, 2)), CUBE),
    "prod": (lambda x: jnp.prod(x, axis=1), MATRIX),
    "max": (lambda x: jnp.max(x, axis=1), MATRIX),
    "min": (lambda x: jnp.min(x, axis=(0, 1)), MATRIX),
    "cumsum": (lambda x: jnp.cumsum(x, axis=1), MATRIX),
    "cumulative sum from the end": (lambda x: lax.cumsum(x, axis=0, reverse=True), MATRIX),
    "cumprod": (lambda x: jnp.cumprod(x, axis=1), MATRIX),
    "cummax": (lambda x: lax.cummax(x, axis=1), MATRIX),
    "cumlogsumexp": (lambda x: lax.cumlogsumexp(x, axis=1), MATRIX),
    "logsumexp": (lambda x: jax.nn.logsumexp(x, axis=1), MATRIX),
    "softmax": (lambda x: jax.nn.softmax(x, axis=0), MATRIX),
    "variance": (lambda x: jnp.var(x, axis=1), MATRIX),
    "median": (jnp.median, VECTOR),
    "sort": (lambda x: jnp.sort(x, axis=0), MATRIX),
    "sort of two": (lambda x: lax.sort((jnp.round(x), x), num_keys=2), MATRIX),
    "top_k": (lambda x: lax.top_k(x, 2)[0], MATRIX),
    "norm": (jnp.linalg.norm, MATRIX),
}

GROUPS = jnp.array([1, 1], jnp.int32)
OF_BATCH = lax.RaggedDotDimensionNumbers((((2,), (2,)), ((0,), (0,))), [0], [])
OF_SUMMED = lax.RaggedDotDimensionNumbers((((2,), (2,)), ((0,), (0,))), [2], [])

LINEAR = {
    "dot": (lambda x: x @ x.T, MATRIX),
    "batched dot": (lambda x: jnp.einsum("bij,bkj->bik", x, x), CUBE),
    "tensor product": (lambda x: jnp.einsum("ij,kij->kj", x, jnp.stack([x, x])), MATRIX),
    "convolution": (lambda x: jnp.convolve(x, jnp.array([1.0, -2.0, 0.5]), mode="same"), VECTOR),
    "strided convolution": (
        lambda x: lax.conv_general_dilated(
            x[:, :, :],
            jnp.arange(12.0).reshape(2, 3, 2),
            window_strides=(2,),
            padding=[(1, 2)],
            lhs_dilation=(2,),
            rhs_dilation=(1,),
        ),
        CUBE,
    ),
    "grouped convolution": (
        lambda x: lax.conv_general_dilated(
            x[None, :2],
            jnp.arange(6.0).reshape(2, 1, 3),
            window_strides=(1,),
            padding="SAME",
            feature_group_count=2,
        ),
        MATRIX,
    ),
    "ragged dot": (lambda x: lax.ragged_dot(x, CUBE.reshape(2, 4, 3), jnp.array([2, 1])), MATRIX),
    "cholesky": (jnp.linalg.cholesky, POSITIVE_DEFINITE),
    "log-determinant": (lambda a: jnp.linalg.slogdet(a)[1], SQUARE),
    "solve": (lambda a: jnp.linalg.solve(a, jnp.arange(3.0)), SQUARE),
    "inverse": (jnp.linalg.inv, SQUARE),
    "triangular from the left": (
        lambda a: jax.scipy.linalg.solve_triangular(a, jnp.ones((3, 2)), lower=True, trans=1),
        SQUARE,
    ),
    "triangular from the right": (
        lambda a: lax.linalg.triangular_solve(a, jnp.ones((2, 3)), lower=False),
        SQUARE,
    ),
    "unit diagonal": (
        lambda a: lax.linalg.triangular_solve(
            a, jnp.ones((3, 2)), left_side=True, lower=True, unit_diagonal=True
        ),
        SQUARE,
    ),
    "solve by cholesky": (
        lambda a: jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(a), jnp.ones(3)),
        POSITIVE_DEFINITE,
    ),
}

LOOPS = {
    "cond": (lambda x: lax.cond(x[0] > 0, jnp.sin, jnp.cos, x), VECTOR),
    "switch": (lambda x: lax.switch(jnp.int32(7), [jnp.sin, jnp.cos, jnp.exp], x), VECTOR),
    "scan": (lambda x: lax.scan(lambda c, a: (c * jnp.sin(a), c + a), 1.0, x), VECTOR),
    "scan from the end": (
        lambda x: lax.scan(lambda c, a: (c * jnp.sin(a), c + a), 1.0, x, reverse=True),
        VECTOR,
    ),
    "scan of nothing": (lambda x: lax.scan(lambda c, a: (c, c * a), x[0], x[:0]), VECTOR),
    "for": (lambda x: lax.fori_loop(0, 4, lambda i, c: jnp.sin(c) + i, x), VECTOR),
    "map": (lambda x: lax.map(jnp.tanh, x), MATRIX),
    "associative scan": (lambda x: lax.associative_scan(jnp.multiply, x), VECTOR),
    "checkpoint": (jax.checkpoint(lambda x: jnp.sin(jnp.exp(x))), VECTOR),
    "custom_jvp": (jax.nn.relu, VECTOR),
    "custom_vjp under vmap": (lambda x: jax.vmap(_cube)(x), VECTOR),
}


@jax.custom_vjp
def _cube(x):
    return x**3


_cube.defvjp(lambda x: (x**3, x), lambda x, t: (3 * x**2 * t,))

ALL = MOVING | FOLDING | LINEAR | LOOPS


@pytest.mark.parametrize("name", ALL)
def test_value_agrees_with_jax(name):
    function, x = ALL[name]
    assert_agrees(jax.jit(function), x, rtol=1e-11)


def _scalar(function):
    # A weighted sum of the sines of all outputs: no derivative vanishes by symmetry.
    def scalar(x):
        leaves = [jnp.ravel(leaf) for leaf in jax.tree.leaves(function(x))]
        return sum(
            jnp.sum(jnp.sin(leaf) * jnp.cos(jnp.arange(1.0, leaf.size + 1))) for leaf in leaves
        )

    return scalar


@pytest.mark.parametrize("name", ALL)
def test_reverse_derivative_agrees_with_jax(name):
    function, x = ALL[name]
    assert_agrees(jax.jit(jax.grad(_scalar(function))), x, rtol=1e-10)


@pytest.mark.parametrize(
    "name", ["gather elements", "scatter-add of repeats", "cumprod", "logsumexp", "sort", "scan"]
)
def test_second_derivative_and_vmap_agree_with_jax(name):
    function, x = ALL[name]
    batch = np.stack([x, 0.5 * x[..., ::-1]])
    assert_agrees(jax.jit(jax.hessian(_scalar(function))), x, rtol=1e-9)
    assert_agrees(jax.jit(jax.vmap(jax.grad(_scalar(function)))), batch, rtol=1e-9)


@pytest.mark.parametrize("name", ["cholesky", "log-determinant", "solve"])
def test_forward_over_reverse_of_linear_algebra_agrees_with_jax(name):
    function, x = ALL[name]
    along = RANDOM.normal(size=x.shape)

    def second(x):
        return jax.jvp(jax.grad(_scalar(function)), (x,), (jnp.asarray(along),))[1]

    assert_agrees(jax.jit(second), x, rtol=1e-9)


@given(
    hnp.arrays(np.float64, (4, 3), elements=st.sampled_from([-2.0, -1.0, 0.0, 1.0, np.nan, np.inf]))
)
@settings(max_examples=10)
def test_order_with_ties_and_nan_is_that_of_jax(x):
    def program(x):
        return (
            jnp.argmax(x, axis=1),
            jnp.argmin(x, axis=0),
            jnp.argsort(x, axis=1),
            jnp.sort(x, axis=1),
            lax.sort((x, jnp.flip(x)), num_keys=2),
            jnp.max(x, axis=1),
            lax.cummin(x, axis=1),
            jnp.sum(jnp.isnan(x)),
            jnp.any(x > 1, axis=0),
            jnp.all(x < 1, axis=0),
        )

    assert_agrees(jax.jit(program), x)


def test_a_while_loop_runs_until_its_condition_on_reals_fails():
    def newton(a):
        def step(carry):
            x, _ = carry
            better = (x + a / x) / 2
            return better, jnp.abs(better - x)

        return lax.while_loop(lambda carry: carry[1] > 1e-30, step, (a, jnp.inf))[0]

    # Thirty digits: in floating point the loop would end at sixteen, by rounding.
    (value,) = exactly(newton, 2.0)
    with precision(300):
        assert abs(value.item() ** 2 - 2) < 1e-38


def test_the_pivots_of_a_factorisation_are_those_of_jax():
    a = RANDOM.normal(size=(2, 4, 3))
    assert_agrees(lax.linalg.lu, a)


def test_a_matrix_that_is_not_positive_definite_has_no_factor():
    (factor,) = exactly(jnp.linalg.cholesky, np.array([[1.0, 2.0], [2.0, 1.0]]))
    assert all(factor[i, j].is_nan() for i, j in [(0, 0), (1, 0), (1, 1)])


def test_under_vmap_each_element_leaves_a_while_loop_for_itself():
    def doublings(x):
        return lax.while_loop(lambda c: c[0] < 100, lambda c: (2 * c[0], c[1] + 1), (x, 0))

    assert_agrees(jax.vmap(doublings), np.array([1.0, 30.0, 500.0]))
    matrices = np.arange(8.0).reshape(2, 2, 2) + 1
    assert_agrees(
        jax.vmap(lambda m: lax.while_loop(lambda v: jnp.sum(v) < 90, lambda v: v @ v, m)), matrices
    )


@pytest.mark.parametrize("axes", [(0,), (1, 2), (0, 2)])
def test_several_arrays_are_folded_at_once_by_a_program(axes):
    def weighted_total(x):
        # The total of the values and of their weights, and the largest weight, in one fold.
        def join(one, other):
            return one[0] + other[0], one[1] + other[1], lax.max(one[2], other[2])

        weights = jnp.exp(-x)
        initial = (jnp.float64(0.5), jnp.float64(0), jnp.float64(0))
        return lax.reduce((x * weights, weights, weights), initial, join, axes)

    assert_agrees(weighted_total, CUBE)


def test_windows_are_folded_by_any_program():
    def join(one, other):
        return lax.max(one, other) + one * other

    def folded(x):
        return lax.reduce_window(x, 0.5, join, (2, 2), (1, 2), "SAME")

    assert_agrees(folded, MATRIX)
    assert_agrees(lambda x: lax.reduce_window(x, 1.0, lax.mul, (2, 1), (1, 1), "VALID"), MATRIX)


def test_several_arrays_are_folded_at_once_in_windows():
    def join(one, other):
        return lax.min(one[0], other[0]), one[1] * other[1]

    def folded(x):
        start = jnp.float64(np.inf), jnp.float64(1)
        return lax.reduce_window((x, x + 1), start, join, (3,), (1,), [(1, 0)])

    assert_agrees(folded, VECTOR)


@pytest.mark.parametrize("numbers", [OF_BATCH, OF_SUMMED], ids=["batch", "summed"])
def test_groups_of_a_batch_and_of_what_is_summed_over(numbers):
    assert_agrees(lambda x: lax.ragged_dot_general(x, x, GROUPS, numbers), CUBE)


def test_other_groups_for_each_of_a_batch_are_refused():
    sizes = jnp.array([[1, 1], [2, 0]])
    numbers = lax.RaggedDotDimensionNumbers((((2,), (1,)), ((0,), (0,))), [1], [3])
    operands = CUBE, np.ones((2, *CUBE.shape[2:], 4, 2))
    with pytest.raises(UnknownPrimitive, match="other groups for each element of a batch"):
        exactly(lambda x, y: lax.ragged_dot_general(x, y, sizes, numbers), *operands)
