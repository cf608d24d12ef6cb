"""Wrong arguments raise one clear sentence: the argument, its value, and what is required."""

import re

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mog_jax.crosscheck import crosscheck, crosscheck_rule

ONE = [(np.ones(2),)]
BOTH = "({'a': float64[2]}, float64[])"


def square(x):
    return jnp.sum(x**2)


def twice(x):
    return 2 * x


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "`inputs` yields nothing: the list is empty"),
        (st.nothing(), "`inputs` yields nothing"),
        (st.tuples(st.floats()).filter(lambda x: False), "`inputs` yields nothing"),
        (
            (np.ones(2),),
            "a Hypothesis strategy or a list of tuples of arguments; got tuple",
        ),
        (iter(ONE), "must be a Hypothesis strategy or a list"),
        ([np.ones(2)], r"must yield tuples of arguments, (x,) for a single one; got ndarray"),
        (st.just(np.ones(2)), r"must yield tuples of arguments, (x,) for a single one"),
        ([({1, 2},)], "got set (bind what is no array with `functools.partial`) at args[0]"),
        ([(np.array(["text"]),)], "got <U4 (bind what is no array with `functools.partial`)"),
        ([(1j,)], "must yield arrays of real numbers, keys, or hashable values that are no arrays"),
        ([(1j,)], "got complex128 (pass the real and the imaginary part) at args[0]"),
        ([("text",)], "`x` is differentiated and must hold floating-point numbers; it holds none"),
        ([(jax.random.key(0),)], "is differentiated and must be floating-point; got dtype uint32"),
        ([(np.arange(3),)], "`x` is differentiated and must be floating-point; got dtype int64"),
        (st.tuples(st.integers(0, 3)), "`x` is differentiated and must be floating-point"),
        ([*ONE, (np.ones(2), 1.0)], "tuples of one length; got 2 arguments after 1"),
        ([*ONE, ([1.0, 2.0],)], "`function` cannot be differentiated by JAX at an input"),
    ],
)
def test_of_the_inputs(given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        crosscheck(square, twice, given)


@pytest.mark.parametrize(
    ("function", "derivative", "message"),
    [
        (None, twice, "`function` must be callable; got NoneType"),
        (square, np.ones(2), "`derivative` must be callable; got ndarray"),
        (jnp.argmax, twice, "must give floating-point numbers; got int64[]"),
        (lambda x: (jnp.sum(x), 1), twice, "`has_aux=True` if it is the second of two outputs"),
        (lambda x: None, twice, "must give floating-point numbers; got nothing"),
        (lambda x: float(jnp.sum(x)), twice, "`function` cannot be traced by JAX"),
        (lambda x: np.sin(x).sum(), jnp.cos, "Write it with `jax.numpy`"),
        (lambda x: jnp.sum(x) if x[0] > 0 else 0.0, twice, "`jnp.where` in the place of `if`"),
        (lambda x, y: jnp.sum(x * y), twice, "missing 1 required positional argument: 'y'"),
        (lambda x: sum(x[i] for i in range(x[0].astype(int))), twice, "with `functools.partial`"),
        (square, lambda x: np.ones(int(x[0])), "`derivative` cannot be traced by JAX"),
    ],
)
def test_of_the_functions(function, derivative, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        crosscheck(function, derivative, ONE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wrt": 3}, "`wrt` must be an index of the arguments, of which there is one, 0; got 3"),
        ({"wrt": "x"}, "`wrt` must be an index of the arguments"),
        ({"wrt": 0.0}, "`wrt` must be an index of the arguments"),
        ({"wrt": (0, 0)}, "`wrt` must name each argument once; got (0, 0)"),
        ({"wrt": ()}, "`wrt` must name an argument; got ()"),
        ({"examples": 0}, "`examples` must be a positive integer; got 0"),
        ({"examples": 1e3}, "`examples` must be a positive integer; got 1000.0"),
        ({"examples": True}, "`examples` must be a positive integer; got True"),
        ({"seed": "a"}, "`seed` must be an integer; got 'a'"),
        ({"order": 4}, "`order` must be from 1 to 3; got 4"),
        ({"min_digits": 20}, "`min_digits` must be between 0 and 16; got 20"),
        ({"min_digits": "many"}, "`min_digits` must be between 0 and 16; got 'many'"),
        ({"agrees_to": 1}, "`agrees_to` must be at least 0 and below 1; got 1"),
        ({"surrogate": 1}, "`surrogate` must be True or False; got 1"),
        ({"surrogate": True, "agrees_to": 0.1}, "give one of them"),
        ({"deadline": 0}, "`deadline` must be a positive number of seconds, or None; got 0"),
        ({"normwise": "max"}, "`normwise` must be True or False; got 'max'"),
        ({"edges": [np.ones(2)]}, "`edges` must be a list of tuples of arguments"),
        ({"simplex": {"b": "partial"}}, "must name leaves of the arguments, which are x; got 'b'"),
        (
            {"simplex": {"x": "along"}},
            "map a name to 'partial' or 'tangent'; got 'x': 'along'",
        ),
        ({"simplex": "x"}, "`simplex` must map names of leaves to 'partial' or 'tangent'; got str"),
    ],
)
def test_of_the_options(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        crosscheck(square, twice, ONE, **options)


def test_of_a_rule():
    with pytest.raises(ValueError, match="`plain` must be callable; got NoneType"):
        crosscheck_rule(jnp.sin, None, ONE)
    with pytest.raises(ValueError, match="must yield a floating-point argument"):
        crosscheck_rule(jnp.sin, jnp.sin, [(1,)])
    assert crosscheck_rule(jnp.sin, jnp.sin, [(1,)], order=0).ok


@pytest.mark.parametrize(
    ("derivative", "wanted", "got"),
    [
        (
            lambda p, x: {"a": 2.0 * p["a"] * x},
            "({'a': float64[2]}, float64[])",
            "{'a': float64[2]}",
        ),
        (lambda p, x: [p, x], "({'a': float64[2]}, float64[])", "[{'a': float64[2]}, float64[]]"),
        (lambda p, x: (p, p["a"]), "float64[]", "float64[2]"),
        (lambda p, x: None, "({'a': float64[2]}, float64[])", "None"),
    ],
)
def test_another_structure_is_shown_beside_the_wanted_one(derivative, wanted, got):
    def function(p, x):
        return x * jnp.sum(p["a"] ** 2)

    report = crosscheck(function, derivative, [({"a": np.ones(2)}, 1.0)], wrt=(0, 1))
    (finding,) = report.findings
    assert (finding.kind, finding.exact, finding.got) == ("wrong_shape_or_dtype", wanted, got)
    assert "the output must look like the differentiated arguments" in str(report)
    assert "PyTreeDef" not in str(report)
    assert not report.remarks


def test_a_derivative_that_raises_later_is_a_finding():
    def for_two_entries(x):
        return 2 * x if x.shape == (2,) else 1 / 0

    def in_float64(x):
        return 2 * x if x.dtype == np.float64 else 1 / 0

    of_shape = crosscheck(square, for_two_entries, [*ONE, (np.ones(3),)])
    assert [(f.kind, f.explanation) for f in of_shape.findings] == [
        ("raised", "ZeroDivisionError: division by zero")
    ]
    of_dtype = crosscheck(square, in_float64, ONE)
    assert [(f.kind, f.execution) for f in of_dtype.findings] == [("raised", "float32")]


def test_a_program_that_asks_for_float64_by_name_is_judged_all_the_same():
    report = crosscheck(square, lambda x: 2 * x.astype(jnp.float64), ONE)
    assert report.ok, str(report)


def test_no_entries_are_no_pass():
    report = crosscheck(square, twice, [(np.ones(0),)])
    assert [finding.kind for finding in report.findings] == ["not_judged"]
