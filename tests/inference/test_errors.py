import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mog_jax import Mixture
from mog_jax.inference import (
    Reason,
    confidence_intervals,
    covariance,
    sandwich,
    standard_errors,
)
from mog_jax.inference.scores import scores
from mog_jax.likelihood import log_density
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

FIELDS = ("weights", "means", "variances", "standard_deviations")


def definite(rng, batch=()):
    """Draw a well-conditioned information matrix."""
    half = rng.normal(size=(*batch, 5, 9))
    return half @ np.swapaxes(half, -1, -2)


@pytest.mark.parametrize("name", TRUTH)
def test_standard_errors_are_the_published_ones(name):
    mixture, known = mixture_of(TRUTH[name]), TRUTH[name]["standard_errors"]
    errors = standard_errors(mixture, covariance(information_by_autodiff(mixture, dataset(name))))
    np.testing.assert_allclose(errors.weights, [known["weight"]] * 2, rtol=1e-6)
    np.testing.assert_allclose(errors.means, known["means"], rtol=1e-6)
    np.testing.assert_allclose(errors.standard_deviations, known["standard_deviations"], rtol=1e-6)
    np.testing.assert_allclose(
        errors.variances, 2 * mixture.standard_deviations * errors.standard_deviations, rtol=1e-12
    )
    assert errors.reason == Reason.KNOWN


@jax.jit
@jax.jacfwd
def natural_jacobian(theta):
    m = from_theta(theta)
    return jnp.concatenate([m.weights, m.means, m.variances, jnp.sqrt(m.variances)])


@given(pairs(), st.integers(0, 2**32 - 1))
def test_the_delta_method_is_the_jacobian_of_the_natural_parameters(mixture, seed):
    matrix = covariance(definite(np.random.default_rng(seed)))
    with jax.enable_x64(True):
        jacobian = np.asarray(natural_jacobian(jnp.asarray(to_theta(mixture))))
    expected = np.sqrt(np.diagonal(jacobian @ matrix @ jacobian.T))
    errors = standard_errors(mixture, matrix)
    found = np.concatenate([np.asarray(getattr(errors, field)) for field in FIELDS])
    np.testing.assert_allclose(found, expected, rtol=1e-8)


@given(pairs(), st.floats(0.5, 0.999))
def test_intervals_hold_the_estimate_in_their_middle_on_their_own_scale(mixture, level):
    matrix = covariance(definite(np.random.default_rng(7)))
    intervals = confidence_intervals(mixture, matrix, level=level)
    for field in FIELDS:
        ends, at = getattr(intervals, field), np.asarray(getattr(mixture, field))
        assert ends.shape == (2, 2)
        assert np.all(ends[:, 0] < at), field
        assert np.all(at < ends[:, 1]), field
    np.testing.assert_allclose(np.prod(intervals.variances, -1), np.square(mixture.variances))
    weights = intervals.weights
    np.testing.assert_allclose(weights[0] + weights[1, ::-1], 1)
    assert np.all((weights > 0) & (weights < 1))


def test_a_wider_level_gives_wider_intervals():
    mixture = Mixture.from_arrays(weights=[0.3, 0.7], means=[0, 4], variances=[1, 2])
    matrix = covariance(definite(np.random.default_rng(1)))
    narrow, wide = (confidence_intervals(mixture, matrix, level=level) for level in (0.5, 0.9))
    for field in FIELDS:
        assert np.all(np.ptp(getattr(narrow, field), -1) < np.ptp(getattr(wide, field), -1))
    z = 1.6448536269514722
    np.testing.assert_allclose(
        np.ptp(wide.means, -1), 2 * z * standard_errors(mixture, matrix).means, rtol=1e-12
    )


def test_a_batch_is_its_members():
    rng = np.random.default_rng(3)
    members = [
        Mixture.from_arrays(weights=[0.3, 0.7], means=[0, 1 + i], variances=[1, 2 + i])
        for i in range(3)
    ]
    information = definite(rng, (3,))
    information[1] = -1.0
    batch = stacked(members)
    whole = standard_errors(batch, covariance(information), [0, 0, Reason.BOUNDARY])
    assert whole.reason.tolist() == [Reason.KNOWN, Reason.SINGULAR, Reason.BOUNDARY]
    first = standard_errors(members[0], covariance(information[0]))
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(whole, field)[0], getattr(first, field))
        assert np.isnan(getattr(whole, field)[1:]).all()
        assert np.isnan(
            getattr(confidence_intervals(batch, covariance(information)), field)[1]
        ).all()
    assert repr(whole) == "StandardErrors of 3 fits: 1 known, 2 NaN"
    alone = standard_errors(members[0], covariance(information[0]), Reason.BOUNDARY)
    assert repr(alone).startswith("StandardErrors(NaN: the fit lies on a boundary")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_precision_is_that_of_the_input(dtype):
    mixture = Mixture.from_arrays(
        **{k: np.array(v, dtype) for k, v in {"weights": [0.5, 0.5], "means": [0, 5]}.items()},
        variances=np.array([1, 4], dtype),
    )
    matrix = covariance(definite(np.random.default_rng(0)).astype(dtype))
    assert matrix.dtype == dtype
    assert standard_errors(mixture, matrix).means.dtype == dtype
    assert confidence_intervals(mixture, matrix).weights.dtype == dtype


@given(st.integers(0, 2**32 - 1))
def test_covariance_is_the_inverse_on_what_is_free(seed):
    rng = np.random.default_rng(seed)
    information = definite(rng)
    np.testing.assert_allclose(covariance(information) @ information, np.eye(5), rtol=0, atol=1e-9)
    held = rng.random(5) < 0.4
    free = ~held
    expected = np.zeros((5, 5))
    expected[np.ix_(free, free)] = np.linalg.inv(information[np.ix_(free, free)])
    np.testing.assert_allclose(covariance(information, fixed=held), expected, rtol=1e-8, atol=1e-12)
    basis = np.eye(5)[:, :4] + np.outer(np.eye(5)[4], np.eye(4)[3])
    equal = covariance(information, equal_variances=True)
    expected = basis @ np.linalg.inv(basis.T @ information @ basis) @ basis.T
    np.testing.assert_allclose(equal, expected, rtol=1e-8)
    np.testing.assert_allclose(equal[3], equal[4], rtol=1e-12)


@given(st.integers(0, 2**32 - 1), st.lists(st.floats(-150, 150), min_size=5, max_size=5))
def test_whether_the_information_is_singular_does_not_depend_on_units(seed, powers):
    information = definite(np.random.default_rng(seed))
    units = 2.0 ** np.round(powers)
    scaled = covariance(units[:, None] * information * units)
    np.testing.assert_array_equal(units[:, None] * scaled * units, covariance(information))
    information[:, 4] = information[:, 3]
    information[4, :] = information[3, :]
    assert np.isnan(covariance(units[:, None] * information * units)).all()


@pytest.mark.parametrize("bad", [0.0, np.nan, -1.0, np.inf])
def test_an_information_that_says_nothing_gives_nan_and_not_its_neighbours(bad):
    good = definite(np.random.default_rng(0))
    broken = good.copy()
    broken[2, :] = broken[:, 2] = bad
    found = covariance(np.stack([broken, good]))
    assert np.isnan(found[0]).all()
    np.testing.assert_array_equal(found[1], covariance(good))


def test_components_that_coincide_have_no_standard_errors():
    mixture = Mixture.from_arrays(weights=[0.4, 0.6], means=[1, 1], variances=[2, 2])
    x = np.random.default_rng(0).normal(1, np.sqrt(2), 50)
    errors = standard_errors(mixture, covariance(information_by_autodiff(mixture, x)))
    assert errors.reason == Reason.SINGULAR
    assert np.isnan(errors.means).all()
    assert "cannot tell" in repr(errors)


@jax.jit
def by_autodiff(theta, x):
    return jax.jacfwd(lambda t: log_density(from_theta(t), x))(theta)


@given(pairs(separation=(0.0, 6.0)))
def test_scores_are_the_derivatives_of_the_log_density(mixture):
    deviation = float(np.max(mixture.standard_deviations))
    x = float(np.mean(mixture.means)) + deviation * np.linspace(-6, 6, 9)
    with jax.enable_x64(True):
        theta = jnp.asarray(to_theta(mixture))
        expected = np.asarray(by_autodiff(theta, jnp.asarray(x)))
        found = np.asarray(scores(mixture, jnp.asarray(x)))
    # In units of a standard deviation, where the scores are of the size of 1.
    unit = np.concatenate([[1], np.asarray(mixture.standard_deviations), [1, 1]])
    np.testing.assert_allclose(found * unit, expected * unit, rtol=1e-8, atol=1e-11)


def test_the_sandwich_is_what_it_says_and_counts_are_repetitions():
    rng = np.random.default_rng(5)
    mixture = Mixture.from_arrays(weights=[0.3, 0.7], means=[0, 4], variances=[1, 2])
    x = np.round(rng.normal(2, 2, (2, 40)), 1)
    counts = rng.integers(0, 4, (2, 40))
    matrix = covariance(definite(rng, (2,)))
    both = stacked([mixture, mixture])
    found = sandwich(matrix, both, x, counts)
    for i in range(2):
        repeated = np.repeat(x[i], counts[i])
        with jax.enable_x64(True):
            s = np.asarray(scores(mixture, jnp.asarray(repeated)))
        np.testing.assert_allclose(found[i], matrix[i] @ s.T @ s @ matrix[i], rtol=1e-9)
        np.testing.assert_allclose(sandwich(matrix[i], mixture, repeated), found[i], rtol=1e-9)


def test_the_sandwich_agrees_with_the_information_where_the_model_is_true():
    mixture = Mixture.from_arrays(weights=[0.4, 0.6], means=[0, 5], variances=[1, 2])
    x = mixture.sample(jax.random.key(1), 50_000)
    matrix = covariance(information_by_autodiff(mixture, x))
    ratio = np.diagonal(sandwich(matrix, mixture, x)) / np.diagonal(matrix)
    np.testing.assert_allclose(ratio, 1, atol=0.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: covariance(np.eye(4)), r"`information` must have shape .* got \(4, 4\)"),
        (
            lambda: covariance(np.eye(5), fixed=[0, 1]),
            r"`fixed` must have shape \(5,\); got \(2,\)",
        ),
        (
            lambda: confidence_intervals(mixture_of(TRUTH["acidity"]), np.eye(5), level=95),
            r"`level` must lie between 0 and 1; got 95",
        ),
        (
            lambda: sandwich(
                np.ones((3, 5, 5)), mixture_of(TRUTH["acidity"]), np.ones((2, 7)), None
            ),
            r"must share one batch; got batches \(2,\) and \(3,\)",
        ),
    ],
)
def test_wrong_arguments_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
