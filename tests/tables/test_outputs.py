"""Overwriting: a run replaces its own earlier answers, never an input or a foreign file."""

import os
import sys
import tempfile
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mog_jax.tables import TableError, database, fit_table
from mog_jax.tables.outputs import is_answers, refuse_foreign, written_whole
from mog_jax.tables.results import open_results
from mog_jax.tables.schema import ANSWERS

pytestmark = pytest.mark.usefixtures("without_fitting")
CELLS = "gene,x\na,1\na,2\nb,3\nb,4\n"
SUFFIXES = ["csv", "parquet", "duckdb"]


@pytest.fixture
def cells(tmp_path):
    path = tmp_path / "cells.csv"
    path.write_text(CELLS, encoding="utf-8")
    return path


def everything(folder):
    """The content of every file, and the names of the folders."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def fits(source, out, **options):
    return fit_table(source, by="gene", value="x", out=out, **options)


def linked(cells, kind):
    other = cells.with_name("other.csv")
    {"symbolic": other.symlink_to, "hard": other.hardlink_to}[kind](cells)
    return other


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("kind", ["itself", "symbolic", "hard", "relative"])
@pytest.mark.parametrize("source", ["path", "list", "glob"])
def test_an_input_is_never_written_to(cells, monkeypatch, kind, source, overwrite):
    out = linked(cells, kind) if kind in ("symbolic", "hard") else cells
    if kind == "relative":
        monkeypatch.chdir(cells.parent)
        out = Path("..") / cells.parent.name / "cells.csv"
    given_source = {"path": cells, "list": [cells], "glob": str(cells.parent / "cel*.csv")}[source]
    before = everything(cells.parent)
    with pytest.raises(TableError, match=r"cannot write .*: it is the input \(.*cells.csv\)"):
        fits(given_source, out, overwrite=overwrite)
    assert everything(cells.parent) == before


def test_nor_is_standard_input_that_comes_from_the_file(cells, monkeypatch):
    for out in (cells, linked(cells, "hard")):
        with cells.open(encoding="utf-8") as file:
            monkeypatch.setattr(sys, "stdin", file)
            with pytest.raises(TableError, match=r"it is the input \(standard input\)"):
                fits("-", out, overwrite=True)
        assert cells.read_text(encoding="utf-8") == CELLS


def test_standard_input_from_elsewhere_is_read(cells, tmp_path, monkeypatch):
    expected = fits(cells, tmp_path / "fits.csv")
    with cells.open(encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert fits("-", tmp_path / "fits.csv") == expected


def test_nor_a_database_beside_the_export_that_is_read(tmp_path):
    source = tmp_path / "fits.csv.duckdb"
    source.write_text(CELLS, encoding="utf-8")
    with pytest.raises(TableError, match=r"cannot write .*fits.csv.duckdb: it is the input"):
        fits(source, tmp_path / "fits.csv")
    assert everything(tmp_path) == {"fits.csv.duckdb": CELLS.encode()}


def test_a_byte_order_mark_makes_the_answers_no_other_file(tmp_path):
    # As a spreadsheet writes it; the quotes of the first name then stand behind the mark.
    path = tmp_path / "fits.csv"
    source = pyarrow.table({"a\nb": ["u", "v"], "x": [1.0, 2.0]})
    fit_table(source, by="a\nb", value="x", out=path)
    assert is_answers(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert is_answers(path)


def a_database_of_another(path):
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE precious AS SELECT 1 AS x")


def answers_with_a_note(path):
    """Answers that a user has edited are not replaced."""
    source = path.with_name("source.csv")
    source.write_text(CELLS, encoding="utf-8")
    table = fits(source, path.with_name("mine.parquet"))
    kept = pyarrow.parquet.read_table(path.with_name("mine.parquet"))
    assert b"mog_jax" in kept.schema.metadata
    kept = (
        kept.slice(1)
        if path.name.startswith("part")
        else kept.append_column("note", pyarrow.array(["mine"] * table.num_rows))
    )
    writer = pyarrow.csv.write_csv if path.suffix == ".csv" else pyarrow.parquet.write_table
    writer(kept.drop_columns(["histogram"]) if path.suffix == ".csv" else kept, path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("fits.csv", lambda path: path.write_text("a,b\n1,2\n", encoding="utf-8")),
        ("fits.csv", lambda path: path.write_bytes(b"\xff\xfe\x00\x01")),
        ("fits.csv", answers_with_a_note),
        ("fits.parquet", answers_with_a_note),
        ("part.parquet", answers_with_a_note),
        ("fits.parquet", lambda path: path.write_bytes(b"PAR1 and no more")),
        (
            "fits.parquet",
            lambda path: pyarrow.parquet.write_table(pyarrow.table({"x": [1.0]}), path),
        ),
        ("fits.duckdb", a_database_of_another),
        ("fits.duckdb", lambda path: path.write_text("precious", encoding="utf-8")),
    ],
)
def test_what_is_anothers_is_replaced_only_on_demand(cells, tmp_path, name, write):
    out = tmp_path / "out" / name
    out.parent.mkdir()
    write(out)
    before = everything(out.parent)
    refusal = r"written; .*--overwrite|other tables than fits; .*--overwrite|cannot open"
    with pytest.raises(TableError, match=refusal):
        fits(cells, out)
    assert everything(out.parent) == before
    expected = fits(cells, out, overwrite=True)
    with open_results(out) as results:
        assert results.table().select(["gene", "mean_1"]) == expected.select(["gene", "mean_1"])
    assert {*everything(out.parent)} == {*before}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_our_own_answers_and_empty_files_are_replaced(cells, tmp_path, suffix):
    out = tmp_path / f"fits.{suffix}"
    out.touch()
    expected = fits(cells, out)
    assert fits(cells, out) == expected
    if suffix == "duckdb":
        with pytest.raises(TableError, match=r"other settings .*--overwrite"):
            fits(cells, out, tolerance=1e-6)
    assert fits(cells, out, tolerance=1e-6, overwrite=True) == expected
    with open_results(out) as results:
        assert results.table().num_rows == 2


def test_leave_to_overwrite_does_not_begin_the_same_run_anew(cells, tmp_path, monkeypatch):
    out = tmp_path / "fits.duckdb"
    expected = fits(cells, out)
    monkeypatch.setattr("mog_jax.tables.groups_in_order.fit_batches", None)
    assert fits(cells, out, overwrite=True) == expected


NAMES = ["fits.csv.partial", "fits.csv.duckdb", "fits.csv.duckdb.wal", "fits.csv.duckdb.tmp"]


@given(
    there=st.dictionaries(
        st.sampled_from(NAMES),
        st.one_of(
            st.binary(min_size=1, max_size=40).filter(lambda content: content.strip(b"\0")),
            st.dictionaries(st.sampled_from("ab"), st.binary(max_size=9), min_size=1),
        ),
    ),
    overwrite=st.booleans(),
)
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_lies_beside_an_export_is_left_as_it_is(there, overwrite):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cells.csv").write_text(CELLS, encoding="utf-8")
        for path, content in there.items():
            if isinstance(content, bytes):
                (folder / path).write_bytes(content)
                continue
            (folder / path).mkdir()
            for inner, part in content.items():
                (folder / path / inner).write_bytes(part)
        before = everything(folder)
        try:
            fits(folder / "cells.csv", folder / "fits.csv", overwrite=overwrite)
        except TableError:
            assert {*there} & {*NAMES[1:]}
            assert everything(folder) == before
        else:
            assert {*there} <= {"fits.csv.partial"}
            after = everything(folder)
            assert after.pop("fits.csv").startswith(b"gene,weight_1")
            assert after == before


def test_a_scratch_folder_that_is_a_link_is_left_alone(cells, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").touch()
    (tmp_path / "fits.csv.duckdb.tmp").symlink_to(tmp_path / "mine")
    with pytest.raises(TableError, match=r"fits.csv.duckdb.tmp exists and was not made"):
        fits(cells, tmp_path / "fits.csv")
    assert (tmp_path / "mine" / "precious").exists()


def test_a_scratch_folder_that_a_run_left_goes(cells, tmp_path):
    scratch = tmp_path / "fits.csv.duckdb.tmp"
    (scratch / "spill").mkdir(parents=True)
    for name in (database._MARK, "export", "spill/a"):
        (scratch / name).touch()
    fits(cells, tmp_path / "fits.csv")
    assert sorted(everything(tmp_path)) == ["cells.csv", "fits.csv"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_run_that_could_not_begin_leaves_nothing(cells, tmp_path, suffix):
    with pytest.raises(TableError, match="no column 'y'"):
        fit_table(cells, by="gene", value="y", out=tmp_path / f"fits.{suffix}")
    assert {*everything(tmp_path)} == {"cells.csv"}


@pytest.mark.parametrize(
    "name", ["fits[1].{}", "fits?.{}", "fits*.{}", 'a\'b "c"\n.{}', "{{x}}.{}"]
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_name_is_that_name_and_no_pattern(cells, tmp_path, name, suffix):
    out = tmp_path / name.format(suffix)
    (tmp_path / f"fits1.{suffix}").write_text("another's", encoding="utf-8")
    expected = fits(cells, out)
    with open_results(out) as results:
        assert results.table()["mean_1"] == expected["mean_1"]
    assert {*everything(tmp_path)} == {"cells.csv", out.name, f"fits1.{suffix}"}
    assert (tmp_path / f"fits1.{suffix}").read_text(encoding="utf-8") == "another's"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fits\0.csv", r"'.*fits\\x00.csv': the name of a file cannot hold a NUL"),
        ("fits\udcff.csv", r"'.*fits\\udcff.csv': the name of the file is not text in UTF-8"),
        ("n" * 300 + ".csv", r"cannot write .*n.csv: File name too long"),
        ("n" * 245 + ".csv", r"cannot write .*n.csv.duckdb: File name too long"),
        ("cells.csv/fits.csv", r"cannot write .*cells.csv/fits.csv: Not a directory"),
    ],
)
def test_names_that_no_file_can_have(cells, tmp_path, name, message):
    with pytest.raises(TableError, match=message):
        fits(cells, f"{tmp_path}/{name}")
    assert {*everything(tmp_path)} == {"cells.csv"}
    with (
        pytest.raises(TableError, match=r"the name of|name too long|no such file"),
        open_results(f"{tmp_path}/{name}"),
    ):
        pass


def test_a_database_that_this_process_reads_is_in_use(cells, tmp_path):
    out = tmp_path / "block.duckdb"
    expected = fits(cells, out)
    with (
        open_results(out) as results,
        pytest.raises(TableError, match=r"block.duckdb is in use: this process has it open"),
    ):
        fits(cells, out, overwrite=True)
    assert fits(cells, out) == expected
    assert results.name == str(out)


def test_the_header_alone_tells_our_csv(cells, tmp_path):
    out = tmp_path / "fits.csv"
    names = ["gene", *(name for name in ANSWERS.names if name != "histogram")]
    out.write_text(",".join(names) + "\n", encoding="utf-8")
    assert fits(cells, out).num_rows == 2


@pytest.mark.skipif(os.name != "posix", reason="pipes with a name")
def test_what_is_no_regular_file_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, message in {pipe: "not a regular file", tmp_path: "is a directory"}.items():
        with pytest.raises(TableError, match=message):
            refuse_foreign(path, lambda _: True, overwrite=True)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    out = tmp_path / "page.html"
    out.write_text("before", encoding="utf-8")

    def fail(aside):
        aside.write_text("half", encoding="utf-8")
        raise OSError(28, "No space left on device")

    with pytest.raises(TableError, match="No space left"), written_whole(out) as aside:
        fail(aside)
    assert everything(tmp_path) == {"page.html": b"before"}
    with written_whole(out) as aside:
        aside.write_text("after", encoding="utf-8")
    assert everything(tmp_path) == {"page.html": b"after"}
