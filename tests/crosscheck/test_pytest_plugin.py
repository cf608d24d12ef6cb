"""The plugin: a section at the end, an option for examples, and no imports without need."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import mog_jax

ROOT = Path(mog_jax.__file__).parent.parent

# By its module, whether or not the package is installed with its entry point.
PLUGIN = ("-p", "no:mog_jax_crosscheck", "-p", "mog_jax.crosscheck.pytest_plugin")

TESTS = """
import jax.numpy as jnp
import numpy as np
import hypothesis.strategies as st
from mog_jax.crosscheck import crosscheck


def test_right():
    crosscheck(jnp.sin, jnp.cos, st.tuples(st.floats(-3, 3)), examples=5, order=1).raise_if_failed()


def test_wrong():
    crosscheck(jnp.sin, jnp.sin, [(1.0,)], order=1).raise_if_failed()
"""


def _pytest(directory, *options):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGIN, "-p", "no:cacheprovider", *options, directory],
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    return done.stdout


def run(directory, *options):
    (directory / "test_sample.py").write_text(TESTS)
    return _pytest(directory, *options)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_session_ends_with_what_was_cross_checked(tmp_path, workers):
    out = run(tmp_path, "-n", workers, "--crosscheck-examples", "9")
    assert "cross-checked derivatives" in out
    section = out.split("cross-checked derivatives")[1]
    # Inputs that are drawn twice are judged once.
    assert re.search(r"sin, derivative cos: ok \([3-9] inputs, at worst", section)
    assert "sin, derivative sin: wrong_formula (2 inputs)" in section
    assert "1 failed, 1 passed" in out


def test_the_number_of_examples_is_validated(tmp_path):
    (tmp_path / "test_nothing.py").write_text("")
    command = [sys.executable, "-m", "pytest", *PLUGIN]
    done = subprocess.run(
        [*command, "--crosscheck-examples", "0", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    assert "must be a positive integer; got '0'" in done.stderr


def test_the_plugin_loads_neither_jax_nor_hypothesis():
    program = (
        "import sys, mog_jax.crosscheck, mog_jax.crosscheck.pytest_plugin\n"
        "assert not {'jax', 'hypothesis', 'numpy'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_a_session_without_cross_checks_loads_neither(tmp_path):
    sample = (
        "import sys\n\ndef test_it():\n    assert not {'jax', 'hypothesis'} & set(sys.modules)\n"
    )
    (tmp_path / "test_it.py").write_text(sample)
    out = _pytest(tmp_path, "-n", "0")
    assert "1 passed" in out
    assert "cross-checked derivatives" not in out


RARE = """
import hypothesis.strategies as st
import jax.numpy as jnp
from mog_jax.crosscheck import crosscheck


def seldom_wrong(x):
    return jnp.where((x > 100) & (x < 200), 0.0, 2 * x)


def test_rare():
    report = crosscheck(
        lambda x: x * x, seldom_wrong, st.tuples(st.floats(0, 1000)), examples=300, order=1
    )
    report.raise_if_failed()
"""


def test_failing_inputs_are_remembered(tmp_path):
    (tmp_path / "test_rare.py").write_text(RARE)
    few = ("-n", "0", "--crosscheck-examples", "2")
    assert "1 passed" in _pytest(tmp_path, *few)
    assert "1 failed" in _pytest(tmp_path, "-n", "0")
    assert "1 failed" in _pytest(tmp_path, *few)
