"""Intervals in tables and on the command line: numbers for all groups, ends in two columns."""

import contextlib
import functools
import json

import numpy as np
import pandas as pd
import pytest

import mog_jax
from mog_jax import cli
from mog_jax.tables import TableError, fit_batches

X = mog_jax.datasets.faithful()


@functools.cache
def known_fit():
    return mog_jax.fit(X, resolution=1)


def is_that_fit(row):
    known = known_fit()
    np.testing.assert_allclose(row["log_likelihood"], known.log_likelihood, rtol=1e-10)
    np.testing.assert_allclose(row["mean_1"], known.mixture.means[0], rtol=1e-7)
    np.testing.assert_allclose(row["sd_2_se"], known.standard_errors().standard_deviations[1])
    assert row["status"] == "converged"


@pytest.fixture
def bins(tmp_path):
    level, counts = np.unique(X, return_counts=True)
    frame = pd.DataFrame({"lo": level - 0.5, "hi": level + 0.5, "n": counts})
    # Open on both sides: nothing is known.
    frame.loc[len(frame)] = [-np.inf, np.inf, 7]
    path = tmp_path / "bins.csv"
    frame.to_csv(path, index=False)
    return path


def test_a_number_goes_for_all_groups():
    frame = pd.DataFrame({"g": ["a"] * X.size + ["b"] * 100, "x": [*X, *X[:100]]})
    first, second = mog_jax.fit_table(frame, by="g", value="x", resolution=1).to_pylist()
    is_that_fit(first)
    np.testing.assert_allclose(
        second["log_likelihood"], mog_jax.fit(X[:100], resolution=1).log_likelihood, rtol=1e-10
    )


def test_ends_stand_in_two_columns(bins):
    (row,) = mog_jax.fit_table(bins, value="lo", upper="hi", count="n").to_pylist()
    is_that_fit(row)
    assert row["n_points"] == 272
    assert row["n_missing"] == 1


def test_a_run_is_taken_up_with_the_same_words(bins, tmp_path):
    out = tmp_path / "fits.duckdb"
    words = {"value": "lo", "limits": (50, None), "count": "n"}
    rows = [
        mog_jax.fit_table(pd.read_csv(bins).iloc[:-1], out=out, **words).to_pylist() for _ in "12"
    ]
    assert rows[0] == rows[1]
    with pytest.raises(TableError, match=r"other settings \(limits: \[50, None\] there"):
        mog_jax.fit_table(pd.read_csv(bins).iloc[:-1], out=out, **{**words, "limits": (51, None)})


def test_a_stream_has_the_same_words():
    rows = pd.DataFrame({"g": "a", "lo": X - 0.5, "hi": X + 0.5})
    (fits,) = fit_batches(rows, by="g", value="lo", upper="hi")
    is_that_fit(fits.to_pylist()[0])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"resolution": -1}, "`resolution` must be positive"),
        ({"limits": (2, 1)}, "`limits` must be in order"),
        ({"window": 3}, "`window` must be a pair"),
        ({"upper": "nowhere"}, "has no column 'nowhere'"),
        ({"upper": "hi", "resolution": 1}, "`resolution` and `upper` exclude each other"),
        ({"resolution": "hi", "upper": "hi"}, "`resolution` and `upper` exclude each other"),
        ({"limits": (50, None, 60)}, "`limits` must be a pair"),
        ({"limits": ("nowhere", None)}, "has no column 'nowhere'"),
        ({"resolution": "lo", "limits": (0, None)}, "'resolution' holds|`resolution`"),
    ],
)
def test_what_cannot_be_meant_is_refused(bins, words, text):
    with pytest.raises(ValueError, match=text):
        mog_jax.fit_table(bins, value="lo", count="n", **words)


@pytest.mark.parametrize(
    "words",
    [
        ["faithful", "--resolution", "1"],
        ["bins.csv", "--value", "lo", "--upper", "hi", "--count", "n"],
    ],
    ids=["resolution", "ends"],
)
def test_the_command_line_has_them(bins, words, capsys, monkeypatch):
    monkeypatch.chdir(bins.parent)
    assert cli.main(["fit", *words, "--json"]) == 0
    is_that_fit(json.loads(capsys.readouterr().out))


def test_limits_are_two_numbers_of_which_one_may_be_left_out(capsys):
    assert cli.main(["fit", "faithful", "--limits", "50,", "--window", ",200", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    known = mog_jax.fit(X, limits=(50, None), window=(None, 200))
    np.testing.assert_allclose(row["log_likelihood"], known.log_likelihood, rtol=1e-10)
    with pytest.raises(SystemExit):
        cli.main(["fit", "faithful", "--limits", "50"])
    assert "must be LOW,HIGH" in capsys.readouterr().err


def columns_of_words():
    """Values with a detection limit and a step in each row, as laboratories report them."""
    random = np.random.default_rng(4)
    x = np.where(random.random(300) < 0.4, random.normal(2, 0.6, 300), random.normal(6, 1, 300))
    lod = random.choice([np.nan, 1.5, 2.5], 300)
    step = random.choice([np.nan, 0.1, 0.5], 300)
    unit = np.where(step > 0, step, 1)
    x = np.where(step > 0, np.rint(x / unit) * unit, x)
    x = np.where(x <= lod, lod / 2, x)
    return pd.DataFrame({"g": np.repeat(["a", "b"], 150), "x": x, "lod": lod, "step": step})


def test_limits_and_steps_may_stand_in_columns(tmp_path, capsys):
    frame = columns_of_words()
    words = {"resolution": "step", "limits": ("lod", None)}
    rows = mog_jax.fit_table(frame, by="g", value="x", **words).to_pylist()
    for row, (_, own) in zip(rows, frame.groupby("g"), strict=True):
        x, lod = own["x"].to_numpy(), own["lod"].to_numpy()
        half = 0.5 * np.nan_to_num(own["step"].to_numpy())
        is_below = x <= lod
        lower = np.where(is_below, -np.inf, x - half)
        fit = mog_jax.fit(lower, upper=np.where(is_below, lod, x + half))
        np.testing.assert_allclose(row["log_likelihood"], fit.log_likelihood, rtol=1e-9)
        np.testing.assert_allclose(row["mean_1"], fit.mixture.means[0], rtol=1e-7)
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    arguments = ["fit", str(path), "--by", "g", "--value", "x", "--json"]
    assert cli.main([*arguments, "--resolution", "step", "--limits", "lod,"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["log_likelihood"] for each in found] == [each["log_likelihood"] for each in rows]


def test_a_batch_of_arrays_has_limits_of_each_value():
    frame = columns_of_words()
    x, lod = frame["x"].to_numpy(), frame["lod"].fillna(-np.inf).to_numpy()
    step = frame["step"].fillna(0).to_numpy()
    single = mog_jax.fit(x, resolution=step, limits=(lod, None))
    both = mog_jax.fit(
        x.reshape(2, 150), resolution=step.reshape(2, 150), limits=(lod.reshape(2, 150), None)
    )
    row = mog_jax.fit_table(
        frame.drop(columns="g"), value="x", resolution="step", limits=("lod", None)
    ).to_pylist()[0]
    np.testing.assert_allclose(row["log_likelihood"], single.log_likelihood, rtol=1e-12)
    listed = mog_jax.fit([x[:150], x[150:]], limits=([lod[:150], lod[150:]], 9.0))
    assert both.log_likelihood.shape == listed.log_likelihood.shape == (2,)


def test_replicates_of_a_group_are_recorded_as_its_values(tmp_path):
    frame = columns_of_words()
    words = {"resolution": "step", "limits": ("lod", 9)}
    rows = mog_jax.fit_table(frame, by="g", value="x", bootstrap=19, **words).to_pylist()
    assert [row["p_value"] for row in rows] == [0.05, 0.05]
    assert [row["q_value"] for row in rows] == [0.05, 0.05]
    one = np.random.default_rng(5).normal(size=(2, 80))
    single = pd.DataFrame({"g": np.repeat(["a", "b"], 80), "x": np.round(one.ravel() / 0.5) * 0.5})
    rows = mog_jax.fit_table(single, by="g", value="x", bootstrap=19, resolution=0.5).to_pylist()
    assert all(row["p_value"] > 0.05 for row in rows)
    bins = pd.DataFrame({"lo": X - 0.7, "hi": X + 0.7})
    with pytest.raises(TableError, match="bins that do not overlap"):
        mog_jax.fit_table(bins, value="lo", upper="hi", bootstrap=9)


def test_steps_and_limits_that_are_none_are_refused_by_the_column():
    frame = columns_of_words()
    frame.loc[3, "step"] = -1
    with pytest.raises(TableError, match=r"'step' holds the `resolution`.*got -1"):
        mog_jax.fit_table(frame, value="x", resolution="step")
    frame.loc[3, "step"], frame["high"] = 1, 2.0
    with pytest.raises(TableError, match=r"got 2.5 .* and 2 .* in one row"):
        mog_jax.fit_table(frame, value="x", limits=("lod", "high"))


def test_large_groups_are_fitted_by_their_levels(monkeypatch):
    from mog_jax.tables import large_groups

    frame = pd.DataFrame({"g": np.repeat(["a", "b"], [272, 30]), "x": [*X, *X[:30]]})
    frame.loc[5, "x"] = np.nan
    small = mog_jax.fit_table(frame, by="g", value="x", resolution=1).to_pylist()
    monkeypatch.setattr(large_groups, "LARGEST_IN_MEMORY", 100)
    large = mog_jax.fit_table(frame, by="g", value="x", resolution=1).to_pylist()
    assert small == large
    noisy = pd.DataFrame({"x": X + np.random.default_rng(0).normal(size=272)})
    with pytest.raises(TableError, match="more than 100 values that differ: round them"):
        mog_jax.fit_table(noisy, value="x", limits=(50, None))


def test_rows_have_the_posterior_of_their_intervals(tmp_path):
    frame = columns_of_words()
    frame.loc[7, "x"] = np.nan
    path, out = tmp_path / "table.csv", tmp_path / "fits.parquet"
    frame.to_csv(path, index=False)
    words = {"resolution": "step", "limits": ("lod", None)}
    rows = mog_jax.fit_table(path, by="g", value="x", out=out, window=(None, 50), **words)
    labels = mog_jax.tables.label_table(out).to_pandas()
    assert rows["status"].to_pylist() == ["converged"] * 2
    for key, own in frame.groupby("g"):
        x, lod = own["x"].to_numpy(), own["lod"].fillna(-np.inf).to_numpy()
        said = {"resolution": own["step"].fillna(0).to_numpy(), "limits": (lod, None)}
        fit = mog_jax.fit(x, window=(None, 50), **said)
        posterior = fit.responsibilities(x, **said)[:, 1]
        found = labels[labels["g"] == key]
        np.testing.assert_allclose(found["posterior"], posterior, rtol=1e-6, atol=1e-12)
        known = ~np.isnan(posterior)
        np.testing.assert_array_equal(found["label"][known], posterior[known] > 0.5)
        assert found["label"].isna().sum() == (~known).sum()


def test_bins_are_labelled_and_drawn(bins, tmp_path, capsys):
    out = tmp_path / "fits.duckdb"
    mog_jax.fit_table(bins, value="lo", upper="hi", count="n", out=out)
    labels = mog_jax.tables.label_table(out).to_pandas()
    level = labels["value"].to_numpy()
    expected = known_fit().responsibilities(level[:-1] + 0.5, resolution=1)[:, 1]
    np.testing.assert_allclose(labels["posterior"][:-1], expected, rtol=1e-6, atol=1e-12)
    assert np.isnan(labels["posterior"].iloc[-1])
    picture = tmp_path / "fit.png"
    assert cli.main(["plot", str(out), "--group", "lo", "-o", str(picture)]) == 0
    assert picture.stat().st_size > 10_000


def test_groups_are_drawn_with_the_words_of_their_rows(tmp_path):
    out, path, picture = tmp_path / "f.parquet", tmp_path / "t.parquet", tmp_path / "both.png"
    columns_of_words().to_parquet(path)
    words = {"resolution": "step", "limits": ("lod", 9)}
    mog_jax.fit_table(path, by="g", value="x", out=out, **words)
    groups = ["--group", "a", "--group", "b"]
    assert cli.main(["plot", str(out), *groups, "-o", str(picture)]) == 0
    assert picture.stat().st_size > 10_000


def test_an_answer_says_how_many_lie_beyond_a_limit():
    (row,) = mog_jax.fit_table(pd.DataFrame({"x": X}), value="x", limits=(50, 85)).to_pylist()
    assert (row["n_below"], row["n_above"]) == ((X <= 50).sum(), (X >= 85).sum())
    assert (row["lowest"], row["highest"]) == (50, 85)
    assert max(row["histogram"]) == 255


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (3, 2, "column 'hi' holds upper ends, .* got lo = 3 and hi = 2 in one row"),
        (np.inf, np.inf, "nor both at one infinity"),
        (None, 2, "an end that is missing .* got lo = nothing and hi = 2 in one row"),
        (1, None, "got lo = 1 and hi = nothing in one row"),
    ],
)
def test_ends_that_are_none_are_named_by_their_columns(tmp_path, capsys, low, high, text):
    path = tmp_path / "ends.csv"
    pd.DataFrame({"lo": [1, low, 5], "hi": [2, high, 7]}).to_csv(path, index=False)
    with pytest.raises(TableError, match=text):
        mog_jax.fit_table(path, value="lo", upper="hi")
    assert cli.main(["fit", str(path), "--value", "lo", "--upper", "hi"]) == 2
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--window", "60,"], "nothing outside of 60 to inf was recorded; got 5"),
        (["--resolution", "100"], "coarser than the data: a step of 100, and values from 43 to 96"),
        (["--limits", "200,"], "all 272 values lie beyond a limit"),
        (["--limits", "80,50"], "`limits` must be in order"),
        (["--resolution", "0"], "must be positive and finite"),
        (["--resolution", "stp"], "has no column 'stp'"),
        (["--bootstrap", "9", "--upper", "eruptions", "--resolution", "1"], "exclude each other"),
    ],
)
def test_what_is_not_so_is_said_in_a_sentence(capsys, words, text):
    with pytest.raises(SystemExit) if words[1] == "0" else contextlib.nullcontext():
        assert cli.main(["fit", "faithful", *words]) == 2
    assert text in capsys.readouterr().err
