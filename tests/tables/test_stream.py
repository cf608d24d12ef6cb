"""Rows in, a row per group out: the same whatever the batches, the order, and where it began."""

import itertools
import math

import numpy as np
import pyarrow
import pyarrow.compute
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mog_jax.tables import TableError, fit_batches, stream
from mog_jax.tables.schema import ANSWERS

values = st.one_of(st.none(), st.just(math.nan), st.integers(-50, 50).map(float))
keys = st.one_of(st.none(), st.sampled_from(["a", "b", "c"]))
groups = st.lists(
    st.tuples(keys, st.lists(st.tuples(values, st.integers(0, 3)), min_size=1, max_size=6)),
    max_size=12,
)


def rows_of(groups):
    rows = [
        {"key": key, "index": index, "value": value, "count": float(count)}
        for index, (key, points) in enumerate(groups)
        for value, count in points
    ]
    schema = pyarrow.schema(
        [
            ("key", pyarrow.string()),
            ("index", pyarrow.int32()),
            ("value", pyarrow.float64()),
            ("count", pyarrow.float64()),
        ]
    )
    return pyarrow.Table.from_pylist(rows, schema=schema)


def cut(table, places):
    edges = [0, *sorted(place % (table.num_rows + 1) for place in places), table.num_rows]
    return [
        batch
        for begin, end in itertools.pairwise(edges)
        for batch in table.slice(begin, end - begin).combine_chunks().to_batches()
    ]


@pytest.fixture(autouse=True)
def _seen(monkeypatch):
    monkeypatch.setattr(stream, "fit_groups", seen)


def seen(values, lengths, counts, n_missing, options):
    """What reaches the fitter, instead of a fit: the points of each group, in order, as text."""
    ends = np.cumsum(lengths)
    counts = np.ones(len(values)) if counts is None else counts
    texts = [
        repr([*zip(values[end - n : end].tolist(), counts[end - n : end].tolist(), strict=True)])
        for end, n in zip(ends, lengths, strict=True)
    ]
    return [
        pyarrow.array(texts)
        if field.name == "status"
        else pyarrow.array(n_missing)
        if field.name == "n_missing"
        else pyarrow.nulls(len(lengths), field.type)
        for field in ANSWERS
    ]


def run(batches, **options):
    found = [*fit_batches(batches, by=["key", "index"], value="value", **options)]
    return [row for batch in found for row in batch.to_pylist()], found


@given(groups, st.lists(st.integers(0, 100), max_size=4), st.integers(1, 20), st.integers(1, 5))
def test_every_group_reaches_the_fitter_once_and_whole(groups, places, points, most):
    rows, chunks = run(
        cut(rows_of(groups), places), count="count", chunk_points=points, chunk_groups=most
    )
    assert len(rows) == len(groups)
    for index, (row, (key, pairs)) in enumerate(zip(rows, groups, strict=True)):
        present = sorted((x, float(n)) for x, n in pairs if x is not None and not math.isnan(x))
        assert (row["key"], row["index"]) == (key, index)
        assert row["status"] == repr(present)
        assert row["n_missing"] == len(pairs) - len(present)
    assert all(chunk.num_rows <= most for chunk in chunks)


@given(groups, st.lists(st.integers(0, 100), max_size=4), st.integers(1, 20), st.integers(0, 9))
def test_chunks_are_cut_by_the_groups_alone_so_a_run_can_begin_at_any(
    groups, places, points, begin
):
    whole = run([*rows_of(groups).to_batches()], chunk_points=points, chunk_groups=4)[1]
    pieces = run(cut(rows_of(groups), places), chunk_points=points, chunk_groups=4)[1]
    assert [chunk.num_rows for chunk in whole] == [chunk.num_rows for chunk in pieces]
    assert whole == pieces
    begin = min(begin, len(whole))
    done = sum(chunk.num_rows for chunk in whole[:begin])
    table = rows_of(groups)
    rest = table.filter(pyarrow.compute.greater_equal(table["index"], done))
    assert run(rest.to_batches(), chunk_points=points, chunk_groups=4)[1] == whole[begin:]


@given(st.lists(st.sampled_from([None, math.nan, 0.0, 1.0]), min_size=1, max_size=12))
def test_null_and_nan_keys_are_groups_of_their_own(keys):
    table = pyarrow.table({"key": pyarrow.array(keys, pyarrow.float64()), "x": [0.0] * len(keys)})
    found = pyarrow.Table.from_batches(
        fit_batches(table.to_batches(max_chunksize=2), by=["key"], value="x")
    )
    changes = sum(repr(a) != repr(b) for a, b in itertools.pairwise(keys))
    assert found.num_rows == 1 + changes


def test_dictionary_encoded_keys_are_compared_by_their_values():
    keys = pyarrow.array(["b", "b", "a", "a"]).dictionary_encode()
    batches = [
        pyarrow.record_batch({"key": keys.slice(0, 2), "x": [0.0, 1.0]}),
        pyarrow.record_batch({"key": keys.slice(2), "x": [0, 1.0]}),
    ]
    found = [*fit_batches(batches, by=["key"], value="x")]
    assert [batch.num_rows for batch in found] == [2]


def test_columns_that_are_not_there_or_no_numbers():
    batch = pyarrow.record_batch({"key": ["a"], "x": ["b"]})
    with pytest.raises(TableError, match="no column 'y'; they have key, x"):
        next(fit_batches([batch], by=["key"], value="y"))
    with pytest.raises(TableError, match="'x' should hold numbers; it holds string"):
        next(fit_batches([batch], by=["key"], value="x"))
