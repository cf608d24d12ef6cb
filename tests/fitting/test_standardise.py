"""Standardised datasets against their definition in exact arithmetic, and against each other."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mog_jax import Ragged
from mog_jax.fitting.data import standardise as standardising
from mog_jax.fitting.data.inputs import read
from mog_jax.fitting.data.standardise import standardise

EPSILON = float(np.finfo(np.float64).eps)


@st.composite
def blocks(draw):
    """Draw rows of data with many offsets and units, ties, NaN and infinities, and counts.

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
    """Return the square root of a fraction, which may be too small or too large for a float."""
    exponent = square.numerator.bit_length() - square.denominator.bit_length()
    exponent -= exponent % 2
    return float(square / Fraction(2) ** exponent) ** 0.5 * 2.0 ** (exponent // 2)


@given(blocks())
def test_each_dataset_has_mean_zero_and_variance_one(block):
    values, counts = block
    data = standardise(read(values, counts), np.arange(len(values)))
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
        # The last point pads the row, with count 0.
        filled = points + [points[-1]] * (data.points.shape[1] - n)
        np.testing.assert_allclose(data.points[i], filled, rtol=0, atol=rounding * n)
        if counts is not None:
            # The order of ties is not specified.
            found = np.lexsort((data.counts[i, :n], data.points[i, :n]))
            np.testing.assert_array_equal(data.counts[i, found], weight)
            assert not data.counts[i, n:].any()


def assert_equal(one, other):
    for field in dataclasses.fields(one):
        pair = getattr(one, field.name), getattr(other, field.name)
        np.testing.assert_array_equal(*pair, err_msg=field.name)


@given(blocks(), st.integers(1, 40))
def test_how_many_are_standardised_at_a_time_changes_nothing(block, times):
    values, counts = (None if rows is None else np.tile(rows, (times, 1)) for rows in block)
    source, index = read(values, counts), np.random.default_rng(times).permutation(len(values))
    with pytest.MonkeyPatch.context() as patch:
        together = standardise(source, index)
        patch.setattr(standardising, "_CACHED", 1)
        assert_equal(standardise(source, index), together)


def assert_own(one, other, row, n):
    """Check that two results for a dataset are equal, whatever its padding."""
    for field in dataclasses.fields(one):
        first, second = (getattr(each, field.name) for each in (one, other))
        if first is None:
            assert second is None
            continue
        first, second = first[0], second[row]
        if field.name in ("points", "counts"):
            first, second = first[:n], second[:n]
        np.testing.assert_array_equal(first, second, err_msg=field.name)


@given(st.lists(st.integers(2, 300), min_size=2, max_size=6), st.integers(0, 99), st.booleans())
@example([50, 300], 0, False)
def test_company_changes_no_bit(lengths, seed, counted):
    rng = np.random.default_rng(seed)
    rows = [rng.normal(size=n) for n in lengths]
    counts = [rng.uniform(0, 3, size=n) for n in lengths] if counted else None
    together = standardise(read(rows, counts), np.arange(len(rows)))
    for i, row in enumerate(rows):
        own = read(row, None if counts is None else counts[i])
        alone = standardise(own, np.arange(1))
        assert_own(alone, together, i, int(alone.n[0]))


@given(blocks(), st.data())
def test_datasets_one_after_the_other_are_standardised_as_rows_are(block, data):
    values, counts = block
    lengths = data.draw(hnp.arrays(np.int64, len(values), elements=st.integers(0, values.shape[1])))
    outside = np.arange(values.shape[1]) >= lengths[:, None]
    values = np.where(outside, np.nan, values)
    ragged = Ragged(values[~outside], lengths)
    ragged_counts = None if counts is None else Ragged(counts[~outside], lengths)
    index = np.arange(len(values))
    found = standardise(read(ragged, ragged_counts), index)
    expected = standardise(read(values, counts), index)
    n_missing = expected.n_missing - outside.sum(axis=1)
    assert_equal(found, dataclasses.replace(expected, n_missing=n_missing))


def pair(scale, mean=0.0, counts=None):
    """Two points of this mean and standard deviation; powers of two keep them exact."""
    times = None if counts is None else np.array([counts])
    values = np.array([[mean - scale, mean + scale]])
    return standardise(read(values, times), np.arange(1))


@pytest.mark.parametrize(
    ("scale", "in_range"),
    [(2.0**-511, True), (2.0**-512, False), (2.0**511, True), (2.0**512, False), (1e308, False)],
)
def test_a_scale_is_in_range_where_its_square_is_a_normal_number(scale, in_range):
    data = pair(scale)
    assert (data.in_range[0], data.is_usable[0]) == (in_range, in_range)
    assert data.scale[0] == (scale if in_range else 1)
    np.testing.assert_array_equal(data.points[0, :2], [-1, 1])


@pytest.mark.parametrize(
    ("total", "in_range"),
    [(1e-30, True), (0.99e-30, False), (1e30, True), (1.01e30, False), (1e-320, False), (1, True)],
)
def test_a_total_is_in_range_where_single_precision_can_square_it(total, in_range):
    data = pair(1.0, counts=[total / 2, total / 2])
    assert (data.total[0], data.in_range[0], data.is_usable[0]) == (total, in_range, in_range)
    assert np.isfinite(data.points).all()
    # A constant is reported as such, whatever its counts.
    constant = pair(0.0, mean=3.0, counts=[total / 2, total / 2])
    assert (constant.in_range[0], constant.is_constant[0], constant.is_usable[0]) == (1, 1, 0)


@pytest.mark.parametrize("value", [0.0, -3.0, 5e-324, 1e308, np.nan, np.inf])
@pytest.mark.parametrize("counts", [None, [2.0, 0.5], [0.0, 0.0]], ids=str)
def test_what_cannot_be_standardised_is_finite_all_the_same(value, counts):
    data = pair(0.0, mean=value, counts=counts)
    assert not data.is_usable[0]
    assert (data.scale[0], data.in_range[0]) == (1, True)
    np.testing.assert_array_equal(data.points, 0)
    is_seen = np.isfinite(value) and counts != [0.0, 0.0]
    assert data.mean[0] == (value if is_seen else 0)


LEAST, MOST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


@pytest.mark.parametrize(
    ("scale", "mean", "floor", "holds"),
    [
        (1.0, 0.0, LEAST, True),
        (1.0, 0.0, LEAST / 2, False),
        (2.0**-20, 0.0, LEAST * 2.0**40, True),
        (2.0**-20, 0.0, LEAST * 2.0**39, False),
        # A component's variance may be a million times the data's, and its mean as far away.
        ((0.99e-6 * MOST) ** 0.5, 0.0, 1e-6, True),
        ((1.01e-6 * MOST) ** 0.5, 0.0, 1e-6, False),
        (1.0, 0.99e-6 * MOST, 1e-6, True),
        (1.0, 1.01e-6 * MOST, 1e-6, False),
        (1.0, -1.01e-6 * MOST, 1e-6, False),
    ],
)
def test_single_precision_holds_what_a_fit_may_answer(scale, mean, floor, holds):
    data = dataclasses.replace(pair(1.0), scale=np.array([scale]), mean=np.array([mean]))
    assert data.holds_answers(np.dtype(np.float32), floor)[0] == holds
    assert data.holds_answers(np.dtype(np.float64), floor)[0]
