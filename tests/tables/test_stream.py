"""Answers do not depend on the batches, on the order of rows, or on where a run was resumed."""

import decimal
import itertools
import math

import duckdb
import numpy as np
import polars
import pyarrow
import pyarrow.compute
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mog_jax.tables import TableError, fit_batches, output_schema, stream
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
    """A substitute for the fitter that returns the points of each group, in order, as text."""
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


@given(st.lists(st.sampled_from([None, math.nan, 0.0, -0.0, 1.0]), min_size=1, max_size=12))
def test_null_and_nan_are_groups_of_their_own_and_a_group_that_comes_back_is_refused(keys):
    table = pyarrow.table({"key": pyarrow.array(keys, pyarrow.float64()), "x": [0.0] * len(keys)})
    named = [str(key).removeprefix("-") for key in keys]
    runs = [key for key, _ in itertools.groupby(named)]
    fits = fit_batches(table.to_batches(max_chunksize=2), by="key", value="x", chunk_groups=1)
    again = [index for index, key in enumerate(runs) if key in runs[:index]]
    if again:
        with pytest.raises(TableError, match=f"key=-?{runs[again[0]]} comes back after another"):
            list(fits)
    else:
        assert sum(batch.num_rows for batch in fits) == len(runs)


def test_a_group_that_comes_back_is_refused_by_name_however_late():
    order = [*range(3000), 1234]
    table = pyarrow.table({"a": order, "b": [str(n) for n in order], "x": [0.0] * len(order)})
    with pytest.raises(TableError, match=r"group a=1234, b='1234' comes back .* by a, b\."):
        [*fit_batches(table.to_batches(max_chunksize=100), by=["a", "b"], value="x")]


_TYPES = [
    pyarrow.int8(),
    pyarrow.uint64(),
    pyarrow.bool_(),
    pyarrow.float16(),
    pyarrow.decimal128(14, 2),
    pyarrow.date32(),
    pyarrow.date64(),
    pyarrow.timestamp("ns", "Europe/Berlin"),
    pyarrow.time32("s"),
    pyarrow.time64("ns"),
    pyarrow.duration("us"),
    pyarrow.string(),
    pyarrow.large_string(),
    pyarrow.string_view(),
    pyarrow.binary(),
    pyarrow.binary_view(),
    pyarrow.dictionary(pyarrow.int8(), pyarrow.string()),
    pyarrow.struct([("a", pyarrow.int64()), ("b", pyarrow.string())]),
    pyarrow.null(),
]


def of_type(kind, numbers):
    """Return an array of this type: equal values only for equal numbers, and null for None."""
    if pyarrow.types.is_null(kind):
        return pyarrow.nulls(len(numbers))
    if pyarrow.types.is_struct(kind):
        halves = [None if n is None else {"a": n // 2, "b": "xy"[n % 2]} for n in numbers]
        return pyarrow.array(halves, kind)
    if pyarrow.types.is_date64(kind):
        numbers = [None if n is None else n * 86_400_000 for n in numbers]
    plain = pyarrow.array(numbers, pyarrow.int32())
    texts = pyarrow.types.is_string_view(kind) or pyarrow.types.is_dictionary(kind)
    if texts or "binary" in str(kind):
        plain = plain.cast(pyarrow.string())
    if "binary" in str(kind):
        plain = plain.cast(pyarrow.binary())
    if pyarrow.types.is_temporal(kind):
        plain = plain if kind.bit_width == 32 else plain.cast(pyarrow.int64())
    if pyarrow.types.is_dictionary(kind):
        plain = plain.dictionary_encode()
    return plain.cast(kind)


@pytest.mark.parametrize("kind", _TYPES, ids=str)
@given(sizes=st.lists(st.integers(1, 3), min_size=1, max_size=7), cuts=st.lists(st.integers(0, 20)))
def test_keys_of_any_type_come_back_as_they_were(kind, sizes, cuts):
    numbers = [None, *range(1, len(sizes))]
    if pyarrow.types.is_null(kind) or pyarrow.types.is_boolean(kind):
        numbers = [None, 0, 1][: 1 if pyarrow.types.is_null(kind) else len(sizes)]
    keys = of_type(kind, numbers)
    rows = [n for n, size in zip(numbers, sizes, strict=False) for _ in range(size)]
    table = pyarrow.table({"key": of_type(kind, rows), "x": [1.0] * len(rows)})
    fits = [*fit_batches(cut(table, cuts), by="key", value="x", chunk_groups=2)]
    assert all(batch.schema == output_schema(table.schema, by="key") for batch in fits)
    found = pyarrow.Table.from_batches(fits)["key"].combine_chunks()
    assert found.to_pylist() == keys.to_pylist()


@pytest.mark.parametrize(
    "kind",
    [
        pyarrow.list_(pyarrow.int8()),
        pyarrow.map_(pyarrow.string(), pyarrow.int8()),
        pyarrow.struct([("a", pyarrow.list_(pyarrow.int8()))]),
        pyarrow.month_day_nano_interval(),
    ],
    ids=str,
)
def test_keys_that_cannot_be_compared_are_refused(kind):
    rows = pyarrow.table({"key": pyarrow.nulls(2, kind), "x": [0.0, 1.0]})
    with pytest.raises(TableError, match="column 'key' cannot name groups: it holds"):
        fit_batches(rows, by="key", value="x")


def test_dictionaries_that_differ_from_batch_to_batch_are_put_together():
    batches = [
        pyarrow.record_batch({"key": pyarrow.array(keys).dictionary_encode(), "x": [0.0, 1.0]})
        for keys in (["b", "b"], ["a", "a"])
    ]
    fits = pyarrow.Table.from_batches(fit_batches(batches, by=["key"], value="x"))
    assert fits["key"].to_pylist() == ["b", "a"]


def test_dictionaries_that_do_not_go_into_one_are_refused():
    kind = pyarrow.dictionary(pyarrow.int8(), pyarrow.string())
    batches = [
        pyarrow.record_batch(
            {"key": pyarrow.array([f"{n}" for n in range(begin, begin + 100)]).cast(kind)}
        ).append_column("x", pyarrow.array([0.0] * 100))
        for begin in (0, 100)
    ]
    with pytest.raises(TableError, match=r"'key' .* cannot be merged; decode it first"):
        [*fit_batches(batches, by="key", value="x")]


ROWS = pyarrow.table({"ab": ["a", "b"], "a": [1, 1], "b": [1, 1], "x": [0.0, 1.0]})


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        ROWS.to_batches()[0],
        ROWS.to_batches(),
        iter(ROWS.to_batches()),
        iter([ROWS, ROWS.slice(0, 0)]),
        ROWS.to_reader(),
        ROWS.to_pandas(),
        [ROWS.to_pandas()],
        polars.from_arrow(ROWS),
        duckdb.sql("SELECT * FROM ROWS ORDER BY ab"),
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_rows_are_taken_however_they_are_held(rows):
    (found,) = fit_batches(rows, by="ab", value="x")
    assert found["ab"].to_pylist() == ["a", "b"]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("rows.parquet", "got str"),
        ({"ab": [1]}, "got dict"),
        (3, "got int"),
        (polars.LazyFrame({"ab": [1]}), r"got LazyFrame; collect\(\) it first"),
        (pyarrow.chunked_array([[1]]), "cannot be converted to Arrow"),
    ],
)
def test_what_holds_no_rows_is_refused_at_once(rows, why):
    with pytest.raises(TableError, match=why):
        fit_batches(rows, by="ab", value="x")


def test_items_that_hold_no_rows_and_batches_that_differ_are_refused():
    with pytest.raises(TableError, match="item 1 is of type dict"):
        [*fit_batches(iter([ROWS, {}]), by="ab", value="x")]
    other = ROWS.set_column(3, "x", pyarrow.array([0, 1]))
    with pytest.raises(TableError, match="'x' holds int64 in batch 1, and double in those before"):
        [*fit_batches([ROWS, other], by="ab", value="x")]


def test_no_rows_give_the_columns_where_they_are_known_and_nothing_where_not():
    (found,) = fit_batches(ROWS.slice(0, 0), by=["ab", "a"], value="x")
    assert (found.num_rows, found.schema) == (0, output_schema(ROWS.schema, by=["ab", "a"]))
    assert [*fit_batches(iter([]), by="ab", value="x")] == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"by": "gene"}, "no column 'gene'; it has ab, a, b, x"),
        ({"by": []}, r"`by` must name at least one column; got \[\]"),
        ({"by": ["a", "a"]}, "`by` names column 'a' twice"),
        ({"by": 3}, "`by` must name columns, and names are texts; got 3"),
        ({"by": "mean_1"}, "cannot be called 'mean_1', which is a column of the answer; rename"),
        ({"by": "Mean_1"}, "cannot be called 'Mean_1'"),
        ({"value": "y"}, "no column 'y'"),
        ({"value": ["x"]}, r"`value` must name columns, and names are texts; got \['x'\]"),
        ({"value": "ab"}, "column 'ab' should hold numbers; it holds string"),
        ({"count": "ab"}, "column 'ab' should hold numbers; it holds string"),
        ({"fixed": {"mean_1": "ab"}}, "column 'ab' should hold numbers; it holds string"),
        ({"fixed": {"mean_1": "y"}}, "no column 'y'"),
        ({"fixed": {"mean": 1.0}}, "`fixed` has no parameter 'mean'"),
        ({"chunk_groups": 0}, "`chunk_groups` must be"),
        ({"tolerance": -1}, "`tolerance` must be"),
        ({"toleranse": 1}, "did you mean"),
    ],
)
def test_wrong_arguments_are_refused_when_they_are_given(arguments, why):
    with pytest.raises(ValueError, match=why):
        fit_batches(ROWS, **{"by": "ab", "value": "x"} | arguments)
    if arguments.get("by") != "gene" and "y" not in str(arguments) and "ab" not in str(arguments):
        with pytest.raises(ValueError, match=why):
            fit_batches(iter([]), **{"by": "ab", "value": "x"} | arguments)


def test_columns_of_one_name_are_refused():
    rows = pyarrow.Table.from_arrays([ROWS["a"], ROWS["a"], ROWS["x"]], ["a", "a", "x"])
    with pytest.raises(TableError, match="2 columns called 'a'; rename them"):
        fit_batches(rows, by="a", value="x")


def test_impossible_counts_are_refused():
    rows = ROWS.append_column("n", pyarrow.array([1.0, -2.0]))
    with pytest.raises(TableError, match=r"column 'n' .* not negative; got -2"):
        [*fit_batches(rows, by="ab", value="x", count="n")]


@pytest.mark.parametrize(
    "column",
    [
        pyarrow.array([3, 1], pyarrow.uint8()),
        pyarrow.array([3, 1], pyarrow.float16()),
        pyarrow.array([3, 1]).dictionary_encode(),
        pyarrow.array([2**60 + 1, 1]),
        pyarrow.array([True, False]),
        pyarrow.array([decimal.Decimal("3.5"), decimal.Decimal("1.0")]),
    ],
    ids=lambda column: str(column.type),
)
def test_numbers_of_any_type_are_read(column):
    (found,) = fit_batches(pyarrow.table({"k": [0, 0], "x": column}), by="k", value="x")
    wanted = sorted((float(value), 1.0) for value in column.to_pylist())
    assert found["status"].to_pylist() == [repr(wanted)]
