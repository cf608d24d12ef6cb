"""Exports of a `Fit`, and the names of its datasets."""

import contextlib
import json
import pickle
import sys
from pathlib import Path

import hypothesis.strategies as st
import jax
import numpy as np
import pandas
import pyarrow
import pyarrow.ipc
import pytest
from hypothesis import given

import mog_jax
from mog_jax import Fit
from mog_jax.fitting.results.columns import COLUMNS
from mog_jax.fitting.results.fit import _ARRAYS
from mog_jax.tables import fit_table

X = mog_jax.datasets.faithful()
DATA = {"CD4": X, "flat": X * 0, "<b>": X + 1e3 * (X > 70), "CD8": np.append(X[1:], np.nan)}
WEIGHTS = {name: np.arange(272) % 3 for name in reversed(DATA)}


@pytest.fixture(scope="module")
def fits():
    return mog_jax.fit(DATA)


def test_datasets_that_were_given_by_name_are_found_by_it(fits):
    assert fits.names.tolist() == list(DATA)
    assert fits["CD4"].names == "CD4"
    np.testing.assert_array_equal(fits["CD8"].mixture.means, fits[3].mixture.means)
    np.testing.assert_array_equal(fits["CD4"].mixture.means, mog_jax.fit(X).mixture.means)
    assert repr(fits["flat"]) == "Fit(flat: nothing fitted; 272 points, constant)"
    assert repr(fits["CD4"]).startswith("Fit(CD4: 0.3609 N(54.6149, sd 5.871) + ")


INDICES = (
    st.slices(4)
    | st.lists(st.integers(-4, 3), min_size=1)
    | st.lists(st.sampled_from(list(DATA)), min_size=1)
    | st.lists(st.booleans(), min_size=4, max_size=4).map(np.array)
)


@given(INDICES)
def test_names_go_where_their_fits_go(fits, index):
    chosen = fits[index]
    assert len(chosen.names) == len(chosen)
    for one in chosen:
        assert one.n_missing == fits[one.names].n_missing
        np.testing.assert_array_equal(one.mixture.means, fits[one.names].mixture.means)


def test_what_jax_makes_of_fits_has_no_names_rather_than_wrong_ones(fits):
    turned = jax.tree.map(lambda leaf: leaf[::-1], fits)
    assert turned.names is None
    assert turned.status_name.tolist() == fits.status_name[::-1].tolist()
    assert jax.tree.structure(fits) == jax.tree.structure(fits[:2])
    both = jax.tree.map(lambda *leaves: np.stack(leaves), fits["CD4"], fits["flat"])
    assert both.status_name.tolist() == ["converged", "constant"]
    assert jax.jit(lambda f: f.mixture.means)(fits).shape == (4, 2)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("flatt", r"no dataset is called 'flatt'; did you mean 'flat'\?"),
        (["CD4", "none"], "no dataset is called 'none'"),
    ],
)
def test_a_name_that_is_none_is_refused(fits, index, message):
    with pytest.raises(KeyError, match=message):
        fits[index]
    with pytest.raises(KeyError, match="these fits have no names"):
        mog_jax.fit(np.stack([X, X]))["CD4"]


def test_points_and_counts_come_by_name_too_in_any_order(fits):
    shuffled = dict(reversed([*DATA.items(), ("of another", X)]))
    posterior = fits.responsibilities(shuffled)
    labels = fits.predict(shuffled)
    assert list(posterior) == list(labels) == list(DATA)
    for name in DATA:
        alone = fits[name].responsibilities(DATA[name])
        np.testing.assert_allclose(posterior[name], alone, atol=1e-9)
        np.testing.assert_array_equal(labels[name], fits[name].predict(DATA[name]))
    counted = mog_jax.fit(DATA, counts=WEIGHTS)
    alone = mog_jax.fit(X, counts=WEIGHTS["CD4"])
    np.testing.assert_allclose(counted["CD4"].mixture.means, alone.mixture.means, rtol=1e-9)
    distance = fits.kolmogorov_distance(shuffled)
    assert distance[0] == pytest.approx(mog_jax.fit(X).kolmogorov_distance(X))


def test_groups_of_pandas_are_a_mapping():
    frame = pandas.DataFrame({"gene": ["a", "b"] * 136, "x": X})
    groups = mog_jax.fit(dict(iter(frame.groupby("gene")["x"])))
    assert groups.names.tolist() == ["a", "b"]
    assert groups["b"].n_points == 136
    assert len(mog_jax.fit({})) == 0
    # Names make the layout explicit: no warning of a wrong one.
    assert mog_jax.fit({"a": [1.0], "b": [2.0]}).status_name.tolist() == ["too_few_points"] * 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda fits: mog_jax.fit({1: X}), r"names, which are texts, to values; got 1: give \{str"),
        (
            lambda fits: mog_jax.fit({"a": 1.0}),
            r"must hold arrays .* got data\['a'\] of shape \(\)",
        ),
        (lambda fits: mog_jax.fit({"a": ["b"]}), r"`data\['a'\]` must be real numbers"),
        (lambda fits: mog_jax.fit(DATA, counts={"CD4": X}), "with the names of `data`"),
        (lambda fits: mog_jax.fit(DATA, counts=[X] * 4), "with the names of `data`"),
        (lambda fits: fits.predict({"CD4": X}), "`data` must have the names .* it has no 'flat'"),
        (
            lambda fits: fits["CD4"].predict({"CD4": X}),
            "got dict: these fits have no names",
        ),
        (
            lambda fits: mog_jax.fit(X).predict({"CD4": X}),
            "got dict: these fits have no names",
        ),
    ],
)
def test_mappings_that_cannot_be_matched_are_refused(fits, call, message):
    with pytest.raises(ValueError, match=message):
        call(fits)


def test_frames_and_arrow_hold_what_a_table_of_the_same_data_holds(fits):
    frame, table = fits.to_frame(), fits.to_arrow()
    long = pandas.DataFrame(
        {"name": np.repeat(list(DATA), 272), "x": np.concatenate(list(DATA.values()))}
    )
    by_table = fit_table(long, by="name", value="x").to_pandas().set_index("name")
    assert frame.index.tolist() == table["name"].to_pylist() == list(DATA)
    names = [column.name for column in COLUMNS]
    assert table.column_names == ["name", *frame.columns]
    assert [name for name in names if name in frame.columns] == list(frame.columns)
    assert set(names) - set(frame.columns) == {
        "lowest",
        "highest",
        "n_below",
        "n_above",
        "histogram",
    }
    expected = by_table.loc[list(DATA), list(frame.columns)]
    pandas.testing.assert_frame_equal(frame, expected, rtol=1e-6, check_dtype=False)
    assert table["mean_1"].null_count == 1
    assert frame.loc["flat", "threshold_reason"] == "nothing_fitted"
    assert table["threshold_reason"].to_pylist()[0] is None
    (row,) = fits["CD4"].to_arrow().to_pylist()
    assert row["name"] == "CD4"
    assert row["threshold"] == pytest.approx(66.5831, abs=1e-3)
    assert mog_jax.fit(X).to_arrow().column_names == list(frame.columns)
    assert mog_jax.fit(X).to_frame().shape == (1, len(frame.columns))


def test_a_notebook_shows_names_as_text(fits):
    shown = fits._repr_html_()
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert shown.count("<tr>") == 5
    assert "1 more" in fits[[0] * 11]._repr_html_()
    assert "80.091" in fits["CD4"]._repr_html_()
    assert "nothing fitted" in mog_jax.fit(X[:0])._repr_html_()


def test_the_arrays_of_a_fit_are_those_that_are_kept(fits):
    leaves, _ = jax.tree_util.tree_flatten_with_path(fits)
    found = {".".join(each.name for each in path): leaf for path, leaf in leaves}
    assert {name: leaf.shape[1:] for name, leaf in found.items()} == {
        name: shape for name, (shape, _) in _ARRAYS.items()
    }
    assert [leaf.dtype.kind for leaf in found.values()] == [kind for _, kind in _ARRAYS.values()]


@pytest.mark.parametrize("choose", [lambda f: f, lambda f: f["CD4"], lambda f: f[:0]])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_kept_is_read_back_bit_for_bit(fits, choose, dtype, tmp_path):
    given = choose(fits if dtype == np.float64 else mog_jax.fit(DATA, dtype="float32"))
    given.save(tmp_path / "fits.arrow")
    for again in (Fit.load(tmp_path / "fits.arrow"), pickle.loads(pickle.dumps(given))):
        assert jax.tree.structure(again) == jax.tree.structure(given)
        assert np.array_equal(again.names, given.names)
        for mine, theirs in zip(jax.tree.leaves(again), jax.tree.leaves(given), strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)
    unnamed = jax.tree.map(lambda leaf: leaf, given)
    unnamed.save(tmp_path / "fits.arrow")
    assert Fit.load(tmp_path / "fits.arrow").names is None
    assert [path.name for path in tmp_path.iterdir()] == ["fits.arrow"]


def changed(table, name, values, kind=None):
    place = table.column_names.index(name)
    kept = pyarrow.array(values, kind or table.schema.field(name).type)
    return table.set_column(place, name, kept)


def with_record(table, **changes):
    record = json.loads(table.schema.metadata[b"mog_jax.Fit"]) | changes
    return table.replace_schema_metadata({b"mog_jax.Fit": json.dumps(record).encode()})


STRANGE = {
    "no record": (lambda t: t.replace_schema_metadata(None), "not a complete file written by"),
    "damaged": (lambda t: t.replace_schema_metadata({b"mog_jax.Fit": b"["}), "not a complete file"),
    "later": (lambda t: with_record(t, format=2), "a format that this version .* does not know"),
    "text": (lambda t: with_record(t, is_batch="yes"), "its record is damaged"),
    "single": (lambda t: with_record(t, is_batch=False), "must hold one dataset; it holds 4"),
    "column": (lambda t: t.drop_columns(["status"]), "must have the columns"),
    "twice": (lambda t: t.append_column("status", t["status"]), "must have the columns"),
    "kind": (lambda t: changed(t, "status", [0.5] * 4, pyarrow.float64()), "cannot hold double"),
    "words": (lambda t: changed(t, "status", ["a"] * 4, pyarrow.string()), "cannot hold string"),
    "size": (
        lambda t: changed(t, "mixture.means", [[1.0]] * 4, pyarrow.list_(pyarrow.float64(), 1)),
        "cannot hold fixed_size_list",
    ),
    "null": (lambda t: changed(t, "status", [0, 0, 0, None]), "status must have no nulls"),
    "inner null": (lambda t: changed(t, "mixture.means", [[0, None]] * 4), "must have no nulls"),
    "status": (lambda t: changed(t, "status", [0, 6, 99, 0]), "status of row 2 .*: 99"),
    "negative": (lambda t: changed(t, "status", [0, 6, -1, 0]), "status of row 2 .*: -1"),
    "weights": (lambda t: changed(t, "mixture.weights", [[0.5, 0.6]] * 4), "weights of row 0"),
    "order": (lambda t: changed(t, "mixture.means", [[2.0, 1.0]] * 4), "means of row 0"),
    "variance": (lambda t: changed(t, "mixture.variances", [[0.0, 1.0]] * 4), "variances of row 0"),
    "points": (lambda t: changed(t, "n_points", [-1.0] * 4), "n_points of row 0"),
    "names": (lambda t: changed(t, "name", ["a"] * 4), "the names must differ"),
    "numbers": (lambda t: changed(t, "name", range(4), pyarrow.int64()), "must be texts"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_file_of_anything_else_is_refused(fits, name, tmp_path):
    change, message = STRANGE[name]
    path = tmp_path / "fits.arrow"
    fits.save(path)
    table = change(pyarrow.ipc.open_file(path.read_bytes()).read_all())
    with pyarrow.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table)
    with pytest.raises(ValueError, match=message):
        Fit.load(path)


@given(st.data())
def test_a_broken_file_is_refused_or_holds_a_fit(fits, data):
    whole = broken_file(fits)
    content = bytearray(whole)
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=3)):
        content[place] ^= data.draw(st.integers(1, 255))
    content = content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))]
    path = Path(BROKEN[0])
    path.write_bytes(content)
    with contextlib.suppress(ValueError):
        assert isinstance(Fit.load(path), Fit)


BROKEN = []


@pytest.fixture(scope="module", autouse=True)
def _a_place_for_broken_files(tmp_path_factory):
    BROKEN.append(tmp_path_factory.mktemp("broken") / "fits.arrow")


def broken_file(fits):
    path = BROKEN[0].with_suffix(".whole")
    if not path.exists():
        fits.save(path)
    return path.read_bytes()


def test_a_file_that_is_not_there_is_said_to_be_so(fits, tmp_path):
    with pytest.raises(FileNotFoundError):
        Fit.load(tmp_path / "none.arrow")
    with pytest.raises(OSError, match="none"):
        fits.save(tmp_path / "none" / "fits.arrow")


@pytest.mark.parametrize(("module", "method"), [("pandas", "to_frame"), ("pyarrow", "to_arrow")])
def test_without_its_package_an_export_says_what_to_install(fits, module, method, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match="pip install"):
        getattr(fits, method)()
