import numpy as np
import pytest

import mog_jax
from mog_jax import Model
from tests.inference.cases import TRUTH, dataset


def test_three_models_side_by_side_say_what_is_published():
    names = ["acidity", "iris_petal_length", "iris_petal_width"]
    chosen = [TRUTH[name] for name in names]
    found = mog_jax.compare([dataset(name) for name in names])
    expected = [[known["bic"][model] for model in ("1", "2E", "2V")] for known in chosen]
    np.testing.assert_allclose(found.bic, expected, rtol=1e-9)
    assert found.best.tolist() == np.argmin(expected, axis=1).tolist()
    np.testing.assert_allclose(
        found.delta_bic(), [row[0] - min(row[1:]) for row in expected], rtol=1e-6
    )
    better = [
        known["equal_variances"] if row[1] < row[2] else known
        for known, row in zip(chosen, expected, strict=True)
    ]
    np.testing.assert_allclose(found.two.means, [c["means"] for c in better], rtol=1e-6)
    assert repr(found) == "Comparison of 3 datasets: 1 equal, 2 free"


def test_one_hump_is_one_component_and_nothing_is_nothing():
    rng = np.random.default_rng(0)
    data = np.stack([rng.normal(size=150), np.ones(150), np.full(150, np.nan)])
    found = mog_jax.compare(data)
    assert found.best.tolist() == [Model.ONE, Model.NONE, Model.NONE]
    assert np.isnan(found.bic[1:, 1:]).all()
    assert np.isnan(found.delta_bic()[1:]).all()


def test_one_dataset_is_described_in_full():
    found = mog_jax.compare(dataset("acidity"))
    assert found.best == Model.EQUAL
    assert repr(found) == "Comparison(best equal; BIC: one 461.66, equal 392.07, free 394.51)"


def test_what_is_compared_is_not_chosen():
    with pytest.raises(ValueError, match="`equal_variances` cannot be chosen: both are compared"):
        mog_jax.compare(dataset("acidity"), equal_variances=True)
