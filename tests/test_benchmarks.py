"""The tools of the benchmarks: random data, reference maxima and scores."""

import dataclasses
import importlib
import json
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
BENCHMARKS = HERE.parent / "benchmarks"
TRUTH = json.loads((HERE / "data" / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture
def helper(monkeypatch):
    """Import a helper as the benchmarks do: from beside them."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def test_a_subsample_is_the_first_rows_of_the_batch(helper):
    draw = helper("_problems").draw
    np.testing.assert_array_equal(draw("hard", 3, 2, 40), draw("hard", 3, 9, 40)[:2])
    assert not np.array_equal(draw("hard", 3, 2, 40), draw("easy", 3, 2, 40))


def test_samples_in_bulk_come_from_the_same_distribution(helper):
    problems = helper("_problems")
    bulk, single = problems.draw_many(0, 4000, 30), problems.draw("mixed", 0, 4000, 30)
    # Shift and scale are not part of it; the spread of the shape is.
    quantiles = [
        np.quantile((x.max(axis=1) - x.mean(axis=1)) / x.std(axis=1), [0.1, 0.5, 0.9])
        for x in (bulk, single)
    ]
    np.testing.assert_allclose(*quantiles, rtol=0.02)


def test_the_reference_finds_the_known_maximum_of_a_real_sample(helper, tmp_path):
    reference, quality = helper("_reference"), helper("_quality")
    x = dict(helper("_problems").real())["acidity"][None]
    found = reference.load_or_find("acidity", 0, x, folder=tmp_path)
    assert found.log_likelihood[0] == pytest.approx(TRUTH["acidity"]["log_likelihood"], rel=1e-12)
    np.testing.assert_allclose(found.means[0], TRUTH["acidity"]["means"], rtol=1e-6)

    stored = reference.load_or_find("acidity", 0, x, folder=tmp_path)
    np.testing.assert_array_equal(stored.means, found.means)

    best = quality.Fitted(weights=found.weights, means=found.means, variances=found.variances)
    mark = quality.judge(x, best, found)
    assert (mark.at_best, mark.at_plain, mark.short, mark.irregular) == (1.0, 1.0, 0.0, 0.0)
    swapped = quality.Fitted(
        weights=found.weights[:, ::-1],
        means=found.means[:, ::-1],
        variances=found.variances[:, ::-1],
    )
    assert quality.judge(x, swapped, found) == mark
    off = dataclasses.replace(best, means=found.means + np.array([0.1, 0.0]))
    assert quality.judge(x, off, found).at_best == 0.0
    far = dataclasses.replace(best, means=found.means + np.array([1.0, 0.0]))
    assert quality.judge(x, far, found).short == 1.0
    # A spike on the first point: a higher likelihood than any regular maximum, and no credit.
    spike = quality.Fitted(
        weights=np.array([[1 / 155, 154 / 155]]),
        means=np.array([[x[0, 0], x.mean()]]),
        variances=np.array([[1e-200, x.var()]]),
    )
    assert quality.judge(x, spike, found).irregular == 1.0
    lost = dataclasses.replace(best, means=np.full((1, 2), np.nan))
    assert quality.judge(x, lost, found).irregular == 1.0


def test_two_means_is_the_best_of_all_splits(helper):
    two_means = helper("_peers").two_means
    x = np.random.default_rng(0).normal(size=(3, 15)) ** 3
    weights, means, variances = two_means(x)
    for row, weight, mean, variance in zip(x, weights, means, variances, strict=True):
        z = np.sort(row)
        cost = {k: k * z[:k].var() + (15 - k) * z[k:].var() for k in range(2, 14)}
        k = min(cost, key=cost.get)
        np.testing.assert_allclose(weight, [k / 15, 1 - k / 15])
        np.testing.assert_allclose(mean, [z[:k].mean(), z[k:].mean()])
        expected = np.maximum([z[:k].var(), z[k:].var()], 1e-3 * row.var())
        np.testing.assert_allclose(variance, expected)
