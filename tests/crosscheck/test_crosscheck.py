"""`crosscheck` on derivatives that are wrong on purpose, and on right ones."""

import json

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.linalg import cho_solve, solve_triangular

from mog_jax.crosscheck import CrosscheckError, crosscheck, crosscheck_rule
from tests.crosscheck.subjects import RIGHT, WRONG, inputs, log_sum, right, shown_by

EXAMPLES = 25
# One share is far below the other at every point, which random draws seldom give.
FAR = (np.ones(2), np.array([[25.0, 0.0]] * 3))
# Shares that single precision rounds by nearly half an ulp: of half of the digits it keeps fewer.
UNEVEN = (np.ones(2), np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 1.0]]))
# The first of each kind. A snippet compiles everything anew; how it is written depends on the kind,
# and on what the functions refer to, for which `report/test_snippet.py` has the cases.
SHOWN = {kind: name for name, (_, kind) in reversed(WRONG.items())}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_called_by_its_name_and_each_kind_is_shown_again(name):
    derivative, kind = WRONG[name]
    report = crosscheck(log_sum, derivative, inputs(), examples=EXAMPLES, edges=[FAR, UNEVEN])
    assert not report.ok
    assert report.findings[0].kind == kind
    assert {finding.kind for finding in report.findings} == {kind}
    if SHOWN[kind] == name:
        assert f"\n{kind}: " in shown_by(report.findings[0].reproduce)


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name):
    report = crosscheck(log_sum, RIGHT[name], inputs(), examples=EXAMPLES)
    assert report.ok, str(report)
    assert report.claims["derivative"].judged > EXAMPLES // 2
    # Right code has errors of a few roundings, far fewer than 1,000.
    assert report.claims["derivative"].executions["jit"].roundings < 30


def test_a_finding_shows_the_simplest_input():
    report = crosscheck(log_sum, lambda w, z: 2 * right(w, z), inputs(), examples=EXAMPLES)
    w, z = report.findings[0].args
    np.testing.assert_array_equal(w, [1.0, 1.0])
    np.testing.assert_array_equal(z, np.zeros((3, 2)))


def test_the_same_seed_gives_the_same_report():
    reports = [
        crosscheck(log_sum, WRONG["one minus"][0], inputs(), examples=20, seed=5) for _ in range(2)
    ]
    first, second = (report.to_dict() | {"seconds": 0} for report in reports)
    assert first == second


def test_a_report_is_text_json_and_picture(tmp_path):
    report = crosscheck(log_sum, right, inputs(), examples=20)
    assert "log_sum, derivative right: ok" in str(report)
    assert json.loads(report.to_json())["ok"] is True
    report.raise_if_failed()
    report.plot(tmp_path / "digits.png")
    assert (tmp_path / "digits.png").stat().st_size > 10_000


def test_a_failed_report_raises_with_itself_as_message():
    report = crosscheck(log_sum, WRONG["factor"][0], inputs(), examples=5)
    with pytest.raises(CrosscheckError, match=r"wrong_formula: w.*\n  disproved: the formula"):
        report.raise_if_failed()
    assert json.loads(report.to_json())["findings"][0]["kind"] == "wrong_formula"


def test_a_lesser_failure_does_not_hide_a_graver_one():
    def both(w, z):
        off = jnp.where(jnp.max(z) > 399, 1.5, 1.0)
        return WRONG["single precision inside"][0](w, z) * off

    report = crosscheck(log_sum, both, inputs(), examples=EXAMPLES)
    assert report.findings[0].kind == "wrong_formula"


def test_edges_are_always_tried():
    def wrong_at_seven(x):
        return jnp.where(x == 7.25, 0.0, 2 * x)

    quiet = crosscheck(lambda x: x * x, wrong_at_seven, st.tuples(st.floats(-1, 1)), examples=5)
    assert quiet.ok
    loud = crosscheck(
        lambda x: x * x, wrong_at_seven, st.tuples(st.floats(-1, 1)), examples=5, edges=[(7.25,)]
    )
    assert [finding.kind for finding in loud.findings] == ["wrong_formula"]


def quadratic(factor, x):
    z = solve_triangular(factor, x, lower=True)
    return -0.5 * jnp.sum(z * z)


def scores(factor, x):
    z = solve_triangular(factor, x, lower=True)
    return jnp.tril(jnp.outer(solve_triangular(factor, z, lower=True, trans="T"), z))


def scores_by_a_product(factor, x):
    pull = cho_solve((factor, True), x)
    return jnp.tril(jnp.outer(pull, factor.T @ pull))


def scores_in_float32(factor, x):
    return scores(factor, x.astype(jnp.float32).astype(x.dtype))


def scores_off_in_the_smallest(factor, x):
    return scores(factor, x).at[1, 0].multiply(1 + 1e-12)


GRADED = [(np.array([[1, 0], [0.3, 1.3]]), np.array([small, 30.1])) for small in (1e-10, 0.0)]


@pytest.mark.parametrize(
    ("derivative", "by_entry", "in_a_norm"),
    [
        (scores, [], []),
        (scores_by_a_product, ["unstable"], []),
        (scores_in_float32, ["unstable"], ["unstable"]),
        (scores_off_in_the_smallest, ["wrong_formula"], ["wrong_formula"]),
    ],
)
def test_digits_are_counted_by_entry_or_in_a_norm(derivative, by_entry, in_a_norm):
    for normwise, kinds in ((False, by_entry), (True, in_a_norm)):
        report = crosscheck(quadratic, derivative, GRADED, order=1, normwise=normwise)
        assert [finding.kind for finding in report.findings] == kinds
        if normwise and kinds:
            assert "normwise=True" in report.findings[0].reproduce


def test_noise_in_the_place_of_a_zero_is_unstable_by_entry_alone():
    assert not crosscheck(quadratic, scores_by_a_product, GRADED[1:], order=1).ok
    assert crosscheck(quadratic, scores_by_a_product, GRADED[1:], order=1, normwise=True).ok


def test_an_entry_that_no_input_could_judge_is_reported():
    report = crosscheck(lambda x: jnp.sum(x) * 0, jnp.zeros_like, [(np.ones(2),)])
    assert {r.kind for r in report.remarks} == {"uninformative"}


def test_what_is_never_defined_is_not_a_pass():
    report = crosscheck(jnp.sqrt, lambda x: 0.5 / jnp.sqrt(x), [(-1.0,), (-2.0,)])
    assert [finding.kind for finding in report.findings] == ["not_judged"]


def test_a_kink_is_not_held_against_anybody():
    def one_at_zero(x):
        return jnp.where(x >= 0, 1.0, -1.0)

    report = crosscheck(jnp.abs, one_at_zero, [(0.0,), (1.0,), (-2.0,)], order=1)
    assert report.ok, str(report)
    assert report.kinks == 2  # once as it is, once in float32


def test_autodiff_itself_may_be_the_wrong_one():
    def hidden(x):
        return jnp.where(x > 0, jnp.sqrt(jnp.abs(x)) ** 2, x)

    report = crosscheck(hidden, jnp.ones_like, [(0.0,), (1.0,), (-1.0,)], order=1)
    assert report.ok, str(report)


def test_stop_gradient_in_the_function_deceives_nobody():
    def function(x):
        return x * jax.lax.stop_gradient(x)

    report = crosscheck(function, lambda x: x, [(3.0,)], order=1)
    assert [finding.kind for finding in report.findings] == ["wrong_formula"]
    assert crosscheck(function, lambda x: 2 * x, [(3.0,)], order=1).ok


def test_weights_on_the_simplex_are_a_contract():
    def function(w):
        return jnp.sum(jnp.log(w))

    def through_the_other(w):
        return 1 / jnp.stack([w[0], 1 - w[0]])

    weights = [(np.array([0.3, 0.7]),), (np.array([0.1, 0.9]),)]
    free = crosscheck(function, through_the_other, weights, order=1)
    assert [finding.kind for finding in free.findings] == ["wrong_formula"]
    assert crosscheck(function, through_the_other, weights, order=1, simplex={"w": "partial"}).ok
    shifted = crosscheck(function, lambda w: 1 / w - 5, weights, order=1, simplex={"w": "tangent"})
    assert shifted.ok
    partial = crosscheck(function, lambda w: 1 / w - 5, weights, order=1, simplex={"w": "partial"})
    assert not partial.ok


def sine(with_rule):
    @jax.custom_jvp
    def function(x):
        return jnp.sin(x)

    function.defjvp(lambda primals, tangents: (jnp.sin(primals[0]), with_rule(*primals, *tangents)))
    return function


def test_rules_are_held_against_the_function_without_them():
    angles = st.tuples(st.floats(-6, 6))
    assert crosscheck_rule(sine(lambda x, t: t * jnp.cos(x)), jnp.sin, angles, examples=20).ok
    wrong = crosscheck_rule(sine(lambda x, t: t * jnp.cos(2 * x)), jnp.sin, angles, examples=20)
    assert {finding.kind for finding in wrong.findings} == {"wrong_formula"}
    assert all("along a direction" in finding.explanation for finding in wrong.findings)

    @jax.custom_jvp
    def cosine(x):
        return jnp.cos(x)

    cosine.defjvp(lambda p, t: (jnp.cos(p[0]), 3 * t[0]))
    later = crosscheck_rule(sine(lambda x, t: t * cosine(x)), jnp.sin, angles, examples=30)
    assert {finding.kind for finding in later.findings} == {"wrong_second_order"}


def test_a_function_without_a_rule_passes_with_a_remark():
    def remarks(function, order):
        report = crosscheck_rule(function, jnp.sin, [(0.5,)], order=order)
        assert report.ok
        return {remark.kind for remark in report.remarks}

    assert "no_rule" in remarks(jnp.sin, 1)
    assert "no_rule" not in remarks(jnp.sin, 0)
    assert "no_rule" not in remarks(sine(lambda x, t: t * jnp.cos(x)), 1)


def test_what_xla_takes_for_zero_is_no_input():
    report = crosscheck(jnp.abs, jnp.sign, [(2e-309,), (-5e-324,), (0.0,), (1.0,)])
    assert report.ok, str(report)
    drawn = crosscheck(jnp.abs, jnp.sign, st.tuples(st.floats(-2, 2)))
    assert drawn.ok, str(drawn)


def test_a_reverse_rule_without_forward_mode_is_checked_where_it_is_defined():
    @jax.custom_vjp
    def square(x):
        return x * x

    square.defvjp(lambda x: (x * x, x), lambda x, g: (2 * x * g,))
    report = crosscheck_rule(square, lambda x: x * x, st.tuples(st.floats(-3, 3)), examples=10)
    assert report.ok, str(report)
    assert "first order, reverse" in report.claims
    assert "undefined_order" in {remark.kind for remark in report.remarks}


def test_pytrees_and_several_arguments():
    def function(p, x, q):
        return jnp.sum(p["a"] * x) + jnp.exp(q)

    def derivative(p, x, q):
        return {"a": x, "b": jnp.zeros_like(p["b"])}, jnp.exp(q)

    given = [({"a": np.ones(2), "b": 3.0}, np.array([1.0, 2.0]), 0.5)]
    report = crosscheck(function, derivative, given, wrt=(0, 2))
    assert report.ok, str(report)
    assert set(report.claims["derivative"].informative) == {"p['a'][0]", "p['a'][1]", "p['b']", "q"}


def test_at_the_tip_of_a_cone_no_program_fails():
    def norm(x):
        return jnp.sqrt(jnp.sum(x**2))

    report = crosscheck(norm, lambda x: x / norm(x), [(np.zeros(2),), (np.ones(2),)])
    assert report.ok, str(report)
    assert report.kinks == 2  # once as it is, once in float32


def test_a_derivative_of_zero_is_no_kink():
    def function(x, y):
        return jnp.sum(jnp.logaddexp(x * y, 0.0))

    def derivative(x, y):
        return y * jax.nn.sigmoid(x * y)

    at_ties = [(np.zeros(2), np.zeros(2)), (np.zeros(2), np.array([1.0, -1.0]))]
    report = crosscheck(function, derivative, at_ties)
    assert report.ok, str(report)
    assert report.kinks == 0
    wrong = crosscheck(function, lambda x, y: jax.nn.sigmoid(x * y), at_ties)
    assert [finding.kind for finding in wrong.findings] == ["wrong_formula"]


def negative_log_likelihood(w, x):
    return jnp.sum(jnp.logaddexp(0.0, x * w))


def by_sigmoid(w, x):
    return jnp.sum(x * jax.nn.sigmoid(x * w))


def test_second_derivatives_need_not_be_better_than_those_of_jax():
    # The sigmoid's own rule, s (1 - s), cancels at 200; but so does what JAX makes of the function.
    report = crosscheck(negative_log_likelihood, by_sigmoid, [(1.0, np.array([1.0, 200.0]))])
    assert report.ok, str(report)
    assert report.claims["second order, forward"].judged


def test_of_digits_in_second_order_only_a_rule_has_to_keep_as_many_as_jax():
    @jax.custom_jvp
    def power(x):
        return jnp.exp(x)

    # The formula is the exponential; the program is a difference of two large numbers.
    power.defjvp(lambda p, t: (power(p[0]), (jnp.cosh(p[0]) + jnp.sinh(p[0])) * t[0]))
    given = [(0.5,), (-20.0,)]
    report = crosscheck(jnp.exp, power, given)
    assert report.ok, str(report)
    assert {remark.kind for remark in report.remarks} == {"second_order_unstable"}
    strict = crosscheck(jnp.exp, power, given, min_digits=3)
    assert {(f.kind, f.claim[:12]) for f in strict.findings} == {("unstable", "second order")}
    assert "differentiating the function twice does not" in str(strict)

    @jax.custom_jvp
    def integral(x):
        return jnp.exp(x)

    integral.defjvp(lambda p, t: (integral(p[0]), power(p[0]) * t[0]))
    rule = crosscheck_rule(integral, jnp.exp, given)
    assert {(f.kind, f.claim[:12]) for f in rule.findings} == {("unstable", "second order")}


def test_not_finite_in_second_order_is_a_remark_where_jax_is_no_better():
    def function(x):
        return jnp.sum(jnp.where(x > 0, jnp.sqrt(x) ** 4, -(x**2)))

    def derivative(x):
        return jnp.where(x > 0, 2 * jnp.sqrt(x) ** 2, -2 * x)

    report = crosscheck(function, derivative, [(np.array([1.0, -1.0]),)])
    assert report.ok, str(report)
    assert "second_order_not_finite" in {remark.kind for remark in report.remarks}
