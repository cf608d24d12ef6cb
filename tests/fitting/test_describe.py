"""`describe`: status, units and order of a fit from given ends of climbs."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mog_jax import Status
from mog_jax.fitting.climb.ascent import begin
from mog_jax.fitting.climb.directions import DIRECTIONS
from mog_jax.fitting.data.inputs import read
from mog_jax.fitting.data.standardise import standardise
from mog_jax.fitting.options import FitOptions
from mog_jax.fitting.results.describe import Ended, Higher, describe

OPTIONS = FitOptions(
    direction=DIRECTIONS["newton"],
    starts="default",
    tolerance=1e-9,
    max_steps=100,
    variance_floor=1e-6,
    min_points=5,
    equal_variances=False,
    choose="penalised",
)
APART = [0.0, -1.0, 1.0, 0.0, 0.0]
FREE, UNIT = np.ones((5, 1), bool), np.eye(5)


def described(
    theta=APART,
    counts=(20.0, 20.0),
    log_likelihood=-10.0,
    has_arrived=True,
    on_floor=False,
    on_atom=False,
    x=None,
    free=FREE,
    observed=UNIT,
):
    """Describe the given end of one dataset, by default of 40 points of mean 0 and variance 1."""
    data = standardise(read(np.resize([-1.0, 1.0], 40) if x is None else x, None), np.arange(1))
    end = begin(np.array(theta, float)[:, None])
    sums = dataclasses.replace(
        end.sums,
        log_likelihood=np.array([log_likelihood]),
        effective_counts=np.array(counts)[:, None],
    )
    end = dataclasses.replace(end, sums=sums, gain_left=np.array([1e-12]))
    ended = Ended(*(np.array([each]) for each in (has_arrived, on_floor, on_atom)))
    passes, information = np.array([7]), np.array(observed)[..., None]
    precision = np.dtype(np.float64)
    higher = Higher(np.array([2.0]), np.array([3.0]))
    return describe(end, ended, information, passes, data, free, OPTIONS, precision, higher)


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ({}, Status.CONVERGED),
        # Components that coincide: in both means and variances, in units of the wider deviation.
        ({"theta": [0, 0, 0.9e-4, 0, 0.9e-4]}, Status.DEGENERATE),
        ({"theta": [0, 0.9e-4, 0, 0.9e-4, 0]}, Status.DEGENERATE),
        ({"theta": [0, 0, 1.1e-4, 0, 0.9e-4]}, Status.CONVERGED),
        ({"theta": [0, 0, 0.9e-4, 0, 1.1e-4]}, Status.CONVERGED),
        ({"theta": [0, 0, 0.9e-4, 1.1e-4, 0]}, Status.CONVERGED),
        ({"theta": [0, 0, 2.6e-4, 2, 2]}, Status.DEGENERATE),
        ({"theta": [0, 0, 2.8e-4, 2, 2]}, Status.CONVERGED),
        ({"theta": [0, 0, 0.3e-4, -2, -2]}, Status.DEGENERATE),
        ({"theta": [0, 0, 0.4e-4, -2, -2]}, Status.CONVERGED),
        # An empty component, and one with too few points.
        ({"counts": [0.9e-3, 40]}, Status.DEGENERATE),
        ({"counts": [40, 0.9e-3]}, Status.DEGENERATE),
        ({"counts": [1.1e-3, 40]}, Status.SPURIOUS),
        # Few points are accepted where there are two, and two components beat one Gaussian.
        ({"counts": [35, 4.999]}, Status.FEW_POINTS),
        ({"counts": [35, 1.99]}, Status.FEW_POINTS),
        ({"counts": [35, 1.2]}, Status.SPURIOUS),
        ({"counts": [35, 4.999], "log_likelihood": -56.0}, Status.SPURIOUS),
        ({"counts": [5, 35]}, Status.CONVERGED),
        # The order of the statuses, if several apply.
        ({"has_arrived": False}, Status.STEP_LIMIT),
        ({"has_arrived": False, "counts": [1, 39]}, Status.STEP_LIMIT),
        ({"on_floor": True, "has_arrived": False, "counts": [1, 39]}, Status.VARIANCE_FLOOR),
        ({"on_floor": True, "counts": [0, 40]}, Status.DEGENERATE),
        ({"on_floor": True, "on_atom": True, "has_arrived": False}, Status.ATOM),
        ({"on_atom": True}, Status.CONVERGED),
        ({"on_floor": True, "log_likelihood": np.nan}, Status.OUT_OF_RANGE),
        ({"x": np.full(9, 3.0)}, Status.CONSTANT),
        ({"x": np.array([3.0, 4.0])}, Status.CONVERGED),
        ({"x": np.array([3.0])}, Status.TOO_FEW_POINTS),
        ({"x": np.array([np.nan, np.nan])}, Status.TOO_FEW_POINTS),
        ({"x": np.array([3.0, np.inf])}, Status.NOT_FINITE),
    ],
)
def test_how_a_climb_has_ended_is_said_in_this_order(end, status):
    assert described(**end).status.tolist() == [status]


def test_what_was_not_fitted_is_missing_and_what_the_data_say_stays():
    fit = described(log_likelihood=np.nan, x=np.array([1.0, 2.0, 6.0]))
    for field in (*vars(fit.mixture).values(), fit.log_likelihood, fit.gain_left, fit.information):
        assert np.isnan(field).all()
    assert (fit.n_passes.item(), fit.n_points.item(), fit.n_missing.item()) == (0, 3, 0)
    assert np.isnan(fit.one_component.mean).all()
    for x in ([4.0], [4.0, 4.0, np.nan]):
        constant = described(log_likelihood=np.nan, x=np.array(x)).one_component
        assert (constant.mean.item(), constant.variance.item()) == (4, 0)
    for x in ([np.nan], [4.0, np.inf]):
        assert np.isnan(described(log_likelihood=np.nan, x=np.array(x)).one_component.mean).all()


@given(
    mean=st.integers(-8, 8),
    scale=st.sampled_from([2.0**-30, 0.5, 4.0, 2.0**30]),
    theta=st.tuples(*[st.integers(-8, 8).map(lambda eighths: eighths / 8)] * 5),
    free=st.tuples(*[st.booleans()] * 5),
)
def test_units_and_order_are_those_of_the_data(mean, scale, theta, free):
    x = scale * (mean + np.resize([-1.0, 1.0], 40))
    root = np.random.default_rng(0).normal(size=(5, 5))
    standard = root @ root.T
    fit = described(theta, x=x, free=np.array(free)[:, None], observed=standard)
    logit, *means, first, second = theta
    weights = [1 / (1 + math.exp(-logit)), 1 / (1 + math.exp(logit))]
    variances = [scale**2 * math.exp(first), scale**2 * math.exp(second)]
    # Derivatives of the climb's coordinates by those of the fit.
    moves = np.diag([1, 1 / scale, 1 / scale, 1, 1])
    is_swapped = means[0] > means[1]
    if is_swapped:
        weights, means, variances = weights[::-1], means[::-1], variances[::-1]
        exchange = np.eye(5)[[0, 2, 1, 4, 3]]
        exchange[0, 0] = -1
        moves = exchange @ moves
    np.testing.assert_allclose(fit.mixture.weights[0], weights, rtol=1e-14)
    np.testing.assert_allclose(fit.mixture.means[0], scale * (mean + np.array(means)), rtol=1e-14)
    np.testing.assert_allclose(fit.mixture.variances[0], variances, rtol=1e-14)
    np.testing.assert_allclose(fit.information[0], moves.T @ standard @ moves, rtol=1e-12)
    expected = np.array(free)[[0, 2, 1, 4, 3]] if is_swapped else np.array(free)
    assert fit.fixed[0].tolist() == (~expected).tolist()
    # The density of a point in another unit is another.
    np.testing.assert_allclose(fit.log_likelihood, -10 - 40 * math.log(scale), rtol=1e-14)
    one = fit.one_component
    assert (one.mean.item(), one.variance.item()) == (scale * mean, scale**2)
    density = -0.5 * math.log(2 * math.pi * scale**2) - 0.5
    np.testing.assert_allclose(one.log_likelihood, 40 * density, rtol=1e-14)
    assert (fit.n_points.item(), fit.n_passes.item(), fit.gain_left.item()) == (40, 7, 1e-12)
