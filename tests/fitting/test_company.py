"""A dataset's fit does not depend on other datasets: the same bits alone, in a batch, ragged."""

import jax
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import mog_jax
from mog_jax.fitting.data import buckets

# From tiny ones to some that are sampled in the search and cut into strips.
LENGTHS = st.sampled_from([2, 5, 13, 16, 17, 50, 64, 65, 128, 129, 272, 500, 1024, 1025, 3000])


def drawn(seed, n, *, rounded=False):
    rng = np.random.default_rng([seed, n])
    x = rng.normal(size=n) * rng.uniform(0.3, 2) + 4 * (rng.random(n) < rng.uniform(0.1, 0.9))
    return np.round(x, 1) if rounded else x


def assert_same_bits(one, other):
    """Check every number of two fits, NaN being equal to NaN."""
    for (path, first), second in zip(
        jax.tree_util.tree_leaves_with_path(one), jax.tree.leaves(other), strict=True
    ):
        np.testing.assert_array_equal(first, second, err_msg=jax.tree_util.keystr(path))


def assert_all_as_alone(datasets, **options):
    together = mog_jax.fit(datasets, **options)
    for i, dataset in enumerate(datasets):
        assert_same_bits(together[i], mog_jax.fit(dataset, **options))


@settings(max_examples=10)
@given(st.lists(LENGTHS, min_size=2, max_size=8), st.integers(0, 99), st.booleans())
@example([500, 50, 3000], 0, False)
def test_a_ragged_batch_is_as_each_alone(lengths, seed, rounded):
    assert_all_as_alone([drawn(seed + i, n, rounded=rounded) for i, n in enumerate(lengths)])


@settings(max_examples=5)
@given(st.integers(0, 99), st.sampled_from(["float32", "float64"]))
def test_rows_are_as_each_alone_and_in_any_order(seed, dtype):
    x = np.stack([drawn(seed + i, 272) for i in range(6)])
    together = mog_jax.fit(x, dtype=dtype)
    order = np.random.default_rng(seed).permutation(len(x))
    assert_same_bits(together[order], mog_jax.fit(x[order], dtype=dtype))
    assert_same_bits(together[2:4], mog_jax.fit(x[2:4], dtype=dtype))
    assert_same_bits(together[0], mog_jax.fit(x[0], dtype=dtype))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1.0])
def test_a_neighbour_that_cannot_be_fitted_changes_nothing(bad):
    x = np.stack([drawn(i, 64) for i in range(3)])
    x[1] = bad
    together = mog_jax.fit(x)
    for i in range(3):
        assert_same_bits(together[i], mog_jax.fit(x[i]))


def test_counts_are_a_dataset_s_own():
    x = [drawn(0, 64), drawn(1, 300), drawn(2, 64)]
    rng = np.random.default_rng(0)
    counts = [rng.integers(0, 4, 64), 20 * rng.random(300), rng.integers(0, 90, 64)]
    together = mog_jax.fit(x, counts=counts)
    for i in range(3):
        assert_same_bits(together[i], mog_jax.fit(x[i], counts=counts[i]))


def test_what_is_fixed_is_a_dataset_s_own():
    x = np.stack([drawn(i, 128) for i in range(4)])
    means = np.array([np.nan, 0.0, np.nan, 0.5])
    together = mog_jax.fit(x, fixed={"mean_1": means})
    for i in (1, 3):
        assert_same_bits(together[i], mog_jax.fit(x[i], fixed={"mean_1": means[i]}))
    for i in (0, 2):
        assert_same_bits(together[i], mog_jax.fit(x[i]))


def test_blocks_change_nothing(monkeypatch):
    x = [drawn(i, n) for i, n in enumerate([50, 60, 500, 510, 272, 300])]
    together = mog_jax.fit(x)
    monkeypatch.setattr(buckets, "_WIDTH", 1)
    assert_same_bits(together, mog_jax.fit(x))


def answers(fit, x):
    """Return all results of a fit."""
    return {
        "predict": fit.predict(x),
        "responsibilities": fit.responsibilities(x),
        "monotone": fit.responsibilities(x, monotone=True),
        "log_density": fit.log_density(x),
        "cdf": fit.cdf(x),
        "kolmogorov_distance": fit.kolmogorov_distance(x),
        "icl": fit.icl(x),
        "aic": fit.aic(),
        "delta_bic": fit.delta_bic(),
        "standard_errors": fit.standard_errors(),
        "robust": fit.confidence_intervals(x, kind="sandwich"),
        "threshold": fit.threshold(),
        "rate": fit.threshold(false_positive_rate=0.05),
        "modes": fit.modes(),
        "ashman_d": fit.ashman_d(),
        "quantile": fit.quantile([0.01, 0.5, 0.975]),
    }


# More than one call of the program holds.
@pytest.mark.parametrize(("number", "dtype"), [(5, "float64"), (300, "float32")])
def test_answers_are_a_fit_s_own(number, dtype):
    lengths = [50, 64, 65, 272, 300]
    datasets = [drawn(i, lengths[i % 5]).astype(dtype) for i in range(number)]
    together = answers(mog_jax.fit(datasets), datasets)
    for i in range(3):
        alone = answers(mog_jax.fit(datasets[i]), datasets[i])
        for name, answer in alone.items():
            whole = together[name]
            own = whole[i] if isinstance(whole, list) else jax.tree.map(lambda a, i=i: a[i], whole)
            assert_same_bits(own, answer)


@given(
    st.lists(st.integers(0, 10_000), min_size=1, max_size=60),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_each_dataset_is_in_one_block(lengths, workers, random):
    is_fixed = np.array([random.random() < 0.3 for _ in lengths])
    parts = list(buckets.blocks(np.array(lengths), is_fixed, workers))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(lengths)))
    for part in parts:
        assert len(set(is_fixed[part].tolist())) == 1
