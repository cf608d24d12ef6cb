"""The test for a singular information, near its bound."""

import numpy as np
import pytest

from mog_jax.inference import covariance


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("roundings", "is_known"), [(0.9e4, False), (1.1e4, True)])
def test_less_than_ten_thousand_roundings_of_a_parameter_is_nothing(dtype, roundings, is_known):
    # All but `left` of what is known of either mean is known of both together.
    left = roundings * float(np.finfo(dtype).eps)
    information = np.eye(5)
    information[1, 2] = information[2, 1] = np.sqrt(1 - left)
    # In whatever unit.
    for unit in ([1, 1, 1, 1, 1], [1, 2.0**20, 2.0**-20, 1, 8]):
        scaled = (information * np.outer(unit, unit)).astype(dtype)
        found = np.asarray(covariance(scaled), float) * np.outer(unit, unit)
        if is_known:
            # The inverse of a block [[1, r], [r, 1]] has 1 / (1 - r^2) on its diagonal.
            expected = [1, 1 / left, 1 / left, 1, 1]
            np.testing.assert_allclose(np.diagonal(found), expected, rtol=1e-3)
        else:
            assert np.isnan(found).all()
        # A mean that is fixed takes nothing from the other.
        alone = np.asarray(covariance(scaled, fixed=[0, 1, 0, 0, 0]), float) * np.outer(unit, unit)
        np.testing.assert_allclose(np.diagonal(alone), [1, 0, 1, 1, 1], rtol=1e-6)
