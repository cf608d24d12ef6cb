"""Planted bugs: good inputs show those that poor ones miss, and the report names them."""

import json

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mog_jax import Mixture
from mog_jax.crosscheck import crosscheck
from mog_jax.gradients import gradient
from mog_jax.likelihood import log_likelihood
from mog_jax.self_check import mixtures_and_data
from tests.crosscheck.subjects import inputs, log_sum, right


def value(mixture, x):
    return log_likelihood(mixture, x)


def by_hand(mixture, x):
    return gradient(mixture, x)


def planted(function, derivative, given, **options):
    report = crosscheck(function, derivative, given, plant_bugs=True, order=1, **options)
    assert report.ok, str(report)
    return report


def missed(report):
    return {str(bug) for bug in report.planted if not bug.caught}


def square(x):
    return x * x


def slope(x):
    return 2 * x


@pytest.fixture(scope="module")
def good():
    return planted(value, by_hand, mixtures_and_data((4,)), examples=25)


@pytest.fixture(scope="module")
def poor():
    # Both components alike, at the maximum: most of the gradient is 0 there.
    alike = Mixture.from_arrays(weights=[0.5, 0.5], means=[0.0, 0.0], variances=[1.0, 1.0])
    return planted(value, by_hand, [(alike, np.array([-1.0, 1.0, -1.0, 1.0]))])


def test_good_inputs_show_nearly_every_bug(good):
    assert len(good.planted) > 50
    assert sum(bug.caught for bug in good.planted) > 0.8 * len(good.planted)
    kinds = {bug.kind for bug in good.planted if bug.caught}
    assert kinds == {"wrong_formula", "not_finite", "unstable"}
    assert {bug.kind for bug in good.planted if not bug.caught} == {None}


def test_every_bug_in_a_result_is_shown_by_good_inputs(good):
    in_results = {"sign flipped", "left at 0", "swapped", "twice as large", "half as large"}
    assert all(bug.caught for bug in good.planted if bug.name in in_results)


def test_poor_inputs_miss_many_and_the_report_names_them(poor, good):
    assert [str(bug) for bug in poor.planted] == [str(bug) for bug in good.planted]
    assert sum(bug.caught for bug in poor.planted) < 0.5 * len(poor.planted)
    assert "mixture.means[0]: sign flipped" in missed(poor)
    caught = sum(bug.caught for bug in poor.planted)
    text = str(poor)
    assert f"planted bugs: {caught} of {len(poor.planted)} caught by these inputs" in text
    assert "    mixture.means[0]: sign flipped, left at 0\n" in text


def test_planted_bugs_are_in_the_json(poor):
    listed = json.loads(poor.to_json())["planted"]
    assert [(bug["entry"], bug["name"], bug["caught"], bug["kind"]) for bug in listed] == [
        (bug.entry, bug.name, bug.caught, bug.kind) for bug in poor.planted
    ]


def test_a_line_of_the_source_is_named(good):
    assert any(bug.entry.startswith("gradients.py:") for bug in good.planted)


@pytest.mark.parametrize(
    ("bug", "blind", "seeing"),
    [
        ("x: NaN where it has a 0", 1.5, 0.0),
        ("the arguments: rounded to float32", 1.5, 0.1),
        ("x: off by 1e-06 of itself", 0.0, 1.5),
        ("x: sign flipped", 0.0, 1.5),
    ],
)
def test_a_bug_is_missed_exactly_where_it_makes_no_difference(bug, blind, seeing):
    assert bug in missed(planted(square, slope, [(blind,)]))
    assert bug not in missed(planted(square, slope, [(seeing,)]))
    assert bug not in missed(planted(square, slope, [(blind,), (seeing,)]))


def test_a_guard_far_out_is_shown_by_far_inputs_only():
    def clipped(report):
        (name,) = {bug for bug in report.planted if "clipped at 30" in bug.name}
        return name.caught

    assert not clipped(planted(jnp.exp, jnp.exp, [(2.0,)]))
    assert clipped(planted(jnp.exp, jnp.exp, [(2.0,), (40.0,)]))


def test_the_same_function_by_a_worse_program_is_shown_by_its_digits():
    # Added where it should be subtracted, the maximum cancels all the same, and overflows first.
    shift = next(
        bug
        for bug in planted(log_sum, right, [(np.ones(2), np.full((3, 2), 400.0))]).planted
        if bug.name == "`add` for `sub`"
    )
    assert (shift.caught, shift.kind) == (True, "not_finite")


def test_no_bug_is_planted_where_the_program_has_no_number_itself():
    report = planted(log_sum, right, inputs(), examples=5)
    assert not any(bug.entry == "w" and "NaN" in bug.name for bug in report.planted)


def test_nothing_is_planted_in_what_failed_or_unless_asked():
    failed = crosscheck(square, lambda x: 3 * x, [(1.5,)], plant_bugs=True)
    assert failed.findings
    assert failed.planted == []
    assert crosscheck(square, slope, [(1.5,)]).planted == []


def test_inputs_of_several_shapes_share_their_bugs():
    def cubes(x):
        return jnp.sum(x**3)

    given = [(np.array([2.0]),), (np.array([2.0, 3.0]),)]
    report = planted(cubes, lambda x: 3 * x**2, given)
    labels = [str(bug) for bug in report.planted]
    assert len(set(labels)) == len(labels)
    assert {"x[0]: sign flipped", "x[0], x[1]: swapped"} <= set(labels) - missed(report)


def test_structure_is_kept():
    def norm(pair, scale):
        return scale * (jnp.sum(pair["a"] ** 2) + pair["b"] ** 2)

    def derivative(pair, scale):
        return jax.tree.map(lambda leaf: 2 * scale * leaf, pair)

    pair = {"a": np.array([[1.5, 2.0], [0.5, 3.0]]), "b": 2.5}
    report = planted(norm, derivative, st.just((pair, 3.0)), examples=1)
    assert {"pair['a'][0, 0]: sign flipped", "pair['b']: left at 0"} <= {
        str(bug) for bug in report.planted if bug.caught
    }
