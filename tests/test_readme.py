"""Every command and code block of README runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def commands():
    return [line for block in blocks("sh") for line in block.splitlines() if line]


SET_UP = [command for command in commands() if "-m venv" in command]


def run(command, folder):
    """Run a shell command as after README's set-up: its tools are those beside this Python."""
    beside = Path(sys.executable).parent
    environment = dict(os.environ, PATH=f"{beside}{os.pathsep}{os.environ['PATH']}")
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=1_200,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all blocks: later ones use what earlier ones wrote, as for a reader."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "benchmarks").symlink_to(ROOT / "benchmarks")
    return folder


def test_python_blocks_run_one_after_the_other_and_then_the_shell_commands(
    folder, monkeypatch, capsys
):
    monkeypatch.chdir(folder)
    matplotlib.use("agg")
    namespace = {"__name__": "readme"}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), namespace)
    printed = capsys.readouterr().out
    for word in ("converged", "unstable", "constant", "log-likelihood"):
        assert word in printed, word
    for command in commands():
        if command not in SET_UP:
            done = run(command, folder)
            assert done.returncode == 0, f"{command}\n{done.stderr}"


def test_shown_output_is_what_is_printed(tmp_path):
    for block in blocks("console"):
        command, _, shown = block.partition("\n")
        done = run(command.removeprefix("$ "), tmp_path)
        assert done.stdout == shown


def test_set_up_commands_are_two_and_ci_and_the_tests_do_what_they_say():
    main_job, tests = SET_UP
    create, install, check, fit = main_job.split(" && ")
    assert (create, install) == ("python3 -m venv .venv", ".venv/bin/pip install '.[all]'")
    # In a fresh clone CI runs the second as it stands, and this of the first.
    assert check == ".venv/bin/mog-jax check"
    assert check in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    # Its output is shown, and held to that above.
    assert f"$ {fit.removeprefix('.venv/bin/')}\n" in blocks("console")[0]
    assert tests.split(" && ")[0] == create
    assert tests.endswith(" && .venv/bin/pytest")


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
