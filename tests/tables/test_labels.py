"""Rows with the posterior of their group."""

import io
import json

import numpy as np
import pandas
import pyarrow
import pyarrow.parquet
import pytest

import mog_jax
from mog_jax.cli import main
from mog_jax.tables import TableError, fit_table, label_table

X = mog_jax.datasets.faithful()


@pytest.fixture(scope="module")
def cells():
    """Rows of three groups in no order; one is constant, one value is missing."""
    frame = pandas.DataFrame(
        {
            "cell": [f"c{i}" for i in range(816)],
            "gene": np.repeat(["b", "a", None], 272),
            "x": np.concatenate([X, 3 - X, 0 * X]),
        }
    ).sample(frac=1, random_state=0, ignore_index=True)
    frame.loc[frame.index[frame["gene"] == "a"][0], "x"] = np.nan
    return frame


@pytest.fixture(scope="module")
def folder(cells, tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    cells.to_csv(folder / "cells.csv", index=False)
    fit_table(folder / "cells.csv", by="gene", value="x", out=folder / "fits.parquet")
    return folder


def check_against_the_fitter(labels, cells):
    assert labels.column_names == [*cells.columns, "posterior", "label", "uncertainty"]
    rows = labels.to_pandas()
    assert rows["cell"].tolist() == cells["cell"].tolist()
    for gene in ("a", "b"):
        here = (cells["gene"] == gene).to_numpy()
        values = cells["x"][here].to_numpy()
        fit = mog_jax.fit(values)
        expected = fit.responsibilities(values)
        np.testing.assert_allclose(rows["posterior"][here], expected[:, 1], atol=1e-9)
        np.testing.assert_allclose(
            rows["uncertainty"][here], expected.min(axis=1), rtol=1e-6, atol=1e-300
        )
        label = rows["label"][here].fillna(-1)
        np.testing.assert_array_equal(label, fit.predict(values))
    flat = rows[cells["gene"].isna().to_numpy()]
    assert flat[["posterior", "label", "uncertainty"]].isna().all(axis=None)


def test_rows_have_the_posterior_that_the_fitter_gives(folder, cells):
    check_against_the_fitter(label_table(folder / "fits.parquet"), cells)
    check_against_the_fitter(label_table(folder / "fits.parquet", source=cells), cells)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_they_are_written_and_may_be_written_again(folder, cells, suffix, tmp_path, capsys):
    out = tmp_path / f"labels{suffix}"
    for _ in range(2):
        assert main(["label", str(folder / "fits.parquet"), "--out", str(out)]) == 0
    assert capsys.readouterr().out.split() == [str(out)] * 2
    read = pandas.read_csv if suffix == ".csv" else pandas.read_parquet
    written = pyarrow.Table.from_pandas(read(out))
    check_against_the_fitter(written, cells)
    out.write_text("something else")
    with pytest.raises(TableError, match="that this command has not written"):
        label_table(folder / "fits.parquet", out=out)
    assert label_table(folder / "fits.parquet", out=out, overwrite=True) is None
    assert len(read(out)) == len(cells)


def test_they_go_to_standard_output_as_csv_or_json(folder, cells, capsys):
    assert main(["label", str(folder / "fits.parquet")]) == 0
    table = pyarrow.Table.from_pandas(pandas.read_csv(io.StringIO(capsys.readouterr().out)))
    check_against_the_fitter(table, cells)
    assert main(["label", str(folder / "fits.parquet"), "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(cells)
    assert json.loads(lines[0])["cell"] == cells["cell"][0]


def test_of_a_wide_table_each_cell_is_a_row(tmp_path):
    wide = pandas.DataFrame({"cell": range(272), "CD4": X, "CD8": 3 - X})
    fit_table(wide, columns="CD*", out=tmp_path / "fits.duckdb")
    labels = label_table(tmp_path / "fits.duckdb", source=wide)
    assert labels.column_names == ["cell", "column", "value", "posterior", "label", "uncertainty"]
    assert labels["cell"].to_pylist()[:4] == [0, 0, 1, 1]
    assert labels["column"].to_pylist()[:4] == ["CD4", "CD8"] * 2
    rows = labels.to_pandas()
    turned = rows[rows["column"] == "CD8"]["posterior"].to_numpy()
    np.testing.assert_allclose(
        turned, 1 - rows[rows["column"] == "CD4"]["posterior"].to_numpy(), atol=1e-6
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: label_table(f / "cells.csv"), "holds no fits"),
        (lambda f: label_table(f / "fits.parquet", out=f / "cells.csv"), "it is the input"),
        (lambda f: label_table(f / "fits.parquet", out=f / "fits.parquet"), "it is the input"),
        (lambda f: label_table(f / "fits.parquet", out=f / "rows.txt"), "must end in .parquet or"),
        (
            lambda f: label_table(f / "fits.parquet", out=f / "no" / "rows.csv"),
            "there is no folder",
        ),
        (lambda f: label_table(f / "fits.parquet", source=f / "none.csv"), "no such file"),
        (
            lambda f: label_table(
                f / "fits.parquet", source=pandas.DataFrame({"gene": ["a"], "x": [1], "Label": [1]})
            ),
            "a column cannot be called 'Label'",
        ),
        (
            lambda f: label_table(f / "fits.parquet", source=pandas.DataFrame({"x": [1.0]})),
            "no column 'gene'",
        ),
    ],
)
def test_what_cannot_be_read_or_written_is_refused(folder, call, message):
    with pytest.raises(TableError, match=message):
        call(folder)


def test_a_csv_of_fits_does_not_say_where_the_rows_are(folder, tmp_path):
    fits = pandas.read_parquet(folder / "fits.parquet").drop(columns="histogram")
    fits.to_csv(tmp_path / "fits.csv", index=False)
    with pytest.raises(TableError, match="does not say where its values came from"):
        label_table(tmp_path / "fits.csv")


def test_extreme_values_have_a_posterior_of_0_or_1(tmp_path):
    rows = pandas.DataFrame({"x": X})
    fit_table(rows, value="x", out=tmp_path / "fits.parquet")
    far = pandas.DataFrame({"x": [1e300, -1e300, np.inf, 66.0]})
    labels = label_table(tmp_path / "fits.parquet", source=far).to_pandas()
    certain = (labels["posterior"] < 1e-300) | (labels["posterior"] == 1)
    assert certain.tolist() == [True, True, False, False]
    assert np.isnan(labels["posterior"][2])
