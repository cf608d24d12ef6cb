"""Reading the values of a group again, by its key in the answers, of any type."""

import datetime
import decimal
import math

import numpy as np
import pyarrow
import pytest

from mog_jax.tables import TableError, fit_table
from mog_jax.tables.group import group_levels, group_values
from mog_jax.tables.results import open_results

KEYS = {
    "text": pyarrow.array(["a", "A", "'", "", "null", None]),
    "categories": pyarrow.array(["a", "b", None]).dictionary_encode(),
    "integers": pyarrow.array([1, -1, 2**62, None]),
    "truths": pyarrow.array([True, False, None]),
    "doubles": pyarrow.array([0.0, -0.0, 0.1, 1e-300, 1e16, -math.inf, math.nan, None]),
    "singles": pyarrow.array([-0.0, 0.0, 0.1, 1e10, math.nan, None], pyarrow.float32()),
    "decimals": pyarrow.array([decimal.Decimal("1.50"), decimal.Decimal("-0.25"), None]),
    "dates": pyarrow.array([datetime.date(2020, 1, 2), None]),
    "times": pyarrow.array([datetime.datetime(2020, 1, 2, 3, 4, 5, 600000), None]),
}


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.usefixtures("without_fitting")
def test_every_row_belongs_to_the_group_of_its_key(tmp_path, kind):
    column = KEYS[kind]
    keys = pyarrow.chunked_array([column, column])
    table = pyarrow.table({"key": keys, "x": np.arange(2.0 * len(column))})
    fit_table(table, by="key", value="x", out=tmp_path / "fits.parquet")
    found = []
    with open_results(tmp_path / "fits.parquet") as results:
        for row in results.table().to_pylist():
            values, counts, fixed, _ = group_values(table, results.run, [row["key"]])
            assert (len(values), counts, fixed) == (row["n_points"], None, {})
            found += values.tolist()
    assert sorted(found) == table["x"].to_pylist()


@pytest.mark.usefixtures("without_fitting")
def test_a_key_that_is_not_there_is_no_group(tmp_path):
    for key in ([1, 2], [True, None], ["a", "b"]):
        table = pyarrow.table({"key": key, "x": [1.0, 2.0]})
        fit_table(table, by="key", value="x", out=tmp_path / "fits.parquet", overwrite=True)
        with open_results(tmp_path / "fits.parquet") as results:
            for other in ("c", "7"):
                if other != "7" or key[0] is not True:
                    with pytest.raises(TableError, match=f"has no values for {other}: did the"):
                        group_values(table, results.run, [other])


@pytest.mark.usefixtures("without_fitting")
def test_levels_are_the_distinct_finite_values_and_no_more_than_asked_for(tmp_path):
    x = [3.0, 1.0, 1.0, -0.0, 0.0, math.inf, math.nan, None, 2.5]
    table = pyarrow.table({"key": ["a"] * 9 + ["b"], "x": [*x, 7.0]})
    fit_table(table, by="key", value="x", out=tmp_path / "fits.parquet")
    with open_results(tmp_path / "fits.parquet") as results:
        assert group_levels(table, results.run, ["a"], 9).tolist() == [0, 1, 2.5, 3]
        assert group_levels(table, results.run, ["a"], 4).tolist() == [0, 1, 2.5, 3]
        assert group_levels(table, results.run, ["a"], 3) is None
        assert group_levels(table, results.run, ["a"], 1) is None
