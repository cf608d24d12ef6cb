"""Untrusted results: only tables are read, from one file, with checked types."""

import contextlib
import json

import duckdb
import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mog_jax.tables import TableError, fit_table
from mog_jax.tables.database import attach, connect, lock, plain_tables
from mog_jax.tables.record import read_record
from mog_jax.tables.results import open_results
from mog_jax.tables.schema import ANSWERS

RECORD = {
    "version": "0",
    "source": {"name": "cells.csv", "paths": ["/cells.csv"]},
    "input": {"n_rows": 2, "n_groups": 1, "digest": "1"},
    "null_rows": {"gene": 0},
    "columns": {"by": ["gene"], "value": "x", "columns": None, "count": None},
    "reading": {},
    "options": {"fixed": {"mean_1": 0.0}},
}
NO_FITS = r"holds no fits; give what `mog-jax fit --out` has written"


def answers(**columns):
    """One row of answers under a key."""
    row = {field.name: pyarrow.nulls(1, field.type) for field in ANSWERS}
    row |= {name: pyarrow.array([0.5]) for name in ANSWERS.names[:6]}
    row |= {"n_points": pyarrow.array([9.0]), "status": pyarrow.array(["converged"])}
    return pyarrow.table({"gene": pyarrow.array(["a"])} | row | columns)


def database(path, *statements, record=RECORD):
    with duckdb.connect(str(path)) as connection:
        connection.register("given", answers())
        connection.execute("CREATE TABLE fits AS FROM given")
        connection.execute("CREATE TABLE _run AS SELECT $1 AS run", [json.dumps(record)])
        for statement in statements:
            connection.execute(statement)
    return path


def read(path):
    with open_results(path) as results:
        return results.table()


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret.txt"
    path.write_text("the secret", encoding="utf-8")
    return path


def test_tables_are_read(tmp_path):
    path = database(
        tmp_path / "fits.duckdb", "CREATE VIEW more AS FROM fits", "CREATE TABLE t(a INT)"
    )
    assert read(path).equals(answers())


def test_a_view_in_the_place_of_a_table_is_not_run(tmp_path, secret):
    steal = f"SELECT content AS gene, * EXCLUDE gene FROM old, read_text('{secret}')"
    paths = [
        database(
            tmp_path / "fits.duckdb",
            "ALTER TABLE fits RENAME TO old",
            f"CREATE VIEW fits AS {steal}",
        ),
        database(
            tmp_path / "run.duckdb",
            "ALTER TABLE _run RENAME TO old",
            f"CREATE VIEW _run AS SELECT content AS run FROM read_text('{secret}')",
        ),
    ]
    for path in paths:
        with pytest.raises(TableError, match=NO_FITS) as caught:
            read(path)
        assert "secret" not in str(caught.value)


def test_nor_is_it_when_a_run_would_go_on_in_it(tmp_path, secret):
    path = database(
        tmp_path / "fits.duckdb",
        "CREATE TABLE _groups(id BIGINT)",
        "DROP TABLE _run",
        f"CREATE VIEW _run AS SELECT content AS run FROM read_text('{secret}')",
    )
    before = path.read_bytes()
    with pytest.raises(TableError, match="holds other tables than fits"):
        fit_table(pyarrow.table({"x": [1.0, 2.0]}), out=path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE fits ALTER gene SET DEFAULT 'evil'",
        "CREATE INDEX i ON fits (lower(gene))",
        "CREATE OR REPLACE TABLE fits (gene VARCHAR, evil VARCHAR AS (gene || '!'))",
        "CREATE OR REPLACE TABLE fits (gene VARCHAR CHECK (gene <> ''))",
        "CREATE OR REPLACE TABLE fits (gene VARCHAR PRIMARY KEY)",
    ],
)
def test_a_table_that_computes_is_none(tmp_path, statement):
    path = database(tmp_path / "fits.duckdb", statement)
    with contextlib.closing(connect()) as connection:
        attach(connection, path, read_only=True)
        assert plain_tables(connection) == {"_run"}
    with pytest.raises(TableError, match=NO_FITS):
        read(path)


def test_what_a_database_calls_by_our_words_is_not_called(tmp_path):
    path = database(
        tmp_path / "fits.duckdb",
        *(
            f"CREATE MACRO {name}(x) AS 'evil'"
            for name in ("lower", "count", "trim", "jaro_winkler_similarity")
        ),
        "CREATE MACRO duckdb_tables() AS TABLE SELECT 'fits' AS table_name",
        "CREATE TYPE DOUBLE_ AS ENUM ('evil')",
    )
    with open_results(path) as results:
        assert results.statuses() == {"converged": 1}
        assert results.table().equals(answers())


def test_the_connection_is_locked(tmp_path, secret):
    kinds = {
        "fits.duckdb": database,
        "fits.parquet": lambda path: pyarrow.parquet.write_table(answers(), path),
        "fits.csv": lambda path: pyarrow.csv.write_csv(answers().drop_columns("histogram"), path),
    }
    for name, write in kinds.items():
        write(tmp_path / name)
        for statement in (
            f"FROM read_text('{secret}')",
            f"ATTACH '{tmp_path / 'new.duckdb'}'",
            f"COPY (SELECT 1) TO '{tmp_path / 'new.csv'}'",
            "SET enable_external_access = true",
            "SET autoload_known_extensions = true",
            "INSTALL httpfs",
            "LOAD httpfs",
        ):
            with open_results(tmp_path / name) as results, pytest.raises(duckdb.Error):
                results.connection.execute(statement)
    assert {path.name for path in tmp_path.iterdir()} == {*kinds, "secret.txt"}


def test_no_connection_loads_an_extension():
    with contextlib.closing(connect()) as connection:
        for name in ("autoinstall_known_extensions", "autoload_known_extensions"):
            assert connection.execute(f"SELECT current_setting('{name}')").fetchall() == [(False,)]
        lock(connection)
        with pytest.raises(duckdb.Error, match="file system operations are disabled"):
            connection.execute("FROM read_csv('https://localhost/x.csv')")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"mean_1": pyarrow.array(["<img>"])},
            "column 'mean_1' should hold numbers; it holds VARC",
        ),
        ({"n_points": pyarrow.array([[1.0]])}, "'n_points' should hold numbers; it holds DOUBLE"),
        ({"status": pyarrow.array([1.0])}, "column 'status' should hold text; it holds DOUBLE"),
        ({"histogram": pyarrow.array(["<b>"])}, "'histogram' should hold lists of whole numbers"),
        ({"histogram": pyarrow.array([[40_000]])}, "cannot read .*40000"),
    ],
)
def test_an_answer_has_its_type(tmp_path, columns, message):
    path = tmp_path / "fits.parquet"
    pyarrow.parquet.write_table(answers(**columns), path)
    with pytest.raises(TableError, match=message):
        read(path)


def test_types_that_mean_the_same_become_ours(tmp_path):
    path = tmp_path / "fits.parquet"
    table = answers(
        mean_1=pyarrow.array([1]),
        threshold=pyarrow.nulls(1),
        status=pyarrow.nulls(1, pyarrow.string()),
        histogram=pyarrow.array([[1, 2]]),
        n_missing=pyarrow.array([0.0]),
    )
    pyarrow.parquet.write_table(table, path)
    row = read(path).to_pylist()[0]
    assert read(path).schema.remove(0) == ANSWERS
    assert (row["mean_1"], row["threshold"], row["status"]) == (1.0, None, "unknown")
    assert row["histogram"] == [1, 2]


def test_a_byte_order_mark_belongs_to_no_name(tmp_path):
    path = tmp_path / "fits.csv"
    pyarrow.csv.write_csv(answers().drop_columns("histogram"), path)
    expected = read(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    with open_results(path) as results:
        assert results.keys == ["gene"]
        assert results.table().equals(expected)


def written(**changes):
    return json.dumps({**RECORD, **changes})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "[" * 100_000,
        "null",
        "[]",
        "{}",
        None,
        7,
        b"\xff",
        written(version=1),
        written(source={"name": "x", "paths": [["/etc/passwd"]]}),
        written(source={"name": {"evil": 1}, "paths": []}),
        written(input={"n_rows": "many", "n_groups": 1, "digest": "1"}),
        written(input={"n_rows": -1, "n_groups": 1, "digest": "1"}),
        written(null_rows={"gene": "<b>"}),
        written(null_rows=[]),
        written(columns={"by": "gene", "value": "x", "columns": None, "count": None}),
        written(columns={"by": [], "value": 7, "columns": None, "count": None}),
        written(options=[]),
        written(reading=[]),
        written(reading={"nonsense": 1}),
        written(options={"fixed": {"nonsense": 1}}),
        written(options={"fixed": {"mean_1": []}}),
    ],
)
def test_a_record_that_is_none_is_refused(tmp_path, text):
    with pytest.raises(TableError, match=r"fits: its record of what was fitted is damaged"):
        read_record(text, "fits")
    if isinstance(text, str):
        path = tmp_path / "fits.parquet"
        table = answers().replace_schema_metadata({"mog_jax": text})
        pyarrow.parquet.write_table(table, path)
        with pytest.raises(TableError, match="record of what was fitted is damaged"):
            read(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*RECORD, "by", "name", "paths", "fixed"]), inner)
    ),
)


@given(record=JSON | st.fixed_dictionaries(dict.fromkeys(RECORD, JSON)) | st.just(RECORD))
def test_any_record_is_read_or_refused(record):
    text = json.dumps(record)
    try:
        found = read_record(text, "fits")
    except TableError:
        return
    assert {*RECORD} <= {*found}
    assert all(isinstance(path, str) for path in found["source"]["paths"])
    assert all(isinstance(name, str) for name in found["columns"]["by"])


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8)


@given(
    keys=st.lists(st.none() | TEXTS.filter(lambda key: key != "NULL"), min_size=1, max_size=5),
    column=TEXTS.filter(lambda name: name.strip("\ufeff") and name.lower() not in ANSWERS.names),
    separator=st.sampled_from(",;\t"),
)
def test_a_csv_gives_back_its_keys(tmp_path_factory, keys, column, separator):
    path = tmp_path_factory.mktemp("csv") / "fits.csv"
    table = pyarrow.concat_tables([answers()] * len(keys)).drop_columns(["histogram", "gene"])
    table = table.add_column(0, column, pyarrow.array(keys, pyarrow.string()))
    options = pyarrow.csv.WriteOptions(delimiter=separator)
    pyarrow.csv.write_csv(table, path, options)
    with open_results(path) as results:
        assert results.keys == [column]
        found = results.table()
        assert results.run is None
    assert [None if key is None else str(key) for key in found[column].to_pylist()] == keys
    assert found.drop_columns(column).equals(table.drop_columns(column))


def test_keys_of_a_csv_are_numbers_if_they_are_written_so(tmp_path):
    for keys, read_as in {
        ("1", "20"): [1, 20],
        ("007", "8"): ["007", "8"],
        ("1", "x"): ["1", "x"],
        ("1e5", "2"): ["1e5", "2"],
    }.items():
        path = tmp_path / "fits.csv"
        table = pyarrow.concat_tables([answers()] * 2).drop_columns(["histogram"])
        table = table.set_column(0, "gene", pyarrow.array(keys))
        pyarrow.csv.write_csv(table, path)
        assert read(path)["gene"].to_pylist() == read_as


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", NO_FITS),
        (b"a,b\n1,2\n", NO_FITS),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), NO_FITS),
        (
            ",".join(ANSWERS.names).encode()
            + b"\n"
            + b",".join([b"1"] * 21 + [b"x,1,1,1,1,2,[1]"]),
            "Expected 27 columns, got 28",
        ),
        (b"PAR1" + bytes(100), "not a whole Parquet file"),
        (bytes(8) + b"DUCK" + bytes(100), "cannot open"),
        (
            "\n".join(["gene," * 2 + ",".join(ANSWERS.names)] * 2).encode(),
            "two columns called 'gene'",
        ),
        (
            ",".join(ANSWERS.names).encode() + b"\n1,2\n",
            r"cannot read .*Expected 27 columns, got 2",
        ),
        (",".join(ANSWERS.names[:-1]).encode() + b"\n" + b",".join([b"<b>"] * 26), "invalid value"),
    ],
)
@pytest.mark.parametrize("name", ["fits.csv", "fits.parquet", "fits.duckdb"])
def test_the_content_tells_the_format_and_what_is_wrong(tmp_path, content, message, name):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TableError, match=message):
        read(path)


@pytest.mark.usefixtures("without_fitting")
def test_groups_come_in_the_order_of_their_keys(tmp_path):
    rng = np.random.default_rng(0)
    keys = [str(key) for key in rng.permutation(50)]
    source = tmp_path / "cells.csv"
    source.write_text("gene,x\n" + "".join(f"{key},1\n" for key in keys), encoding="utf-8")
    fit_table(source, by="gene", value="x", out=tmp_path / "fits.duckdb")
    assert read(tmp_path / "fits.duckdb")["gene"].to_pylist() == [*range(50)]


@pytest.mark.usefixtures("without_fitting")
def test_a_key_may_have_any_name(tmp_path):
    for key in ("id", "n_rows", "k0", 'a"b', "x[1]", " ", "__proto__"):
        table = pyarrow.table({key: ["b", "a"], "x": [1.0, 2.0]})
        fit_table(table, by=key, value="x", out=tmp_path / "fits.duckdb", overwrite=True)
        with open_results(tmp_path / "fits.duckdb") as results:
            assert results.keys == [key]
            assert results.table()[key].to_pylist() == ["a", "b"]
