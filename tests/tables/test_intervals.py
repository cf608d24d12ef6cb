"""Intervals in tables and on the command line: numbers for all groups, ends in two columns."""

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
        ({"resolution": 1, "bootstrap": 9}, "`bootstrap` and `resolution` exclude each other"),
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
