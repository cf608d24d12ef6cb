"""A row of the answers holds the fit of its group."""

import math

import numpy as np
import pyarrow

from mog_jax import fit
from mog_jax.tables import fit_batches


def test_fits_what_the_fitter_fits():
    rng = np.random.default_rng(0)
    lengths = [40, 40, 25]
    data = [rng.normal(size=n) + 5 * (rng.random(n) < 0.4) for n in lengths]
    table = pyarrow.table(
        {"key": np.repeat(["a", "b", "c"], lengths).tolist(), "x": np.concatenate(data)}
    )
    (found,) = fit_batches(table.to_batches(), by=["key"], value="x")
    for row, points in zip(found.to_pylist(), data, strict=True):
        alone = fit(points)
        assert row["status"] == "converged"
        assert row["n_points"] == len(points)
        np.testing.assert_allclose(row["mean_1"], alone.mixture.means[0], rtol=1e-6)
        np.testing.assert_allclose(row["sd_2"] ** 2, alone.mixture.variances[1], rtol=1e-6)
        np.testing.assert_allclose(row["log_likelihood"], alone.log_likelihood, rtol=1e-10)
        assert row["lowest"] == points.min()
        assert row["highest"] == points.max()
        heights = np.histogram(points, 32)[0]
        assert row["histogram"] == np.rint(255 * heights / heights.max()).tolist()


def test_counts_are_fitted_as_the_fitter_fits_them():
    rng = np.random.default_rng(1)
    points = np.sort(rng.normal(size=40) + 5 * (rng.random(40) < 0.4))
    counts = rng.integers(0, 4, 40).astype(float)
    table = pyarrow.table({"key": ["a"] * 40, "x": points, "n": counts})
    (found,) = fit_batches(table.to_batches(), by=["key"], value="x", count="n")
    (row,) = found.to_pylist()
    alone = fit(points, counts=counts)
    assert row["n_points"] == alone.n_points
    np.testing.assert_allclose(row["mean_1"], alone.mixture.means[0], rtol=1e-6)
    np.testing.assert_allclose(row["log_likelihood"], alone.log_likelihood, rtol=1e-10)


def test_groups_that_cannot_be_fitted_have_nulls_and_a_status():
    table = pyarrow.table(
        {
            "key": ["constant"] * 3 + ["infinite"] * 3 + ["missing"] * 2,
            "x": [1.0, 1, 1, 0, 1, math.inf, None, math.nan],
        }
    )
    (found,) = fit_batches(table.to_batches(), by=["key"], value="x")
    rows = {row["key"]: row for row in found.to_pylist()}
    assert {key: row["status"] for key, row in rows.items()} == {
        "constant": "constant",
        "infinite": "not_finite",
        "missing": "too_few_points",
    }
    assert all(row["mean_1"] is None and row["histogram"] is None for row in rows.values())
    assert (rows["missing"]["n_points"], rows["missing"]["n_missing"]) == (0, 2)
