"""Accepted and refused forms of `chunks`."""

import duckdb
import numpy as np
import pandas
import polars
import pyarrow
import pyarrow.parquet
import pytest

import mog_jax
from mog_jax.tables import TableError

RNG = np.random.default_rng(4)
X = np.concatenate([RNG.normal(0, 1, 200), RNG.normal(8, 1, 100)])
COUNTS = np.arange(X.size) % 3


@pytest.fixture(scope="module")
def expected():
    return mog_jax.fit(X)


@pytest.fixture(scope="module")
def counted():
    return mog_jax.fit(X, counts=COUNTS)


@pytest.fixture
def folder(tmp_path):
    """A folder with the points in one file, and in two."""
    table = pyarrow.table({"x": X, "n": COUNTS, "name": ["a"] * X.size})
    pyarrow.parquet.write_table(table, tmp_path / "whole.parquet", row_group_size=64)
    for number, part in enumerate((table[:120], table[120:])):
        pyarrow.parquet.write_table(part, tmp_path / f"part_{number}.parquet")
    return tmp_path


def same(found, other):
    np.testing.assert_allclose(found.mixture.means, other.mixture.means, rtol=1e-9)
    np.testing.assert_allclose(found.log_likelihood, other.log_likelihood, rtol=1e-12)


def test_parquet_one_file_several_or_a_pattern(folder, expected, counted):
    path = folder / "whole.parquet"
    same(mog_jax.fit_chunks(path, column="x"), expected)
    same(mog_jax.fit_chunks(str(path), column="x", count="n"), counted)
    parts = sorted(folder.glob("part_*.parquet"))
    same(mog_jax.fit_chunks(parts, column="x"), expected)
    same(mog_jax.fit_chunks(f"{folder}/part_*.parquet", column="x"), expected)


def test_a_relation_of_duckdb(folder, expected, counted):
    connection = duckdb.connect()
    relation = connection.sql(f"SELECT * FROM '{folder / 'whole.parquet'}'")
    same(mog_jax.fit_chunks(relation, column="x"), expected)
    same(mog_jax.fit_chunks(relation, column="x", count="n"), counted)
    same(mog_jax.fit_chunks(relation.project("x")), expected)


def test_nulls_are_missing(tmp_path, expected):
    table = pyarrow.table({"x": pyarrow.array([*X, None, None]), "n": [1] * X.size + [None] * 2})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    for count in (None, "n"):
        found = mog_jax.fit_chunks(tmp_path / "x.parquet", column="x", count=count)
        same(found, expected)
        assert found.n_missing == 2


def test_arrays_mapped_into_memory(tmp_path, expected):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    same(mog_jax.fit_chunks(mapped), expected)
    same(mog_jax.fit_chunks([mapped[:100], mapped[100:]]), expected)


def test_columns_of_arrow_pandas_and_polars_are_arrays(expected):
    table = pyarrow.table({"x": pyarrow.array([*X, None])})
    same(mog_jax.fit_chunks(lambda: (b.column("x") for b in table.to_batches(100))), expected)
    series = pandas.Series([*X, None])
    same(mog_jax.fit_chunks([series[:7], series[7:]]), expected)
    same(mog_jax.fit_chunks([polars.Series([*X, None])]), expected)


def test_tables_in_the_place_of_columns_are_refused():
    for chunk in (pyarrow.table({"x": X}).to_batches()[0], pandas.DataFrame({"x": X})):
        with pytest.raises(ValueError, match=r"shape \(n,\); got \(300, 1\): give one of its col"):
            mog_jax.fit_chunks(lambda: [chunk])  # noqa: B023


def test_columns_that_cannot_be_fitted_are_refused(folder):
    path = folder / "whole.parquet"
    with pytest.raises(TableError, match=r"several columns \(x, n, name\); choose one with `col"):
        mog_jax.fit_chunks(path)
    with pytest.raises(TableError, match=r"has no column 'y'; it has x, n, name"):
        mog_jax.fit_chunks(path, column="y")
    with pytest.raises(TableError, match=r"column 'name' should hold numbers; it holds VARCHAR"):
        mog_jax.fit_chunks(path, column="name")
    with pytest.raises(TableError, match=r"column 'name' should hold numbers; it holds VARCHAR"):
        mog_jax.fit_chunks(duckdb.sql("SELECT 1.0 AS x, 'a' AS name"), column="x", count="name")
    with pytest.raises(TableError, match="no such file"):
        mog_jax.fit_chunks(folder / "none.parquet", column="x")
    with pytest.raises(ValueError, match="read several times, and standard input once"):
        mog_jax.fit_chunks("-", column="x")
    for name in ("column", "count"):
        with pytest.raises(ValueError, match=f"`{name}` names a column of a Parquet .* is a list"):
            mog_jax.fit_chunks([X], **{name: "x"})


def test_a_file_that_breaks_off_is_refused_in_one_line(folder):
    path = folder / "whole.parquet"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(TableError, match=r"cannot read .*whole\.parquet") as refused:
        mog_jax.fit_chunks(path, column="x")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        ((x for x in [X]), "a generator, which can be read once, where several passes are made"),
        (iter([X]), "a list_iterator, which can be read once"),
        (7, "`chunks` must be a callable .* got an int"),
        (None, "got a NoneType"),
        ({"x": X}, "got a dict"),
        (lambda: 7, "must give an iterator of arrays when called; got an int"),
        (lambda: "x.parquet", "must give an iterator of arrays when called; got a str"),
        (list(X), r"`chunk 0` must have shape \(n,\); got \(\)"),
        (X[:, None], r"`chunk 0` must have shape \(n,\); got \(300, 1\)"),
        ([X, X[:, None]], r"`chunk 1` must have shape \(n,\); got \(300, 1\)"),
        ([X, X.astype(np.float32)], "one dtype; got float64, and float32 in chunk 1"),
        ([X, np.arange(5)], "one dtype; got float64, and int64 in chunk 1"),
        ([X, ["a", "b"]], "`chunk 1` must be real numbers"),
        ([X, 1j * X], "`chunk 1` must be real numbers; got dtype complex128"),
        ([X, (X, COUNTS)], "chunk 1 has counts, and those before have no counts"),
        ([(X, COUNTS), X], "chunk 1 has no counts, and those before have counts"),
        ([(X, COUNTS, X)], "pairs of values and counts; got a tuple of 3 as chunk 0"),
        ([(X, COUNTS[:5])], r"`counts of chunk 0` must have the shape .*\(300,\); got \(5,\)"),
        ([(X, -COUNTS)], r"non-negative and finite; got -1 at place 1 of chunk 0"),
        ([(X, np.full(300, np.inf))], r"non-negative and finite; got inf at place 0"),
        ([], "`chunks` gave no values at all"),
        (lambda: iter([]), "`chunks` gave no values at all"),
        (lambda: [np.empty(0)], "`chunks` gave no values at all"),
    ],
)
def test_chunks_that_are_none_are_refused(chunks, reason):
    with pytest.raises(ValueError, match=reason):
        mog_jax.fit_chunks(chunks)


def test_one_iterator_given_twice_is_refused_before_it_is_read():
    read = []
    once = (read.append(1) or X for _ in range(3))
    with pytest.raises(ValueError, match="it gave the same one twice"):
        mog_jax.fit_chunks(lambda: once)
    assert not read


def after(calls, first, then):
    """Return other chunks from some call on."""
    made = []

    def chunks():
        made.append(1)
        return iter(first if len(made) <= calls else then)

    return chunks


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        ([X[:-1]], "got 300 points and 0 missing values, and then 299 and 0"),
        ([], "got 300 points and 0 missing values, and then 0 and 0"),
        ([np.where(np.arange(300) == 7, np.nan, X)], "and then 299 and 1"),
        ([np.where(np.arange(300) == 7, X + 1e-12, X)], "300 points each time, but not the same"),
    ],
)
def test_chunks_that_change_between_passes_are_refused(then, reason):
    with pytest.raises(ValueError, match=f"the same points on every pass; .*{reason}"):
        # Asked for once before anything is read.
        mog_jax.fit_chunks(after(2, [X], then))


def test_counts_that_change_between_passes_are_refused():
    counts = COUNTS + 1.0
    with pytest.raises(ValueError, match="300 points each time, but not the same ones"):
        mog_jax.fit_chunks(after(2, [(X, counts)], [(X, counts + 1e-9)]))


def test_another_order_of_the_same_points_is_no_change(expected):
    same(mog_jax.fit_chunks(after(2, [X], [X[::-1]])), expected)


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ({"counts": X}, "`fit_chunks` has no option `counts`: give pairs"),
        ({"direction": "em"}, "`fit_chunks` has no option `direction`: it uses Newton"),
        ({"value": "x"}, "`fit_chunks` has no option `value`: say column="),
        ({"tolerence": 1}, "did you mean `tolerance`"),
        ({"tolerance": -1}, "`tolerance` must be positive; got -1"),
        ({"starts": "few"}, "`starts` must be one of 'thorough', 'quick'; got 'few'"),
        ({"fixed": {"mean_3": 1}}, "`fixed` must name parameters"),
        ({"fixed": {"sd_1": 1}, "equal_variances": True}, "exclude each other"),
    ],
)
def test_options_are_checked_before_anything_is_read(option, reason):
    def chunks():
        raise AssertionError

    with pytest.raises(ValueError, match=reason):
        mog_jax.fit_chunks(chunks, **option)


def test_errors_of_the_callers_own_come_through():
    def chunks():
        yield X
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        mog_jax.fit_chunks(chunks)
