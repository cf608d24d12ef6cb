"""The choice among maxima, as a pure function of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mog_jax.fitting.multistart.choice import (
    Candidates,
    beats_one,
    choose,
    is_few_points,
    most_frequent,
)


def candidates(*rows):
    """Candidates of one dataset: penalised, value, fewest, on the floor, on an atom, arrived."""
    columns = list(zip(*rows, strict=True))
    return Candidates(
        np.zeros(len(rows), int),
        *(np.array(column, float) for column in columns[:3]),
        *(np.array(column, bool) for column in columns[3:]),
    )


ORDINARY = (-10.0, -9.0, 40.0, False, False, True)


@pytest.mark.parametrize(
    ("better", "beats", "chosen"),
    [
        ((-8.0, -5.0, 30.0, False, False, True), True, 1),
        ((-8.0, -5.0, 3.0, False, False, True), True, 1),
        # Two components do not beat one.
        ((-8.0, -5.0, 3.0, False, False, True), False, 0),
        # One point alone.
        ((-8.0, -5.0, 1.0, False, False, True), True, 0),
        # On the floor: a spike, or an atom.
        ((-8.0, 50.0, 30.0, True, False, True), True, 0),
        ((-8.0, 50.0, 30.0, True, True, True), True, 1),
        ((-8.0, 50.0, 1.0, True, True, True), True, 0),
        # Not converged, or not finite.
        ((-8.0, -5.0, 30.0, False, False, False), True, 0),
        ((-np.inf, -5.0, 30.0, False, False, True), True, 0),
        # Higher in likelihood, not in rank.
        ((-11.0, -5.0, 30.0, False, False, True), True, 0),
    ],
)
def test_the_first_acceptable_by_rank_is_chosen(better, beats, chosen):
    found = candidates(ORDINARY, better)
    (place,) = choose(found, np.array([True, beats]), 5.0, 1)
    assert place == chosen


def test_none_is_chosen_where_none_is_acceptable():
    found = candidates((-8.0, 50.0, 30.0, True, False, True), (-9.0, -5.0, 1.0, False, False, True))
    assert choose(found, np.array([True, True]), 5.0, 2).tolist() == [-1, -1]


@given(st.permutations(range(6)), st.integers(0, 99))
def test_neither_order_nor_company_matters(order, seed):
    rng = np.random.default_rng(seed)
    found = Candidates(
        np.array([0, 0, 0, 1, 1, 2]),
        rng.normal(size=6),
        rng.normal(size=6),
        rng.choice([1.0, 3.0, 50.0], 6),
        *(rng.random((3, 6)) < 0.5),
    )
    beats = rng.random(6) < 0.5
    order = np.array(order)
    shuffled = Candidates(*(field[order] for field in found))
    here, there = choose(found, beats, 5.0, 3), choose(shuffled, beats[order], 5.0, 3)
    np.testing.assert_array_equal(here, np.where(there < 0, -1, order[there]))
    alone = Candidates(*(field[found.dataset == 1] for field in found))._replace(
        dataset=np.zeros(2, int)
    )
    (place,) = choose(alone, beats[3:5], 5.0, 1)
    assert here[1] == (place + 3 if place >= 0 else -1)


def test_few_points_are_two_or_more_and_have_to_beat_one_gaussian():
    fewest = np.array([1.0, 1.99, 4.0, 5.0, 4.0])
    beats = np.array([True, True, True, True, False])
    assert is_few_points(fewest, 5.0, beats).tolist() == [False, True, True, False, False]
    assert beats_one(np.array([10.0]), 0.0, 100.0, 3).tolist() == [True]
    assert beats_one(np.array([6.0]), 0.0, 100.0, 3).tolist() == [False]


def frequent(x, counts=None):
    order = np.argsort(x)
    times = None if counts is None else np.asarray(counts, float)[order][None]
    found = most_frequent(np.asarray(x, float)[order][None], times, np.array([len(x)]))
    return float(found.value[0]), float(found.points[0]), bool(found.is_atom[0])


def test_an_atom_holds_a_tenth_and_five_times_any_other():
    spread = np.linspace(1, 2, 90)
    assert frequent([*spread, *[0.0] * 10]) == (0.0, 10.0, True)
    assert np.isnan(frequent([*spread, *[0.0] * 9])[0])
    assert frequent([*spread, *[0.0] * 30, *[3.0] * 7]) == (0.0, 30.0, False)
    assert frequent([*spread, *[0.0] * 30, *[3.0] * 6]) == (0.0, 30.0, True)


@given(st.integers(0, 99), st.integers(0, 40), st.sampled_from([0.0, 0.5, 1.0]))
def test_a_value_counted_is_a_value_repeated(seed, times, value):
    x = np.random.default_rng(seed).random(60)
    repeated = [*x, *[value] * times]
    counted = frequent([*x, value], [*np.ones(60), times])
    assert counted == pytest.approx(frequent(repeated), nan_ok=True)
