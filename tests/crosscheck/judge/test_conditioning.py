"""The error measure, against a slow oracle that moves every number of a program in turn."""

import functools
import itertools
import types

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from mog_jax.crosscheck import crosscheck_rule
from mog_jax.crosscheck.exact.ball_arrays import as_balls, flat, precision
from mog_jax.crosscheck.exact.refinement import evaluate_at
from mog_jax.crosscheck.jaxprs import bind, is_float, run
from mog_jax.crosscheck.judge.conditioning import (
    _bind_differentiable,
    input_scales,
    rounded_constants,
    scales,
)
from tests.crosscheck.exact.oracles import exactly, in_floats, to_floats

BITS = 400
STEP = 1e-40
U = 2.0**-53


def traced(function, *args):
    with jax.enable_x64(True):
        return jax.make_jaxpr(function)(*args)


def measured(make, function, *args):
    """Error scales as the harness computes them."""
    with jax.enable_x64(True):
        program = compiled(make, function, tuple(np.shape(arg) for arg in args))
        return [np.asarray(scale) for scale in program(*args)]


@functools.cache
def compiled(make, function, shapes):
    return jax.jit(make(traced(function, *map(jnp.zeros, shapes))))


def moving_everything(function, *args):
    """A slow oracle: move one number of the program at a time, in exact arithmetic.

    Every input and every result of an equation is multiplied by 1 + 1e-40 for the sensitivity to
    its relative error, and moved by 1e-40 for that to an absolute one.
    """
    closed = traced(function, *args)
    alone = {}

    def on_its_own(equation):
        if id(equation) not in alone:
            with jax.enable_x64(True):
                avals = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.invars]
                alone[id(equation)] = jax.make_jaxpr(lambda *xs: bind(equation, xs))(*avals)
        return alone[id(equation)]

    def outputs(moved=None, by_factor=True):
        numbers = itertools.count()

        def touched(values):
            values = as_balls(values).copy()
            for place in np.ndindex(values.shape):
                if next(numbers) == moved:
                    with precision(BITS):
                        values[place] += values[place] * STEP if by_factor else STEP
            return values

        def rule(equation, operands):
            results = evaluate_at(on_its_own(equation), operands, BITS)
            pairs = zip(equation.outvars, results, strict=True)
            return [touched(r) if is_float(v.aval) else r for v, r in pairs]

        inputs = [touched(as_balls(np.asarray(arg, np.float64))) for arg in args]
        return flat(run(closed.jaxpr, closed.consts, inputs, rule)), next(numbers)

    with precision(BITS):
        start, count = outputs()
        factors = [abs(outputs(i, True)[0] - start) / STEP for i in range(count)]
        shifts = [abs(outputs(i, False)[0] - start) / STEP for i in range(count)]
        relative = np.sum(np.square(factors), axis=0)
        absolute = np.sum(shifts, axis=0)
    return np.sqrt(to_floats(relative)), to_floats(absolute)


def assert_measured_right(function, *args):
    ours = measured(scales, function, *args)
    theirs = moving_everything(function, *args)
    for mine, slow in zip(ours[:2], theirs, strict=True):
        np.testing.assert_allclose(mine, slow, rtol=1e-9, atol=1e-30)


vectors = st.lists(
    st.floats(0.01, 100) | st.floats(-100, -0.01) | st.sampled_from([1.0, -1e8, 1e8]),
    min_size=3,
    max_size=3,
).map(np.array)

PROGRAMS = {
    "sum": lambda x: jnp.sum(x) - 1,
    "product": lambda x: x * x[::-1] + 3,
    "norm": lambda x: x / jnp.sqrt(x @ x),
    "logsumexp": lambda x: jax.nn.logsumexp(x / 30),
    "gradient": jax.grad(lambda x: jnp.sum(jnp.log1p(jnp.square(x))) * x[0]),
    "jitted": jax.jit(lambda x: jnp.cumsum(jnp.tanh(x / 10)) ** 2),
    "branches": lambda x: jnp.where(x > 0, jnp.sqrt(jnp.abs(x)), x**2),
    "matrix": lambda x: jnp.outer(x, x) @ jnp.ones(3),
}


@pytest.mark.parametrize("name", PROGRAMS)
@given(x=vectors)
@settings(max_examples=5)
def test_sensitivities_are_those_of_moving_every_number(name, x):
    assert_measured_right(PROGRAMS[name], x)


def test_a_loop_counts_as_its_steps_written_out():
    def looped(x, coefficients):
        step = lambda total, c: (total * x + c, jnp.sin(total))  # noqa: E731
        total, seen = lax.scan(step, jnp.zeros(()), coefficients)
        return total + jnp.sum(seen)

    def written_out(x, coefficients):
        total, seen = jnp.zeros(()), []
        for i in range(4):
            seen.append(jnp.sin(total))
            total = total * x + coefficients[i]
        return total + jnp.sum(jnp.stack(seen))

    args = 0.7, np.array([1.0, -2.0, 3.0, 4.0])
    loop, steps = measured(scales, looped, *args), measured(scales, written_out, *args)
    # Taking a coefficient out of the array copies it, and a copy counts again; 1 to 2 in all.
    assert loop[0] <= steps[0] <= 2 * loop[0]
    assert loop[0] > measured(input_scales, looped, *args)[0]


@pytest.mark.parametrize("x", [2.0, -2.0])
def test_of_branches_the_one_taken_counts(x):
    def steep(x):
        return (x + 1e9) - 1e9

    def branching(x):
        return lax.cond(x > 0, steep, lambda x: 3 * x, x)

    taken = steep if x > 0 else (lambda x: 3 * x)
    np.testing.assert_allclose(
        measured(scales, branching, x)[0], measured(scales, taken, x)[0], rtol=1e-12
    )


def cubic(x):
    return jnp.sum(x) * x * x


@given(x=vectors, exponent=st.integers(-200, 200))
def test_the_unit_of_measurement_does_not_matter(x, exponent):
    """A homogeneous function's relative error scale is unchanged; exactly, by a power of two."""
    relative, *_ = measured(scales, cubic, x)
    scaled, *_ = measured(scales, cubic, x * 2.0**exponent)
    np.testing.assert_allclose(scaled, relative * 2.0 ** (3 * exponent), rtol=1e-12)


@pytest.mark.parametrize("name", PROGRAMS)
@given(x=vectors)
@settings(max_examples=30)
def test_right_programs_stay_within_a_few_roundings(name, x):
    """The error is a few roundings at most, with and without cancellation."""
    (exact,) = exactly(PROGRAMS[name], x)
    (got,) = in_floats(PROGRAMS[name], x)
    relative, *_ = measured(scales, PROGRAMS[name], x)
    bound = U * np.maximum(relative.reshape(got.shape), np.abs(to_floats(exact)))
    with precision(BITS):
        error = np.abs(to_floats(as_balls(np.atleast_1d(got)) - exact))
    assert np.all(error <= 4 * bound)


def nothing(x):
    return jnp.sum(x) - jnp.sum(x[::-1])


@given(x=vectors)
def test_an_output_that_cancels_is_allowed_what_its_terms_lose(x):
    relative, *_ = measured(scales, nothing, x)
    assert relative[0] >= np.linalg.norm(x)


def test_numbers_out_of_range_do_not_spoil_the_measure():
    # Its square is out of range, the root of the sum of squares is not.
    relative, *_ = measured(scales, lambda x: x * 3.0 + 1e100, 1e200)
    np.testing.assert_allclose(relative, np.sqrt(27) * 1e200)
    # What autodiff loses in a branch that `where` hides is left out; the rest is kept.
    relative, *_ = measured(scales, lambda x: 3 * jnp.where(x > 0, x, 1 / (x - 2)), 2.0)
    np.testing.assert_allclose(relative, np.sqrt(2) * 6)


def test_what_the_problem_loses_is_told_apart_from_what_the_program_loses():
    relative, _, of_inputs = measured(scales, lambda x: 1 - jnp.tanh(x) ** 2, 12.0)
    np.testing.assert_allclose(of_inputs, 12 * 2 * np.tanh(12.0) / np.cosh(12.0) ** 2, rtol=1e-6)
    assert relative > 1 > 1e8 * of_inputs


def test_a_rounded_constant_counts_as_an_input_and_a_short_one_does_not():
    data = np.array([0.1, 4.0])
    _, _, of_inputs = measured(scales, lambda x: jnp.sum(data - x), 3.0)
    np.testing.assert_allclose(of_inputs, np.hypot(np.hypot(0.1, 4.0), 6.0))
    _, _, of_inputs = measured(scales, lambda x: x + 0.5, 3.0)
    np.testing.assert_allclose(of_inputs, 3.0)


def test_operands_without_a_derivative_are_held_constant():
    args = 1.5, 2.0, 0.3
    relative, _, of_inputs = measured(scales, lambda a, b, x: jsp.betainc(a, b, x) * x, *args)
    assert 0 < of_inputs <= relative < 3
    # And those that have one still count beside them.
    _, _, alone = measured(scales, lambda x: jsp.betainc(1.5, 2.0, x) * x, 0.3)
    np.testing.assert_allclose(of_inputs, alone)


def test_inputs_alone_are_measured_where_there_is_no_reverse_derivative():
    def doubled_until_large(x):
        return lax.while_loop(lambda v: v < 1000, lambda v: 2 * v, x * jnp.ones(())) * 3

    relative, absolute, of_inputs = measured(input_scales, doubled_until_large, 5.0)
    np.testing.assert_allclose(relative, 5 * 2**8 * 3)
    np.testing.assert_allclose(absolute, 2**8 * 3)
    np.testing.assert_array_equal(of_inputs, relative)
    report = crosscheck_rule(doubled_until_large, doubled_until_large, [(5.0,)], order=1)
    assert report.ok, str(report)
    assert report.claims["first order, forward"].executions["jit"].inputs


LOG_TWO_PI = float(np.log(2 * np.pi))


@pytest.mark.parametrize(
    ("function", "moved"),
    [
        (lambda x: x * LOG_TWO_PI, U * 3 * LOG_TWO_PI),
        (lambda x: x * LOG_TWO_PI + 0.1, U * (3 * LOG_TWO_PI + 0.1)),
        (lambda x: x * 0.5 + 1000 - x / 1024, 0.0),
        (
            lambda x: lax.scan(lambda c, _: (c + LOG_TWO_PI, None), x, None, 4)[0],
            U * 4 * LOG_TWO_PI,
        ),
        (lambda x: lax.cond(x > 0, lambda x: x * 0.1, lambda x: x * 0.3, x), U * 3 * 0.1),
        (lambda x: jax.jit(lambda x: x / 0.1)(x), U * 3 / 0.1),
    ],
)
def test_constants_excuse_their_own_rounding(function, moved):
    with jax.enable_x64(True):
        (found,) = rounded_constants(traced(function, 3.0))(3.0)
    np.testing.assert_allclose(float(found), moved, rtol=1e-12)


def test_a_smoothing_term_is_no_excuse():
    with jax.enable_x64(True):
        (found,) = rounded_constants(traced(lambda x: x / (x + 1e-14), 3.0))(3.0)
    assert 0 < float(found) < 1e-29


def test_constants_without_a_derivative_are_moved_and_looked_at():
    slope = jax.grad(lambda a: jsp.gammainc(a, 1.3))
    with jax.enable_x64(True):
        (found,) = rounded_constants(traced(slope, 1.5))(1.5)
        up, down = slope(1.5), jax.grad(lambda a: jsp.gammainc(a, 1.3 * (1 + 1e-6)))(1.5)
    np.testing.assert_allclose(float(found), U * abs(up - down) / 1e-6, rtol=0.5)


def test_constants_of_a_program_without_a_reverse_mode_are_moved_one_by_one():
    def doubled(x):
        return jax.lax.while_loop(lambda y: y < 9.0, lambda y: 2.1 * y, 0.1 * x)

    with jax.enable_x64(True):
        closed = jax.make_jaxpr(doubled)(1.0)
        assert np.isfinite(rounded_constants(closed)(1.0)).all()
        within = jax.make_jaxpr(lambda x: jax.vmap(doubled)(x[None] * 0.1))(1.0)
        assert float(rounded_constants(within)(1.0)[0]) > 0


def test_an_operand_that_a_library_asserts_to_be_constant_is_held():
    @jax.custom_jvp
    def solved(x, state):
        return x * state

    @solved.defjvp
    def _(primals, tangents):
        assert isinstance(tangents[1], jax.custom_derivatives.SymbolicZero)
        return solved(*primals), tangents[0] * primals[1]

    solved.defjvp(solved.jvp, symbolic_zeros=True)

    primitive = types.SimpleNamespace(bind=solved, multiple_results=False)
    equation = types.SimpleNamespace(primitive=primitive, params={})

    def bound(x, state):
        return _bind_differentiable(equation, [x, state])[0]

    assert list(map(float, jax.grad(bound, argnums=(0, 1))(3.0, 2.0))) == [2.0, 0.0]
