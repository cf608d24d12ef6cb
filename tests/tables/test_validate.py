"""The check of a source before anything is fitted: refused counts and fixed columns."""

import math
import tempfile
from pathlib import Path

import duckdb
import hypothesis.strategies as st
import pyarrow
import pytest
from hypothesis import given, settings

from mog_jax.tables import TableError, fit_batches, stream
from mog_jax.tables.columns import choose
from mog_jax.tables.read_options import read_options
from mog_jax.tables.sources import open_source
from mog_jax.tables.validate import survey
from tests.tables.conftest import plain_answer

# Each example opens a database.
FEW = settings(max_examples=30)


def surveyed(table, **choice):
    """Return the groups of a table, as the check counts them."""
    options = {"by": ["key"], "value": "x", "count": None, "columns": None, **choice}
    with tempfile.TemporaryDirectory() as scratch, duckdb.connect() as connection:
        source = open_source(connection, table, Path(scratch), read_options())
        survey(connection, source, choose(source, **options))
        return connection.sql("FROM survey ORDER BY k0").to_arrow_table().to_pylist()


def is_missing(cell):
    return cell is None or math.isnan(cell)


counts = st.lists(
    st.one_of(st.none(), st.sampled_from([math.nan, -0.0, 0.0, 2.5, 1e308, math.inf, -1e-300])),
    min_size=1,
    max_size=6,
)


@FEW
@given(counts)
def test_counts_are_refused_where_one_is_negative_or_infinite_and_nowhere_else(counts):
    keys, values = ["a", "b"] * len(counts), [1.0] * len(counts)
    table = pyarrow.table(
        {"key": keys[: len(counts)], "x": values, "n": pyarrow.array(counts, pyarrow.float64())}
    )
    wrong = [n for n in counts if not is_missing(n) and not 0 <= n < math.inf]
    if not wrong:
        assert sum(group["n_rows"] for group in surveyed(table, count="n")) == len(counts)
        return
    # A negative one is named before an infinite one.
    shown = f"{min(wrong):g}"
    with pytest.raises(TableError, match=rf"counts .* finite and not negative; got {shown}\."):
        surveyed(table, count="n")


fixed_rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([None, math.nan, -1.5, -0.0, 0.0, 2.0])),
    min_size=1,
    max_size=7,
).map(lambda rows: sorted(rows, key=lambda row: row[0]))


@FEW
@given(fixed_rows)
def test_a_fixed_column_holds_one_number_in_a_whole_group_or_none(rows):
    keys, cells = zip(*rows, strict=True)
    table = pyarrow.table(
        {
            "key": keys,
            "x": [float(i) for i in range(len(rows))],
            "m": pyarrow.array(cells, pyarrow.float64()),
        }
    )
    held = {
        key: {None if is_missing(cell) else cell for other, cell in rows if other == key}
        for key in keys
    }
    mixed = sum(len(cells) > 1 for cells in held.values())
    if mixed:
        message = rf"'m' fixes mean_1 and must hold one .* in {mixed} groups? it does not"
        with pytest.raises(TableError, match=message):
            surveyed(table, fixed={"mean_1": "m"})
    else:
        found = {
            group["k0"]: {group["fixed_mean_1"]} for group in surveyed(table, fixed={"mean_1": "m"})
        }
        assert found == held
    # A stream says the same of each group.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "fit_groups", plain_answer)
        fits = fit_batches(table.to_batches(), by=["key"], value="x", fixed={"mean_1": "m"})
        if mixed:
            with pytest.raises(TableError, match="column 'm' must hold one value in a whole group"):
                next(fits)
        else:
            assert next(fits).num_rows == len(held)


@FEW
@given(st.lists(st.sampled_from([-0.0, 0.0, 1.0]), min_size=1, max_size=5))
def test_the_two_zeros_are_one_input(zeros):
    names = ("key", "x", "n", "m")
    table = pyarrow.table(dict.fromkeys(names, zeros))
    other = pyarrow.table({name: [x + 0.0 for x in zeros] for name in names})
    choice = {"count": "n", "fixed": {"mean_1": "m"}}
    found, wanted = surveyed(table, **choice), surveyed(other, **choice)
    assert found == wanted
    # What is fixed, as any number read, is a zero without a sign.
    assert [repr(row["fixed_mean_1"]) for row in found] == [
        repr(row["fixed_mean_1"]) for row in wanted
    ]
