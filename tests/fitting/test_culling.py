"""Which climbs go on: what is decided of a dataset does not depend on the others of its block."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mog_jax.fitting import culling, herd
from mog_jax.fitting.culling import worth_while

STARTS = 4
WIDE = 160


def climbs_of(datasets, per_dataset, seed, dtype):
    """Give climbs at all stages, many of which have met: some datasets with several, some alone."""
    rng = np.random.default_rng(seed)
    dataset = np.repeat(np.arange(datasets), per_dataset)
    start = np.concatenate([rng.permutation(STARTS)[:several] for several in per_dataset])
    place = rng.normal(size=(5, datasets, 2))[:, dataset, rng.integers(0, 2, dataset.size)]
    mirrored = rng.random(dataset.size) < 0.5
    theta = np.where(mirrored, [-place[0], *place[[2, 1, 4, 3]]], place)
    climbs = herd.begin(theta + 0.01 * rng.normal(size=theta.shape), dataset, start, dtype)
    state, n = climbs.state, dataset.size
    state.sums.effective_counts[:] = rng.choice([1.0, 4.0, 6.0, 30.0, 90.0], (2, n))
    state.sums.log_likelihood[:] = rng.choice([-100.0, -100.05, -99.0, -90.0, np.nan], n)
    state.gain_left[:] = rng.choice([0.0, 1e-4, 0.05, 0.5, 5.0, np.inf], n)
    return climbs


def going(climbs, datasets, *, patient):
    ones = np.ones(datasets)
    with jax.enable_x64(True):
        return worth_while(
            climbs,
            (STARTS, datasets),
            ones,
            0.2 * ones,
            variance_floor=1e-6,
            min_points=5.0,
            patient=patient,
        )


@settings(max_examples=20)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, culling._FEW),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
)
def test_a_narrow_array_decides_as_a_wide_one_does(seed, contested, dtype, patient):
    per_dataset = np.ones(WIDE, int)
    per_dataset[:contested] = np.random.default_rng(seed).integers(2, STARTS + 1, contested)
    per_dataset = np.random.default_rng(seed).permutation(per_dataset)
    climbs = climbs_of(WIDE, per_dataset, seed, np.dtype(dtype))
    with pytest.MonkeyPatch.context() as patch:
        narrow = going(climbs, WIDE, patient=patient)
        patch.setattr(culling, "_FEW", 0)
        wide = going(climbs, WIDE, patient=patient)
    np.testing.assert_array_equal(narrow, wide)


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_a_climb_that_is_alone_goes_on_while_its_likelihood_is_finite(seed, patient):
    climbs = climbs_of(WIDE, np.ones(WIDE, int), seed, np.dtype(np.float32))
    kept = going(climbs, WIDE, patient=patient)
    np.testing.assert_array_equal(kept, np.isfinite(climbs.state.sums.log_likelihood))


@pytest.mark.parametrize("patient", [True, False])
@pytest.mark.parametrize("datasets", [3, WIDE])
def test_of_two_climbs_that_have_met_the_higher_one_goes_on(patient, datasets):
    climbs = climbs_of(datasets, np.full(datasets, 2), 0, np.dtype(np.float32))
    state = climbs.state
    # Each dataset's second climb has arrived where the first one has, the components exchanged.
    state.theta[:, 1::2] = np.stack([-state.theta[0], *state.theta[[2, 1, 4, 3]]])[:, ::2]
    state.sums.effective_counts[:] = 50
    state.sums.log_likelihood[:] = np.tile([-100.0, -99.99], datasets)
    state.gain_left[:] = 1e-5
    kept = going(climbs, datasets, patient=patient)
    np.testing.assert_array_equal(kept, np.tile([False, True], datasets))
    # Elsewhere, and as high: neither has met the other.
    state.theta[1, ::2] += 5
    state.sums.log_likelihood[:] = -100
    assert going(climbs, datasets, patient=patient).all()


def test_only_the_impatient_drop_what_may_still_rise():
    climbs = climbs_of(2, np.full(2, 2), 0, np.dtype(np.float32))
    state = climbs.state
    # Far apart, the first at its end and the second below it: just begun, or about to end.
    state.theta[:] = 0
    state.theta[1] = [0, 5, 0, 5]
    state.sums.effective_counts[:] = 50
    state.sums.log_likelihood[:] = [-90, -100, -90, -100]
    state.gain_left[:] = [1e-5, 2.0, 1e-5, 0.5]
    np.testing.assert_array_equal(going(climbs, 2, patient=True), [True, True, True, False])
    np.testing.assert_array_equal(going(climbs, 2, patient=False), [True, False, True, False])
