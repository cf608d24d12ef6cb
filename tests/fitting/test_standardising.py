"""Standardised datasets against their definition in exact arithmetic, and against each other."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mog_jax.fitting import standardising
from mog_jax.fitting.standardising import standardise

EPSILON = float(np.finfo(np.float64).eps)


@st.composite
def blocks(draw):
    """Draw rows of data of many offsets and units, with ties and whatever may be wrong, and counts.

    Values are whole multiples of a power of two, so that their differences are exact.
    """
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 9)))
    numbers = hnp.arrays(np.int64, shape, elements=st.integers(-(2**20), 2**20))
    offset = draw(st.sampled_from([0, 1, -(2**40)]))
    values = (draw(numbers) + offset) * 2.0 ** draw(st.sampled_from([-480, -20, 0, 3, 480]))
    wrong = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 40)))
    values = np.select([wrong == 1, wrong == 2, wrong == 3], [np.nan, np.inf, -np.inf], values)
    if draw(st.booleans()):
        return values, None
    counts = hnp.arrays(np.int64, shape, elements=st.integers(0, 3))
    return values, draw(counts).astype(np.float64)


def root(square):
    """Give the square root of a fraction, which may be too small or too large to be a float."""
    exponent = square.numerator.bit_length() - square.denominator.bit_length()
    exponent -= exponent % 2
    return float(square / Fraction(2) ** exponent) ** 0.5 * 2.0 ** (exponent // 2)


@given(blocks())
def test_each_dataset_has_mean_zero_and_variance_one(block):
    values, counts = block
    n_given = np.full(len(values), values.shape[1])
    data = standardise(values, counts, n_given)
    for i, row in enumerate(values):
        times = np.ones(row.size) if counts is None else counts[i]
        seen = (times > 0) & np.isfinite(row)
        assert data.n_missing[i] == np.isnan(row).sum()
        assert data.is_finite[i] == (not np.isinf(row).any())
        if not data.is_finite[i]:
            continue
        order = np.lexsort((times[seen], row[seen]))
        exact = [Fraction(x) for x in row[seen][order]]
        weight = [int(c) for c in times[seen][order]]
        n, total = len(exact), sum(weight)
        assert (data.n[i], data.total[i]) == (n, total)
        assert data.is_constant[i] == (n == 0 or exact[0] == exact[-1])
        if data.is_constant[i]:
            continue
        mean = sum(c * x for c, x in zip(weight, exact, strict=True)) / total
        square = sum(c * (x - mean) ** 2 for c, x in zip(weight, exact, strict=True)) / total
        scale, reach = root(square), float(exact[-1] - exact[0])
        rounding = 8 * n * EPSILON
        assert abs(data.mean[i] - mean) <= rounding * reach + EPSILON * abs(mean)
        assert data.scale[i] == pytest.approx(scale, rel=rounding)
        points = [float((x - mean) / Fraction(scale)) for x in exact]
        # The last point fills up the column; it counts for nothing there.
        filled = points + [points[-1]] * (len(data.points) - n)
        np.testing.assert_allclose(data.points[:, i], filled, rtol=0, atol=rounding * n)
        if counts is not None:
            # In which order ties come is left open.
            found = np.lexsort((data.counts[:n, i], data.points[:n, i]))
            np.testing.assert_array_equal(data.counts[found, i], weight)
            assert not data.counts[n:, i].any()


@given(blocks(), st.integers(1, 40))
def test_how_many_are_standardised_at_a_time_changes_nothing(block, times):
    values, counts = (None if rows is None else np.tile(rows, (times, 1)) for rows in block)
    n_given = np.full(len(values), values.shape[1])
    with pytest.MonkeyPatch.context() as patch:
        together = standardise(values, counts, n_given)
        patch.setattr(standardising, "_CACHED", 1)
        apart = standardise(values, counts, n_given)
    for field in dataclasses.fields(together):
        one, other = getattr(together, field.name), getattr(apart, field.name)
        np.testing.assert_array_equal(one, other, err_msg=field.name)


def test_a_block_of_no_datasets_has_the_length_asked_for():
    data = standardise(np.empty((0, 5)), None, np.empty(0, int), least=16)
    assert data.points.shape == (16, 0)
    assert data.mean.shape == (0,)
