"""The command line on tables: a row for each group, and one line for each error."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from mog_jax import cli
from mog_jax.tables.schema import ANSWERS


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    rng = np.random.default_rng(0)
    gene = np.repeat(["CD3", "CD4", "CD8"], 60)
    x = rng.normal(size=180) + 6 * (rng.random(180) < 0.4)
    x[gene == "CD8"] = 1.0
    path = tmp_path_factory.mktemp("cells") / "cells.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"gene": gene.tolist(), "x": x}), path)
    return path


UNCONVERGED = "mog-jax: 1 of 3 groups did not converge: 1 constant.\n"


def test_groups_come_out_as_csv_when_piped(run, cells):
    code, out, err = run("fit", cells, "--by", "gene", "--value", "x")
    assert (code, err) == (0, UNCONVERGED)
    rows = [*csv.DictReader(io.StringIO(out))]
    assert [row["gene"] for row in rows] == ["CD3", "CD4", "CD8"]
    assert [row["status"] for row in rows] == ["converged", "converged", "constant"]
    assert [*rows[0]] == ["gene", *(name for name in ANSWERS.names if name != "histogram")]
    assert rows[2]["mean_1"] == ""


def test_groups_come_out_as_json_lines(run, cells):
    code, out, _ = run("fit", cells, "--by", "gene", "--value", "x", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["gene"] for row in rows] == ["CD3", "CD4", "CD8"]
    assert rows[2]["mean_1"] is None
    code, out, _ = run("fit", "faithful", "--json")
    assert json.loads(out)["status"] == "converged"


def test_strict_tells_by_the_exit_code(run, cells):
    assert run("fit", cells, "--by", "gene", "--value", "x", "--strict")[0] == 1


def test_several_groups_are_drawn_beside_each_other(run, cells, tmp_path, monkeypatch):
    fits, picture = tmp_path / "fits.parquet", tmp_path / "both.svg"
    run("fit", cells, "--by", "gene", "--value", "x", "--out", fits, "--quiet")
    command = ["plot", fits, "--group", "CD4", "--group", "CD3"]
    assert run(*command, "-o", picture, "--quiet") == (0, "", "")
    assert picture.read_text(encoding="utf-8").count('id="axes_') == 2
    monkeypatch.chdir(tmp_path)
    assert run(*command)[:2] == (0, "groups.png\n")
    assert (tmp_path / "groups.png").read_bytes().startswith(b"\x89PNG")
    code, _, err = run(*command, "--group", "CD8")
    assert (code, err) == (2, "mog-jax: there is no fit to draw: CD8 is constant.\n")


def test_a_picture_says_counts_and_names_its_components(run, cells, tmp_path):
    fits, picture = tmp_path / "fits.parquet", tmp_path / "CD4.svg"
    run("fit", cells, "--by", "gene", "--value", "x", "--out", fits, "--quiet")
    command = ["plot", fits, "--group", "CD4", "-o", picture, "--scale", "counts"]
    assert run(*command, "--components", "negative, positive")[0] == 0
    drawn = picture.read_text(encoding="utf-8")
    for words in ("points in a bin", "negative: 0.", "positive: 0."):
        assert f"<!-- {words}" in drawn
    code, _, err = run(*command, "--components", "one")
    assert (code, err.count("\n")) == (2, 1)
    assert "--components takes two names, as in negative,positive; got 'one'" in err


def test_the_answers_can_be_kept_drawn_and_reported(run, cells, tmp_path):
    fits = tmp_path / "fits.duckdb"
    code, out, err = run("fit", cells, "--by", "gene", "--value", "x", "--out", fits)
    assert (code, out) == (0, "")
    assert err == f"mog-jax: 3 groups fitted; the answers are in {fits}.\n{UNCONVERGED}"
    code, out, _ = run("fit", cells, "--by", "gene", "--value", "x", "--out", fits, "--json")
    assert json.loads(out)["statuses"] == {"converged": 2, "constant": 1}

    picture = tmp_path / "CD4.png"
    assert run("plot", fits, "--group", "CD4", "-o", picture)[:2] == (0, f"{picture}\n")
    assert picture.read_bytes().startswith(b"\x89PNG")
    moved = cells.rename(tmp_path / "moved.parquet")
    code, _, err = run("plot", fits, "--group", "CD4", "-o", picture)
    assert (code, err.count("\n")) == (2, 1)
    assert "is gone; say where they are now with --source" in err
    assert run("plot", fits, "--group", "CD4", "-o", picture, "--source", moved)[0] == 0
    moved.rename(cells)

    for group, message in {
        "CD5": "no group 'CD5'.*did you mean 'CD",
        "CD8": "CD8 is constant",
    }.items():
        code, _, err = run("plot", fits, "--group", group)
        assert (code, err.count("\n")) == (2, 1)
        with pytest.raises(AssertionError, match=message):
            raise AssertionError(err)
    code, out, _ = run("report", fits, "-o", tmp_path / "report.html")
    assert (code, out) == (0, f"{tmp_path / 'report.html'}\n")


def test_a_picture_replaces_a_picture_of_ours_and_nothing_else(run, cells, tmp_path):
    fits, source = tmp_path / "fits.svg", tmp_path / "cells.png"
    source.write_bytes(cells.read_bytes())
    table = pyarrow.parquet.read_table(source).rename_columns(["cost ($)", "x$^{"])
    pyarrow.parquet.write_table(table, source)
    arguments = ["fit", source, "--by", "cost ($)", "--value", "x$^{"]
    assert run(*arguments, "--out", tmp_path / "fits.parquet")[0] == 0
    (tmp_path / "fits.parquet").rename(fits)
    before = {path: path.read_bytes() for path in (fits, source)}
    for path in (fits, source):
        code, _, err = run("plot", fits, "--group", "CD4", "-o", path, "--overwrite")
        assert (code, err.count("\n")) == (2, 1)
        assert "it is the input" in err
    code, _, err = run("fit", source, "--value", "x$^{", "--plot", source, "--overwrite")
    assert (code, err.count("\n")) == (2, 1)
    assert "it is the input" in err
    assert {path: path.read_bytes() for path in before} == before

    for kind in ("png", "svg", "pdf"):
        picture = tmp_path / f"CD4.{kind}"
        picture.write_text("microscopy", encoding="utf-8")
        for command in (
            ["plot", fits, "--group", "CD4", "-o"],
            ["fit", source, "--value", "x$^{", "--plot"],
        ):
            code, _, err = run(*command, picture)
            assert (code, err.count("\n")) == (2, 1)
            assert "replace it with --overwrite" in err
        assert picture.read_text(encoding="utf-8") == "microscopy"
        command = ["plot", fits, "--group", "CD4", "-o", picture]
        assert run(*command, "--overwrite")[0] == 0
        assert run(*command)[0] == 0
    code, _, err = run("plot", fits, "--group", "CD4", "-o", tmp_path / "CD4.xyz")
    assert (code, err.count("\n")) == (2, 1)
    assert "Format 'xyz' is not supported" in err
    assert len([*tmp_path.iterdir()]) == 5


def test_an_option_leaves_another_file_to_be_replaced(run, cells, tmp_path):
    out = tmp_path / "fits.csv"
    out.write_text("mine\n", encoding="utf-8")
    arguments = ["fit", cells, "--by", "gene", "--value", "x", "--out", out]
    code, _, err = run(*arguments)
    assert (code, err.count("\n")) == (2, 1)
    assert "replace it with --overwrite" in err
    assert out.read_text(encoding="utf-8") == "mine\n"
    for more in (["--overwrite"], [], []):
        assert run(*arguments, *more)[0] == 0
        assert out.read_text(encoding="utf-8").startswith("gene,weight_1,")


def test_a_record_that_cannot_be_followed_is_told(run, cells, tmp_path):
    fits = tmp_path / "fits.parquet"
    assert run("fit", cells, "--by", "gene", "--value", "x", "--out", fits)[0] == 0
    table = pyarrow.parquet.read_table(fits)
    record = json.loads(table.schema.metadata[b"mog_jax"])
    record["options"] |= {"nonsense": 1}
    pyarrow.parquet.write_table(
        table.replace_schema_metadata({"mog_jax": json.dumps(record)}), fits
    )
    code, _, err = run("plot", fits, "--group", "CD4", "-o", tmp_path / "CD4.png")
    assert (code, err.count("\n")) == (2, 1)
    assert "cannot fit CD4 as it was: " in err


def test_names_on_a_terminal_are_no_markup(run, tmp_path, monkeypatch):
    path = tmp_path / "cells.csv"
    path.write_text("x,[red]\n1,[/bold]\n2,[/bold]\n", encoding="utf-8")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "300")
    code, out, _ = run("fit", path, "--by", "[red]", "--value", "x")
    assert code == 0
    assert "[red]" in out
    assert "[/bold]" in out


def test_a_component_known_from_controls_is_held_and_drawn_so(run, cells, tmp_path):
    table = pyarrow.parquet.read_table(cells)
    control = pyarrow.array([0.25 if gene == "CD3" else 0.5 for gene in table["gene"].to_pylist()])
    pyarrow.parquet.write_table(table.append_column("control", control), tmp_path / "c.parquet")
    fits = tmp_path / "fits.duckdb"
    held = ["--fixed", "mean_1=control", "--fixed", "sd_1=1"]
    arguments = ["fit", tmp_path / "c.parquet", "--by", "gene", "--value", "x", *held]
    code, out, _ = run(*arguments, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [(row["mean_1"], row["sd_1"]) for row in rows[:2]] == [(0.25, 1), (0.5, 1)]
    assert run(*arguments, "--out", fits)[0] == 0
    code, out, _ = run("plot", fits, "--group", "CD4", "-o", tmp_path / "CD4.png")
    assert (code, out) == (0, f"{tmp_path / 'CD4.png'}\n")
    code, _, err = run(*arguments[:-4], "--fixed", "mean_1=0", "--out", fits)
    assert (code, err.count("\n")) == (2, 1)
    assert "(fixed: {'mean_1': 'control', 'sd_1': 1.0} there, {'mean_1': 0.0} here)" in err
    code, _, err = run(*arguments[:-4], "--fixed", "mean_1")
    assert (code, err) == (2, "mog-jax: --fixed takes NAME=VALUE, as in mean_1=0; got 'mean_1'.\n")


def test_a_group_without_a_name_is_fitted_and_said(run, tmp_path):
    path = tmp_path / "cells.csv"
    path.write_text("gene,x\n" + "".join(f",{x}\n" for x in range(9)), encoding="utf-8")
    code, out, err = run("fit", path, "--by", "gene", "--value", "x", "--json")
    assert code == 0
    assert "9 rows have no gene; they are fitted as a group of their own" in err
    assert json.loads(out)["gene"] is None


def written(folder, kind):
    """A file that is wrong in one way, and the arguments that meet it."""
    whole = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"gene": ["a"] * 99, "x": [0.5] * 99}), whole)
    contents = {
        "text.csv": b"gene,x\na,1\na,lots\n",
        "ragged.csv": b"gene,x\na,1\nb\n",
        "long.csv": b"gene,x\na,1\nb,2,3\n",
        "empty.csv": b"",
        "header.csv": b"gene,x\n",
        "latin.csv": "gène,x\na,1\n".encode("latin-1"),
        "twice.csv": b"x,x\n1,2\n",
        "truncated.parquet": whole.getvalue()[:-9],
        "mixed.jsonl": b'{"gene":"a","x":1}\n{"gene":"a","x":"lots"}\n',
        "whole.parquet": whole.getvalue(),
        "cut.csv.gz": b"\x1f\x8b\x08\x00",
    }
    path = folder / kind
    if kind in contents:
        path.write_bytes(contents[kind])
    return path


@pytest.mark.parametrize(
    ("kind", "extra", "message"),
    [
        ("nowhere.csv", [], "cannot read .*nowhere.csv: no such file"),
        ("*.parquet", [], "no file matches the pattern"),
        ("whole.parquet", ["--by", "gen"], "no column 'gen'; it has gene, x; did you mean 'gene'"),
        ("text.csv", [], r"row 2 \(the header not counted\): column 'x' .* numbers; got 'lots'"),
        ("mixed.jsonl", [], r"row 2: column 'x' should hold numbers; got '\"lots\"'"),
        ("ragged.csv", [], "line 3 has 1 cell, the header 2"),
        ("long.csv", [], "line 3 has 3 cells, the header 2"),
        ("empty.csv", [], "is empty"),
        ("header.csv", [], "a header line but no rows"),
        ("latin.csv", [], r"not a text file in UTF-8 \(line 1\); .*\(--encoding latin-1\)"),
        ("twice.csv", ["--by", "y"], "no column 'y'; it has x_1, x_2"),
        ("truncated.parquet", [], "not a whole Parquet file; was it truncated"),
        ("cut.csv.gz", [], "not a whole gzip file"),
        ("whole.parquet", ["--out", "no/fits.parquet"], "cannot write .*there is no folder no"),
        ("whole.parquet", ["--out", "fits.txt"], "must end in"),
        ("whole.parquet", ["--plot", "fit.png"], "use `mog-jax plot`"),
    ],
)
def test_one_line_and_exit_code_two(run, tmp_path, kind, extra, message):
    by = [] if "--by" in extra else ["--by", "gene"]
    code, out, err = run("fit", written(tmp_path, kind), *by, "--value", "x", *extra)
    assert (code, out) == (2, "")
    assert err.startswith("mog-jax: ")
    assert err.count("\n") == 1
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(err)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("--tolerance", "0", "must be positive and finite; got 0"),
        ("--tolerance", "small", "must be a number; got 'small'"),
        ("--max-steps", "0", "must be at least 1; got 0"),
        ("--max-steps", "1e3", "must be a whole number; got '1e3'"),
        ("--min-points", "-1", "must be non-negative and finite; got -1"),
        ("--variance-floor", "1", "must be at most 0.1; got 1"),
    ],
)
def test_settings_out_of_range(run, name, value, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        run("fit", "faithful", name, value)
    assert stopped.value.code == 2
    assert f"argument {name}: {message}; see" in capsys.readouterr().err


def test_columns_are_a_list_and_a_pattern(run, tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("id,CD3,CD4,CD8\nz,1,2,3\n", encoding="utf-8")
    for columns in ("CD3, CD4,CD8", "CD*", "CD[38],CD4", "CD3,*4,CD8"):
        code, out, _ = run("fit", path, "--columns", columns, "--json")
        assert code == 0
        assert {json.loads(line)["column"] for line in out.splitlines()} == {"CD3", "CD4", "CD8"}


def test_how_a_file_is_written_can_be_told(run, tmp_path):
    path = tmp_path / "a[1].csv"
    path.write_bytes("gène;x\n% note\na;1,250\na;-\na;-999\na;2,5\n".encode("latin-1"))
    told = ["--separator", ";", "--decimal", ",", "--missing", "-", "--missing", "-999"]
    told += ["--comment", "%", "--encoding", "latin-1", "--header", "yes"]
    code, out, _ = run("fit", path, "--value", "x", *told, "--json")
    row = json.loads(out)
    assert (code, row["n_points"], row["n_missing"]) == (0, 2, 2)
    assert (row["lowest"], row["highest"]) == (1.25, 2.5)


def test_the_picture_reads_the_file_as_the_fit_did(run, tmp_path):
    path, fits = tmp_path / "a.csv", tmp_path / "fits[1].parquet"
    x = np.random.default_rng(0).normal(size=40).round(3)
    lines = [f"a;{value}".replace(".", ",") for value in x]
    path.write_text("\n".join(["g;x", *lines, "a;-", ""]), encoding="utf-8")
    assert run("fit", path, "--by", "g", "--missing", "-", "--out", fits)[0] == 0
    picture = tmp_path / "a.png"
    assert run("plot", fits, "--group", "a", "-o", picture)[:2] == (0, f"{picture}\n")


def test_numbers_without_a_header_lose_none(run, tmp_path):
    path = tmp_path / "s.txt"
    path.write_text("".join(f"{number}\n" for number in range(1, 41)), encoding="utf-8")
    code, out, _ = run("fit", path)
    assert (code, out.splitlines()[0]) == (0, f"{path}: 40 values")


def test_a_bug_is_no_bad_input(run, monkeypatch):
    def broken(**_):
        raise ValueError("a bug")

    monkeypatch.setattr("mog_jax.progress.bar", broken)
    with pytest.raises(ValueError, match="a bug"):
        run("fit", "faithful")


def test_a_reader_that_has_seen_enough_is_no_error(cells):
    program = [sys.executable, "-m", "mog_jax.cli", "--help"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


def test_help_imports_neither_jax_nor_duckdb():
    program = (
        "import sys\nfrom mog_jax import cli\n"
        "try:\n    cli.main(['fit', '--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'jax', 'numpy', 'duckdb', 'pyarrow', 'rich'} & set(sys.modules)\n"
    )
    root = Path(cli.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root
    )
    assert "exit codes: 0 done" in done.stdout
