"""The memory of a check: programs of the last few shapes, and almost nothing for each input."""

import gc
import tracemalloc
from pathlib import Path

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np

import mog_jax
from mog_jax.crosscheck import crosscheck, search
from mog_jax.crosscheck.judge import judge
from mog_jax.crosscheck.judge.executions import Executions

# Hypothesis remembers what it drew, and is not asked about: not even where the whole environment
# lies in a folder that is called like the package.
OURS = [Path(module.__file__).parent for module in (mog_jax, jax)]


def square(x):
    return jnp.sum(x**2)


def twice(x):
    return 2 * x


def test_programs_of_earlier_shapes_are_let_go(monkeypatch):
    monkeypatch.setattr(judge, "_SHAPES", 2)
    made, most = [], []

    def counted(self, *args):
        made.append(None)
        gc.collect()
        most.append(sum(isinstance(thing, Executions) for thing in gc.get_objects()))
        original(self, *args)

    original = Executions.__init__
    monkeypatch.setattr(Executions, "__init__", counted)
    given = [(np.full(n, x),) for n, x in [(1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0), (1, 2.0)]]
    report = crosscheck(square, twice, given, order=1)
    assert report.ok, str(report)
    assert len(made) == 5
    assert max(most) <= 4


def test_an_input_leaves_next_to_nothing_behind(monkeypatch):
    sizes = []
    judged = []

    def counted(self, draw, *, thorough):
        result = original(self, draw, thorough=thorough)
        judged.append(None)
        if len(judged) % 50 == 0:
            gc.collect()
            ours = tracemalloc.take_snapshot().filter_traces(
                [tracemalloc.Filter(True, str(folder / "*")) for folder in OURS]
            )
            sizes.append(sum(trace.size for trace in ours.traces))
        return result

    original = search.Search._failures
    monkeypatch.setattr(search.Search, "_failures", counted)
    tracemalloc.start()
    try:
        crosscheck(square, twice, st.tuples(st.floats(-9, 9)), examples=220, order=1)
    finally:
        tracemalloc.stop()
    # A cache of JAX's may grow once, at any time; what inputs leave behind grows all the time.
    assert len(sizes) == 4
    assert np.diff(sizes).min() / 50 < 3000
