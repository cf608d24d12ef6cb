"""p-values and q-values beside the answers."""

import json

import numpy as np
import pandas
import pyarrow.parquet
import pytest

import mog_jax
from mog_jax.cli import main
from mog_jax.tables import TableError, fit_table
from mog_jax.tables.results import open_results
from mog_jax.tables.schema import ANSWERS, TESTS

SIZES = {"two": 40, "one": 40, "tied": 40, "flat": 40, "short": 25}


@pytest.fixture(scope="module")
def groups():
    rng = np.random.default_rng(0)
    draws = {name: rng.normal(size=n) for name, n in SIZES.items()}
    draws["two"][:20] += 9
    draws["short"][:12] += 2
    draws["tied"][:] = rng.normal(size=40).round(0)
    draws["flat"][:] = 1
    return draws


@pytest.fixture(scope="module")
def rows(groups):
    return pandas.DataFrame(
        {
            "group": np.repeat(list(SIZES), list(SIZES.values())),
            "x": np.concatenate([*groups.values()]),
        }
    )


@pytest.fixture(scope="module")
def answers(rows):
    return fit_table(rows, by="group", value="x", bootstrap=60)


@pytest.mark.parametrize("equal_variances", [False, True])
def test_they_are_those_of_the_bootstrap_of_the_same_data(groups, rows, answers, equal_variances):
    if equal_variances:
        answers = fit_table(rows, by="group", value="x", bootstrap=60, equal_variances=True)
    test = mog_jax.bootstrap_test(
        list(groups.values()), key=0, replicates=60, equal_variances=equal_variances
    )
    found = answers.to_pandas().set_index("group").loc[list(SIZES)]
    np.testing.assert_allclose(found["p_value"], test.p_value)
    np.testing.assert_allclose(found["q_value"], test.q_value())
    assert found["p_value"].isna().tolist() == [name == "flat" for name in SIZES]
    assert answers.column_names == ["group", *ANSWERS.names, *TESTS.names]


def test_without_a_bootstrap_there_are_none_and_with_one_a_run_is_taken_up(rows, answers, tmp_path):
    for out in (tmp_path / "fits.duckdb", tmp_path / "fits.parquet", tmp_path / "fits.csv"):
        plain = fit_table(rows, by="group", value="x", out=out)
        assert plain.column_names == ["group", *ANSWERS.names]
        for _ in range(2):
            again = fit_table(rows, by="group", value="x", out=out, bootstrap=60)
            assert again.to_pylist() == answers.to_pylist()
        with open_results(out) as results:
            assert results.keys == ["group"]
            kept = results.table().select(["group", "p_value", "q_value"]).to_pandas()
        expected = answers.select(["group", "p_value", "q_value"]).to_pandas()
        pandas.testing.assert_frame_equal(kept, expected, rtol=1e-12)
        if out.suffix != ".duckdb":
            # An export that has them is known as one of ours.
            fit_table(rows, by="group", value="x", out=out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bootstrap": 0}, "`bootstrap` must be at least 1; got 0"),
        ({"bootstrap": "many"}, "`bootstrap` must be a whole number; got 'many'"),
        ({"bootstrap": 9, "bootstrap_seed": -1}, "`bootstrap_seed`, a seed, must be from 0"),
        ({"bootstrap": 9, "fixed": {"mean_1": 0}}, "`bootstrap` and `fixed` exclude each other"),
        ({"bootstrap": 9, "count": "w"}, "must add up to a whole number"),
    ],
)
def test_a_bootstrap_that_cannot_be_is_refused(rows, options, message):
    with pytest.raises(TableError, match=message):
        fit_table(rows.assign(w=0.3), by="group", value="x", **options)


def test_the_shell_has_them_too(rows, answers, tmp_path, capsys):
    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pandas(rows), path)
    command = ["fit", str(path), "--by", "group", "--value", "x", "--bootstrap", "60", "--json"]
    assert main(command) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["p_value"] for row in found] == answers["p_value"].to_pylist()
    alone = tmp_path / "alone.csv"
    rows[rows["group"] == "two"][["x"]].to_csv(alone, index=False)
    assert main(["fit", str(alone), "--bootstrap", "60"]) == 0
    assert "p-value        0.0164, of one component by bootstrap" in capsys.readouterr().out
