"""Fixed parameters of groups, by a number or by a column."""

import numpy as np
import pandas
import pyarrow
import pytest

import mog_jax
from mog_jax.tables import TableError, fit_batches, fit_table
from mog_jax.tables.fixed import check_fixed

N = 40
CONTROLS = {"a": (0.0, 1.0), "b": (2.0, 0.5), "c": None}


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(0)
    frames = []
    for guide, control in CONTROLS.items():
        mean, sd = control or (0.0, 1.0)
        x = rng.normal(mean, sd, N) + 6 * sd * (rng.random(N) < 0.5)
        known = {"control_mean": mean, "control_sd": sd} if control else {}
        frames.append(pandas.DataFrame({"guide": guide, "x": x, **known}))
    return pandas.concat(frames).sample(frac=1, random_state=0)


def alone(cells, guide, fixed):
    return mog_jax.fit(cells.x[cells.guide == guide].to_numpy(), fixed=fixed)


def test_each_group_is_held_at_its_own_and_null_is_free(cells):
    table = fit_table(
        cells, by="guide", value="x", fixed={"mean_1": "control_mean", "sd_1": "control_sd"}
    )
    for row in table.to_pylist():
        control = CONTROLS[row["guide"]]
        held = {"mean_1": control[0], "sd_1": control[1]} if control else None
        expected = alone(cells, row["guide"], held)
        found = [row[name] for name in ("mean_1", "mean_2", "sd_1", "sd_2")]
        mixture = expected.mixture
        wanted = [*np.ravel(mixture.means), *np.ravel(mixture.standard_deviations)]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
        np.testing.assert_allclose(row["delta_bic"], expected.delta_bic(), rtol=1e-6)
        if control:
            assert (row["mean_1"], row["mean_1_se"], row["sd_1_se"]) == (control[0], 0, 0)
            np.testing.assert_allclose(row["sd_1"], control[1], rtol=1e-15)
        else:
            assert row["mean_1_se"] > 0


def test_a_number_is_for_all_groups_in_a_stream_too(cells):
    table = pyarrow.Table.from_pandas(cells.sort_values("guide"), preserve_index=False)
    (found,) = fit_batches(table.to_batches(), by=["guide"], value="x", fixed={"mean_1": 1.5})
    assert {*found["mean_1"].to_pylist(), *found["mean_2"].to_pylist()} > {1.5}
    with pytest.raises(TableError, match="'x' must hold one value in a whole group"):
        next(fit_batches(table.to_batches(), by=["guide"], value="x", fixed={"mean_1": "x"}))


@pytest.mark.usefixtures("without_fitting")
def test_a_run_is_not_taken_up_with_other_values(cells, tmp_path):
    def again(cells, fixed):
        return fit_table(cells, by="guide", value="x", fixed=fixed, out=tmp_path / "fits.duckdb")

    first = again(cells, {"mean_1": "control_mean", "sd_1": 1})
    assert again(cells, {"sd_1": 1.0, "mean_1": "control_mean"}).equals(first)
    for fixed in (None, {"mean_1": "control_mean"}, {"mean_1": "control_mean", "sd_1": 2}):
        with pytest.raises(TableError, match=r"other settings \(fixed: |another input"):
            again(cells, fixed)
    changed = cells.assign(control_mean=cells.control_mean + 1)
    with pytest.raises(TableError, match="another input"):
        again(changed, {"mean_1": "control_mean", "sd_1": 1})


def test_what_is_fixed_is_a_mapping_of_parameters():
    for wrong in (3.0, [("mean_1", 0)]):
        with pytest.raises(TableError, match=r"must map names to numbers or columns, .*; got "):
            check_fixed(wrong)
    with pytest.raises(TableError, match="one of the weights"):
        check_fixed({"weight_1": 0.5, "weight_2": 0.5})
