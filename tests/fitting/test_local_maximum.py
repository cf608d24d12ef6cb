"""`local_maximum`: where it ends, and its derivatives by the data."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mog_jax
from mog_jax import Mixture, local_maximum
from mog_jax.inference.scores import score_slopes
from tests.fitting.draws import SIZE, two_clear_components

RNG = np.random.default_rng(3)
X = np.concatenate([RNG.normal(0, 1, 25), RNG.normal(5, 2, 35)])
# Near the maximum for X. Parameters of tests use it: nothing is fitted while tests are collected.
NEAR = Mixture(
    weights=np.array([0.4, 0.6]), means=np.array([0.0, 5.0]), variances=np.array([1.0, 4.0])
)


@pytest.fixture(scope="module")
def top():
    """The maximum, as the fit finds it."""
    return mog_jax.fit(X).mixture


def flat(mixture):
    """The five coordinates, of a mixture of JAX or NumPy arrays."""
    weights, variances = jnp.asarray(mixture.weights), jnp.asarray(mixture.variances)
    logit = jnp.log(weights[..., :1]) - jnp.log(weights[..., 1:])
    return jnp.concatenate([logit, jnp.asarray(mixture.means), jnp.log(variances)], axis=-1)


@functools.partial(jax.jit, static_argnames="equal_variances")
def jacobians(x, counts, start, equal_variances=False):
    def coordinates(x, counts):
        return flat(local_maximum(x, start, counts=counts, equal_variances=equal_variances))

    return jax.jacrev(coordinates, (0, 1))(x, counts)


def sensitivities(x, start, counts=None, **options):
    """Derivatives of the five coordinates with respect to points and counts, (5, n) each."""
    with jax.enable_x64(True):
        found = jacobians(x, np.ones_like(x) if counts is None else counts, start, **options)
    return jax.tree.map(np.asarray, found)


@jax.jit
def mean_slopes(x, start):
    return jax.grad(lambda x: jnp.sum(local_maximum(x, start).means))(x)


def refitted(x, counts=None, **options):
    with jax.enable_x64(True):
        return np.asarray(flat(mog_jax.fit(x, counts=counts, **options).mixture))


@pytest.mark.parametrize("off", [0.0, 0.3, -0.5])
def test_it_arrives_where_the_fit_is(off, top):
    start = dataclasses.replace(top, means=top.means + off)
    found = local_maximum(X, start)
    for field in ("weights", "means", "variances"):
        np.testing.assert_allclose(getattr(found, field), getattr(top, field), rtol=1e-7)


def test_components_keep_the_order_of_the_start(top):
    start = jax.tree.map(lambda field: field[::-1], top)
    found = local_maximum(X, start)
    np.testing.assert_allclose(found.means, top.means[::-1], rtol=1e-9)


@pytest.mark.parametrize("equal_variances", [False, True])
def test_derivatives_are_what_fitting_moved_data_again_gives(equal_variances):
    options = {"equal_variances": equal_variances}
    counts = np.arange(SIZE) % 3 + 0.5
    start = mog_jax.fit(X, counts=counts, **options).mixture
    by_point, by_count = sensitivities(X, start, counts, **options)
    step = 1e-2
    for i in (0, 17, 40, 59):
        one = step * np.eye(SIZE)[i]
        # The two sides of each difference are rows of one batch.
        up, down = refitted(
            np.stack([X + one, X - one]), counts=np.stack([counts, counts]), **options
        )
        np.testing.assert_allclose(by_point[:, i], (up - down) / (2 * step), rtol=1e-3, atol=1e-5)
        up, down = refitted(
            np.stack([X, X]), counts=np.stack([counts + one, counts - one]), **options
        )
        np.testing.assert_allclose(by_count[:, i], (up - down) / (2 * step), rtol=1e-3, atol=1e-5)


@settings(max_examples=25)
@given(two_clear_components(), st.booleans())
def test_the_maximum_follows_shifts_and_units_and_ignores_a_second_copy(x, counted):
    counts = np.arange(x.size) % 3 + 1.0 if counted else np.ones(x.size)
    fit = mog_jax.fit(x, counts=counts)
    by_point, by_count = sensitivities(x, fit.mixture, counts)
    means, deviations = fit.mixture.means, fit.mixture.standard_deviations
    # In natural units: standard deviations for the means, 1 for the others.
    unit = np.array([1, *deviations, 1, 1])
    np.testing.assert_allclose(by_point.sum(axis=1) / unit, [0, *1 / deviations, 0, 0], atol=1e-6)
    scaled = by_point @ (x - means[0]) / unit
    expected = np.array([0, 0, means[1] - means[0], 2, 2]) / unit
    np.testing.assert_allclose(scaled, expected, atol=1e-6)
    np.testing.assert_allclose(by_count @ counts / unit, np.zeros(5), atol=1e-6)


def test_influences_add_up_to_the_sandwich():
    counts = np.arange(SIZE) % 3 + 0.5
    fit = mog_jax.fit(X, counts=counts)
    _, by_count = sensitivities(X, fit.mixture, counts)
    np.testing.assert_allclose(
        (by_count * counts[None]) @ by_count.T,
        fit.covariance(X, counts=counts, kind="sandwich"),
        rtol=1e-7,
    )


def test_the_derivative_is_that_of_one_newton_step_of_the_textbook(top):
    with jax.enable_x64(True):
        theta = flat(top)

        def value(theta, x, counts):
            weights = jax.nn.softmax(jnp.stack([theta[0], jnp.zeros_like(theta[0])]))
            mixture = Mixture(weights=weights, means=theta[1:3], variances=jnp.exp(theta[3:]))
            return mog_jax.log_likelihood(mixture, x, counts)

        def newton(x, counts):
            slope = jax.grad(value)(theta, x, counts)
            return theta - jnp.linalg.solve(jax.hessian(value)(theta, x, counts), slope)

        expected = jax.jit(jax.jacfwd(newton, (0, 1)))(jnp.asarray(X), jnp.ones(SIZE))
    for found, wanted in zip(sensitivities(X, top), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9)


def test_slopes_of_scores_are_finite_far_out(top):
    with jax.enable_x64(True):
        mixture = jax.tree.map(jnp.asarray, top)
        slopes = score_slopes(mixture, jnp.asarray([-1e6, 0.0, 1e6]))
    assert np.isfinite(slopes).all()


def test_forward_is_reverse_and_second_derivatives_are_those_of_the_first(top):
    with jax.enable_x64(True):
        x = jnp.asarray(X)

        def summed(x):
            return jnp.sum(flat(local_maximum(x, top)))

        slope = jax.jit(jax.grad(summed))
        reverse, forward = jax.grad(summed)(x), jax.jacfwd(summed)(x)
        np.testing.assert_allclose(forward, reverse, rtol=1e-10, atol=1e-13)
        one = jnp.zeros(SIZE).at[7].set(1.0)
        twice = jax.jvp(slope, (x,), (one,))[1]
        step = 1e-4
        quotient = (slope(x + step * one) - slope(x - step * one)) / (2 * step)
    np.testing.assert_allclose(twice, quotient, rtol=1e-4, atol=1e-9)


def test_it_compiles_and_maps_over_datasets_and_starts():
    data = np.stack([X, 1 - X])
    starts = mog_jax.fit(data).mixture
    with jax.enable_x64(True):
        together = jax.jit(jax.vmap(local_maximum))(data, starts)
        slopes = jax.vmap(mean_slopes)(data, starts)
        for i in range(2):
            alone = mean_slopes(data[i], jax.tree.map(lambda field: field[i], starts))  # noqa: B023
            np.testing.assert_allclose(slopes[i], alone, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(together.means, starts.means, rtol=1e-9)


def test_a_missing_point_is_not_there_and_a_point_of_count_0_can_be_asked_about(top):
    holed = np.where(np.arange(SIZE) == 5, np.nan, X)
    dropped = mog_jax.fit(holed)
    np.testing.assert_allclose(local_maximum(holed, top).means, dropped.mixture.means, rtol=1e-9)
    by_point, by_count = sensitivities(holed, top)
    assert (by_point[:, 5] == 0).all()
    assert (by_count[:, 5] == 0).all()
    # The derivative by the count of a point at 20 that was not seen.
    asked = np.where(np.arange(SIZE) == 5, 20.0, X)
    counts = np.where(np.arange(SIZE) == 5, 0.0, 1.0)
    by_point, by_count = sensitivities(asked, top, counts)
    assert (by_point[:, 5] == 0).all()
    a_little = np.where(np.arange(SIZE) == 5, 1e-4, 1.0)
    none, some = refitted(np.stack([asked] * 2), counts=np.stack([counts, a_little]))
    np.testing.assert_allclose(by_count[:, 5], (some - none) / 1e-4, rtol=1e-2, atol=1e-6)


NOTHING = Mixture(weights=np.full(2, np.nan), means=np.zeros(2), variances=np.ones(2))
SADDLE = Mixture.from_arrays(weights=[0.5] * 2, means=[X.mean()] * 2, variances=[X.var()] * 2)
SPIKE = Mixture.from_arrays(weights=[0.02, 0.98], means=[X[3], 3.0], variances=[1e-6, 9.0])


@pytest.mark.parametrize(
    ("x", "start", "options"),
    [
        (X, SPIKE, {}),
        (X, dataclasses.replace(NEAR, means=NEAR.means + 1.0), {"max_steps": 1}),
        (np.full(SIZE, 3.0), NEAR, {}),
        (np.full(SIZE, np.nan), NEAR, {}),
        (np.where(np.arange(SIZE) == 4, np.inf, X), NEAR, {}),
        (X, NOTHING, {}),
        # Both components the same: a saddle, where the information is singular.
        (
            X,
            Mixture.from_arrays(weights=[0.5] * 2, means=[X.mean()] * 2, variances=[X.var()] * 2),
            {},
        ),
        (X, NEAR, {"counts": -np.ones(SIZE)}),
    ],
)
def test_where_there_is_no_maximum_there_is_nan_and_neighbours_have_theirs(x, start, options, top):
    found = local_maximum(x, start, **options)
    assert all(np.isnan(field).all() for field in jax.tree.leaves(found))
    if options:
        return
    with jax.enable_x64(True):
        data = jnp.asarray(np.stack([X, x]))
        starts = jax.tree.map(lambda *fields: jnp.stack(fields), top, start)
        slope = jax.vmap(mean_slopes)(data, starts)
        alone = mean_slopes(data[0], top)
    # The derivative by a missing point is 0, not NaN.
    assert (np.isnan(slope[1]) | np.isnan(x)).all()
    np.testing.assert_allclose(slope[0], alone, rtol=1e-10, atol=1e-13)


def test_the_precision_is_that_of_the_data_and_the_flag_is_left_alone(top):
    single = jax.tree.map(lambda field: field.astype(np.float32), top)
    found = local_maximum(X.astype(np.float32), single)
    assert found.means.dtype == np.float32
    np.testing.assert_allclose(found.means, top.means, rtol=1e-4)
    double = local_maximum(X, top)
    assert isinstance(double.means, np.ndarray)
    assert double.means.dtype == np.float64
    assert jax.dtypes.canonicalize_dtype(np.float64) == np.float32
    # Without the flag a traced array is single precision: and so is the derivative.
    slope = mean_slopes(X.astype(np.float32), top)
    assert slope.dtype == np.float32
    np.testing.assert_allclose(slope, sensitivities(X, top)[0][1:3].sum(axis=0), atol=1e-4)
    assert local_maximum(np.arange(SIZE), top).means.dtype == np.float64


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((X[None], NEAR), {}, r"`x` must have shape \(n,\).*got \(1, 60\). For a batch use jax"),
        ((X[:0], NEAR), {}, r"at least one point; got \(0,\)"),
        ((X, jax.tree.map(lambda a: a[:1], NEAR)), {}, r"`start` must have two .*got \(1,\)"),
        ((X, NEAR), {"counts": X[:5]}, r"`counts` must have the shape of `x`, \(60,\); got"),
        ((X, NEAR), {"tolerance": 0}, r"`tolerance` must be positive; got 0"),
        (
            (X, NEAR),
            {"variance_floor": -1},
            r"`variance_floor` must be positive; got -1",
        ),
        ((X, NEAR), {"max_steps": 0}, r"`max_steps` must be at least 1; got 0"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        local_maximum(*arguments, **options)


def test_the_last_step_is_taken_though_it_gains_less_than_can_be_seen(top):
    # In steps of a thousandth of a standard error: the decrement there is below any tolerance.
    errors = np.asarray(mog_jax.fit(X).standard_errors().means)
    starts = [dataclasses.replace(top, means=top.means + k * 1e-3 * errors) for k in range(9)]
    found = np.array([local_maximum(X, start).means for start in starts])
    np.testing.assert_allclose((found - top.means) / errors, 0, atol=1e-9)
