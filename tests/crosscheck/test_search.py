"""The search: which inputs it judges and how, and differences between executions."""

import dataclasses

import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from mog_jax.crosscheck import crosscheck, search
from mog_jax.crosscheck.exact import Overdue
from mog_jax.crosscheck.findings import Execution
from mog_jax.crosscheck.inputs.arguments import narrowed
from mog_jax.crosscheck.judge import executions
from mog_jax.crosscheck.judge.endless import Endless
from mog_jax.crosscheck.judge.executions import Executions

TINY = float(np.finfo(np.float32).tiny)


def half_square(x):
    return 0.5 * x * x


def by_way_of_a_large_number(x):
    return (x + 1e8) - 1e8


def test_a_wrong_formula_is_disproved_before_anything_is_compiled(monkeypatch):
    def compiled(*_, **__):
        raise AssertionError("something was compiled")

    for name in ("scales", "run_autodiff", "run_narrow"):
        monkeypatch.setattr(Executions, name, compiled)
    report = crosscheck(half_square, lambda x: 2 * x, st.tuples(st.floats(-3, 3)), examples=40)
    assert [finding.kind for finding in report.findings] == ["wrong_formula"]


@pytest.mark.parametrize(("threshold", "least"), [(1.5, 2), (2.98, 6)])
def test_a_wrong_formula_that_the_first_inputs_hide_is_found_by_a_later_one(
    monkeypatch, threshold, least
):
    monkeypatch.setattr(search, "_FORMULA_FIRST", 5)

    def rarely_wrong(x):
        return jnp.where((x > threshold) & (x < 2.99), 2 * x, x)

    inputs = [(0.01 * k,) for k in range(300)]
    drawn = st.integers(0, 299).map(lambda k: inputs[k])
    report = crosscheck(half_square, rarely_wrong, drawn, examples=600, order=1)
    assert [finding.kind for finding in report.findings] == ["wrong_formula"]
    assert report.examples >= least
    (x,) = report.findings[0].args
    assert threshold < x < 2.99


def test_half_of_the_inputs_reach_float32_though_floats_draws_tiny_ones():
    inputs = st.tuples(st.lists(st.floats(-3, 3), min_size=12, max_size=12).map(np.array))
    report = crosscheck(lambda x: jnp.sum(x * x), lambda x: 2 * x, inputs, examples=100, order=1)
    executions = report.claims["derivative"].executions
    assert report.ok
    assert executions["float32"].inputs > executions["jit"].inputs / 4


def test_what_is_too_small_for_float32_becomes_its_smallest_number():
    args = (np.array([1e-300, -5e-324, -0.0, 0.1]), np.int64(3))
    floats, integer = narrowed(args)
    np.testing.assert_array_equal(floats, [TINY, -TINY, 0.0, np.float64(np.float32(0.1))])
    assert np.signbit(floats[2])
    assert integer == 3
    assert narrowed((np.array([1e39]),)) is None


@pytest.mark.parametrize(
    ("derivative", "kind"),
    [(by_way_of_a_large_number, "unstable"), (lambda x: 1 * x, "differs_under_jit")],
)
def test_luck_between_executions_is_no_difference_between_programs(monkeypatch, derivative, kind):
    run = Executions.run

    def with_luck_under_jit(self, args, **options):
        outcomes = run(self, args, **options)
        (x,) = args
        lost = np.reshape((x + 1e8) - 1e8, -1)
        outcomes["jit"] = dataclasses.replace(outcomes["jit"], values=np.reshape(x, -1))
        return outcomes | {"eager": dataclasses.replace(outcomes["eager"], values=lost)}

    monkeypatch.setattr(Executions, "run", with_luck_under_jit)
    report = crosscheck(half_square, derivative, [(np.float64(1e-4 / 3),)], order=1)
    assert [finding.kind for finding in report.findings] == [kind]


@pytest.mark.parametrize(
    ("derivative", "kind"),
    [
        (lambda x: x * (x - 0.25) / (x - 0.25), "not_finite"),
        (lambda x: x, "differs_under_jit"),
    ],
)
def test_whether_a_quotient_of_zeros_is_a_number_is_luck(monkeypatch, derivative, kind):
    run = Executions.run

    def without_a_number_under_jit(self, args, **options):
        outcomes = run(self, args, **options)
        there = [dataclasses.replace(outcomes["jit"], values=v) for v in (args[0], np.nan)]
        return outcomes | {
            name: dataclasses.replace(one, values=np.reshape(one.values, -1))
            for name, one in zip(("eager", "jit"), there, strict=True)
        }

    monkeypatch.setattr(Executions, "run", without_a_number_under_jit)
    report = crosscheck(half_square, derivative, [(np.float64(0.25),)], order=1)
    assert [finding.kind for finding in report.findings] == [kind]


def test_where_float32_overflows_it_is_tried_whatever_was_drawn(monkeypatch):
    # Every input is drawn for float64 alone.
    monkeypatch.setattr(st, "booleans", lambda: st.just(True))

    def log_cosh(x):
        return jnp.logaddexp(x, -x)

    def by_a_ratio(x):
        return jnp.sinh(x) / jnp.cosh(x)

    for derivative, kinds in ((by_a_ratio, ["not_finite"]), (jnp.tanh, [])):
        inputs = st.tuples(st.floats(100, 200))
        report = crosscheck(log_cosh, derivative, inputs, examples=8, order=1)
        assert [finding.kind for finding in report.findings] == kinds
        for finding in report.findings:
            assert finding.execution == "float32"
            # The input that is shown is the one that was judged.
            (x,) = finding.args
            assert x == np.float32(x)
    # Where nothing overflows, nothing is judged twice.
    assert "float32" not in report.claims["derivative"].executions


@pytest.mark.parametrize(
    ("endless", "failures"), [(Execution.FLOAT32, []), (Execution.JIT, ["not_judged"])]
)
def test_a_compiled_loop_that_does_not_end_is_given_up(monkeypatch, endless, failures):
    def root(a):
        return lax.while_loop(lambda x: abs(x * x - a) > 1e-12, lambda x: (x + a / x) / 2, a)

    class Patient(Endless):
        def run(self, name, action):
            if name == endless:
                raise Overdue(f"a loop ({name}) does not end")
            return super().run(name, action)

    monkeypatch.setattr(executions, "Endless", Patient)
    report = crosscheck(root, lambda a: 0.5 / root(a), [(2.0,), (3.1,)], order=1, agrees_to=1e-6)
    assert [finding.kind for finding in report.findings] == failures
    assert report.overdue
    assert f"a loop ({endless}) does not end" in str(report)


def test_nothing_is_drawn_once_there_is_nothing_to_look_for():
    drawn = []
    inputs = st.tuples(st.floats(1, 2).map(lambda x: drawn.append(x) or x))
    report = crosscheck(lambda x: x * x, lambda x: x, inputs, examples=200)
    assert report.findings[0].args == (1.0,)
    assert len(drawn) < 100


def test_a_deadline_that_is_met_the_second_time_only_breaks_no_search(monkeypatch):
    asked = {}
    original = search.Search._disproved_at

    def hurried(self, draw, claim=""):
        if not claim:
            return original(self, draw, claim)
        mark = float(draw.args[0]), draw.narrow
        asked[mark] = asked.get(mark, 0) + 1
        return asked[mark] == 1 and original(self, draw, claim)

    monkeypatch.setattr(search.Search, "_disproved_at", hurried)
    report = crosscheck(lambda x: x * x, lambda x: x, st.tuples(st.floats(1, 2)), examples=50)
    assert [finding.kind for finding in report.findings] == ["wrong_formula"]


def test_an_error_that_comes_up_when_a_failing_input_is_repeated_is_raised(monkeypatch):
    asked = set()
    original = search.Search._failures

    def interrupted(self, draw, **options):
        mark = float(draw.args[0]), draw.narrow
        if self._shrinking and mark in asked:
            raise TimeoutError("no time is left")
        if self._shrinking:
            asked.add(mark)
        return original(self, draw, **options)

    monkeypatch.setattr(search.Search, "_failures", interrupted)
    with pytest.raises(TimeoutError, match="no time is left"):
        crosscheck(
            lambda x: jnp.expm1(x) - x,
            lambda x: jnp.exp(x) - 1,
            st.tuples(st.floats(1e-12, 1e-6)),
            examples=10,
            order=1,
            min_digits=8,
        )
