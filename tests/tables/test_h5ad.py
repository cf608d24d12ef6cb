"""An AnnData file is read as a table with a row for each cell and feature."""

import sys
import types

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pyarrow
import pytest
import scipy.sparse
from hypothesis import given

import mog_jax
from mog_jax import cli
from mog_jax.tables import TableError, fit_table, h5ad, label_table
from tests.tables.files import read

COUNTS = np.array([[1.0, 0, 3], [0, 5, np.nan], [7, 0, 0], [2, 2, 2]])
KINDS = {
    "dense": np.asarray,
    "integers": lambda matrix: np.nan_to_num(matrix).astype(np.int32),
    "csr": scipy.sparse.csr_matrix,
    "csc": scipy.sparse.csc_matrix,
}


@pytest.fixture(scope="module")
def anndata():
    return pytest.importorskip("anndata", reason="pip install 'mog_jax[anndata]'")


def written(anndata, path, matrix, **parts):
    pandas = pytest.importorskip("pandas")
    cells = [f"c{i}" for i in range(matrix.shape[0])]
    obs = pandas.DataFrame(
        {
            "donor": pandas.Categorical((["b", "a", None] * len(cells))[: len(cells)]),
            "value": np.arange(len(cells)),
            "good": [True, False] * (len(cells) // 2),
        },
        index=cells,
    )
    var = pandas.DataFrame(index=[f"g{i}" for i in range(matrix.shape[1])])
    anndata.AnnData(matrix, obs=obs, var=var, **parts).write_h5ad(path)
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("zeros", [None, "keep", "drop"])
def test_each_cell_and_feature_has_a_row(anndata, tmp_path, kind, zeros):
    matrix = KINDS[kind](COUNTS)
    path = written(anndata, tmp_path / "cells.h5ad", matrix)
    table = read(path, "value", zeros=zeros)
    assert [*table] == ["cell", "feature", "value", "donor", "obs_value", "good"]
    plain = np.nan_to_num(COUNTS) if kind == "integers" else COUNTS
    expected = {
        (f"c{i}", f"g{j}", "b" if i in (0, 3) else "a" if i == 1 else "", i): plain[i, j]
        for i in range(4)
        for j in range(3)
        if zeros != "drop" or plain[i, j] != 0
    }
    keys = zip(table["cell"], table["feature"], table["donor"], table["obs_value"], strict=True)
    found = dict(zip(keys, table["value"], strict=True))
    assert {*found} == {*expected}
    for key, value in expected.items():
        np.testing.assert_equal(found[key], value)


def test_it_is_the_fit_of_each_feature(anndata, tmp_path, capsys):
    rng = np.random.default_rng(0)
    matrix = rng.poisson(2, (200, 3)) + 20.0 * (rng.random((200, 3)) < 0.3)
    path = written(anndata, tmp_path / "a.h5ad", scipy.sparse.csr_matrix(matrix))
    table = fit_table(path)
    assert table["feature"].to_pylist() == ["g0", "g1", "g2"]
    direct = mog_jax.fit(matrix.T)
    np.testing.assert_allclose(table["mean_2"], np.asarray(direct.mixture.means)[:, 1], rtol=1e-9)
    # The same features in a second file are the same groups; rows of the two lie together.
    again = written(anndata, tmp_path / "b.h5ad", scipy.sparse.csc_matrix(matrix))
    both = fit_table([path, again], zeros="drop")
    assert both["n_points"].to_pylist() == [2 * n for n in (matrix != 0).sum(axis=0)]
    out = tmp_path / "fits.parquet"
    command = ["fit", str(path), "--by", "feature", "--by", "donor", "--out", str(out), "--quiet"]
    assert cli.main(command) == 0
    labels = label_table(out)
    assert labels.num_rows == matrix.size
    assert labels.column_names[-3:] == ["posterior", "label", "uncertainty"]
    assert cli.main(["fit", str(path), "--json"]) == 0
    assert capsys.readouterr().out.count('"feature"') == 3
    assert cli.main(["fit", str(path), "--plot", str(tmp_path / "x.png")]) == 2


def test_layers(anndata, tmp_path):
    path = written(anndata, tmp_path / "a.h5ad", COUNTS, layers={"twice": 2 * COUNTS})
    assert read(path, "value", layer="twice")["value"][0] == 2
    assert read(path, "value", layer="X")["value"][0] == 1
    with pytest.raises(TableError, match=r"has no layer 'twise'; .* did you mean 'twice'"):
        read(path, "value", layer="twise")


def test_what_cannot_be_read_is_named(anndata, tmp_path):
    import h5py

    path = written(anndata, tmp_path / "a.h5ad", COUNTS)
    for arguments in ({"value": "obs_value"}, {"columns": ["g0"]}):
        with pytest.raises(TableError, match="what is fitted is 'value', by 'feature' and"):
            fit_table(path, **arguments)
    with pytest.raises(TableError, match="`separator` is for CSV; got ','"):
        fit_table(path, separator=",")
    with pytest.raises(TableError, match=r"has no column 'donour'; .* did you mean 'donor'"):
        fit_table(path, by="donour")
    other = written(anndata, tmp_path / "b.h5ad", COUNTS)
    with h5py.File(other, "r+") as file:
        del file["X"]
    with pytest.raises(TableError, match="there is no X; name a layer with `layer`"):
        fit_table(other)
    for name, message in {"mod/rna": "is of MuData, with rna", "x": "but none of AnnData"}.items():
        with h5py.File(tmp_path / "c.h5ad", "w") as file:
            file[name] = 1.0
        with pytest.raises(TableError, match=message):
            fit_table(tmp_path / "c.h5ad")
    for place, part in [
        ("X", h5py.ExternalLink("a.h5ad", "/X")),
        ("layers/z", h5py.ExternalLink("a.h5ad", "/X")),
    ]:
        away = written(anndata, tmp_path / "e.h5ad", COUNTS)
        with h5py.File(away, "r+") as file:
            if place in file:
                del file[place]
            file[place] = part
        with pytest.raises(TableError, match="parts of it lie in other files"):
            fit_table(away)
    with h5py.File(away, "r+") as file:
        del file["layers"]["z"]
        (tmp_path / "raw").write_bytes(bytes(96))
        raw = [(str(tmp_path / "raw"), 0, 96)]
        file.create_dataset("layers/z", (4, 3), np.float64, external=raw)
    with pytest.raises(TableError, match="parts of it lie in other files"):
        fit_table(away, layer="z")
    whole = path.read_bytes()
    for length in (600, len(whole) // 2, len(whole) - 1):
        (tmp_path / "d.h5ad").write_bytes(whole[:length])
        with pytest.raises(TableError, match="broken file of AnnData"):
            fit_table(tmp_path / "d.h5ad")
    with h5py.File(other, "r+") as file:
        file["X"] = np.zeros((2, 2))
    with pytest.raises(TableError, match=r"it has the shape \(2, 2\)"):
        fit_table(other)


def test_options_of_other_files(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n2\n", encoding="utf-8")
    (tmp_path / "a.json").write_text('{"x": 1}\n', encoding="utf-8")
    for name in ("a.csv", "a.json"):
        with pytest.raises(TableError, match="`zeros` is for AnnData; got 'drop'"):
            fit_table(tmp_path / name, zeros="drop")
    with pytest.raises(TableError, match="`zeros` must be 'keep' or 'drop'; got 'no'"):
        fit_table(tmp_path / "a.csv", zeros="no")
    with pytest.raises(TableError, match=r"of AnnData, `mog_jax\.anndata\.fit` fits each"):
        fit_table(types.SimpleNamespace(obs=None, var=None))


def test_without_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "anndata", None)
    (tmp_path / "a.h5ad").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99))
    with pytest.raises(TableError, match=r"pip install 'mog_jax\[anndata\]'"):
        fit_table(tmp_path / "a.h5ad")


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=7),
        elements=st.sampled_from([0.0, 0.0, -0.0, 1.0, -2.5, np.nan]),
    ),
    st.sampled_from([np.asarray, scipy.sparse.csr_array, scipy.sparse.csc_array]),
    st.booleans(),
    st.integers(1, 20),
)
def test_entries_are_those_of_the_matrix_however_it_is_cut(matrix, kind, drop, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(h5ad, "_BLOCK", block)
        batches = [*h5ad._batches(kind(matrix), 100, 1000, drop)]
    found = pyarrow.Table.from_batches(batches, h5ad._NUMBERS).to_pydict()
    places = [*zip(found["cell"], found["feature"], strict=True)]
    wanted = matrix != 0 if drop else np.ones(matrix.shape, bool)
    assert sorted(places) == [(100 + i, 1000 + j) for i, j in zip(*np.nonzero(wanted), strict=True)]
    values = [matrix[i - 100, j - 1000] for i, j in places]
    np.testing.assert_array_equal(found["value"], np.asarray(values, np.float64))
