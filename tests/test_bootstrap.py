import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mog_jax
from mog_jax.bootstrap import _p_values, bootstrap_test

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(1)
    data = rng.normal(size=(6, 150))
    data[0, :70] += 6
    data[4, 0] = np.inf
    data[5, 140:] = np.nan
    return data, bootstrap_test(data, key=KEY, replicates=100, stop_after=20)


def slow_p_value(statistic, null, enough):
    exceeding = 0
    for drawn, value in enumerate(null, start=1):
        exceeding += value >= statistic
        if exceeding == enough:
            return enough / drawn, drawn
    return (exceeding + 1) / (len(null) + 1), len(null)


@given(
    st.lists(st.integers(0, 9).map(float), min_size=1, max_size=60),
    st.lists(st.integers(0, 10).map(float), min_size=1, max_size=5),
    st.integers(1, 20),
)
def test_p_values_are_besag_and_cliffords(null, statistics, enough):
    found, error, used = _p_values(np.array(statistics), np.array(null), enough)
    expected = [slow_p_value(statistic, null, enough) for statistic in statistics]
    np.testing.assert_allclose(found, [p for p, _ in expected])
    assert used.tolist() == [drawn for _, drawn in expected]
    assert np.all(error >= 0)


@given(st.integers(1, 30), st.sampled_from([3, 10, 1000]))
def test_the_sequential_p_value_is_never_below_its_level(replicates, enough):
    # Under the null all ranks of the statistic are equally probable: try each once.
    null = np.random.default_rng(replicates).permutation(replicates).astype(float)
    p = np.concatenate(
        [_p_values(np.array([s - 0.5]), np.delete(null, s), enough)[0] for s in range(replicates)]
    )
    for level in (0.05, 0.2, 0.5):
        assert np.mean(p <= level) <= level + 1e-12 or enough <= replicates


def test_two_humps_are_found_and_one_is_not(batch):
    _, found = batch
    assert found.p_value[0] == 1 / 101
    assert found.replicates[0] == 100
    assert found.p_value[1:4].min() > 0.01
    assert np.isnan([found.p_value[4], found.statistic[4], found.p_value_error[4]]).all()
    assert found.replicates[4] == 0
    assert repr(found) == "BootstrapTest of 6 datasets: 1 with a p-value below 0.05"


def test_the_same_key_gives_the_same_answer_to_each_dataset_alone(batch):
    data, found = batch
    alone = bootstrap_test(data[1], key=KEY, replicates=100, stop_after=20)
    assert alone.p_value == found.p_value[1]
    np.testing.assert_allclose(alone.statistic, found.statistic[1], rtol=1e-9)
    assert "p-value" in repr(alone)


def test_the_statistic_is_a_pivot(batch):
    data, found = batch
    # The seed of that key is as good.
    moved = bootstrap_test(1e3 - 50 * data[1], key=0, replicates=100, stop_after=20)
    np.testing.assert_allclose(moved.statistic, found.statistic[1], rtol=1e-6)
    assert moved.p_value == found.p_value[1]


def test_q_values_are_those_of_benjamini_and_hochberg(batch):
    _, found = batch
    q = found.q_value()
    known = ~np.isnan(found.p_value)
    assert np.isnan(q[~known]).all()
    p = np.sort(found.p_value[known])
    expected = np.minimum.accumulate((p * p.size / np.arange(1, p.size + 1))[::-1])[::-1]
    np.testing.assert_allclose(np.sort(q[known]), np.minimum(expected, 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replicates": 0}, "`replicates` must be at least 1; got 0"),
        ({"stop_after": 0}, "`stop_after` must be at least 1; got 0"),
        ({"key": "3"}, r"`key` must be a key, .* or a seed, as 0; got '3'"),
        ({"counts": np.full(150, 0.511)}, "`counts` must add up to a whole number"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    x = np.linspace(0, 1, 150) ** 2
    with pytest.raises(ValueError, match=message):
        bootstrap_test(x, **({"key": KEY} | options))


def test_it_is_public():
    assert mog_jax.bootstrap_test is bootstrap_test


def test_counts_of_more_points_than_can_be_drawn_are_refused():
    counts = np.full(272, 1e12)
    with pytest.raises(ValueError, match=r"`counts` must add up to at most \d+ .*2.72e\+14"):
        mog_jax.bootstrap_test(mog_jax.datasets.faithful(), key=jax.random.key(0), counts=counts)
