"""The benchmark of public functions: right, finding, refused, and no derivative."""

import importlib
from pathlib import Path

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
# Without the search for a simpler one, which takes twenty times as long.
ONE_DRAW = hypothesis.settings(database=None, max_examples=1, phases=[hypothesis.Phase.generate])


@pytest.fixture(scope="module")
def world():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module("world")


@jax.custom_jvp
def wrong(x):
    return jnp.sin(x)


wrong.defjvps(lambda t, y, x: 2 * t)


def unknown(x):
    return jnp.real(jnp.linalg.eigvals(x[None, None])[0])


def stepwise(x):
    return jnp.floor(x).astype(int)


@pytest.mark.parametrize(
    ("function", "status", "kinds"),
    [
        (jnp.tanh, "right", ()),
        (wrong, "finding", ("wrong_formula",)),
        (unknown, "refused", ()),
        (stepwise, "no derivative", ()),
    ],
)
def test_a_function_is_judged(world, function, status, kinds):
    entry = world.Entry(name="name", function=function, letters="r")
    outcome = world.judged(entry, 4, 1)
    assert (outcome.status, outcome.kinds) == (status, kinds), outcome.text


def test_the_table_counts_by_verdict(world, monkeypatch):
    monkeypatch.setattr(world, "_adjudicated", lambda: {"a": "true", "b": "false alarm"})
    outcomes = [
        world.Outcome(name="a", status="finding", kinds=("unstable",)),
        world.Outcome(name="b", status="finding", kinds=("unstable",)),
        world.Outcome(name="c", status="finding", kinds=("unstable",)),
        world.Outcome(name="d", status="right"),
        world.Outcome(name="e", status="refused", text="no rule for the primitive `svd`. Add"),
        world.Outcome(name="f", status="no derivative"),
    ]
    ((*cells,), total) = world._cells({"part": outcomes})
    assert cells == ["part", "6", "4", "1", "1", "1", "1", "1", "1"]
    assert total[1:] == tuple(cells[1:])
    assert world._refusals({"part": outcomes}) == {"no rule for `svd`": ["e"]}
    assert "| part | 6 | 4 |" in world._markdown({"part": outcomes})


def test_every_verdict_on_a_finding_has_a_snippet(world):
    text = (BENCHMARKS / "findings.md").read_text(encoding="utf-8")
    sections = text.split("\n## ")[1:]
    assert len(world._adjudicated()) == len(sections)
    for section in sections:
        assert "```python" in section, section.splitlines()[0]


def test_functions_of_jax_are_named_once_and_have_inputs(world):
    parts = importlib.import_module("public_functions.jax_functions").PARTS
    names = [entry.name for make in parts.values() for entry in make()]
    assert len(names) == len(set(names))
    for make in parts.values():
        for entry in make():
            args = hypothesis.find(entry.inputs, lambda _: True, settings=ONE_DRAW)
            assert all(isinstance(leaf, np.ndarray | np.generic) for leaf in args)
