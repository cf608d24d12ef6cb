"""`map_fits` and `map_points`: results do not depend on the blocks, and memory is bounded."""

import tracemalloc

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mog_jax
from mog_jax import Ragged
from mog_jax.fitting.results import map_points
from mog_jax.fitting.results.map_points import read_points

N = 60


def total(scale, values, counts):
    """A number for each fit, computed by NumPy."""
    assert np.isfinite(values).all()
    return scale * np.sum(values if counts is None else counts * values, axis=-1)


def scaled(scale, values):
    """Two numbers for each point."""
    each = scale[:, None] * values
    return np.stack([each, -each], axis=-1)


@st.composite
def rows(draw):
    """Draw rows of any length, some of them with missing values."""
    lengths = draw(st.lists(st.sampled_from([0, 1, 2, 3, 4, 5, 17, 33, 100]), max_size=40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return [np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)) for n in lengths]


@pytest.fixture
def blocks_of(monkeypatch):
    return lambda size: monkeypatch.setattr(map_points, "_BLOCK_POINTS", size)


@given(rows(), st.sampled_from([1, 64, 400, 2**18]), st.booleans())
def test_each_fit_is_given_its_own_points_and_counts(data, size, is_counted):
    scale = np.arange(1.0, len(data) + 1)
    times = [np.arange(row.size) % 3 for row in data] if is_counted else None
    expected = [
        factor * np.nansum(row if times is None else times[i] * row)
        for i, (factor, row) in enumerate(zip(scale, data, strict=True))
    ]
    lengths = [row.size for row in data]
    flat = Ragged(np.concatenate([*data, np.empty(0)]), lengths)
    flat_times = None
    if times is not None:
        flat_times = Ragged(np.concatenate([*times, np.empty(0)]), lengths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(map_points, "_BLOCK_POINTS", size)
        asked = read_points(flat, (len(data),), flat_times)
        found = asked.map_fits(total, scale)
        by_point = asked.map_points(scaled, scale)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    whole = np.concatenate([*(f * row for f, row in zip(scale, data, strict=True)), np.empty(0)])
    np.testing.assert_array_equal(by_point, np.stack([whole, -whole], axis=-1))


@given(st.integers(0, 50), st.integers(0, 40), st.sampled_from([1, 64, 400, 2**18]))
def test_every_form_of_points_has_the_form_of_its_answers(b, n, size):
    rng = np.random.default_rng(b)
    matrix, scale = rng.normal(size=(b, n)), np.arange(1.0, b + 1)
    expected = scaled(scale, matrix)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(map_points, "_BLOCK_POINTS", size)
        found = read_points(matrix, (b,)).map_points(scaled, scale)
        np.testing.assert_array_equal(found, expected)
        if b:
            in_list = read_points(list(matrix), (b,)).map_points(scaled, scale)
            assert isinstance(in_list, list)
            np.testing.assert_array_equal(np.stack(in_list), expected)
            one = read_points(matrix[0], ()).map_points(scaled, scale[0])
            np.testing.assert_array_equal(one, expected[0])
            assert read_points(matrix[0], ()).map_fits(total, scale[0]).shape == ()
        of_all = read_points(np.arange(n), (b,)).map_points(
            lambda scale, values: scaled(scale, np.broadcast_to(values, (len(scale), len(values)))),
            scale,
        )
        np.testing.assert_array_equal(of_all, scaled(scale, np.tile(np.arange(n), (b, 1))))


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(24, N)) + 4 * (rng.random((24, N)) < 0.4)
    return data, mog_jax.fit(data)


def answers(fits, data):
    return {
        "sandwich": fits.covariance(data, kind="sandwich"),
        "icl": fits.icl(data),
        "kolmogorov": fits.kolmogorov_distance(data),
        "responsibilities": fits.responsibilities(data),
        "monotone": fits.responsibilities(data, monotone=True),
        "log_density": fits.log_density(data),
    }


def test_what_a_fit_answers_does_not_depend_on_the_blocks(fitted, blocks_of):
    data, fits = fitted
    data = data.copy()
    data[20:, ::3] = np.nan
    whole = answers(fits, data)
    blocks_of(7 * N)
    for name, value in answers(fits, data).items():
        np.testing.assert_allclose(value, whole[name], rtol=1e-12, atol=1e-14, err_msg=name)


def test_nothing_is_asked_of_no_fits_and_no_points(fitted):
    data, fits = fitted
    none = answers(fits[:0], data[:0])
    assert none["responsibilities"].shape == (0, N, 2)
    assert none["sandwich"].shape == (0, 5, 5)
    empty = answers(fits, data[:, :0])
    assert empty["responsibilities"].shape == (24, 0, 2)
    assert np.isnan(empty["kolmogorov"]).all()
    np.testing.assert_allclose(empty["icl"], fits.bic())


def test_the_precision_and_the_flag_decide_what_an_answer_is(fitted):
    data, fits = fitted
    assert isinstance(fits.icl(data), np.ndarray)
    assert isinstance(fits[0].icl(data[0]), np.float64)
    with jax.enable_x64(True):
        assert isinstance(fits.icl(data), jax.Array)
    single = jax.tree.map(lambda leaf: leaf.astype(np.float32), fits)
    distance = single.kolmogorov_distance(data.astype(np.float32))
    assert isinstance(distance, jax.Array)
    assert distance.dtype == np.float32


def test_one_long_dataset_does_not_make_all_of_them_long():
    lengths = np.append(2**16, np.full(2_000, 8))
    values = np.random.default_rng(3).normal(size=lengths.sum())
    asked, scale = read_points(Ragged(values, lengths), (2_001,)), np.ones(2_001)
    for ask in (
        lambda: asked.map_fits(total, scale),
        lambda: asked.map_points(scaled, scale),
    ):
        tracemalloc.start()
        ask()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # A matrix of all would take a gigabyte.
        assert peak < 50 * values.nbytes
