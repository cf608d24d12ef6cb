"""Data that cannot be fitted: an error in a sentence, or a status; others are unaffected."""

import datetime
import decimal

import jax
import numpy as np
import pandas
import pytest

import mog_jax
from mog_jax import Mixture, Ragged, Status
from mog_jax.inference import Reason

RNG = np.random.default_rng(8)
GOOD = np.concatenate([RNG.normal(0, 1, 25), RNG.normal(6, 2, 35)])
NAN = np.full(2, np.nan)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((2, 3, 4)), r"`data` must have shape \(n,\) or \(b, n\), .*; got \(2, 3, 4\)"),
        (7.0, r"`data` must have shape .*; got \(\)"),
        (None, "`data` must be real numbers; got None"),
        ("cells.csv", "got 'cells.csv'; `mog_jax.fit_table` reads files"),
        ({1.0, 2.0}, "`data` must be real numbers; got set"),
        ((x for x in (1.0, 2.0)), "`data` must be real numbers; got generator"),
        ([1.0, None, 2.0], r"got data\[1\] = None; a missing value is NaN"),
        ([GOOD, [1.0, None]], r"got data\[1\]\[1\] = None; a missing value is NaN"),
        ([decimal.Decimal(1)] * 3, r"real numbers; got data\[0\] = Decimal\('1'\)"),
        (
            pandas.DataFrame({"x": [1.0, 2.0], "gene": ["a", "b"]}),
            r"got data\[0, 1\] = 'a'; `mog_jax.fit_table` takes a frame with groups",
        ),
        (np.array([1.0, 2.0, 5.0], object), "`data` must be real numbers; got dtype object"),
        (["a", "b"], "`data` must be real numbers; got dtype <U1"),
        ([1j, 2.0], "`data` must be real numbers; got dtype complex128"),
        ([datetime.date(2020, 1, 1)], "`data` must be real numbers"),
        ([[[1.0], 2.0]], r"`data\[0\]` must be an array of real numbers; .*[^.]\.$"),
        (np.array(["2020-01-01"], "M8[D]"), r"`data` must be real numbers; got dtype datetime64"),
        ([[1.0, 2.0], [3.0, [4.0]]], r"`data\[1\]` must be an array of real numbers"),
        ([1.0, [2.0, 3.0]], r"`data`, a list of .*; got data\[0\] of shape \(\)"),
        ([GOOD, np.zeros((2, 2))], r"`data`, a list of .*; got data\[1\] of shape \(2, 2\)"),
        ([GOOD, ["a"]], r"`data\[1\]` must be real numbers; got dtype <U1"),
        (Ragged([1.0, 2.0], [3, -1]), "`lengths` must be non-negative whole numbers"),
        (Ragged([1.0, 2.0], [2.0]), "`lengths` must be non-negative whole numbers"),
        (Ragged([1.0, 2.0], [1]), r"`lengths` must sum to the number of values, 2; got 1"),
        (Ragged([[1.0, 2.0]], [2]), r"`Ragged` takes values of shape \(total,\)"),
    ],
)
def test_data_of_another_kind_are_refused(data, message):
    with pytest.raises(ValueError, match=message):
        mog_jax.fit(data)


@pytest.mark.parametrize(
    ("data", "counts", "message"),
    [
        (GOOD, -np.ones(60), r"`counts` must be non-negative and finite; got counts\[0\] = -1.0"),
        (GOOD, np.where(GOOD > 3, np.nan, 1), r"non-negative and finite; got counts\[\d+\] = nan"),
        (GOOD, np.full(60, np.inf), r"non-negative and finite; got counts\[0\] = inf"),
        (GOOD, np.ones(3), r"`counts` must have the shape of `data`, \(60,\); got \(3,\)"),
        (GOOD, np.ones((1, 60)), r"the shape of `data`, \(60,\); got \(1, 60\)"),
        (GOOD, 2, r"`counts` must have the shape of `data`, \(60,\); got \(\)"),
        (GOOD, ["a"] * 60, "`counts` must be real numbers; got dtype <U1"),
        (np.stack([GOOD] * 2), np.ones(60), r"the shape of `data`, \(2, 60\); got \(60,\)"),
        ([GOOD, GOOD[:9]], 2, "`counts` must be a list of arrays, as `data` is; got int"),
        ([GOOD, GOOD[:9]], [np.ones(60)], "`counts` must have the lengths of `data`"),
        ([GOOD, GOOD[:9]], [np.ones(60), np.ones(8)], "`counts` must have the lengths of `data`"),
        ([GOOD, GOOD[:9]], [np.ones(60), None], r"`counts\[1\]` must be real numbers"),
        ([GOOD, GOOD[:9]], Ragged(np.ones(69), [9, 60]), "`counts` must have the lengths of"),
        (Ragged(GOOD, [40, 20]), Ragged(np.ones(60), [20, 40]), "`counts` must have the lengths"),
        (GOOD, Ragged(np.ones(60), [60]), "`counts` must have the lengths of `data`"),
    ],
)
def test_counts_of_another_kind_are_refused(data, counts, message):
    with pytest.raises(ValueError, match=message):
        mog_jax.fit(data, counts=counts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": np.nan}, "`tolerance` must be positive; got nan"),
        ({"tolerance": "1e-3"}, "`tolerance` must be positive; got '1e-3'"),
        ({"min_points": -1}, "`min_points` must be non-negative; got -1"),
        ({"min_points": np.inf}, "`min_points` must be non-negative; got inf"),
        ({"max_steps": 1.5}, "`max_steps` must be a whole number; got 1.5"),
        ({"variance_floor": 0.5}, "`variance_floor` must be at most 0.1; got 0.5"),
        ({"dtype": "float16"}, "`dtype` must be float32 or float64; got float16"),
        ({"dtype": "nonsense"}, "`dtype` must be float32 or float64; got 'nonsense'"),
        ({"starts": "many"}, "`starts` must be one of 'thorough', 'quick'; got 'many'"),
        ({"starts": ["quick"]}, r"`starts` must be one of 'thorough', 'quick'; got \['quick'\]"),
        ({"direction": ["em"]}, r"`direction` must be one of 'newton', .*; got \['em'\]"),
        ({"equal_variances": "no"}, "`equal_variances` must be True or False; got 'no'"),
        ({"fixed": 3.0}, "`fixed` must be a Mixture, NaN where free, or map names .*; got float"),
        ({"fixed": {"mean1": 3.0}}, "got 'mean1'; did you mean 'mean_1'?"),
        ({"fixed": {0: 3.0}}, "`fixed` must name parameters, weight_1, .*; got 0"),
        ({"fixed": {"mean_1": "x"}}, "`fixed` must hold real numbers; got mean_1 = 'x'"),
        ({"fixed": {"mean_1": [1.0, 2.0]}}, r"one for each dataset, shape \(1,\); got mean_1 of"),
        ({"fixed": {"weight_1": 0.5, "weight_2": 0.6}}, "`fixed` weights must sum to 1"),
        (
            {"fixed": Mixture(weights=np.array([0.5, 0.6]), means=NAN, variances=NAN)},
            "`fixed` weights must sum to 1",
        ),
        (
            {"fixed": Mixture(weights=NAN, means=NAN, variances=np.array([-1.0, np.nan]))},
            "`fixed` variances must be positive",
        ),
        (
            {"fixed": Mixture(weights=NAN, means=np.array([np.inf, np.nan]), variances=NAN)},
            "`fixed` mean_1 must be finite; got inf",
        ),
        (
            {"fixed": Mixture(weights=NAN, means=np.zeros(3), variances=NAN)},
            r"`fixed` must have fields of shape \(2,\) or \(1, 2\); got means of shape \(3,\)",
        ),
        ({"fixed": {"weight_1": 1.0}}, "`fixed` weight_1 must be between 0 and 1; got 1"),
        ({"fixed": {"sd_2": -1.0}}, "`fixed` sd_2 must be positive; got -1"),
        ({"fixed": {"mean_1": np.inf}}, "`fixed` mean_1 must be finite; got inf"),
        (
            {"fixed": {"sd_1": 1.0}, "equal_variances": True},
            "a fixed sd and `equal_variances=True` exclude each other",
        ),
    ],
)
def test_options_of_another_kind_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        mog_jax.fit(GOOD, **options)


@pytest.mark.parametrize("around", [jax.jit, jax.vmap, jax.grad])
def test_inside_jax_a_fit_says_what_to_use_instead(around):
    with pytest.raises(ValueError, match=r"a fit is no JAX function: .*local_maximum"):
        around(lambda x: mog_jax.fit(x).log_likelihood)(np.stack([GOOD, GOOD]))


AWKWARD = {
    "missing": (np.full(60, np.nan), Status.TOO_FEW_POINTS),
    "one point": (np.where(np.arange(60) == 7, 1.0, np.nan), Status.TOO_FEW_POINTS),
    "two points": (np.where(np.arange(60) < 2, np.arange(60.0), np.nan), Status.VARIANCE_FLOOR),
    "three points": (
        np.where(np.arange(60) < 3, np.arange(60.0) ** 2, np.nan),
        Status.VARIANCE_FLOOR,
    ),
    "constant": (np.full(60, 4.0), Status.CONSTANT),
    "two values": (np.arange(60.0) % 2, Status.VARIANCE_FLOOR),
    "infinity": (np.where(np.arange(60) == 7, np.inf, GOOD), Status.NOT_FINITE),
    "denormal spread": (GOOD * 1e-310, Status.OUT_OF_RANGE),
    "too wide": (GOOD * 1e306, Status.OUT_OF_RANGE),
    "narrow": (GOOD * 1e-150, Status.CONVERGED),
    "wide": (GOOD * 1e150, Status.CONVERGED),
    "far away": (GOOD + 1e12, Status.CONVERGED),
}


def test_in_a_batch_each_has_its_status_and_good_neighbours_keep_their_numbers():
    rows = [row for bad, _ in AWKWARD.values() for row in (bad, GOOD)]
    fits, alone = mog_jax.fit(np.stack(rows)), mog_jax.fit(GOOD)
    for i, (name, (_, status)) in enumerate(AWKWARD.items()):
        fit, neighbour = fits[2 * i], fits[2 * i + 1]
        assert Status(int(fit.status)) is status, name
        assert fit.status_name == status.name.lower()
        nothing = fit.reason == Reason.NOTHING_FITTED
        assert np.isnan(fit.mixture.means).all() == nothing, name
        assert np.isnan(fit.log_likelihood) == nothing, name
        assert ("nothing fitted" in repr(fit)) == nothing, name
        for one, two in zip(jax.tree.leaves(neighbour), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12, err_msg=name)
    assert fits.status_name.tolist() == [Status(status).name.lower() for status in fits.status]
    # A spread of 1 at 1e12 has its digits still: those that the points themselves have.
    far = fits[2 * list(AWKWARD).index("far away")].mixture
    np.testing.assert_allclose(far.means - 1e12, alone.mixture.means, atol=1e-3)
    np.testing.assert_allclose(far.variances, alone.mixture.variances, rtol=1e-3)


@pytest.mark.parametrize(
    ("data", "n"),
    [(np.zeros((0, 5)), 0), (np.zeros((1, 0)), 1), ([[], []], 2), (Ragged([], []), 0)],
)
def test_of_nothing_there_are_no_fits_or_empty_ones(data, n):
    fits = mog_jax.fit(data)
    assert len(fits) == n
    assert (fits.status == Status.TOO_FEW_POINTS).all()
    assert repr(fits).startswith("Fit of 1 dataset:" if n == 1 else f"Fit of {n} datasets")
    assert not repr(fits).endswith(": ")


def test_whole_numbers_truth_values_and_other_floats_are_numbers():
    whole = np.rint(GOOD * 10)
    expected = mog_jax.fit(whole)
    for dtype in (np.int8, np.int64, np.float16, np.longdouble):
        found = mog_jax.fit(whole.astype(dtype), dtype="float64")
        np.testing.assert_allclose(found.mixture.means, expected.mixture.means, rtol=1e-12)
    assert Status(int(mog_jax.fit(GOOD > 3).status)) is Status.VARIANCE_FLOOR


def test_what_is_masked_is_missing():
    masked = np.ma.masked_array(GOOD, mask=GOOD > 8)
    fit, dropped = mog_jax.fit(masked), mog_jax.fit(np.where(GOOD > 8, np.nan, GOOD))
    assert fit.n_missing == dropped.n_missing > 0
    np.testing.assert_array_equal(fit.mixture.means, dropped.mixture.means)
    assert mog_jax.fit(np.ma.masked_array(np.arange(60), mask=GOOD > 8)).n_points < 60
