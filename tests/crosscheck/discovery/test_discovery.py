"""Discovery: rules are found in a module, inputs are guessed, and errors are one sentence."""

import sys
from pathlib import Path

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from mog_jax.crosscheck.discovery.checks import check, inputs_by_name, inputs_named, rules_of
from mog_jax.crosscheck.discovery.errors import TargetError
from mog_jax.crosscheck.discovery.guesses import guess_inputs
from mog_jax.crosscheck.discovery.targets import Target, function_named, imported

OPTIONS = {"examples": 8, "order": 1}


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """The module beside this file, under a name of its own in a package of its own."""
    home = tmp_path_factory.mktemp("path") / "sought"
    home.mkdir()
    (home / "__init__.py").write_text("from sought.rules import right\n")
    (home / "rules.py").write_text(Path(__file__).with_name("rules_to_find.py").read_text())
    (home / "broken.py").write_text("import surely_not_installed\n")
    (home / "tests").mkdir()
    (home / "tests" / "__init__.py").write_text("raise SystemExit\n")
    sys.path.insert(0, str(home.parent))
    yield "sought"
    sys.path.remove(str(home.parent))
    for name in [name for name in sys.modules if name.split(".")[0] == "sought"]:
        del sys.modules[name]


def test_every_rule_of_a_package_is_found_once(module):
    targets, failed = rules_of(module)
    assert sorted(target.name for target in targets) == [
        "sought.rules:Holder.method",
        "sought.rules:applied",
        "sought.rules:cube",
        "sought.rules:scaled",
        "sought.rules:wrong",
        "sought:right",
    ]
    assert [str(error) for error in failed] == [
        "the module 'sought.broken' needs 'surely_not_installed', which is not installed."
    ]


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("right", "right"),
        ("wrong", "wrong_formula"),
        ("scaled", "right"),
        ("Holder.method", "right"),
    ],
)
def test_a_rule_is_judged_at_inputs_from_its_signature(module, name, verdict):
    checked = check(function_named(f"{module}.rules:{name}"), options=OPTIONS)
    assert (checked.verdict, checked.guessed) == (verdict, True), checked.refused
    assert "float64[" in checked.inputs


def test_a_high_level_primitive_is_judged_by_the_function_that_calls_it(module):
    checked = check(function_named(f"{module}.rules:cube"), options=OPTIONS)
    assert checked.ok, f"{checked.refused}{checked.report}"


def test_an_argument_that_is_a_function_is_named(module):
    checked = check(function_named(f"{module}.rules:applied"), options=OPTIONS)
    assert not checked.ok
    assert checked.verdict == "not checked"
    assert "its argument `function` is a function, which cannot be guessed" in checked.refused
    assert "functools.partial" in checked.refused


def test_a_function_without_a_rule_is_judged_by_what_jax_makes_of_it(module):
    checked = check(function_named(f"{module}.rules:plain"), options=OPTIONS)
    assert checked.ok
    assert "no_rule" in str(checked.report.remarks[0].kind)


def test_a_derivative_is_held_against_its_function(module):
    target = function_named(f"{module}.rules:plain")
    inputs = st.tuples(st.floats(-3, 3))
    for derivative, ok in [(jnp.exp, True), (lambda x: x * jnp.exp(x), False)]:
        checked = check(target, inputs=inputs, derivative=derivative, options=OPTIONS)
        assert checked.ok == ok
        assert checked.inputs == "as given"


def test_what_the_harness_refuses_is_said_and_stops_nothing(module):
    def refused(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    checked = check(Target("m:refused", refused), options=OPTIONS | {"order": 0})
    assert not checked.ok
    assert checked.refused
    assert checked.to_dict()["report"] is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("surely_not_there", "there is no module 'surely_not_there' to import"),
        ("json.surely_not", "there is no module 'json.surely_not' to import"),
    ],
)
def test_a_module_that_is_not_there_is_named(name, message):
    with pytest.raises(TargetError, match=message):
        imported(name)


def test_a_module_that_fails_says_how(module, monkeypatch):
    with pytest.raises(TargetError, match=r"'sought\.broken' needs 'surely_not_installed'"):
        imported("sought.broken")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("math:sine", "'math' has no 'sine'; did you mean .*'sin'"),
        ("math:pi", "math:pi must be a function; got float"),
        ("json:JSONDecoder", "must be a function; got type"),
    ],
)
def test_a_function_that_is_not_there_is_named(name, message):
    with pytest.raises(TargetError, match=message):
        function_named(name)


# Guesses.


def drawn(function):
    guess = guess_inputs(function)
    examples = []

    @given(guess.inputs)
    @settings(max_examples=3, database=None)
    def collect(args):
        examples.append(args)

    collect()
    return guess, examples


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (jnp.sin, [(3,)]),
        (lambda x: jax.lax.cond(x > 0, jnp.sin, jnp.cos, x), [()]),
        (lambda a: jnp.linalg.cholesky(a), [(3, 3)]),
        (lambda a, b: jnp.linalg.cholesky(a) @ b.reshape(3), [(3, 3), (3,)]),
        (lambda x, scale=2.0: x * scale, [(3,), ()]),
        (lambda x, axis=0: jnp.sum(x, axis), [(3,)]),
        (lambda *values: values[0] ** 2, [(3,)]),
        (lambda key, x: x + jax.random.normal(key, x.shape), [(3,)]),
    ],
    ids=["vector", "number", "matrix", "mixed", "float", "static", "variadic", "key"],
)
def test_shapes_are_those_that_a_function_takes(function, shapes):
    guess, examples = drawn(function)
    for args in examples:
        assert [np.shape(arg) for arg in args] == shapes
        assert jnp.isfinite(jnp.asarray(args[0])).all()
        guess.function(*args)


def test_annotations_of_shapes_are_read():
    class Annotation:
        dim_str, dtypes = "n m", ["float32", "float64"]

    class Another:
        dim_str, dtypes = "m", ["float32"]

    def function(a, b):
        return a @ b

    function.__annotations__ = {"a": Annotation, "b": Another}
    assert guess_inputs(function).described == "a: float64[3,2], b: float64[2]"


def test_keywords_are_given_as_such():
    def function(x, *, scale, times: int):
        return x * scale**times

    guess, examples = drawn(function)
    assert guess.described == "x: float64[3], scale: float64[3]"
    for args in examples:
        np.testing.assert_allclose(guess.function(*args), args[0] * args[1] ** 2, rtol=1e-5)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: 1.0, "it takes no argument"),
        (lambda x: x > 0, "no input can be guessed .* is no floating-point number"),
        (lambda n=3: jnp.ones(n), "none of its arguments can be guessed"),
    ],
)
def test_what_cannot_be_guessed_is_said(function, message):
    with pytest.raises(TargetError, match=message):
        guess_inputs(function)


# Given inputs.


@pytest.mark.parametrize(
    "text",
    ["tuples(reals(3), positives())", "st.tuples(st.floats(0, 1))", "[(np.ones(3),)]"],
)
def test_inputs_are_read_from_an_expression(text):
    inputs = inputs_named(text)
    assert isinstance(inputs, st.SearchStrategy | list)


@pytest.mark.parametrize("text", ["tuples(", "nothing_of_the_kind()", "1 +"])
def test_an_expression_that_fails_is_named(text):
    with pytest.raises(TargetError, match="are neither"):
        inputs_named(text)


def test_inputs_of_a_module_go_by_name():
    targets = [Target("m:f", jnp.sin), Target("m:g", jnp.cos)]
    inputs = {"f": [(1.0,)]}
    assert inputs_by_name(inputs, targets) == inputs
    with pytest.raises(TargetError, match="none of the rules that were found: f, g"):
        inputs_by_name({"h": []}, targets)
    with pytest.raises(TargetError, match="a dict of strategies by function; got list"):
        inputs_by_name([], targets)
