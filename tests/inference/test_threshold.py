import itertools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mog_jax import Mixture, responsibilities
from mog_jax.inference import (
    Crossing,
    Reason,
    covariance,
    monotone_responsibilities,
    quantile_threshold,
    threshold,
)
from tests.inference.cases import (
    TRUTH,
    dataset,
    from_theta,
    information_by_autodiff,
    mixture_of,
    pairs,
    stacked,
    to_theta,
)

COVARIANCE = np.diag([0.02, 0.01, 0.03, 0.05, 0.04]) + 0.002


def log_odds(mixture, x):
    """Log-odds of the lower component, in 50 digits."""
    (w1, w2), (m1, m2), (v1, v2) = (
        map(mpmath.mpf, np.asarray(field).tolist())
        for field in (mixture.weights, mixture.means, mixture.variances)
    )
    x = mpmath.mpf(float(x))
    return mpmath.log(w1 / w2) + (mpmath.log(v2 / v1) + (x - m2) ** 2 / v2 - (x - m1) ** 2 / v1) / 2


def crosses_at(mixture, root, target):
    """Whether the log-odds cross the target within a few ulps of the root and of the means."""
    with mpmath.workdps(50):
        reach = 1e-12 * max(abs(float(root)), *np.abs(np.asarray(mixture.means)))
        signs = [log_odds(mixture, root + step) - target for step in (-reach, reach)]
        return signs[0] * signs[1] <= 0


@pytest.mark.parametrize("name", TRUTH)
def test_thresholds_are_the_published_half_posterior_points(name):
    mixture = mixture_of(TRUTH[name])
    found = threshold(mixture, covariance(information_by_autodiff(mixture, dataset(name))))
    np.testing.assert_allclose(found.roots, TRUTH[name]["half_posterior_points"], rtol=1e-6)
    assert found.crossing == Crossing.BETWEEN_MEANS
    assert found.value in found.roots
    assert found.other in found.roots
    assert found.value != found.other
    np.testing.assert_allclose(responsibilities(mixture, found.roots[None][0]), 0.5, atol=1e-9)


@given(pairs(), st.sampled_from([0.5, 0.01, 0.9]))
def test_the_posterior_is_what_was_asked_for_at_every_root(mixture, posterior):
    found = threshold(mixture, COVARIANCE, posterior=posterior)
    target = mpmath.log((1 - mpmath.mpf(posterior)) / posterior)
    variances = np.asarray(mixture.variances)
    # At a double root, or where the quadratic is nearly linear, the far root is ill-conditioned.
    for root in found.roots[np.isfinite(found.roots)]:
        far = abs(root) > 1e3 * max(np.sqrt(variances.max()), *np.abs(np.asarray(mixture.means)))
        touches = abs(found.roots[1] - found.roots[0]) < 1e-5 * abs(root)
        assert far or touches or crosses_at(mixture, root, target)
    if found.crossing == Crossing.NEVER:
        middle = mixture.means[np.argmin(variances)]
        grid = middle + np.sqrt(variances.max()) * np.linspace(-20, 20, 401)
        signs = np.sign([float(log_odds(mixture, x) - target) for x in grid])
        assert len(set(signs)) == 1
    if found.crossing == Crossing.BETWEEN_MEANS:
        assert mixture.means[0] <= found.value <= mixture.means[1]
        assert found.value in found.roots
    else:
        assert np.isnan([found.value, found.other, found.standard_error]).all()


def place_slope(posterior):
    def place(theta):
        return threshold(from_theta(theta), COVARIANCE, posterior=posterior).value

    return jax.jit(jax.jacfwd(place))


PLACE_SLOPES = {posterior: place_slope(posterior) for posterior in (0.5, 0.2)}


@given(pairs(separation=(2.0, 12.0)), st.sampled_from(list(PLACE_SLOPES)))
def test_its_standard_error_is_the_delta_method_by_autodiff(mixture, posterior):
    with jax.enable_x64(True):
        slope = np.asarray(PLACE_SLOPES[posterior](jnp.asarray(to_theta(mixture))))
    found = threshold(mixture, COVARIANCE, posterior=posterior)
    assume(found.crossing == Crossing.BETWEEN_MEANS)
    assume(np.ptp(found.roots) > 1e-3 * np.ptp(mixture.means))
    np.testing.assert_allclose(found.standard_error, np.sqrt(slope @ COVARIANCE @ slope), rtol=1e-6)


@given(pairs(separation=(1.0, 10.0)), st.floats(0.1, 10), st.floats(-5, 5))
def test_it_moves_with_the_unit_and_turns_with_the_sign(mixture, scale, shift):
    base = threshold(mixture, COVARIANCE)
    assume(base.crossing == Crossing.BETWEEN_MEANS)
    span = np.ptp(mixture.means)
    moved = threshold(mixture.affine(scale, shift * span), COVARIANCE)
    tolerance = 1e-9 * scale * (span + abs(shift) * span + abs(base.value))
    np.testing.assert_allclose(
        moved.value, scale * base.value + shift * span, rtol=1e-9, atol=tolerance
    )
    turned = threshold(mixture.affine(-1.0, 0.0).ordered(), COVARIANCE)
    np.testing.assert_allclose(turned.value, -base.value, rtol=1e-9, atol=1e-9 * span)
    np.testing.assert_allclose(turned.false_positive_rate, base.false_negative_rate, rtol=1e-6)


def test_equal_variances_have_one_crossing_and_the_other_at_infinity():
    mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 4], variances=[2, 2])
    found = threshold(mixture, COVARIANCE)
    assert (found.value, found.other) == (2, np.inf)
    np.testing.assert_array_equal(found.roots, [2, np.inf])
    np.testing.assert_allclose(found.false_positive_rate, 0.07864960352514258, rtol=1e-12)


def test_a_component_that_holds_both_means_has_no_threshold_and_says_so():
    mixture = stacked(
        [
            # The second is buried; the second is buried on a slope; all is well; nothing there.
            Mixture.from_arrays(weights=[0.99, 0.01], means=[0, 1], variances=[1, 1.2]),
            Mixture.from_arrays(weights=[0.9, 0.1], means=[0, 1], variances=[1, 0.3]),
            Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 5], variances=[1, 1.5]),
            Mixture(weights=np.full(2, np.nan), means=np.full(2, np.nan), variances=np.ones(2)),
            Mixture.from_arrays(weights=[0.99, 0.01], means=[0, 0], variances=[1, 1]),
        ]
    )
    found = threshold(mixture, np.broadcast_to(COVARIANCE, (5, 5, 5)))
    assert found.crossing.tolist() == [
        Crossing.OUTSIDE_MEANS,
        Crossing.NEVER,
        Crossing.BETWEEN_MEANS,
        Crossing.NOTHING_FITTED,
        Crossing.NEVER,
    ]
    assert np.isfinite(found.roots[0]).all()
    missing = [0, 1, 3, 4]
    for field in ("value", "standard_error", "other", "false_positive_rate"):
        assert np.isnan(getattr(found, field)[missing]).all(), field
        assert np.isfinite(getattr(found, field)[2]), field
    assert repr(found) == "Threshold of 5 fits: 1 between the means"


def test_without_a_covariance_there_is_a_value_and_a_reason():
    mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 5], variances=[1, 1.5])
    found = threshold(mixture, np.full((5, 5), np.nan))
    assert np.isfinite(found.value)
    assert np.isnan(found.standard_error)
    assert found.reason == Reason.SINGULAR
    stopped = threshold(mixture, COVARIANCE, Reason.NOT_AT_MAXIMUM)
    assert np.isnan(stopped.standard_error)
    assert stopped.reason == Reason.NOT_AT_MAXIMUM


def test_a_higher_posterior_is_farther_up_and_costs_the_other_error():
    mixture = mixture_of(TRUTH["faithful_waiting"])
    found = [threshold(mixture, COVARIANCE, posterior=p) for p in (0.1, 0.5, 0.9)]
    for lower, upper in itertools.pairwise(found):
        assert lower.value < upper.value
        assert lower.false_positive_rate > upper.false_positive_rate
        assert lower.false_negative_rate < upper.false_negative_rate


def test_a_rate_of_false_positives_is_kept():
    mixture = mixture_of(TRUTH["acidity"])
    found = quantile_threshold(mixture, COVARIANCE, false_positive_rate=0.01)
    np.testing.assert_allclose(found.false_positive_rate, 0.01, rtol=1e-12)
    with jax.enable_x64(True):

        def place(theta):
            m = from_theta(theta)
            return quantile_threshold(m, COVARIANCE, false_positive_rate=0.01).value

        slope = np.asarray(jax.jacfwd(place)(jnp.asarray(to_theta(mixture))))
    np.testing.assert_allclose(found.standard_error, np.sqrt(slope @ COVARIANCE @ slope), rtol=1e-9)
    assert np.isnan(found.other)


@given(pairs())
def test_the_monotone_posterior_never_turns_back_and_changes_only_one_tail(mixture):
    deviation = float(np.max(mixture.standard_deviations))
    x = np.linspace(
        float(mixture.means[0]) - 12 * deviation, float(mixture.means[1]) + 12 * deviation, 501
    )
    plain, monotone = responsibilities(mixture, x), monotone_responsibilities(mixture, x)
    assert np.all(np.diff(monotone[:, 1]) >= -1e-12)
    changed = np.abs(plain - monotone)[:, 1] > 1e-9
    between = (x >= mixture.means[0]) & (x <= mixture.means[1])
    assert not changed[between].any()
    tails = {"low": x < mixture.means[0], "high": x > mixture.means[1]}
    assert not (changed[tails["low"]].any() and changed[tails["high"]].any())


def test_the_monotone_threshold_has_no_other_crossing():
    mixture = mixture_of(TRUTH["acidity"])
    plain, monotone = (threshold(mixture, COVARIANCE, monotone=m) for m in (False, True))
    assert plain.value == monotone.value
    assert np.isnan(monotone.other)
    assert np.isfinite(plain.other)
    np.testing.assert_array_equal(monotone.roots, [plain.value, np.nan])


@pytest.mark.parametrize("value", [0.0, 1.0, -1, np.nan])
def test_impossible_probabilities_are_refused(value):
    mixture = mixture_of(TRUTH["acidity"])
    with pytest.raises(ValueError, match="`posterior` must lie between 0 and 1; got"):
        threshold(mixture, COVARIANCE, posterior=value)
    with pytest.raises(ValueError, match="`false_positive_rate` must lie between 0 and 1; got"):
        quantile_threshold(mixture, COVARIANCE, false_positive_rate=value)
