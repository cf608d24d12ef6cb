"""A group with too many rows for memory is fitted by passes, with the same numbers."""

import numpy as np
import polars
import pytest

from mog_jax.tables import fit_table, large_groups

OPTIONS = [{}, {"equal_variances": True}, {"starts": "quick", "min_points": 3, "max_steps": 100}]


@pytest.fixture
def large(monkeypatch):
    """Make groups of more than 60 rows large."""
    monkeypatch.setattr(large_groups, "LARGEST_IN_MEMORY", 60)


def groups():
    """Small and large groups in turn, their rows shuffled, some values missing."""
    rng = np.random.default_rng(3)
    parts = []
    for name, n in [("a", 20), ("b", 400), ("c", 30), ("d", 61), ("e", 300), ("f", 60)]:
        x = np.where(rng.random(n) < 0.3, rng.normal(6, 0.5, n), rng.normal(0, 1, n))
        x[::17] = np.nan
        parts.append({"gene": [name] * n, "x": x, "times": rng.integers(1, 4, n)})
    frame = polars.concat([polars.DataFrame(part) for part in parts])
    return frame.sample(fraction=1, shuffle=True, seed=1)


def same(found, expected):
    for name in expected.column_names:
        ours, theirs = found[name].to_pylist(), expected[name].to_pylist()
        if expected[name].type == "double":
            ours, theirs = np.array(ours, float), np.array(theirs, float)
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-9, err_msg=name)
        else:
            assert ours == theirs, name


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("count", [None, "times"])
def test_the_answer_is_that_of_a_fit_in_memory(monkeypatch, options, count):
    table = groups()
    expected = fit_table(table, by="gene", value="x", count=count, **options)
    monkeypatch.setattr(large_groups, "LARGEST_IN_MEMORY", 60)
    found = fit_table(table, by="gene", value="x", count=count, **options)
    drop = ["gain_left"]  # what is left below the tolerance
    same(found.drop_columns(drop), expected.drop_columns(drop))


def test_small_groups_keep_their_bits(monkeypatch):
    table = groups()
    expected = fit_table(table, by="gene", value="x")
    monkeypatch.setattr(large_groups, "LARGEST_IN_MEMORY", 60)
    found = fit_table(table, by="gene", value="x")
    for row in (0, 2, 5):
        assert found.slice(row, 1).equals(expected.slice(row, 1))


@pytest.mark.usefixtures("large")
def test_the_order_of_the_rows_does_not_matter():
    table = groups()
    found = fit_table(table, by="gene", value="x", count="times")
    other = table.sample(fraction=1, shuffle=True, seed=2)
    assert fit_table(other, by="gene", value="x", count="times").equals(found)


@pytest.mark.usefixtures("large")
def test_what_a_column_fixes_is_known_of_a_large_group():
    table = groups().with_columns(
        low=polars.when(polars.col("gene") == "b").then(0.25).otherwise(None)
    )
    found = fit_table(table, by="gene", value="x", fixed={"mean_1": "low"})
    assert found["mean_1"][1].as_py() == pytest.approx(0.25, abs=1e-12)
    assert found["mean_1_se"][1].as_py() == 0
    assert abs(found["mean_1"][4].as_py() - 0.25) > 1e-3


@pytest.mark.usefixtures("large")
def test_groups_without_a_fit_say_so():
    table = polars.DataFrame(
        {
            "gene": ["none"] * 70 + ["one"] * 80 + ["inf"] * 90,
            "x": [None] * 70 + [2.5] * 80 + [1.0, float("inf")] * 45,
        }
    )
    found = fit_table(table, by="gene", value="x").sort_by("gene").to_pydict()
    assert found["gene"] == ["inf", "none", "one"]
    assert found["status"] == ["not_finite", "too_few_points", "constant"]
    assert found["n_missing"] == [0, 70, 0]
    assert found["histogram"] == [None, None, None]


@pytest.mark.usefixtures("large")
def test_another_direction_is_climbed_in_memory():
    found = fit_table(groups(), by="gene", value="x", direction="em", max_steps=30)
    assert found["status"].null_count == 0
