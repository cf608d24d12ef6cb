"""Whether a climb lies on the variance floor, or has arrived, in the climb's own precision."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mog_jax
from mog_jax import Mixture, Status
from mog_jax.fitting.climb.arrival import has_arrived, on_floor

PRECISIONS = st.sampled_from([np.float32, np.float64])
FLOORS = st.floats(-12, -1).map(lambda exponent: 10.0**exponent)
TIES = np.repeat([0.0, 1.0], 10)


@given(precision=PRECISIONS, floor=FLOORS)
def test_what_a_climb_was_cut_to_is_on_the_floor_and_what_is_above_is_not(precision, floor):
    lowest = precision(math.log(floor))
    theta = np.zeros((5, 4), precision)
    theta[3] = [lowest, 0, lowest, lowest + precision(1e-3)]
    theta[4] = [0, lowest, lowest, 0]
    expected = [True, True, True, False]
    assert on_floor(theta, floor).tolist() == expected
    if precision is np.float32:
        assert on_floor(jnp.asarray(theta), floor).tolist() == expected


@given(precision=PRECISIONS, tolerance=st.floats(1e-12, 1e-2), n_points=st.floats(1, 1e9))
def test_less_than_the_tolerance_or_than_rounding_can_tell_is_arrived(
    precision, tolerance, n_points
):
    rounding = 32 * np.finfo(precision).eps * n_points
    enough = max(tolerance, rounding)
    gains = np.array([0, 0.9 * enough, 1.1 * enough, np.inf, np.nan], precision)
    assert has_arrived(gains, n_points, tolerance).tolist() == [True, True, False, False, False]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("floor", [1e-2, 1e-5, 1e-12])
def test_two_tied_values_end_on_the_floor_in_either_precision(dtype, floor):
    fit = mog_jax.fit(TIES.astype(dtype), variance_floor=floor)
    assert Status(int(fit.status)) is Status.VARIANCE_FLOOR
    assert np.isnan(fit.delta_bic())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_climb_that_ends_on_the_floor_is_no_local_maximum(dtype):
    start = Mixture.from_arrays(
        weights=np.array([0.5, 0.5], dtype),
        means=np.array([0, 1], dtype),
        variances=np.array([0.1, 0.1], dtype),
    )
    found = mog_jax.local_maximum(TIES.astype(dtype), start, variance_floor=1e-5)
    assert np.isnan(found.means).all()


@pytest.mark.parametrize("floor", [1e-5, 1e-6])
def test_both_precisions_agree_on_how_a_fit_has_ended(floor):
    rng = np.random.default_rng(4)
    x = np.round(rng.normal(size=(60, 24)) + 3 * (rng.random((60, 24)) < 0.4), 1)
    statuses = [
        mog_jax.fit(x.astype(dtype), variance_floor=floor).status
        for dtype in (np.float32, np.float64)
    ]
    # A maximum that is next to another may be missed by one of the two.
    assert np.mean(statuses[0] == statuses[1]) > 0.9
    fallen = [each == Status.VARIANCE_FLOOR for each in statuses]
    assert np.mean(fallen[0] == fallen[1]) > 0.95
