"""Snippets: exact inputs, functions with their dependencies, and the same finding."""

import dataclasses
import functools
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as numpy_strategies

import mog_jax
from mog_jax.crosscheck import crosscheck, crosscheck_rule
from mog_jax.crosscheck.report.snippet import snippet, source
from mog_jax.crosscheck.report.snippet_imports import Preamble
from tests.crosscheck.subjects import log_sum, shown_by

ROOT = Path(mog_jax.__file__).parent.parent
OFFSET = 0.25


class Pair(NamedTuple):
    left: object
    right: object


@functools.partial(jax.tree_util.register_dataclass, data_fields=["rate"], meta_fields=["name"])
@dataclasses.dataclass(frozen=True)
class Model:
    rate: object
    name: str = "exponential"


def shifted(x):
    return jnp.sum(jnp.sin(x + OFFSET))


@jax.jit
def compiled(x):
    return jnp.cos(x)


def test_a_function_of_this_file_comes_with_what_it_uses():
    text = crosscheck(shifted, compiled, [(np.ones(2),)]).findings[0].reproduce
    assert "OFFSET = 0.25" in text
    assert "@jax.jit\ndef compiled(x):" in text
    assert "wrong_formula: x[0]" in shown_by(text)


def _made(rate, limits):
    def function(x, rate=rate):
        return rate * jnp.sin(x)

    def derivative(x, rate=rate):
        return rate * jnp.sin(x)

    def of_limits(x, *, rate=rate, limits=limits):
        return rate * jnp.sin(x) * limits["low"]

    return function, derivative, of_limits


def test_defaults_that_another_function_bound_come_with_a_function():
    function, derivative, of_limits = _made(2.5, {"low": 2.0})
    text = crosscheck(function, derivative, [(0.5,)], wrt=0).findings[0].reproduce
    assert "rate = 2.5" in text
    assert "wrong_formula: x" in shown_by(text)
    # What cannot be written is left to the reader, by name.
    text = crosscheck(of_limits, derivative, [(0.5,)]).findings[0].reproduce
    assert "Yours, to be defined first: of_limits" in text


def test_a_lambda_comes_with_its_closure():
    scale, unit = np.array([1.0, np.inf]), 2
    functions = [lambda x: jnp.sum(x**2), lambda x: x * unit * jnp.where(jnp.isinf(scale), 1.5, 1)]
    text = crosscheck(*functions, [(np.ones(2),)]).findings[0].reproduce
    assert "function = (lambda x: jnp.sum(x**2))" in text
    assert "scale = np.array([1.0, np.inf])" in text
    assert "wrong_formula: x[1]" in shown_by(text)


def test_classes_come_along_or_are_imported():
    def function(pair, model, mixture):
        return pair.left * model.rate + pair.right["a"][0] + jnp.sum(mixture.means)

    def derivative(pair, model, mixture):
        return Pair(model.rate, {"a": [2 * jnp.ones(())]})

    mixture = mog_jax.Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 1], variances=[1, 1])
    args = (Pair(np.ones(()), {"a": [np.ones(())]}), Model(np.float64(3)), mixture)
    (finding,) = crosscheck(function, derivative, [args]).findings
    assert "class Pair(NamedTuple):" in finding.reproduce
    assert "class Model:" in finding.reproduce
    assert "from mog_jax import Mixture" in finding.reproduce
    registration = "@functools.partial(jax.tree_util.register_dataclass"
    assert registration in finding.reproduce
    assert "wrong_formula: pair.right['a'][0]" in shown_by(finding.reproduce)


def test_what_cannot_be_written_is_left_to_the_reader():
    @jax.custom_jvp
    def rule(x):
        return jnp.sin(x)

    rule.defjvp(lambda p, t: (rule(p[0]), t[0]))
    text = crosscheck_rule(rule, jnp.sin, [(1.0,)], order=1, seed=3).findings[0].reproduce
    assert "# Yours, to be defined first: rule" in text
    assert "crosscheck_rule(rule, sin, [args], seed=3, order=1)" in text
    assert "wrong_formula: value" in shown_by(text, rule=rule)


def with_a_wrong_transpose(matrix, b):
    def by_cramer(_, right):
        (a, c), (d, e) = matrix
        return jnp.stack([e * right[0] - c * right[1], a * right[1] - d * right[0]]) / (
            a * e - c * d
        )

    x = jax.lax.custom_linear_solve(lambda x: matrix @ x, b, by_cramer, by_cramer)
    return 0.5 * b @ x


def without_the_rule(matrix, b):
    (a, c), (d, e) = matrix
    x = jnp.stack([e * b[0] - c * b[1], a * b[1] - d * b[0]]) / (a * e - c * d)
    return 0.5 * b @ x


def test_one_mode_that_is_wrong_is_shown_again():
    args = (np.array([[3.0, 1.0], [0.5, 2.0]]), np.array([1.0, -2.0]))
    report = crosscheck_rule(with_a_wrong_transpose, without_the_rule, [args], order=1)
    (finding,) = report.findings
    assert finding.kind == "forward_reverse_differ"
    assert f"forward_reverse_differ: {finding.entry}" in shown_by(finding.reproduce)


def doubled_for_two(x):
    return 2 * x if x.shape == (2,) else 1 / 0


def doubled_in_float64(x):
    return 2 * x if x.dtype == np.float64 else 1 / 0


def squared(x):
    return jnp.sum(x**2)


def test_what_raised_raises_again():
    inputs = [(np.ones(2),), (np.ones(3),)]
    (of_dtype,) = crosscheck(squared, doubled_in_float64, inputs[:1]).findings
    assert of_dtype.kind == "raised"
    assert "raised: " in shown_by(of_dtype.reproduce)
    (of_shape,) = crosscheck(squared, doubled_for_two, inputs).findings
    assert of_shape.kind == "raised"
    # There is no other input that could be judged: a mistake in calling.
    with pytest.raises(ValueError, match=r"`derivative` cannot be traced.* ZeroDivisionError"):
        shown_by(of_shape.reproduce)


def test_two_things_of_one_name_are_not_confused():
    def make(power):
        def power_of(x):
            return jnp.sum(x**power)

        return power_of

    text = snippet("crosscheck", [("function", make(2)), ("derivative", make(3))], (1.0,), {})
    assert "power = 2" in text
    assert "# Yours, to be defined first: power_of" in text


def test_options_that_matter_are_repeated():
    def rounded(w, z):
        return jax.grad(log_sum)(w, z) * (1 + 1e-12)

    args = (np.array([0.5, 0.5]), np.zeros((1, 2)))
    report = crosscheck(log_sum, rounded, [args], order=1, simplex={"w": "partial"})
    assert "[args], order=1, simplex={'w': 'partial'})" in report.findings[0].reproduce
    strict = crosscheck(
        jnp.sum, lambda x: jnp.cos(1e-4 * x), [(np.ones(2) * 1e-3,)], min_digits=15.5, order=1
    )
    assert "min_digits=15.5" in strict.findings[0].reproduce


arrays = st.one_of(
    numpy_strategies.arrays(np.float64, numpy_strategies.array_shapes(min_dims=0, min_side=0)),
    numpy_strategies.arrays(np.int32, numpy_strategies.array_shapes(min_dims=0)),
    numpy_strategies.arrays(np.bool_, numpy_strategies.array_shapes(min_dims=0)),
)
trees = st.recursive(
    arrays | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.builds(Pair, inner, inner)
    ),
    max_leaves=6,
)


@given(trees)
def test_inputs_are_written_to_the_last_bit(tree):
    text = source(tree, Preamble(), [])
    again = eval(text, {"np": np, "Pair": Pair})
    assert jax.tree.structure(again) == jax.tree.structure(tree)
    for ours, theirs in zip(jax.tree.leaves(again), jax.tree.leaves(tree), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
        if ours.dtype.kind == "f":
            known = ~np.isnan(ours)
            np.testing.assert_array_equal(np.signbit(ours)[known], np.signbit(theirs)[known])


SCRIPT = '''
import jax.numpy as jnp
from mog_jax.crosscheck import crosscheck

def energy(x):
    """An energy."""
    return jnp.sum(cube(x))

def cube(x):
    return x**3

report = crosscheck(energy, lambda x: 2 * x**2, [(jnp.ones(2),)])
print(report.findings[0].reproduce)
'''


def test_a_snippet_of_a_script_runs_where_the_script_is_not(tmp_path):
    def run(path):
        return subprocess.run(
            [sys.executable, str(path)],
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        ).stdout

    script, pasted = tmp_path / "script.py", tmp_path / "pasted.py"
    script.write_text(SCRIPT)
    pasted.write_text(run(script))
    script.unlink()
    assert "wrong_formula: x[0]" in run(pasted)


def cubes(x):
    return jnp.sum(x**3)


@pytest.mark.parametrize(
    ("derivative", "written"),
    [
        (jax.grad(jnp.sin), "grad_of_sin = jax.grad(sin)"),
        (jax.grad(cubes), "grad_of_cubes = jax.grad(cubes)"),
        (jax.jacfwd(cubes, argnums=(0,)), "jax.jacfwd(cubes, argnums=(0,))"),
        (jax.jacrev(cubes), "jax.jacrev(cubes)"),
    ],
)
def test_a_derivative_by_jax_is_written_as_one(derivative, written):
    text = snippet("crosscheck", [("function", cubes), ("derivative", derivative)], (), {})
    assert written in text


def test_a_function_that_another_made_is_left_to_the_reader():
    text = snippet("crosscheck", [("derivative", jax.vmap(cubes))], (), {})
    assert "# Yours, to be defined first: cubes" in text
