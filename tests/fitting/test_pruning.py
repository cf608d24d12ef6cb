"""Pruning: which climbs go on does not depend on the other datasets of a block."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mog_jax.fitting.multistart.block import Block
from mog_jax.fitting.multistart.choice import rank_bound
from mog_jax.fitting.multistart.climbs import begin_climbs
from mog_jax.fitting.multistart.pruning import RunnersUp, ValueBounds, keep_mask
from mog_jax.fitting.options import SEARCH_TOLERANCE

STARTS = 4


def climbs_of(per_dataset, seed, dtype):
    """Draw climbs at all stages, many of which have met; some datasets have several, some one."""
    rng = np.random.default_rng(seed)
    dataset = np.repeat(np.arange(len(per_dataset)), per_dataset)
    start = np.concatenate([rng.permutation(STARTS)[:several] for several in per_dataset])
    place = rng.normal(size=(5, 2))[:, rng.integers(0, 2, dataset.size)]
    mirrored = rng.random(dataset.size) < 0.5
    theta = np.where(mirrored, [-place[0], *place[[2, 1, 4, 3]]], place)
    climbs = begin_climbs(theta + 0.01 * rng.normal(size=theta.shape), dataset, start, dtype)
    state, n = climbs.state, dataset.size
    state.sums.effective_counts[:] = rng.choice([1.0, 4.0, 6.0, 30.0, 90.0], (2, n))
    state.sums.log_likelihood[:] = rng.choice(
        [-100.0, -100.05, -99.0, -90.15, -90.0, np.nan, np.inf], n
    )
    state.gain_left[:] = rng.choice([0.0, 1e-4, 0.07, 0.5, 5.0, np.inf], n)
    return climbs


def going(climbs, datasets, *, patient, jitter=0.0):
    ones = np.ones(datasets)
    kept, _ = keep_mask(
        climbs,
        ValueBounds(scale=ones, margin=0.2 * ones, jitter=jitter * ones),
        variance_floor=1e-6,
        min_points=5.0,
        patient=patient,
    )
    return kept


def meets(state, i, j, jitter):
    """Return whether two climbs of a dataset have met, by the information of the first."""
    first, second = state.sums.effective_counts[:, i].tolist()
    theta, its = state.theta[:, i].tolist(), state.theta[:, j].tolist()
    information = [
        first * second / (first + second),
        first / math.exp(theta[3]),
        second / math.exp(theta[4]),
        first / 2,
        second / 2,
    ]
    mirrored = [-its[0], its[2], its[1], its[4], its[3]]
    return any(
        sum(w * (a - b) ** 2 for w, a, b in zip(information, theta, them, strict=True))
        < 0.5 + 2 * jitter
        for them in (its, mirrored)
    )


def decided_one_by_one(climbs, lanes, *, patient, jitter):
    """Return which climbs of one dataset go on: a slow copy of the documented rules."""
    state = climbs.state
    value = {i: float(state.sums.log_likelihood[i]) for i in lanes}
    lanes = [i for i in lanes if math.isfinite(value[i])]
    left = {i: float(state.gain_left[i]) for i in lanes}
    fewest = {i: float(state.sums.effective_counts[:, i].min()) for i in lanes}
    regular = {i for i in lanes if fewest[i] >= 5}
    arrived = {i for i in regular if left[i] < SEARCH_TOLERANCE}
    promising = {i for i in regular if left[i] < 0.1 and fewest[i] >= 10}
    sure = max((value[i] for i in arrived), default=-math.inf)
    in_hand = max((value[i] for i in arrived | promising), default=-math.inf)

    def merit(i):
        return i in regular, value[i], -climbs.start[i]

    def goes_on(i):
        level = [
            j for j in lanes if abs(value[j] - value[i]) < 0.1 + jitter and merit(j) > merit(i)
        ]
        if any(meets(state, i, j, jitter) for j in level):
            return False
        if i in arrived and value[i] >= sure:
            return True
        is_settling = left[i] < 1
        if not patient and value[i] + (left[i] if is_settling else 0) < in_hand:
            return False
        is_beaten = value[i] + 3 * left[i] + 0.2 < in_hand
        is_irregular = fewest[i] < 3.5 and in_hand > -math.inf
        return not (is_settling and (is_beaten or is_irregular))

    return {i for i in lanes if goes_on(i)}


@given(
    st.lists(st.integers(1, STARTS), min_size=1, max_size=40),
    st.integers(0, 2**32 - 1),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
    st.sampled_from([0.0, 0.75]),
)
def test_each_dataset_is_judged_by_the_rules_whatever_its_neighbours(
    several, seed, dtype, patient, jitter
):
    climbs = climbs_of(several, seed, np.dtype(dtype))
    # After a round climbs are in no order.
    climbs = climbs.take(np.random.default_rng(seed).permutation(climbs.dataset.size))
    kept = np.flatnonzero(going(climbs, len(several), patient=patient, jitter=jitter))
    expected = [
        decided_one_by_one(
            climbs, np.flatnonzero(climbs.dataset == i), patient=patient, jitter=jitter
        )
        for i in range(len(several))
    ]
    assert set(kept) == set().union(*expected)


def test_no_climbs_are_none_to_go_on():
    climbs = climbs_of([1, 2, 1], 0, np.dtype(np.float32)).take(np.zeros(4, bool))
    assert going(climbs, 3, patient=True).shape == (0,)


@pytest.mark.parametrize("patient", [True, False])
def test_of_two_climbs_that_have_met_the_higher_one_goes_on(patient):
    datasets = 3
    climbs = climbs_of([2] * datasets, 0, np.dtype(np.float32))
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
    climbs = climbs_of([2, 2], 0, np.dtype(np.float32))
    state = climbs.state
    # Far apart, the first at its end and the second below it: just begun, or about to end.
    state.theta[:] = 0
    state.theta[1] = [0, 5, 0, 5]
    state.sums.effective_counts[:] = 50
    state.sums.log_likelihood[:] = [-90, -100, -90, -100]
    state.gain_left[:] = [1e-5, 2.0, 1e-5, 0.5]
    np.testing.assert_array_equal(going(climbs, 2, patient=True), [True, True, True, False])
    np.testing.assert_array_equal(going(climbs, 2, patient=False), [True, False, True, False])


def test_values_on_a_sample_are_trusted_less_than_those_on_all_points():
    rng = np.random.default_rng(0)
    points = np.sort(rng.normal(size=(2, 40)))
    block = Block(
        points=points,
        counts=None,
        n=np.array([40, 40]),
        total=np.array([40.0, 40.0]),
        sample=points[:, ::2],
        n_sample=np.array([20, 40]),
        free=np.ones((5, 2), bool),
        fixed=np.full((5, 2), np.nan),
    )
    assert block.bounds.scale.tolist() == [2.0, 1.0]
    assert block.bounds.margin == pytest.approx([2.2, 0.2], abs=1e-3)
    assert (block.coreset_bounds.margin > block.bounds.margin + 1).all()
    assert (block.coreset_bounds.jitter > block.bounds.jitter).all()


@given(st.integers(0, 99), st.integers(1, 3), st.sampled_from([np.float32, np.float64]))
def test_the_highest_runners_up_are_climbed_from(seed, number, dtype):
    rng = np.random.default_rng(seed)
    several = [3, 1, 4, 4]
    climbs = climbs_of(several, seed, np.dtype(dtype))
    climbs.state.gain_left[:] = 0
    gone = rng.random(climbs.dataset.size) < 0.7
    ones, least = np.ones(len(several)), rng.choice([-np.inf, -100.0, -91.0], len(several))
    wanted = rng.random(len(several)) < 0.7
    runners_up = RunnersUp(0.1 * ones)
    # In two parts, as from two rounds.
    half = np.arange(gone.size) < gone.size // 2
    runners_up.add(climbs, gone & half, ones)
    runners_up.add(climbs, gone & ~half, ones)
    theta, dataset = runners_up.best(wanted, number, least)
    state = climbs.state
    with np.errstate(all="ignore"):
        rank = rank_bound(
            state.theta, state.sums.effective_counts, state.sums.log_likelihood, dtype(0.1)
        )
    for i in range(len(several)):
        own = rank[gone & (climbs.dataset == i) & np.isfinite(rank) & (rank >= least[i])]
        assert np.sum(dataset == i) == (min(number, own.size) if wanted[i] else 0)
    top = rank[gone & np.isfinite(rank)].max(initial=-np.inf)
    assert runners_up.highest().max() == top
    assert np.isfinite(theta).all()
