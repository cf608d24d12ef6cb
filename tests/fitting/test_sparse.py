"""Sparse matrices, column by column."""

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given

import mog_jax
from mog_jax import sparse_datasets

FORMATS = ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"]
CELLS = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=6),
    elements=st.sampled_from([0.0, 0.0, -0.0, 1.0, -2.5, np.nan]),
)


def columns_of(data, counts):
    times = np.ones(len(data.values)) if counts is None else counts.values
    repeated = np.repeat(data.values, times.astype(int))
    lengths = np.add.reduceat(np.append(times, 0), np.cumsum(data.lengths) - data.lengths)
    ends = np.cumsum(np.where(data.lengths > 0, lengths, 0)).astype(int)
    return [repeated[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


@given(CELLS, st.sampled_from(FORMATS))
def test_nothing_but_zeros_is_left_out_or_counted_together(cells, kind):
    if 0 in cells.shape and kind in ("bsr", "dia"):
        kind = "csr"
    matrix = scipy.sparse.coo_array(cells).asformat(kind)
    kept = columns_of(*sparse_datasets(matrix, zeros="keep"))
    dropped = columns_of(*sparse_datasets(matrix, zeros="drop"))
    assert len(kept) == len(dropped) == cells.shape[1]
    for column, with_zeros, without in zip(cells.T, kept, dropped, strict=True):
        np.testing.assert_array_equal(np.sort(with_zeros), np.sort(column))
        np.testing.assert_array_equal(np.sort(without), np.sort(column[column != 0]))


def test_zeros_that_are_stored_and_entries_that_stand_twice_are_read_as_they_are_meant():
    rows, columns = [0, 0, 1, 2], [0, 0, 0, 1]
    twice = scipy.sparse.coo_array(([1.0, 2.0, 0.0, 5.0], (rows, columns)), shape=(4, 2)).tocsc()
    data, counts = sparse_datasets(twice, zeros="keep")
    assert [sorted(each) for each in columns_of(data, counts)] == [[0, 0, 0, 3], [0, 0, 0, 5]]
    assert columns_of(*sparse_datasets(twice, zeros="drop"))[0].tolist() == [3]


def test_the_fit_is_that_of_the_filled_matrix():
    rng = np.random.default_rng(0)
    cells = np.where(rng.random((272, 3)) < 0.4, 0, rng.normal(3, 1, (272, 3))).astype(np.float32)
    matrix = scipy.sparse.csr_matrix(cells)
    data, counts = sparse_datasets(matrix, zeros="keep")
    sparse = mog_jax.fit(data, counts=counts, variance_floor=1e-2, min_points=0)
    dense = mog_jax.fit(cells.T, variance_floor=1e-2, min_points=0)
    assert sparse.mixture.means.dtype == np.float32
    assert sparse.status.tolist() == dense.status.tolist()
    np.testing.assert_allclose(sparse.log_likelihood, dense.log_likelihood, rtol=1e-5)
    np.testing.assert_allclose(sparse.mixture.means, dense.mixture.means, atol=1e-3)
    data, _ = sparse_datasets(matrix, zeros="drop")
    alone = [column[column != 0] for column in cells.T]
    np.testing.assert_allclose(
        mog_jax.fit(data).mixture.means, mog_jax.fit(alone).mixture.means, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("matrix", "zeros", "message"),
    [
        (np.eye(3), "keep", "`matrix` must be a sparse matrix of SciPy.*got ndarray"),
        (scipy.sparse.coo_array(np.ones(3)), "keep", "`matrix` must be a sparse matrix"),
        (scipy.sparse.csr_array(np.eye(3)), "ignore", "`zeros` must be 'keep' or 'drop'"),
        (scipy.sparse.csr_array(1j * np.eye(3)), "keep", "`matrix` must be real numbers"),
    ],
)
def test_what_is_no_sparse_matrix_is_refused(matrix, zeros, message):
    with pytest.raises(ValueError, match=message):
        sparse_datasets(matrix, zeros=zeros)


def test_whole_numbers_and_truth_values_will_do():
    for dtype in (np.int8, bool, np.uint32):
        data, _ = sparse_datasets(scipy.sparse.csr_array(np.eye(3, dtype=dtype)), zeros="drop")
        assert np.asarray(data.values).tolist() == [1.0, 1.0, 1.0]
