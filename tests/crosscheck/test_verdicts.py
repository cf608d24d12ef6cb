"""Verdicts on real code: each of these was wrong once, and stands for its kind."""

from functools import partial

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import jax.scipy.special as jsp
import numpy as np
import pytest
from jax.experimental import hijax
from jax.extend.core import jaxpr_as_fun

from mog_jax.crosscheck import crosscheck, crosscheck_rule

DATA = np.array([0.1, 0.7])


def kinds(report):
    return [finding.kind for finding in report.findings]


def remarks(report):
    return [remark.kind for remark in report.remarks]


# Data that a function closes over are those of its user.


def squares(m):
    return jnp.sum((DATA - m) ** 2)


def test_data_closed_over_are_data_in_every_precision():
    report = crosscheck(squares, lambda m: -2 * jnp.sum(DATA - m), [(0.5,), (0.3,)])
    assert report.ok, str(report)
    assert not report.remarks
    assert report.claims["derivative"].executions["float32"].inputs


def with_default(data):
    def function(m, data=data):
        return jnp.sum((data - m) ** 2)

    return function


class Model:
    def __init__(self, data):
        self.data = {"y": data}

    def __call__(self, m):
        return jnp.sum((self.data["y"] - m) ** 2)

    def method(self, m):
        return self(m)


def nested(data):
    def inner(m):
        return data - m

    return lambda m: jnp.sum(inner(m) ** 2)


def looped(data):
    def function(m):
        return jax.lax.scan(lambda total, y: (total + (y - m) ** 2, None), 0.0 * m, data)[0]

    return function


@pytest.mark.parametrize(
    "closing_over",
    [
        nested,
        with_default,
        looped,
        Model,
        lambda data: Model(data).method,
        lambda data: partial(lambda data, m: jnp.sum((data - m) ** 2), data),
        lambda data: partial(lambda m, *, data: jnp.sum((data - m) ** 2), data=data),
        lambda data: jax.jit(nested(data)),
    ],
)
@pytest.mark.parametrize("wide", [True, False])
def test_data_stay_what_they_are_whatever_their_user_ran_before(closing_over, wide):
    data = np.array([0.1, 0.7])
    function = closing_over(data)
    with jax.enable_x64(wide):
        users = jax.jit(function)
        users(np.float64(0.5) if wide else np.float32(0.5))
    report = crosscheck(
        function, lambda m: -2 * (0.1 - m) - 2 * (0.7 - m), [(0.5,), (0.3,)], order=1
    )
    assert report.ok, str(report)
    assert report.claims["derivative"].executions["float32"].inputs == 2
    assert users is not None
    assert data.tolist() == [0.1, 0.7]


def test_a_wrong_derivative_of_data_closed_over_is_found():
    report = crosscheck(squares, lambda m: -jnp.sum(DATA - m), [(0.5,)])
    assert kinds(report) == ["wrong_formula"]


def test_what_the_function_raises_is_not_held_against_its_derivative():
    def in_float64_only(x):
        assert x.dtype == np.float64, "no float32 here"
        return x * x

    report = crosscheck(in_float64_only, lambda x: 2 * x, [(0.5,)])
    assert report.ok, str(report)
    assert remarks(report) == ["no_float32"]
    assert "AssertionError: no float32 here" in str(report)


# Arguments that are not differentiated may have no derivative.


def test_data_without_a_derivative_are_data():
    def density(x, a, b):
        return a * jnp.log(x) + b * jnp.log1p(-x) + jsp.betainc(a, b, x)

    def slope(x, a, b):
        rise = (a - 1) * jnp.log(x) + (b - 1) * jnp.log1p(-x) - jsp.betaln(a, b)
        return a / x - b / (1 - x) + jnp.exp(rise)

    report = crosscheck(density, slope, [(0.3, 1.5, 2.0), (0.9, 4.0, 0.5)])
    assert report.ok, str(report)


# Automatic differentiation may lose digits that the problem allows.


@pytest.mark.parametrize(
    ("function", "derivative", "x"),
    [
        (jnp.tanh, lambda x: 1 - jnp.tanh(x) ** 2, 15.0),
        (jax.nn.sigmoid, lambda x: jax.nn.sigmoid(x) * (1 - jax.nn.sigmoid(x)), 33.0),
        (lambda x: jsp.gammaln(x + 1e-9) - jsp.gammaln(x),
         lambda x: jsp.digamma(x + 1e-9) - jsp.digamma(x), 2.0),
    ],
)  # fmt: skip
def test_digits_that_autodiff_loses_too_are_remarked_and_count_if_they_are_asked_for(
    function, derivative, x
):
    lenient = crosscheck(function, derivative, [(x,)], order=1)
    assert lenient.ok, str(lenient)
    assert remarks(lenient) == ["reference_loses_digits"]
    assert kinds(crosscheck(function, derivative, [(x,)], order=1, min_digits=8)) == ["unstable"]


def test_a_right_program_is_not_remarked_for_what_autodiff_loses():
    report = crosscheck(jnp.tanh, lambda x: jnp.cosh(x) ** -2, [(15.0,)], order=1, min_digits=8)
    assert report.ok, str(report)
    assert not report.remarks


# A tie that the judged program meets excuses nothing; one of the function may.


def relu_rule(mask, factor):
    @jax.custom_vjp
    def relu(x):
        return jnp.maximum(x, 0)

    def forward(x):
        return relu(x), (x if mask == "input" else relu(x),)

    relu.defvjp(forward, lambda saved, g: (jnp.where(saved[0] > 0, factor * g, 0.0),))
    return relu


@pytest.mark.parametrize("mask", ["input", "output"])
def test_a_tie_that_only_the_rule_meets_excuses_nothing(mask):
    inputs = [(np.array([1.0, -1.0]),)]
    wrong = crosscheck_rule(relu_rule(mask, 3), lambda x: jnp.maximum(x, 0), inputs, order=1)
    assert kinds(wrong) == ["wrong_formula"]
    right = crosscheck_rule(relu_rule(mask, 1), lambda x: jnp.maximum(x, 0), inputs, order=2)
    assert right.ok, str(right)


def test_at_a_kink_of_the_function_a_rule_may_take_either_side():
    inputs = [(np.array([0.0, 2.0]),)]
    report = crosscheck_rule(relu_rule("input", 1), lambda x: jnp.maximum(x, 0), inputs, order=1)
    assert report.ok, str(report)
    assert report.kinks
    wrong = crosscheck_rule(relu_rule("input", 3), lambda x: jnp.maximum(x, 0), inputs, order=1)
    assert kinds(wrong) == ["wrong_formula"]


def test_an_approximation_where_single_precision_cannot_tell_is_right():
    def log1psquare(y):
        large = y > 1 / jnp.sqrt(jnp.finfo(y.dtype).eps)
        logarithm = 2 * jnp.log(jnp.where(large, y, 1.0))
        return jnp.where(large, logarithm, jnp.log1p(jnp.square(jnp.where(large, 0.0, y))))

    def log_density(freedom, scale):
        y = 1 / (scale * jnp.sqrt(freedom))
        return -jnp.log(scale) - 0.5 * (freedom + 1) * log1psquare(y)

    report = crosscheck_rule(log_density, log_density, [(1e-3, 1e-3)], order=1)
    assert kinds(report) == []


def test_quotients_are_taken_beside_a_tiny_number():
    def hidden(a, x):
        return jnp.where(a != 1, 3 * (a - 1), 0.0) + a * x

    # The step is far below the rounding of 1 to the digits that are tried first.
    inputs = [(1.0, 1.98e-188)]
    crosscheck(hidden, lambda a, x: (3 + x, a), inputs, wrt=(0, 1)).raise_if_failed()
    wrong = crosscheck(hidden, lambda a, x: (x, a), inputs, wrt=(0, 1))
    assert {finding.kind for finding in wrong.findings} == {"wrong_formula"}


def test_a_rule_in_forward_mode_is_held_against_quotients_at_a_tie():
    @jax.custom_jvp
    def square(x):
        return jnp.abs(x) * jnp.abs(x)

    square.defjvp(lambda p, t: (square(p[0]), 2 * p[0] * t[0] + jnp.where(p[0] == 0, t[0], 0)))
    report = crosscheck_rule(square, lambda x: jnp.abs(x) * jnp.abs(x), [(0.0,)], order=1)
    assert set(kinds(report)) == {"wrong_formula"}


# A mode that a rule defines and that fails is a finding; one that it does not define is not.


def rule_by(backward, forward=None):
    @jax.custom_vjp
    def norm(x):
        return jnp.sum(x**2)

    norm.defvjp(forward or (lambda x: (norm(x), x)), backward)
    return norm


def ruled(jvp):
    @jax.custom_jvp
    def norm(x):
        return jnp.sum(x**2)

    norm.defjvp(jvp)
    return norm


def raising(*_):
    raise ZeroDivisionError("by hand")


def primal(p):
    return jnp.sum(p[0] ** 2)


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (rule_by(raising), "raised"),
        (rule_by(lambda x, g: (2 * g * jnp.ones(5),)), "wrong_shape_or_dtype"),
        (rule_by(lambda x, g: 2 * g * x), "wrong_shape_or_dtype"),
        (rule_by(lambda x, g: ((2 * g * x).astype(jnp.float32),)), "wrong_shape_or_dtype"),
        (rule_by(lambda x, g: (2 * g * x,), lambda x: (x, x)), "wrong_shape_or_dtype"),
        (rule_by(lambda x, g: (2 * g * x,), lambda x: (1 + jnp.sum(x**2), x)), "wrong_formula"),
        (ruled(raising), "raised"),
        (ruled(lambda p, t: (primal(p), 2 * p[0] * t[0])), "wrong_shape_or_dtype"),
        (ruled(lambda p, t: (primal(p) + 1, jnp.sum(2 * p[0] * t[0]))), "wrong_formula"),
        (ruled(lambda p, t: (primal(p), jnp.sum(jnp.abs(t[0])))), "raised"),
    ],
)
def test_a_rule_that_fails_in_a_mode_that_it_defines_fails(function, kind):
    report = crosscheck_rule(function, lambda x: jnp.sum(x**2), [(np.array([1.0, 2.0]),)])
    assert kinds(report)[0] == kind, str(report)
    assert not any(remark.kind == "undefined_order" and "by hand" in remark.explanation
                   for remark in report.remarks)  # fmt: skip


def test_a_right_rule_passes_though_it_has_no_forward_mode():
    report = crosscheck_rule(
        rule_by(lambda x, g: (2 * g * x,)), lambda x: jnp.sum(x**2), [(np.array([1.0, 2.0]),)]
    )
    assert report.ok, str(report)
    assert "undefined_order" in remarks(report)


# Where autodiff is wrong in first order, its second order is void.


def test_second_order_is_not_held_against_autodiff_where_that_is_wrong():
    def function(x):
        return jax.nn.logsumexp(jnp.zeros(2), b=x)

    def derivative(x):
        return jnp.ones(2) / jnp.sum(x)

    report = crosscheck(function, derivative, [(np.array([0.0, 1.0]),), (np.array([2.0, 1.0]),)])
    assert report.ok, str(report)
    wrong = crosscheck(function, lambda x: jnp.ones(2) / jax.lax.stop_gradient(jnp.sum(x)),
                       [(np.array([0.0, 1.0]),)])  # fmt: skip
    assert set(kinds(wrong)) == {"wrong_second_order"}


def test_second_order_is_judged_at_the_simplest_inputs_first():
    report = crosscheck(
        lambda x: x**2, lambda x: jnp.where(x == 0, 0, 2 * x), st.tuples(st.floats(-3, 3))
    )
    assert set(kinds(report)) == {"wrong_second_order"}
    assert report.findings[0].args == (0.0,)


def test_a_second_derivative_that_autodiff_does_not_find_has_quotients():
    def sinc(x):
        safe = jnp.where(x == 0, 1.0, x)
        return jnp.where(x == 0, 1.0, jnp.sin(safe) / safe)

    def slope(x, curvature):
        safe = jnp.where(x == 0, 1.0, x)
        away = (jnp.cos(safe) - jnp.sin(safe) / safe) / safe
        return jnp.where(x == 0, curvature * x, away)

    right = crosscheck(sinc, lambda x: slope(x, -1 / 3), [(0.0,), (1.0,)])
    assert right.ok, str(right)
    for curvature in (0.0, -1 / 2):
        wrong = crosscheck(sinc, lambda x, c=curvature: slope(x, c), [(0.0,), (1.0,)])
        assert set(kinds(wrong)) == {"wrong_second_order"}


# Inputs beyond the deadline are remarked on; exceptions of the code under test are findings.


def test_an_input_that_takes_too_long_is_not_judged():
    def huge(x):
        return jnp.sum(x * jnp.ones((1000, 1000, 1000)))

    report = crosscheck(huge, lambda x: 1e9 * jnp.ones_like(x), [(0.5,)], deadline=1)
    assert kinds(report) == ["not_judged"]
    assert report.overdue == 2
    assert "of 1,000,000,000 numbers does not end within the deadline" in str(report)


def test_a_loop_without_an_end_is_not_judged():
    def endless(x):
        return jax.lax.while_loop(lambda v: v > 0, lambda v: v + 1e-3, jnp.abs(x) + 1)

    report = crosscheck_rule(endless, endless, [(0.5,)], order=0, deadline=0.2)
    assert kinds(report) == ["not_judged"]


@pytest.mark.parametrize("error", [SystemExit, pytest.fail.Exception])
def test_whatever_a_derivative_raises_is_reported(error):
    def derivative(x):
        if x.shape == (3,):
            raise error("by hand")
        return 2 * x

    report = crosscheck(lambda x: jnp.sum(x**2), derivative, [(np.ones(2),), (np.ones(3),)])
    assert kinds(report) == ["raised"]


def test_numbers_without_a_digit_in_common_have_none():
    report = crosscheck(lambda x: 0.0 * x, lambda x: 1.0 + 0.0 * x, [(0.5,)])
    assert report.findings[0].digits_kept == 0.0


# Derivatives that are meant to agree to some digits, or not at all.


def root(x):
    return jnp.log1p(x)


def iterated(x, steps):
    """The slope of log1p, by Newton's method for the reciprocal of 1 + x."""
    inverse = 0.1 * jnp.ones_like(x)
    for _ in range(steps):
        inverse = inverse * (2 - (1 + x) * inverse)
    return inverse


def test_a_declared_accuracy_is_judged_exactly_and_reported():
    inputs = [(0.5,), (3.0,)]

    def rough(x):
        return iterated(x, 5)

    assert kinds(crosscheck(root, rough, inputs, order=1)) == ["wrong_formula"]
    report = crosscheck(root, rough, inputs, order=1, agrees_to=1e-2)
    assert report.ok, str(report)
    assert remarks(report) == ["agrees_as_declared"]
    assert "`agrees_to` is 0.01" in str(report)
    assert kinds(crosscheck(root, rough, inputs, order=1, agrees_to=1e-9)) == ["wrong_formula"]


def test_bugs_beyond_a_declared_accuracy_are_caught():
    report = crosscheck(
        root, lambda x: iterated(x, 8), [(0.5,), (3.0,)], order=1, agrees_to=1e-9, plant_bugs=True
    )
    assert report.ok, str(report)
    caught = {mutant.name: mutant.caught for mutant in report.planted}
    assert caught["off by 1e-06 of itself"]
    assert caught["sign flipped"]


def test_a_declared_accuracy_does_not_excuse_lost_digits_beyond_it():
    def unstable(x):
        return (1 / (1 + x) + 1e10) - 1e10

    report = crosscheck(root, unstable, [(0.5,)], order=1, agrees_to=1e-9)
    assert kinds(report) == ["unstable"]


def step(x):
    return jnp.sum(jnp.where(x > 0, 1.0, 0.0))


def surrogate(x):
    return jax.nn.sigmoid(x) * jax.nn.sigmoid(-x)


def test_a_surrogate_is_judged_by_its_own_values():
    inputs = [(np.array([0.5, -30.0]),)]
    assert kinds(crosscheck(step, surrogate, inputs)) == ["wrong_formula"]
    report = crosscheck(step, surrogate, inputs, surrogate=True, plant_bugs=True)
    assert report.ok, str(report)
    assert "surrogate" in remarks(report)
    assert any(mutant.caught for mutant in report.planted)
    cancelling = crosscheck(
        step, lambda x: jax.nn.sigmoid(x) * (1 - jax.nn.sigmoid(x)), [(30.0,)], surrogate=True
    )
    assert kinds(cancelling) == ["unstable"]
    shaped = crosscheck(step, lambda x: jnp.sum(surrogate(x)), inputs, surrogate=True)
    assert kinds(shaped) == ["wrong_shape_or_dtype"]


def test_a_straight_through_rule_is_judged_by_its_values():
    @jax.custom_jvp
    def rounded(x):
        return jnp.round(x)

    rounded.defjvp(lambda p, t: (rounded(p[0]), t[0]))
    inputs = [(np.array([0.7, 2.2]),)]
    assert "wrong_formula" in kinds(crosscheck_rule(rounded, jnp.round, inputs))
    report = crosscheck_rule(rounded, jnp.round, inputs, surrogate=True)
    assert report.ok, str(report)
    assert kinds(crosscheck_rule(rounded, jnp.floor, inputs, surrogate=True)) == [
        "wrong_formula",
        "wrong_formula",
    ]


# Special functions are evaluated by their definition.


def truncated(mu):
    return -0.5 * (1.0 - mu) ** 2 - jsp.log_ndtr(mu)


def truncated_score(mu):
    log_density = -0.5 * mu**2 - 0.5 * jnp.log(2 * jnp.pi)
    return (1.0 - mu) - jnp.exp(log_density - jsp.log_ndtr(mu))


FAR_OUT = [(-22.0,), (-40.0,), (-5.0,), (3.0,)]


@pytest.mark.parametrize(
    ("function", "derivative"),
    [
        (truncated, truncated_score),
        (jsp.log_ndtr, jax.grad(jsp.log_ndtr)),
        (jsp.log_ndtr, lambda x: jnp.exp(jax.scipy.stats.norm.logpdf(x) - jsp.log_ndtr(x))),
    ],
)
def test_a_right_derivative_through_an_approximated_function_passes(function, derivative):
    report = crosscheck(function, derivative, [*FAR_OUT, (30.0,)])
    assert report.ok, str(report)
    assert report.claims["derivative"].judged == 10


def test_a_wrong_derivative_through_an_approximated_function_fails():
    report = crosscheck(truncated, lambda mu: truncated_score(mu) * (1 + 1e-9), FAR_OUT)
    assert kinds(report) == ["wrong_formula"]


def test_what_an_approximation_loses_is_remarked_and_counts_if_it_is_asked_for():
    def ratio(x):
        return jnp.exp(jax.scipy.stats.norm.logpdf(x) - jsp.log_ndtr(x))

    report = crosscheck(jsp.log_ndtr, ratio, [(-20.5,)], order=1)
    assert report.ok, str(report)
    strict = crosscheck(jsp.log_ndtr, ratio, [(-20.5,)], order=1, min_digits=11)
    assert kinds(strict) == ["unstable"]
    assert "approximate_function" in remarks(report)


# Solvers and loops of unknown length: forward mode serves.


def iterate(a):
    """The square root by Newton's method, until it stands still."""

    def goes_on(state):
        return (jnp.abs(state[0] ** 2 - a) > 1e-9 * a) & (state[1] < 30)

    def step(state):
        return 0.5 * (state[0] + a / state[0]), state[1] + 1

    return jax.lax.while_loop(goes_on, step, (a, 0))[0]


@jax.custom_jvp
def solved(a):
    return iterate(a)


solved.defjvp(lambda p, t: (solved(p[0]), t[0] / (2 * solved(p[0]))))


def test_a_derivative_of_a_solver_is_judged():
    inputs = [(2.0,), (0.25,)]
    exact = {"agrees_to": 1e-8}
    report = crosscheck(solved, lambda a: 0.5 / solved(a), inputs, order=1, **exact)
    assert report.ok, str(report)
    assert report.claims["derivative"].judged == 4
    report = crosscheck_rule(solved, iterate, inputs, order=1, **exact)
    assert report.ok, str(report)
    wrong = crosscheck(solved, lambda a: 1 / solved(a), inputs, order=1, **exact)
    assert kinds(wrong) == ["wrong_formula"]


def test_a_formula_that_agrees_to_many_digits_is_told_how_to_say_so():
    report = crosscheck(jnp.log1p, lambda x: iterated(x, 7), [(0.5,)], order=1)
    assert kinds(report) == ["wrong_formula"]
    assert "declare it by `agrees_to`" in str(report)
    far_off = crosscheck(jnp.log1p, lambda x: 2 * iterated(x, 6), [(0.5,)], order=1)
    assert "agrees_to" not in str(far_off)


# A function that computes in a lower precision is judged in that precision.


def rounded_inside(dtype):
    return lambda x: jnp.sum(jnp.sin(x.astype(dtype)).astype(x.dtype) * x)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_a_lower_precision_of_the_function_is_the_precision_of_its_derivative(dtype):
    function = rounded_inside(dtype)
    inputs = [(np.array([0.3, 1.2]),), (np.array([-2.0, 0.7]),)]
    report = crosscheck(function, jax.grad(function), inputs, order=1)
    assert report.ok, str(report)
    lower = crosscheck(rounded_inside(jnp.float64), jax.grad(function), inputs, order=1)
    assert kinds(lower) == ["unstable"]
    wrong = crosscheck(function, lambda x: jnp.sin(x) - x * jnp.cos(x), inputs, order=1)
    assert kinds(wrong) == ["wrong_formula"]


# Functions of more than one number have a Jacobian.


def polar(r, angle):
    return {"x": r * jnp.cos(angle), "y": r * jnp.sin(angle)}


def polar_jacobian(r, angle):
    c, s = jnp.cos(angle), jnp.sin(angle)
    return {
        "x": (jnp.diag(c), jnp.diag(-r * s)),
        "y": (jnp.diag(s), jnp.diag(r * c)),
    }


POLAR = [(np.array([1.0, 2.0]), np.array([0.3, -2.0]))]


def test_a_jacobian_is_judged_entry_by_entry():
    report = crosscheck(polar, polar_jacobian, POLAR, wrt=(0, 1), plant_bugs=True)
    assert report.ok, str(report)
    assert sum(mutant.caught for mutant in report.planted) > len(report.planted) / 2

    def wrong(r, angle):
        right = polar_jacobian(r, angle)
        return right | {"y": (right["y"][0], -right["y"][1])}

    report = crosscheck(polar, wrong, POLAR, wrt=(0, 1))
    assert kinds(report) == ["wrong_formula"]
    assert report.findings[0].entry.startswith("jacobian['y'][1][")
    shaped = crosscheck(jnp.sin, jnp.cos, [(np.array([1.0, 2.0]),)])
    assert kinds(shaped) == ["wrong_shape_or_dtype"]
    assert "each output's shape before each argument's" in str(shaped)


def test_a_jacobian_is_held_against_quotients_where_autodiff_is_wrong():
    def function(x):
        return jnp.where(x == 0, 1.0, x) * jax.lax.stop_gradient(x) + 0 * x

    inputs = [(np.array([2.0, 3.0]),)]
    right = crosscheck(function, lambda x: jnp.diag(2 * x), inputs)
    assert right.ok, str(right)
    assert right.autodiff_wrong
    assert kinds(crosscheck(function, lambda x: jnp.diag(x), inputs)) == ["wrong_formula"]


# Rules may be given as high-level primitives.


class Squared(hijax.VJPHiPrimitive):
    def __init__(self, aval, factor):
        self.in_avals, self.out_aval, self.params = (aval,), aval, {"factor": factor}
        super().__init__()

    def expand(self, x):
        return x * x

    def vjp_fwd(self, nzs_in, x):
        return self(x), x

    def vjp_bwd_retval(self, x, g):
        return (self.factor * g * x,)

    def batch_dim_rule(self, axis_data, dims):
        return dims[0]


@pytest.mark.parametrize(("factor", "found"), [(2.0, []), (3.0, ["wrong_formula"])])
def test_a_rule_of_a_high_level_primitive_is_judged(factor, found):
    def squared(x):
        return jnp.sum(Squared(jax.typeof(x), factor)(x))

    inputs = [(np.array([0.5, -2.0]),)]
    report = crosscheck_rule(squared, lambda x: jnp.sum(x**2), inputs, order=1)
    assert kinds(report) == found
    assert "no_rule" not in remarks(report)
    own = crosscheck(squared, jax.grad(squared), inputs, order=1)
    assert kinds(own) == found


def test_constants_that_float32_rounds_disprove_nothing():
    report = crosscheck(jax.nn.selu, jax.grad(jax.nn.selu), [(-30.0,), (-60.0,), (2.0,)], order=1)
    assert report.ok, str(report)
    report = crosscheck(jsp.ndtr, jax.grad(jsp.ndtr), [(25.0,), (2.0,)], order=1)
    assert report.ok, str(report)


def test_what_jax_gets_wrong_at_a_point_is_found():
    # `abs` has a slope of 1 at 0 in JAX's rule for it, and i0 has an extreme there.
    report = crosscheck(jsp.i0, jax.grad(jsp.i0), [(0.0,), (1.0,)], order=1)
    assert kinds(report) == ["wrong_formula"]
    assert (report.findings[0].exact, report.findings[0].args) == ("0", (0.0,))
    assert crosscheck(jsp.i0, jsp.i1, [(0.0,), (1.0,)], order=1).ok


def test_a_program_beside_a_kink_does_not_fail_by_where_it_rounds_to():
    def into_the_ball(x):
        return x / jnp.maximum(1.0, jnp.sqrt(jnp.sum(x * x)))

    # The norm exceeds 1 by less than any rounding: exactly, there is no slope across the sphere.
    inputs = [(np.array([0.0, 1.0, 1e-30]),)]
    report = crosscheck_rule(into_the_ball, into_the_ball, inputs, order=1)
    assert report.ok, str(report)


def test_a_reference_that_stays_undecided_at_an_input_leaves_that_input_out():
    def function(x):
        return jnp.where(jnp.sin(x) ** 2 + jnp.cos(x) ** 2 > 1, x, x * x)

    report = crosscheck(function, lambda x: 2 * x, [(1.0,)], order=1)
    assert kinds(report) == ["not_judged"]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jnp.where(jnp.exp(x) * jnp.exp(x) == jnp.exp(2 * x) + x - 1, 0.0, x * x),
        lambda x: jnp.sort(jnp.stack([jnp.log(x + 1) + x, x * x + jnp.log1p(x)]))[1],
    ],
    ids=["eq", "sort"],
)
def test_equal_sums_that_are_other_expressions_leave_their_input_out(function):
    report = crosscheck_rule(function, function, [(1.0,), (3.0,)], order=1)
    assert report.ok, str(report)
    report = crosscheck(function, lambda x: 3 * jax.grad(function)(x), [(1.0,), (3.0,)], order=1)
    assert kinds(report) == ["wrong_formula"]
    assert report.findings[0].args == (3.0,)


def test_a_value_that_is_zero_times_infinity_is_nobodys():
    def direction(x):
        return x * (1 / jnp.sqrt(jnp.sum(x * x)))

    # Nor are slopes that only grow as the step shrinks derivatives.
    report = crosscheck_rule(direction, direction, [(np.zeros(3),), (np.ones(3),)], order=1)
    assert report.ok, str(report)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 0.0 * jnp.log(x) - 7.0,
        lambda x: jnp.where(x == 0, 0.0, x) / x - 7.0,
        lambda x: jnp.where(x == 0, 0.0, jnp.log(jnp.sqrt(x * x)) - jnp.log(jnp.abs(x))) - 7.0,
        lambda x: jnp.where(x == 0, 1.0, x / x) - 7.0,
    ],
)
def test_a_value_on_the_way_to_which_zero_is_divided_by_zero_is_nobodys(function):
    report = crosscheck_rule(function, function, [(0.0,), (2.0,)], order=0)
    assert report.ok, str(report)
    report = crosscheck_rule(lambda x: function(x) + x, function, [(0.0,), (2.0,)], order=0)
    assert set(kinds(report)) == {"wrong_formula"}


KEY = jax.random.key(0)


def weighed(x):
    return jnp.sum(jnp.sin(x) * jax.random.normal(KEY, x.shape))


def test_a_typed_key_closed_over_is_a_constant():
    inputs = [(np.array([1.0, 2.0, 3.0]),)]
    report = crosscheck(weighed, jax.grad(weighed), inputs, order=1)
    assert report.ok, str(report)

    def wrong(x):
        return jnp.sin(x) * jax.random.normal(KEY, x.shape)

    report = crosscheck(weighed, wrong, inputs, order=1)
    assert kinds(report) == ["wrong_formula"]
    assert "\nKEY = jax.random.wrap_key_data(" in report.findings[0].reproduce


@pytest.mark.parametrize("above", [1e-38, -1e-17])
def test_either_side_of_a_step_within_a_rounding_is_right(above):
    def stepwise(x):
        return jnp.where((x[0] + x[1]) - 1 > 0, 3.0, 1.0) * x[0]

    report = crosscheck_rule(stepwise, stepwise, [(np.array([1.0, above]),)], order=1)
    assert report.ok, str(report)


# What is right of an approximation is no disproof, whichever program it is recognised in.


@jax.custom_jvp
def with_an_unknown_value(x):
    return jsp.log_ndtr(x)


@with_an_unknown_value.defjvp
def _(primals, tangents):
    # JAX's own program for the function, without the rule that it is known by.
    (x,), (t,) = primals, tangents
    program = jax.make_jaxpr(jsp.log_ndtr)(x).eqns[-1].params["call_jaxpr"]
    return jaxpr_as_fun(program)(x)[0], t * jax.grad(jsp.log_ndtr)(x)


def test_a_program_that_is_right_of_an_approximation_is_remarked_upon():
    function = with_an_unknown_value
    report = crosscheck_rule(function, function, [(-25.0,)], order=1)
    assert report.ok, str(report)
    assert "approximate_function" in remarks(report)


def test_a_program_that_is_wrong_of_an_approximation_as_well_is_disproved():
    report = crosscheck_rule(
        lambda x: with_an_unknown_value(x) * (1 + 1e-12), jsp.log_ndtr, [(-25.0,)], order=1
    )
    assert set(kinds(report)) == {"wrong_formula"}


@pytest.mark.parametrize("function", [jnp.sort, lambda x: jax.lax.top_k(x, 2)[0], jnp.median])
def test_conventions_at_a_tie_that_is_a_kink_are_nobodys_fault(function):
    inputs = [(np.zeros(3),), (np.array([1.0, 2.0, 2.0]),), (np.array([1.0, 2.0, 3.0]),)]
    report = crosscheck_rule(function, function, inputs, order=1)
    assert report.ok, str(report)


def test_complex_constants_are_rounded_as_well():
    def function(x):
        return jnp.fft.irfft2(x)

    report = crosscheck_rule(function, function, [(np.zeros((3, 3)),)], order=1)
    assert report.ok, str(report)


def refuse_float32(x):
    if np.asarray(x).dtype == np.float32:
        raise ValueError("float32 is not enough")


@jax.custom_jvp
def refusing(x):
    jax.debug.callback(refuse_float32, x)
    return x * x


refusing.defjvps(lambda t, y, x: 2 * x * t)


def refusing_without_a_rule(x):
    jax.debug.callback(refuse_float32, x)
    return x * x


def test_what_the_function_raises_without_its_rule_is_not_the_fault_of_the_rule():
    report = crosscheck_rule(refusing, refusing_without_a_rule, [(0.5,)], order=1)
    assert report.ok, str(report)
    report = crosscheck_rule(refusing, lambda x: x * x, [(0.5,)], order=1)
    assert {finding.kind for finding in report.findings} == {"raised"}


def test_that_no_input_was_judged_in_time_is_said():
    def long(x):
        return jnp.sum(jnp.ones(10**9) * x)

    report = crosscheck(long, lambda x: 1e9 * jnp.ones_like(x), [(0.5,), (1.0,)], deadline=1)
    assert "none of 4 inputs was judged within `deadline`" in str(report)


def test_what_exact_evaluation_could_not_decide_is_said_with_a_way_out():
    def solved(b):
        matrix = jnp.array([[2.0, 0.5], [0.5, 3.0]])

        def residual(x):
            return jnp.sum((b - matrix @ x) ** 2)

        x = jax.scipy.linalg.solve(matrix, b)
        return jnp.where(residual(x) > 0, 2 * x, x)

    report = crosscheck_rule(solved, solved, [(np.array([1.0, 2.0]),)], order=0)
    (finding,) = report.findings
    assert finding.kind == "not_judged"
    assert "`gt` cannot be decided at 2000 digits" in finding.explanation
    assert "check with a direct solver" in finding.explanation


def test_differences_of_nearly_equal_inputs_are_no_better_than_these():
    prices = np.array([1.0, 2.0, -1.0])

    def one_pass(x):
        centred = x - jnp.mean(x)
        return jnp.sum(prices * centred) * jax.lax.rsqrt(jnp.mean(jnp.square(centred)) + 1e-6)

    def two_passes(x):
        return jnp.sum(prices * (x - jnp.mean(x))) / jnp.sqrt(jnp.var(x) + 1e-6)

    # The mean of three equal numbers is not one of them in float32, by as much as the root of 1e-6.
    report = crosscheck_rule(two_passes, one_pass, [(np.full(3, 9999.6455078125),)], order=1)
    assert report.ok, str(report)


def refuse_decreasing(x):
    if np.any(np.diff(np.asarray(x)) < 0):
        raise ValueError("the input must increase")


def test_data_beside_which_an_input_is_batched_may_be_none_that_the_function_is_made_for():
    def sum_of_squares(x):
        jax.debug.callback(refuse_decreasing, x)
        return jnp.sum(x * x)

    report = crosscheck_rule(sum_of_squares, sum_of_squares, [(np.array([1.0, 2.0]),)], order=1)
    assert report.ok, str(report)
