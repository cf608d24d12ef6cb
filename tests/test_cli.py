"""The command line: its output, refusals and exit codes."""

import json
import multiprocessing
import re
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import mog_jax
from mog_jax import cli

WAITING = Path(__file__).parent / "data" / "faithful_waiting.csv"


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def table(folder, text, name="data.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_fits_old_faithful(run):
    code, out, err = run("fit", "faithful")
    assert (code, err) == (0, "")
    assert "272 values" in out
    for number in ("0.360886", "54.6149", "5.87122", "0.639114", "80.0911", "5.8677"):
        assert number in out
    assert "-1034.001750" in out
    assert "                ± 0.031        ± 0.7       ± 0.54\n" in out
    assert "delta BIC      105.76, in favour of two components\n" in out
    assert "threshold      66.5831, standard error 1.01\n" in out
    assert "converged" in out


def test_fits_the_column_of_a_file_as_it_fits_the_packaged_data(run, tmp_path):
    lines = WAITING.read_text(encoding="utf-8").split()
    path = table(tmp_path, "id,wait\n" + "\n".join(f"{i},{x}" for i, x in enumerate(lines[1:])))
    _, packaged, _ = run("fit", "faithful")
    code, out, _ = run("fit", path, "--value", "wait")
    assert code == 0
    assert out.splitlines()[1:] == packaged.splitlines()[1:]


def test_missing_cells_are_dropped_and_counted(run, tmp_path):
    lines = WAITING.read_text(encoding="utf-8").split()
    path = table(tmp_path, "id,wait\n1,\n2,NA\n3,nan\n" + "\n".join(f"9,{x}" for x in lines[1:]))
    code, out, _ = run("fit", path, "--value", "wait")
    assert code == 0
    assert "272 values, 3 missing" in out
    assert "-1034.001750" in out


def test_a_file_of_one_column_needs_no_name(run):
    code, out, _ = run("fit", WAITING)
    assert code == 0
    assert "54.6149" in out


def test_draws_the_fit(run, tmp_path):
    picture = tmp_path / "fit.png"
    code, out, _ = run("fit", "faithful", "--plot", picture)
    assert code == 0
    assert str(picture) in out
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("a,intensity\n1,2\n", "intensty", r"no column 'intensty'.*a, intensity.*'intensity'\?"),
        ("a,b\n1,2\n", None, r"several columns \(a, b\); .*\(--value\)"),
        (
            "a,b\n1,2\n2,lots\n",
            "b",
            r"row 2 \(the header not counted\): column 'b' should hold numbers; got 'lots'",
        ),
        ("", "a", r"is empty"),
        ("a,b\n", "a", r"header.*no rows"),
        ("a,b\n,1\nNA,2\n", "a", r"no usable value; all 2 cells are missing"),
        ("a,b\n3.5,1\n,2\n", "a", r"more than one value"),
        ("a,b\n3.5,1\n3.5,2\n3.5,3\n", "a", r"all 3 values are 3.5; there is nothing to separate"),
        ("a,b\n1,1\ninf,2\n2,3\n", "a", r"1 of 3 values are infinite"),
        ("a,b\n1,1\n2\n", "b", r"line 3 has 1 cell, the header 2"),
        ("\ufeff\x00\x01", "a", r"no column 'a'"),
    ],
)
def test_unusable_files_get_one_line_and_exit_code_two(run, tmp_path, text, column, message):
    path = table(tmp_path, text)
    arguments = ["fit", path] + (["--value", column] if column else [])
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("mog-jax: ")
    assert err.count("\n") == 1
    assert str(path) in err
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(err)


def test_files_that_cannot_be_read_or_written(run, tmp_path):
    code, _, err = run("fit", tmp_path / "nowhere.csv")
    assert (code, err.count("\n")) == (2, 1)
    assert "nowhere.csv: no such file" in err
    code, _, err = run("fit", tmp_path)
    assert code == 2
    assert "it is a directory" in err
    binary = tmp_path / "binary.csv"
    binary.write_bytes(bytes(range(128, 256)))
    code, _, err = run("fit", binary)
    assert code == 2
    assert "not a text file in UTF-8" in err
    code, _, err = run("fit", "faithful", "--plot", tmp_path / "no" / "folder.png")
    assert (code, err.count("\n")) == (2, 1)
    assert "folder.png: No such file or directory.\n" in err
    code, _, err = run("fit", "faithful", "--value", "eruptions")
    assert code == 2
    assert "it has waiting" in err


def test_a_fit_that_has_not_converged_is_exit_code_one_when_strict(run, tmp_path):
    # Two tied values: a component can shrink on them without end.
    values = [0.0, 0.0, *np.linspace(1, 2, 6)]
    path = table(tmp_path, "x\n" + "\n".join(map(str, values)))
    code, out, err = run("fit", path)
    assert (code, err) == (0, "")
    assert "converged: " not in out
    assert "delta BIC" not in out
    assert "standard error" not in out
    assert run("fit", path, "--strict")[0] == 1


def test_the_version_is_told(run, capsys):
    with pytest.raises(SystemExit) as stopped:
        run("--version")
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"mog_jax {mog_jax.__version__}\n"
    assert re.fullmatch(r"\d+\.\d+\.\d+", mog_jax.__version__)


def test_millions_of_values_are_counted_to_the_last(run, tmp_path):
    rows = "".join(f"{x},{n}\n" for x, n in [(1, 1_000_000), (2, 234_567), (5, 1), (9, 99)])
    code, out, _ = run("fit", table(tmp_path, "x,n\n" + rows), "--value", "x", "--count", "n")
    assert code == 0
    assert ": 1234667 values\n" in out


def test_the_installed_command_works_and_teaches():
    command = shutil.which("mog-jax", path=str(Path(sys.executable).parent))
    program = [command] if command else [sys.executable, "-m", "mog_jax.cli"]
    done = subprocess.run([*program, "--help"], capture_output=True, text=True, check=True)
    assert "examples:" in done.stdout
    assert "mog-jax fit faithful" in done.stdout
    wrong = subprocess.run([*program, "fti"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr


def test_check_reports_each_function_and_fails_when_one_is_wrong(run, monkeypatch):
    from mog_jax import gradients, self_check

    chosen = [claim for claim in self_check.self_checks() if claim.name == "mean_gradient"]
    monkeypatch.setattr(self_check, "self_checks", lambda: chosen)
    code, out, _ = run("check", "--examples", "4")
    assert code == 0
    for claim in chosen:
        assert claim.name in out
    right = gradients.mean_gradient
    monkeypatch.setattr(gradients, "mean_gradient", lambda *arguments: -right(*arguments))
    code, out, _ = run("check", "--examples", "4", "--json")
    assert code == 1
    reports = json.loads(out)
    assert [f["kind"] for f in reports["mean_gradient"]["findings"]] == ["wrong_formula"]


def test_a_report_from_another_process_is_of_the_same_inputs():
    from mog_jax import self_check

    (claim,) = (claim for claim in self_check.self_checks() if claim.name == "weight_gradient")
    here = claim.check(examples=3, seed=1, name=claim.name)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        name, there = pool.submit(self_check._checked_by_name, claim.name, 3, 1).result()
    assert name == claim.name
    # Not to the last digit: the tests may compile otherwise than a process of its own does.
    for what in ("name", "ok", "examples", "seed", "findings", "remarks"):
        assert getattr(there, what) == getattr(here, what)
    (one,), (other,) = there.claims.values(), here.claims.values()
    assert (one.judged, one.informative) == (other.judged, other.informative)
    assert {name: found.inputs for name, found in one.executions.items()} == {
        name: found.inputs for name, found in other.executions.items()
    }
    assert "weight_gradient: ok" in str(there)


def test_a_folder_that_is_missing_is_told_before_the_checks(run, tmp_path):
    code, out, err = run("check", "--plot", tmp_path / "none" / "digits.png")
    assert (code, out) == (2, "")
    assert f"no folder {tmp_path / 'none'}" in err


def test_every_hand_written_derivative_is_checked():
    from mog_jax import gradients, self_check

    public = {name for name in mog_jax.__all__ if hasattr(gradients, name)}
    by_hand = {n for n in public if getattr(gradients, n).__module__ == "mog_jax.gradients"}
    # And what is not in that module: intervals, the penalty, the slopes of the local maximum, the
    # rule of the nine sums.
    others = {
        "intervals.truncated_moments",
        "penalty_information",
        "penalty_slopes",
        "score_slopes",
        "statistics.log_likelihood",
    }
    assert {claim.name for claim in self_check.self_checks()} == by_hand | others


@pytest.mark.parametrize("command", [("check", "--examples"), ("report", "fits.csv", "--limit")])
@pytest.mark.parametrize(
    ("number", "message"),
    [("0", "must be at least 1; got 0"), ("many", "must be a whole number; got 'many'")],
)
def test_numbers_are_validated(run, capsys, command, number, message):
    with pytest.raises(SystemExit) as stopped:
        run(*command, number)
    assert stopped.value.code == 2
    assert f"argument {command[-1]}: {message}; see" in capsys.readouterr().err


def test_quiet_says_only_what_was_asked_for(run, tmp_path):
    path = table(tmp_path, "gene,x\n" + "".join(f"{'a' if i % 2 else ''},1\n" for i in range(8)))
    code, out, err = run("fit", path, "--by", "gene", "--quiet")
    assert (code, err) == (0, "")
    assert out.count("constant") == 2
    _, _, said = run("fit", path, "--by", "gene")
    assert "rows have no gene" in said
    assert "did not converge" in said
    assert run("fit", path, "--by", "gene", "--out", tmp_path / "f.parquet", "-q") == (0, "", "")
    code, out, err = run("fit", tmp_path / "none.csv", "-q")
    assert (code, out) == (2, "")
    assert "no such file" in err


def test_a_threshold_that_is_not_there_has_a_reason(run, tmp_path):
    x = np.append(np.linspace(-1, 1, 200), np.linspace(-0.01, 0.01, 72))
    path = table(tmp_path, "x\n" + "\n".join(map(str, x)))
    code, out, _ = run("fit", path)
    assert code == 0
    assert re.search("threshold      (none: the posterior never|none: no crossing lies)", out)


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_shell_learns_every_command_and_option(run, shell):
    code, out, _ = run("completion", shell)
    assert code == 0
    for word in ("label", "--equal-variances", "--by", "--quiet"):
        assert word.lstrip("-") in out


def test_bash_takes_the_completion_and_completes_by_it(run, tmp_path):
    if not (bash := shutil.which("bash")):
        pytest.skip("there is no bash")
    _, script, _ = run("completion", "bash")
    path = table(tmp_path, script, "completion.bash")
    program = (
        f"source {path}; COMP_WORDS=(mog-jax fit --equ); COMP_CWORD=2; "
        "_shtab_mog_jax; echo ${COMPREPLY[@]}"
    )
    done = subprocess.run([bash, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["--equal-variances"]


def test_without_shtab_completion_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    code, out, err = run("completion", "bash")
    assert (code, out) == (2, "")
    assert "pip install 'mog_jax[completion]'" in err
