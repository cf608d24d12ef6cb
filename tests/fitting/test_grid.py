"""`grid_step` detects values on a grid, and no others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mog_jax
from mog_jax import cli
from mog_jax.fitting.data.grid import grid_step

STEPS = [0.001, 0.1, 0.25, 1.0, 2.54, 28.35, 1000.0]


@given(
    step=st.sampled_from(STEPS),
    first=st.integers(-300, 300),
    places=st.lists(st.integers(0, 12), min_size=3, max_size=12),
)
def test_the_step_is_the_common_one_of_all_gaps(step, first, places):
    levels = step * (first + np.unique([0, 1, 12, *places]))
    np.testing.assert_allclose(grid_step(levels, 60), step, rtol=1e-5)


def test_what_was_not_rounded_is_on_no_grid():
    rng = np.random.default_rng(0)
    assert np.isnan(grid_step(np.sort(rng.normal(size=500)), 500))
    # Ties alone make none, nor two values.
    assert np.isnan(grid_step(np.sort(rng.normal(size=20)), 400))
    assert np.isnan(grid_step(np.array([0.0, 1.0]), 100))
    # As many distinct values as values: no grid is looked for.
    assert np.isnan(grid_step(np.arange(50.0), 50))


def test_a_fit_remarks_on_it():
    x = mog_jax.datasets.faithful()
    remark = "the values lie on a grid of {0:g}: give resolution={0:g}"
    assert remark.format(1) in mog_jax.fit(x).remarks(x)
    both = [x / 10, x + np.linspace(0, 0.5, x.size)]
    first, second = mog_jax.fit(both).remarks(both)
    assert remark.format(0.1) in first
    assert not any("grid" in each for each in second)


@pytest.mark.parametrize(("words", "is_said"), [([], True), (["--resolution", "1"], False)])
def test_the_command_line_remarks_on_it(words, is_said, capsys):
    assert cli.main(["fit", "faithful", *words]) == 0
    remark = "the values lie on a grid of 1: give --resolution 1"
    assert (remark in capsys.readouterr().out) == is_said
