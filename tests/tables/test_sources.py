"""All tables that DuckDB can read, and all frames with an Arrow interface: the same answers."""

import gzip
import io
import math

import duckdb
import numpy as np
import pandas
import polars
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest

from mog_jax.tables import TableError, fit_table

pytestmark = pytest.mark.usefixtures("without_fitting")


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    n = 400
    x = rng.normal(size=n).round(3)
    return pyarrow.table(
        {
            "gene": pyarrow.array([None if i % 50 == 0 else f"g{i % 7}" for i in range(n)]),
            "batch": pyarrow.array((np.arange(n) % 3).astype(np.int64)),
            "x": pyarrow.array(x, mask=np.arange(n) % 11 == 0),
            "n": pyarrow.array((np.arange(n) % 4).astype(np.int32)),
        }
    )


def csv(table, **options):
    sink = io.BytesIO()
    pyarrow.csv.write_csv(table, sink, pyarrow.csv.WriteOptions(**options))
    return sink.getvalue()


def in_files(table, folder):
    (folder / "plain.csv").write_bytes(csv(table))
    (folder / "semicolons.csv").write_bytes(csv(table, delimiter=";"))
    (folder / "tabs.tsv").write_bytes(csv(table, delimiter="\t"))
    (folder / "no_suffix").write_bytes(csv(table))
    (folder / "packed.csv.gz").write_bytes(gzip.compress(csv(table)))
    with pyarrow.output_stream(folder / "packed.csv.zst", compression="zstd") as file:
        file.write(csv(table))
    pyarrow.parquet.write_table(table, folder / "table.parquet")
    pyarrow.parquet.write_table(table.slice(0, 150), folder / "part1.parquet")
    pyarrow.parquet.write_table(table.slice(150), folder / "part2.parquet")
    lines = polars.from_arrow(table).write_ndjson()
    (folder / "lines.jsonl").write_text(lines, encoding="utf-8")
    return [
        *(folder / name for name in ("plain.csv", "semicolons.csv", "tabs.tsv", "no_suffix")),
        folder / "packed.csv.gz",
        folder / "packed.csv.zst",
        folder / "table.parquet",
        str(folder / "part*.parquet"),
        folder / "lines.jsonl",
    ]


def test_every_format_and_every_frame_gives_the_same_answers(table, tmp_path):
    choice = {"by": ["gene", "batch"], "value": "x", "count": "n"}
    expected = fit_table(table, **choice)
    assert expected["gene"].null_count == 3
    frames = [
        table.to_pandas(),
        polars.from_arrow(table),
        table.to_reader(max_chunksize=64),
        duckdb.from_arrow(table),
        table.take(np.random.default_rng(1).permutation(table.num_rows)),
    ]
    for source in [*in_files(table, tmp_path), *frames]:
        assert fit_table(source, **choice).equals(expected), source


def test_standard_input(table, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(csv(table)))
    monkeypatch.setattr("sys.stdin", stream)
    assert fit_table("-", by="gene", value="x").equals(fit_table(table, by="gene", value="x"))


def test_groups_are_what_a_plain_loop_finds(table):
    found = fit_table(table, by="gene", value="x").to_pylist()
    frame = table.to_pandas()
    for row in found:
        chosen = frame["gene"].isna() if row["gene"] is None else frame["gene"] == row["gene"]
        x = frame.loc[chosen, "x"]
        assert row["n_points"] == x.notna().sum()
        assert row["n_missing"] == x.isna().sum()
        assert math.isclose(row["mean_1"], x.sum(), rel_tol=1e-12, abs_tol=1e-12)
    assert [row["gene"] for row in found] == [f"g{i}" for i in range(7)] + [None]


def test_a_wide_table_has_a_group_for_each_column(tmp_path):
    frame = pandas.DataFrame({"cell": list("abab"), "CD3": [1, 2, 3, None], "CD 4": [5.5, 6, 7, 8]})
    wide = fit_table(frame, columns=["CD3", "CD 4"]).to_pylist()
    assert [(row["column"], row["n_points"], row["n_missing"]) for row in wide] == [
        ("CD 4", 4, 0),
        ("CD3", 3, 1),
    ]
    both = fit_table(frame, by="cell", columns=["CD3", "CD 4"])
    assert both.select(["cell", "column", "n_points"]).num_rows == 4
    frame.to_csv(tmp_path / "wide.csv", index=False)
    assert fit_table(tmp_path / "wide.csv", columns=["CD3", "CD 4"]).to_pylist() == wide
    assert fit_table(frame, value="CD3")["column"].to_pylist() == ["CD3"]


def test_keys_of_a_csv_are_numbers_only_where_all_are_written_like_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("key,x\n10,1\n9,2\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("key,x\n10,1\n09,2\nX,2\n", encoding="utf-8")
    assert fit_table(tmp_path / "a.csv", by="key", value="x")["key"].to_pylist() == [9, 10]
    assert fit_table(tmp_path / "b.csv", by="key")["key"].to_pylist() == ["09", "10", "X"]


def test_what_people_write_for_missing_in_values_but_not_in_keys(tmp_path):
    text = "key,x\nNA,1\nNA, NA \nNA,\nNA,n/a\nNA,NaN\nNA,None\n,.\n"
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    found = fit_table(tmp_path / "a.csv", by="key", value="x").to_pylist()
    assert [(row["key"], row["n_points"], row["n_missing"]) for row in found] == [
        ("NA", 1, 5),
        (None, 0, 1),
    ]


def test_numbers_of_any_kind_are_numbers(tmp_path):
    for kind in ("BOOLEAN", "UTINYINT", "BIGINT", "HUGEINT", "FLOAT", "DECIMAL(9, 2)", "VARCHAR"):
        relation = duckdb.sql(f"SELECT 1::{kind} AS x UNION ALL SELECT 0::{kind}")
        assert fit_table(relation, value="x")["n_points"].to_pylist() == [2], kind


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"value": "expression"}, r"the table has no column 'expression'; it has gene, batch"),
        ({"by": "gen", "value": "x"}, r"no column 'gen'.*did you mean 'gene'\?"),
        ({"by": "gene"}, r"several columns \(batch, x, n\); choose one with `value` .*`columns`"),
        ({"by": 0, "value": "x"}, r"`by` must name columns, .*; got 0. .*rename\(columns=str\)"),
        ({"by": "gene", "value": 1}, r"`value` must name columns, .*; got 1"),
        ({"columns": [0, 1]}, r"`columns` must name columns, .*; got 0"),
        ({"columns": "y*"}, r"no column 'y\*'; it has gene"),
        ({"value": "x", "columns": ["x"]}, r"`value` \(one column\) or `columns` \(several\)"),
        ({"value": "gene"}, r"the table, row 2: column 'gene' should hold numbers; got 'g1'"),
        ({"value": "x", "count": "negative"}, r"counts .* not negative; got -1"),
        ({"value": "when"}, r"column 'when' should hold numbers; it holds DATE"),
        ({"value": "x", "fixed": {"maen_1": 0}}, r"no parameter 'maen_1'.*did you mean 'mean_1'\?"),
        ({"value": "x", "fixed": {"sd_2": -1}}, "fixed sd_2 must be positive; got -1"),
        ({"value": "x", "fixed": {"weight_1": 1}}, "fixed weight_1 must be between 0 and 1; got 1"),
        ({"value": "x", "fixed": {"mean_1": np.inf}}, "fixed mean_1 must be finite; got inf"),
        ({"value": "x", "fixed": {"weight_1": 0.5, "weight_2": 0.5}}, "fix one of the weights"),
        ({"value": "x", "fixed": {"mean_1": "m"}}, r"no column 'm'; it has gene, batch, x, n"),
        ({"value": "x", "fixed": {"mean_1": "gene"}}, "row 2: column 'gene' should hold numbers"),
        ({"value": "x", "fixed": {"sd_1": "negative"}}, "'negative' fixes sd_1, .* be positive"),
        ({"by": "gene", "value": "x", "fixed": {"mean_1": "n"}}, "one value in a whole group; in"),
        (
            {"value": "x", "fixed": {"sd_1": 1}, "equal_variances": True},
            "a fixed sd and equal variances exclude each other",
        ),
        ({"by": "Status", "value": "x"}, r"cannot be called 'Status'.*rename it"),
    ],
)
def test_a_choice_of_columns_that_cannot_be(table, choice, message):
    dates = pyarrow.array([0] * table.num_rows, pyarrow.date32())
    negative = pyarrow.array([-1] * table.num_rows)
    used = [*choice.values(), *choice.get("fixed", {}).values()]
    for name, column in {"when": dates, "negative": negative, "Status": negative}.items():
        if name in used:
            table = table.append_column(name, column)
    with pytest.raises(TableError, match=message):
        fit_table(table, **choice)


def test_a_pattern_stands_for_the_columns_that_it_matches_and_that_are_not_used(table):
    wide = table.append_column("y", table["x"]).append_column("x*", table["x"])
    for columns, expected in {
        "?": ["x", "y"],
        ("n", "[xy]"): ["n", "x", "y"],
        "x*": ["x*"],  # a column's own name comes before any pattern
        ("x", "?"): ["x", "y"],
    }.items():
        count = None if "n" in expected else "n"
        found = fit_table(wide, by=["gene", "batch"], columns=columns, count=count)
        assert sorted(set(found["column"].to_pylist())) == expected


@pytest.mark.parametrize("source", [3, {"x": [1.0]}, np.zeros(3)])
def test_what_is_no_source(source):
    with pytest.raises(TableError, match=r"`source` must be a path.*got (int|dict|ndarray)"):
        fit_table(source, value="x")


def test_what_is_lazy_is_to_be_collected():
    with pytest.raises(TableError, match=r"got LazyFrame; collect\(\) it first"):
        fit_table(polars.DataFrame({"x": [1.0]}).lazy(), value="x")


def test_unknown_settings_are_refused_before_anything_is_fitted(table):
    with pytest.raises(TypeError, match=r"no option `toleranse`: did you mean `tolerance`"):
        fit_table(table, by="gene", value="x", toleranse=1)
