"""All supported formats give the same numbers; others are refused with one true line."""

import bz2
import gzip
import io
import lzma
import math
import os
import pickle
import sqlite3
import threading
import zipfile

import duckdb
import numpy as np
import pyarrow
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet
import pytest

from mog_jax.tables import TableError, fit_table
from tests.tables.files import columns, read

TABLE = {"g": ["a", "b", "a"], "x": [1.5, -2.0, math.pi]}
CSV = b"g,x\na,1.5\nb,-2\na,3.141592653589793\n"


def zipped(**members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def as_bytes(write, *arguments, **options):
    sink = io.BytesIO()
    write(*arguments[:1], sink, *arguments[1:], **options)
    return sink.getvalue()


def written(folder, kind):
    """Write the table in one of the formats that are read."""
    table, path = pyarrow.table(TABLE), folder / f"table.{kind}"
    if kind == "duckdb":
        with duckdb.connect(str(path)) as connection:
            connection.register("written", table)
            connection.execute("CREATE TABLE t AS SELECT * FROM written")
            connection.execute("CREATE VIEW v AS SELECT * FROM read_csv('/etc/hostname')")
        return path
    if kind == "zst":
        with pyarrow.output_stream(path, compression="zstd") as file:
            file.write(CSV)
        return path
    write = {
        "parquet": lambda: as_bytes(pyarrow.parquet.write_table, table),
        "feather": lambda: as_bytes(pyarrow.feather.write_feather, table),
        "orc": lambda: as_bytes(pyarrow.orc.write_table, table),
        "npz": lambda: _npz(**{name: np.array(column) for name, column in TABLE.items()}),
        "csv": lambda: CSV,
        "gz": lambda: gzip.compress(CSV),
        "bz2": lambda: bz2.compress(CSV),
        "xz": lambda: lzma.compress(CSV),
        "zip": lambda: zipped(**{"table.csv": CSV, "__MACOSX/._table.csv": b"\0\5\x16\7"}),
        "json": lambda: (
            b'\xef\xbb\xbf[{"g":"a","x":1.5},\n{"g":"b","x":-2},{"g":"a","x":%r}]' % math.pi
        ),
    }
    path.write_bytes(write[kind]())
    return path


def _npz(**arrays):
    sink = io.BytesIO()
    np.savez(sink, **arrays)
    return sink.getvalue()


def _npy(array):
    sink = io.BytesIO()
    np.save(sink, array)
    return sink.getvalue()


KINDS = ["parquet", "feather", "orc", "npz", "duckdb", "json"]
KINDS += ["csv", "gz", "bz2", "xz", "zip", "zst"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_same_numbers(tmp_path, kind):
    path = written(tmp_path, kind)
    assert read(path, "x") == TABLE
    path = path.rename(tmp_path / ("a[1] b*.c" if kind == "duckdb" else "a[1] b?*.c"))
    assert read(path, "x") == TABLE


@pytest.mark.parametrize("kind", ["feather", "orc", "npz", "parquet", "bz2"])
def test_several_files_are_one_table(tmp_path, kind):
    path = written(tmp_path, kind)
    (tmp_path / "again").write_bytes(path.read_bytes())
    assert read([path, tmp_path / "again"], "x") == {name: 2 * TABLE[name] for name in TABLE}
    other = tmp_path / "other.csv"
    other.write_bytes(CSV.replace(b"x", b"y"))
    with pytest.raises(TableError, match=r"different kinds|other columns than"):
        read([path, other], "x")


def test_parts_may_be_written_differently(tmp_path):
    (tmp_path / "1.csv").write_text("g,x\na,1.5\n", encoding="utf-8")
    (tmp_path / "2.csv").write_text("# later\ng;x\nb;2,5\n", encoding="utf-16")
    (tmp_path / "3.csv").write_text("g\tx\rc\t3\r", encoding="utf-8")
    with pytest.raises(TableError, match=r"got '2,5'; if ',' is the decimal mark, .*--decimal ,"):
        read(str(tmp_path / "*.csv"), "x")
    (tmp_path / "2.csv").write_text("# later\ng;x\nb;2.5\n", encoding="utf-16")
    assert read(str(tmp_path / "*.csv"), "x") == {"g": ["a", "b", "c"], "x": [1.5, 2.5, 3]}


def test_arrays_without_names(tmp_path):
    path = tmp_path / "a.npy"
    for array in (
        np.arange(3.0),
        np.repeat(np.arange(3), 2)[::2],
        np.arange(3).astype(">i2"),
        np.float16([0, 1, 2]),
    ):
        path.write_bytes(_npy(array))
        assert read(path, "column0") == {"column0": [0, 1, 2]}
    path.write_bytes(_npy(np.array([[1, 2], [3, 4]])))
    assert read(path, ...) == {"column0": [1, 3], "column1": [2, 4]}
    path.write_bytes(_npy(np.array([("a", 1.5)], dtype=[("g", "U1"), ("x", "f8")])))
    assert read(path, "x") == {"g": ["a"], "x": [1.5]}


def test_a_file_that_exists_is_meant_whatever_its_name(tmp_path):
    (tmp_path / "data1.csv").write_text("x\n1\n2\n", encoding="utf-8")
    for name in ("data[1].csv", "data?.csv", "*.csv", "it's.csv", 'a"b.csv', "é.csv", "g=1.csv"):
        (tmp_path / name).write_text("x\n8\n9\n", encoding="utf-8")
        assert read(tmp_path / name, "x") == {"x": [8, 9]}
        (tmp_path / name).unlink()
    assert read(str(tmp_path / "data?.csv"), "x") == {"x": [1, 2]}


def test_a_database_with_a_question_mark_in_its_path(tmp_path):
    path = written(tmp_path, "duckdb").rename(tmp_path / "what?.duckdb")
    with pytest.raises(TableError, match=r"'\?' in its path cannot be opened; rename it"):
        read(path, "x")


def test_a_pipe_is_read_once(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[CSV])
    writer.start()
    assert read(pipe, "x") == TABLE
    writer.join()


def sqlite(folder):
    with sqlite3.connect(folder / "s.db") as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    return (folder / "s.db").read_bytes()


def databases(folder, *statements):
    with duckdb.connect(str(folder / "d.db")) as connection:
        for statement in statements:
            connection.execute(statement)
    content = (folder / "d.db").read_bytes()
    (folder / "d.db").unlink()
    return content


HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(99)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HDF5, r"broken file of AnnData|an HDF5 file, and those of AnnData need an extra"),
        (gzip.compress(HDF5), r"a packed h5ad file; unpack it \(gzip\)"),
        (sqlite, "an SQLite database; write a table of it to CSV: sqlite3 -header -csv"),
        (
            zipped(**{"[Content_Types].xml": "", "xl/sheet1.xml": ""}),
            "a workbook .*save it as CSV",
        ),
        (zipped(a="x", b="y"), "a zip archive of 2 files; unpack it and name one"),
        (zipped(**{"a.csv": CSV})[:-30], "not a whole zip file"),
        (bz2.compress(CSV)[:-9], "not a whole bz2 file"),
        (lzma.compress(CSV)[:-9], "not a whole xz file"),
        (gzip.compress(CSV * 99)[:-9], "not a whole gzip file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(9), "an old Excel workbook; save the sheet"),
        (
            b"%%MatrixMarket matrix coordinate real general\n1 1 1\n",
            "a MatrixMarket file; .*mmread",
        ),
        (b"FCS3.1    \0", r"flow cytometry \(FCS\); write its events to CSV"),
        (pickle.dumps(TABLE), "a pickle of Python, which may run code; write it to Parquet"),
        (gzip.compress(b"RDX3\nX\n\0\0\0"), "a file of R; write the frame to CSV in R"),
        (b"\0\5\x16\7" + bytes(99), "a Mac's note about another file; give the file without ._"),
        (b"<!DOCTYPE html>\n<html>", "a page of the web .*downloaded from the right address"),
        (b"%PDF-1.4\n\0", "a PDF document"),
        (b"\x7fELF\0\1\2", "neither a text nor a format that is known"),
        (b"FEA1\0", "a Feather file of version 1; write it to Parquet"),
        (b"ARROW1\0\0" + bytes(99), r"a broken Arrow file \("),
        (b"ORC\0\1" + bytes(99), r"a broken ORC file \("),
        (b"\x93NUMPY\1\0\3", r"a broken NumPy file \("),
        (gzip.compress(_npy(np.zeros(3))), r"a packed numpy file; unpack it \(gzip\)"),
        (_npy(np.zeros((2, 2, 2))), r"shape \(2, 2, 2\); a table has rows"),
        (_npy(np.zeros(2, complex)), "column0 holds complex128; columns hold numbers or texts"),
        (_npy(np.array([{}])), r"a broken NumPy file \(.*Python objects"),
        (
            _npz(a=np.zeros(2), b=np.zeros(3)),
            r"arrays \(a \(2,\), b \(3,\)\) are not columns of one",
        ),
        (lambda folder: databases(folder), "this database holds no table; write"),
        (
            lambda folder: databases(folder, "CREATE TABLE b (x INT)", "CREATE TABLE a (x INT)"),
            r"2 tables \(a, b\); write the one that you mean to Parquet: COPY",
        ),
        (b"x," * 9_000_000, "a line of it is longer than 16,777,216 bytes"),
        (
            "größe\n1\n".encode("latin-1"),
            r"UTF-8 \(line 1\); say .* `encoding` \(--encoding latin-1",
        ),
        (b"g,x\n" + b"a,1\n" * 300_000 + b"\xe9,1\n", r"not a text file in UTF-8"),
        (b"g,x\na,1\nb\n", r"line 3 has 1 cell, the header 2\.$"),
        (b"g,x\na,1\n\nb,2,3\n", r"line 4 has 3 cells, the header 2\.$"),
        (b"x\n1\n1_000\n", "got '1_000'"),
        (b"x\n1.5\n<LOD\n", "got '<LOD'; if that means a missing value, .*--missing='<LOD'"),
        (b"x y\n1 2\na b c 3\n", r"with `separator` \(--separator\)"),
        (b"\n\n\n", "is empty"),
    ],
    # Packed bytes hold the time, and workers must agree on the names of tests.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_told_in_one_line(tmp_path, content, message):
    path = tmp_path / "file"
    path.write_bytes(content(tmp_path) if callable(content) else content)
    with pytest.raises(TableError, match=message) as caught:
        read(path, ...)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("first", ["ORC", "FCS", "PAR1", "BZh9", "{a}", "[b]", "RDX", "<x>", "#"])
def test_a_header_may_begin_like_another_format(tmp_path, first):
    (tmp_path / "a.csv").write_text(f"{first},x\n1,2\n3,4\n", encoding="utf-8")
    assert read(tmp_path / "a.csv", "x") == {first: ["1", "3"], "x": [2, 4]}


def test_a_header_line_may_be_long(tmp_path):
    names = [f"gene_{index:0100d}" for index in range(2000)]
    values = ",".join("1.5" for _ in names)
    (tmp_path / "a.csv").write_text(f"{','.join(names)}\n{values}\n", encoding="utf-8")
    assert columns(tmp_path / "a.csv") == names


def test_columns_of_one_name_are_numbered_and_none_is_meant_by_it(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,X,y,x,x_1\n1,2,3,4,5\n", encoding="utf-8")
    assert [*read(path)] == ["x_2", "X", "y", "x_3", "x_1"]
    with pytest.raises(TableError, match="no column 'x'; it has x_2, X, y, x_3, x_1"):
        fit_table(path, value="x")


@pytest.mark.parametrize(
    ("text", "options", "values"),
    [
        ("x\n1\n-\n2\n", {"missing": "-"}, [1, None, 2]),
        ("x\n1\n-999\n-999.0\n", {"missing": -999}, [1, None, None]),
        ("x\n1\n Below LOD\n", {"missing": ["below lod", "-"]}, [1, None]),
        ("x\n1\n#N/A\nmissing\n<NA>\n", {}, [1, None, None, None]),
        ("x\n1\n% note\n2\n", {"comment": "%"}, [1, 2]),
        ("x;y\n1,5;1\n2,25;1\n", {}, [1.5, 2.25]),
        ("x;y\n1,234;1\n", {"decimal": ","}, [1.234]),
        ('x,y\n"1,5",a\n"-2,5e1",b\n', {}, [1.5, -25]),
        ("x y\n1 2\n\n3 4\n", {}, [1, 3]),
        ("0\n1\n2\n", {"header": False}, [0, 1, 2]),
        ("0\n1\n2\n", {"header": True}, [1, 2]),
        ("1\n2\n3\n", {}, [1, 2, 3]),
        ("x\r\n1\n2\r\n", {}, [1, 2]),
        ("x\n1\n\n2\n\n", {}, [1, 2]),
        ("x\n\t1 \n +2\n", {}, [1, 2]),
    ],
)
def test_how_values_are_written(tmp_path, text, options, values):
    (tmp_path / "a.csv").write_bytes(text.encode())
    first = next(iter(read(tmp_path / "a.csv", **options)))
    found = read(tmp_path / "a.csv", first, **options)[first]
    assert [None if math.isnan(x) else x for x in found] == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x;y\n1,250;a\n", "got '1,250'; if ',' is the decimal mark, .*--decimal ,"),
        ("x;y\n1,5;a\n1.5;b\n", "got '1,5'; if ',' is the decimal mark"),
        ("x;y\n1,5;a\n" + "2;b\n" * 300_000 + "1.5;b\n", "row 300002 .*got '1.5'; if '.' is the"),
    ],
)
def test_a_number_of_the_other_decimal_mark_is_never_read_as_another_number(
    tmp_path, text, message
):
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(TableError, match=message):
        read(tmp_path / "a.csv", "x")


def test_what_is_said_of_a_csv_is_not_said_of_parquet(tmp_path):
    path = written(tmp_path, "parquet")
    with pytest.raises(TableError, match="is parquet; `separator` is for CSV; got ';'"):
        read(path, separator=";")
    assert math.isnan(read(path, "x", missing=1.5)["x"][0])


@pytest.mark.usefixtures("without_fitting")
def test_a_column_that_has_no_name_is_not_taken_for_the_values(tmp_path):
    (tmp_path / "a.csv").write_text(",gene,x\n0,a,1\n1,b,2\n", encoding="utf-8")
    assert fit_table(tmp_path / "a.csv", by="gene")["mean_1"].to_pylist() == [1, 2]
    found = fit_table(tmp_path / "a.csv", by="gene", value="column0")
    assert found["mean_1"].to_pylist() == [0, 1]


@pytest.mark.usefixtures("without_fitting")
def test_names_are_never_read_as_sql(tmp_path):
    name = """"; DROP TABLE survey; --' [x] {y} ?*"""
    frame = pyarrow.table({name: ["a", "b"], name + "2": [1.0, 2.0], "": [3, 4]})
    found = fit_table(frame, by=name)
    assert (found.column_names[0], found["mean_1"].to_pylist()) == (name, [1, 2])
    wide = fit_table(frame, columns=[name + "2", "column2"])
    assert set(wide["column"].to_pylist()) == {name + "2", "column2"}
