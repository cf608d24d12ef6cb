"""Functions with their own rule, compared with the same function without it."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from benchmarks.planted.case import Collection, Subject
from benchmarks.planted.draws import array, log_uniform, signed
from benchmarks.planted.traps import with_tangent

planted = Collection()


def softplus(x):
    """Sum of log(1 + exp(x))."""
    return jnp.sum(jax.nn.logsumexp(jnp.stack([x, jnp.zeros_like(x)]), axis=0))


SOFTPLUS = Subject(
    name="softplus_rule",
    function=softplus,
    inputs=st.tuples(array(st.one_of(st.floats(-30, 30), signed(log_uniform(1e-6, 1e3))), 3)),
    typical=lambda rng: (rng.normal(size=3),),
)


def _by(slope):
    """Give softplus the rule that its derivative is `slope`."""
    return with_tangent(softplus, lambda x, t: jnp.sum(slope(x[0]) * t[0]))


_right = _by(jax.nn.sigmoid)
_mirrored = _by(lambda x: jax.nn.sigmoid(-x))
_frozen = _by(lambda x: jax.lax.stop_gradient(jax.nn.sigmoid(x)))
_complement = _by(lambda x: 1 - jax.nn.sigmoid(-x))


@planted.bug(SOFTPLUS, "sign", "wrong_formula")
def mirrored(x):
    """The sigmoid of minus x: right at 0."""
    return _mirrored(x)


@planted.bug(SOFTPLUS, "second order", "wrong_second_order")
def slope_frozen(x):
    """The slope is a constant to the second derivative."""
    return _frozen(x)


@planted.bug(SOFTPLUS, "cancellation", "unstable", "not_finite")
def complement(x):
    """1 - sigmoid(-x): nothing is left where x is very negative."""
    return _complement(x)


@jax.custom_vjp
def _keeps_output(x):
    return softplus(x)


def _keeps_output_forward(x):
    return softplus(x), jnp.maximum(x, 0)


def _keeps_output_backward(kept, cotangent):
    return (cotangent * jax.nn.sigmoid(kept),)


_keeps_output.defvjp(_keeps_output_forward, _keeps_output_backward)


@planted.bug(SOFTPLUS, "dropped", "wrong_formula")
def wrong_residual(x):
    """The backward pass is handed max(x, 0) in the place of x."""
    return _keeps_output(x)


@planted.rewriting(SOFTPLUS)
def sigmoid_rule(x):
    """The sigmoid, as a forward rule."""
    return _right(x)


def solve_by_cramer(matrix, b):
    """Solve two equations in two unknowns."""
    (a, c), (d, e) = matrix
    return jnp.stack([e * b[0] - c * b[1], a * b[1] - d * b[0]]) / (a * e - c * d)


def solution_norm(matrix, b):
    """Half the squared length of the solution of two linear equations."""
    return 0.5 * jnp.sum(jnp.square(solve_by_cramer(matrix, b)))


@st.composite
def _equations(draw: st.DrawFn):
    matrix = draw(array(st.floats(-1, 1), 2, 2)) + 3 * np.eye(2)
    return matrix, draw(array(st.floats(-3, 3), 2))


SOLVE = Subject(
    name="solve_rule",
    function=solution_norm,
    wrt=(0, 1),
    inputs=_equations(),
    typical=lambda rng: (rng.normal(size=(2, 2)) + 3 * np.eye(2), rng.normal(size=2)),
)


def _solve(matrix, b, transpose):
    return jax.lax.custom_linear_solve(
        lambda x: matrix @ x,
        b,
        solve=lambda _, right: solve_by_cramer(matrix, right),
        transpose_solve=lambda _, right: solve_by_cramer(transpose(matrix), right),
    )


@planted.bug(SOLVE, "index", "forward_reverse_differ")
def transpose_forgotten(matrix, b):
    """The transposed system is solved with the matrix itself: the reverse mode alone is wrong."""
    return 0.5 * jnp.sum(jnp.square(_solve(matrix, b, lambda m: m)))


@planted.rewriting(SOLVE)
def custom_linear_solve(matrix, b):
    """Through JAX's own rule for solves."""
    return 0.5 * jnp.sum(jnp.square(_solve(matrix, b, jnp.transpose)))
