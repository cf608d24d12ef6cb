"""Interrupted runs: killed anywhere, resumed, refused to other runs, and with a full disk."""

import functools
import random
import shutil
import signal
import time

import duckdb
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from mog_jax.tables import TableError, fit_table, groups_in_order
from mog_jax.tables.results import open_results
from tests.tables.driver import MogJax

GROUPS = 60


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    rng = np.random.default_rng(0)
    genes = np.repeat([f"g{i:02d}" for i in range(GROUPS)], rng.integers(1, 20, GROUPS))
    order = rng.permutation(len(genes))
    path = tmp_path_factory.mktemp("source") / "cells.parquet"
    table = pyarrow.table({"gene": genes[order].tolist(), "x": rng.normal(size=len(genes))})
    pyarrow.parquet.write_table(table, path)
    return path


@pytest.fixture
def mog_jax(tmp_path_factory):
    """Start ``mog-jax`` in a process of its own."""
    return functools.partial(MogJax, folder=tmp_path_factory.mktemp("printed"))


@pytest.fixture
def finished(mog_jax):
    """Run ``mog-jax`` to its end: its exit status and what it printed."""
    return lambda arguments, **options: mog_jax(arguments, **options).finished()


def command(source, out):
    return ["fit", str(source), "--by", "gene", "--value", "x", "--out", str(out)]


def answers(path):
    with open_results(path) as results:
        return results.table()


@pytest.fixture(scope="module")
def uninterrupted(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "fits.duckdb"
    process = MogJax(command(source, out), folder=out.parent)
    code, _, err = process.finished()
    assert (code, err) == (0, f"mog-jax: {GROUPS} groups fitted; the answers are in {out}.\n")
    table = answers(out)
    assert table.num_rows == GROUPS
    return table


@pytest.mark.parametrize("suffix", ["duckdb", "parquet"])
def test_killed_at_every_place_it_resumes_to_the_same_bits(
    source, uninterrupted, finished, tmp_path, suffix
):
    out = tmp_path / f"fits.{suffix}"
    # Each attempt gets a little further: before and after opening, beginning, chunks, exporting.
    for die in (0, 1, 2, 3, 5, 7, 6, 9):
        code, _, _ = finished(command(source, out), die=die)
        assert code == -signal.SIGKILL
    for die in (11, 12, 13, 14, 15, 16):
        code, _, err = finished(command(source, out), die=die)
        if code == 0:
            break
        assert code == -signal.SIGKILL, err
    assert finished(command(source, out))[0] == 0
    assert answers(out).equals(uninterrupted)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_killed_at_ten_random_moments_it_resumes_to_the_same_bits(
    source, uninterrupted, mog_jax, finished, tmp_path
):
    out = tmp_path / "fits.parquet"
    moments = random.Random(0)
    for _ in range(10):
        process = mog_jax(command(source, out), pause=0.05)
        time.sleep(moments.uniform(0.05, 0.4))
        process.kill()
        process.finished()
    assert finished(command(source, out))[0] == 0
    assert answers(out).equals(uninterrupted)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.usefixtures("without_fitting")
def test_nothing_is_fitted_twice(source, tmp_path, monkeypatch):
    out = tmp_path / "fits.duckdb"
    first = fit_table(source, by="gene", value="x", out=out)
    monkeypatch.setattr(groups_in_order, "fit_batches", None)
    assert fit_table(source, by="gene", value="x", out=out).equals(first)


@pytest.mark.usefixtures("without_fitting")
def test_the_same_rows_in_another_file_and_order_are_the_same_input(source, tmp_path):
    out = tmp_path / "fits.duckdb"
    first = fit_table(source, by="gene", value="x", out=out)
    table = pyarrow.parquet.read_table(source)
    pyarrow.parquet.write_table(table.take(np.arange(table.num_rows)[::-1]), tmp_path / "b.parquet")
    assert fit_table(tmp_path / "b.parquet", by="gene", value="x", out=out).equals(first)


@pytest.mark.usefixtures("without_fitting")
def test_another_input_or_other_settings_are_refused(source, tmp_path):
    out = tmp_path / "fits.duckdb"
    table = pyarrow.parquet.read_table(source)
    first = fit_table(table, by="gene", value="x", out=out)
    fewer = table.slice(1)
    changed = table.set_column(1, "x", pyarrow.array(table["x"].to_numpy() + 1e-9))
    for other, message in [(fewer, "rows in .* there,.* here"), (changed, "other contents")]:
        with pytest.raises(TableError, match=f"holds a run over another input .*{message}"):
            fit_table(other, by="gene", value="x", out=out)
    with pytest.raises(TableError, match=r"other settings \(tolerance: 1e-09 there, 1e-06 here\)"):
        fit_table(table, by="gene", value="x", out=out, tolerance=1e-6)
    assert fit_table(table, by="gene", value="x", out=out, tolerance=1e-9).equals(first)


def test_what_is_not_ours_is_left_alone(source, tmp_path):
    other = tmp_path / "other.duckdb"
    with duckdb.connect(str(other)) as connection:
        connection.execute("CREATE TABLE precious AS SELECT 1 AS x")
    note = tmp_path / "note.duckdb"
    note.write_text("precious", encoding="utf-8")
    for path, message in {other: "holds other tables than fits", note: "not a valid"}.items():
        before = path.read_bytes()
        with pytest.raises(TableError, match=message):
            fit_table(source, by="gene", value="x", out=path)
        assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("missing/fits.parquet", "there is no folder"),
        ("fits.xlsx", r"must end in \.duckdb, \.parquet or \.csv"),
        ("folder.csv", "it is a directory"),
    ],
)
def test_places_that_cannot_be_written(source, tmp_path, out, message):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TableError, match=f"cannot write .*{message}"):
        fit_table(source, by="gene", value="x", out=tmp_path / out)


def test_two_runs_do_not_share_a_database(source, mog_jax, finished, tmp_path):
    out = tmp_path / "fits.duckdb"
    first = mog_jax(command(source, out), pause=30)
    try:
        for _ in range(200):
            if out.exists() and (tmp_path / "fits.duckdb.tmp").exists():
                break
            time.sleep(0.05)
        time.sleep(0.3)
        code, _, err = finished(command(source, out))
        assert (code, err) == (2, f"mog-jax: {out} is in use by another process.\n")
    finally:
        first.kill()
        first.finished()


def test_out_of_room_says_so_and_keeps_what_was_there(source, uninterrupted, finished, tmp_path):
    out = tmp_path / "fits.duckdb"
    assert finished(command(source, out), die=9)[0] == -signal.SIGKILL
    shutil.copy(out, tmp_path / "copy.duckdb")
    code, _, err = finished(command(source, out), limit=out.stat().st_size)
    assert (code, err.count("\n")) == (2, 1), err
    assert "no space left on the disk" in err
    assert "run the same command again" in err
    assert finished(command(source, out))[0] == 0
    assert answers(out).equals(uninterrupted)


@pytest.mark.usefixtures("without_fitting")
def test_exports_hold_what_the_database_holds(source, tmp_path):
    expected = fit_table(source, by="gene", value="x")
    fit_table(source, by="gene", value="x", out=tmp_path / "fits.parquet")
    assert answers(tmp_path / "fits.parquet").equals(expected)
    assert pyarrow.parquet.read_table(tmp_path / "fits.parquet").num_rows == GROUPS
    fit_table(source, by="gene", value="x", out=tmp_path / "fits.csv")
    csv = answers(tmp_path / "fits.csv")
    assert csv["mean_1"].to_pylist() == expected["mean_1"].to_pylist()
    assert "histogram" not in csv.column_names
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fits.csv", "fits.parquet"]
