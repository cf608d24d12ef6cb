"""Transposed matrices: they raise or warn, and a valid batch does neither."""

import warnings

import hypothesis.strategies as st
import jax
import numpy as np
import pandas
import polars
import pytest
from hypothesis import given

import mog_jax
from mog_jax import Ragged
from mog_jax.fitting.data.inputs import read
from mog_jax.fitting.data.layout import check_layout

X = np.concatenate(
    [np.random.default_rng(2).normal(0, 1, 25), np.random.default_rng(3).normal(7, 2, 35)]
)
COLUMN = X[:, None]
FRAME = pandas.DataFrame({"height": X, "weight": X[::-1]})


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        (COLUMN, r"give `data.ravel\(\)`"),
        (COLUMN[:2], r"got shape \(2, 1\), 2 datasets of one value"),
        (np.ma.array(COLUMN), r"give `data.ravel\(\)`"),
        (jax.numpy.asarray(COLUMN), r"give `data.ravel\(\)`"),
        (COLUMN.tolist(), r"give `np.ravel\(data\)`"),
        (list(COLUMN), r"give `np.ravel\(data\)`"),
        (FRAME[["height"]], r"give `frame.to_numpy\(\).ravel\(\)`"),
        (polars.DataFrame({"x": X}), r"give `frame.to_numpy\(\).ravel\(\)`"),
    ],
)
def test_a_column_is_one_dataset(data, advice):
    with pytest.raises(ValueError, match=rf"`data` must have a dataset in each row; .*{advice}"):
        mog_jax.fit(data)


def test_a_column_with_counts_is_one_dataset_as_well():
    with pytest.raises(ValueError, match=r"give `data.ravel\(\)`, and `counts` likewise"):
        mog_jax.fit(COLUMN, counts=np.ones_like(COLUMN))


@pytest.mark.parametrize(
    "ask",
    [
        mog_jax.compare,
        lambda data: mog_jax.bootstrap_test(data, key=jax.random.key(0)),
        lambda data: mog_jax.profile_interval(data, "means", 0),
    ],
)
def test_whatever_fits_says_so(ask):
    with pytest.raises(ValueError, match=r"\(60, 1\), 60 datasets of one value"):
        ask(COLUMN)


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        (FRAME, r"`frame.to_numpy\(\).T`, or call `mog_jax.fit_table\(frame, columns=\[...\]\)`"),
        (polars.DataFrame({"a": X, "b": X}), r"give `frame.to_numpy\(\).T`"),
        (FRAME.to_numpy(), "give `data.T`"),
        (np.ones((10, 9)) * X[:9], "10 rows, each a dataset, of at most 9 values: too few for two"),
        (FRAME.to_numpy().tolist(), r"give `np.transpose\(data\)`"),
    ],
)
def test_rows_that_are_too_short_where_columns_are_not_get_a_warning(data, advice):
    with pytest.warns(UserWarning, match=advice):
        check_layout(data, read(data, None), 5.0)


def test_the_warning_is_about_the_line_that_calls_fit():
    with pytest.warns(UserWarning, match="no fit can converge") as caught:
        fits = mog_jax.fit(FRAME, starts="quick")
    assert caught[0].filename == __file__
    assert not fits.converged.any()


def test_the_advice_is_good():
    fits = mog_jax.fit(FRAME.to_numpy().T)
    assert fits.converged.all()
    assert mog_jax.fit(FRAME[["height"]].to_numpy().ravel()).converged
    table = mog_jax.fit_table(FRAME, columns=["height", "weight"])
    assert table["status"].to_pylist() == ["converged"] * 2


def spoken(data, counts=None, min_points=5.0):
    source = read(data, counts)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            check_layout(data, source, min_points)
        except ValueError:
            return "refused"
    return "warned" if caught else ""


@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from([0, 1, 2.5, 5, 8]), st.booleans())
def test_it_speaks_where_rows_cannot_converge_and_columns_can(b, n, min_points, has_counts):
    counts = np.ones((b, n)) if has_counts else None
    said = spoken(np.zeros((b, n)), counts, min_points)
    if n == 1 and b > 1:
        assert said == "refused"
    elif b == 0 or n == 0 or has_counts:
        assert not said
    else:
        can_converge = 2 * min_points <= np.array([n, b])
        assert (said == "warned") == (n > 1 and can_converge.tolist() == [False, True])
    # Explicit lengths are not questioned; and one dataset has no rows.
    assert not spoken(Ragged(np.zeros(b * n), [n] * b))
    assert not spoken(np.zeros(n))


@given(st.lists(st.integers(0, 12), min_size=1, max_size=20))
def test_lists_of_different_lengths_are_meant(lengths):
    if len(set(lengths)) > 1:
        assert not spoken([np.zeros(length) for length in lengths])


def test_points_of_one_each_are_asked_about():
    fits = mog_jax.fit(np.stack([X, X + 1, X]))
    found = fits.cdf(np.zeros((3, 1)))
    assert found.shape == (3, 1)
    with pytest.raises(ValueError, match=r"got 60 rows; one dataset is `data.ravel\(\)`"):
        fits[0].predict(COLUMN)


def test_replicates_of_a_short_dataset_are_meant():
    short = X[20:28]
    found = mog_jax.bootstrap_test(short, key=jax.random.key(0), replicates=10, starts="quick")
    assert found.replicates > 0
