"""``mog-jax crosscheck``: its output, refusals and exit codes."""

import json
import sys

import pytest

from mog_jax import cli

MODULE = """
import hypothesis.strategies as st
import jax
import jax.numpy as jnp


@jax.custom_jvp
def right(x):
    return jnp.sin(x)


right.defjvps(lambda t, y, x: t * jnp.cos(x))


@jax.custom_jvp
def wrong(x):
    return jnp.log(x)


wrong.defjvps(lambda t, y, x: 2 * t / x)


def slope(x):
    return jnp.cos(x)


inputs = {"wrong": st.tuples(st.floats(1, 2)), "right": [(0.5,)]}
one = [(0.25,), (0.5,)]
"""
QUICK = ("--examples", "4", "--order", "1")


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    (tmp_path / "maintained.py").write_text(MODULE)
    (tmp_path / "ruleless.py").write_text("def nothing(x):\n    return x\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*arguments):
        code = cli.main(["crosscheck", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    yield run
    for name in ("maintained", "ruleless"):
        sys.modules.pop(name, None)


def test_a_module_is_judged_rule_by_rule(run):
    code, out, _ = run("maintained", *QUICK)
    assert code == 1
    assert "maintained:right" in out
    assert "wrong_formula" in out
    assert "from maintained import wrong" in out  # the snippet that shows it again
    assert "Inputs were guessed from signatures" in out


def test_what_is_left_out_fails_nothing(run):
    code, out, err = run("maintained", "--skip", "wrong", *QUICK)
    assert (code, err) == (0, "")
    assert "maintained:wrong" not in out


def test_inputs_are_given_by_function(run):
    code, out, _ = run("maintained", "--inputs", "maintained:inputs", "--json", *QUICK)
    assert code == 1
    found = json.loads(out)
    assert {name: one["inputs"] for name, one in found.items()} == {
        "maintained:right": "as given",
        "maintained:wrong": "as given",
    }
    assert found["maintained:right"]["ok"]
    assert found["maintained:wrong"]["report"]["findings"][0]["kind"] == "wrong_formula"


@pytest.mark.parametrize("inputs", ["maintained:one", "tuples(floats(-1, 1))"])
def test_one_function_is_judged(run, inputs):
    code, out, _ = run("maintained:right", "--inputs", inputs, *QUICK)
    assert code == 0
    assert "as given" in out


def test_a_derivative_that_was_written_by_hand_is_judged(run):
    given = ("--derivative", "maintained:slope", "--inputs", "maintained:one")
    assert run("maintained:right", *given, *QUICK)[0] == 0
    assert run("maintained:wrong", *given, *QUICK)[0] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["surely_not_there"], "there is no module 'surely_not_there' to import"),
        (["maintained:rihgt"], "'maintained' has no 'rihgt'; did you mean 'right'"),
        (["ruleless"], "ruleless has no function with a custom derivative rule; name a function"),
        (["maintained", "--skip", "right", "--skip", "wrong"], "but those that --skip leaves out"),
        (
            ["maintained", "--inputs", "maintained:one"],
            "a dict of strategies by function; got list",
        ),
        (
            ["maintained", "--derivative", "maintained:slope"],
            "--derivative is that of one function",
        ),
        (["maintained:right", "--inputs", "nonsense("], "are neither"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_positions_are_read(run, capsys):
    with pytest.raises(SystemExit):
        run("maintained:right", "--wrt", "first")
    assert "must be positions such as 0,2; got 'first'" in capsys.readouterr().err
    assert run("maintained:right", "--wrt", "0", *QUICK)[0] == 0
