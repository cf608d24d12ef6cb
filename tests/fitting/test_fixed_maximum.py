"""`local_maximum` with fixed parameters: its place, and its derivatives by them."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import mog_jax
from mog_jax import Mixture, local_maximum
from tests.fitting.draws import SIZE, two_clear_components

NAN = np.full(2, np.nan)
NOTHING = Mixture(weights=NAN, means=NAN, variances=NAN)
RNG = np.random.default_rng(3)
X = np.concatenate([RNG.normal(0, 1, 25), RNG.normal(5, 2, 35)])
FIELDS = ("weights", "means", "variances")


def coordinates(mixture):
    """The five coordinates of a mixture of JAX or NumPy arrays."""
    weights, means, variances = (jnp.asarray(getattr(mixture, name)) for name in FIELDS)
    logit = jnp.log(weights[:1]) - jnp.log(weights[1:])
    return jnp.concatenate([logit, means, jnp.log(variances)])


def from_coordinates(theta):
    weights = jax.nn.sigmoid(jnp.stack([theta[0], -theta[0]]))
    return Mixture(weights=weights, means=theta[1:3], variances=jnp.exp(theta[3:]))


def holding(theta, held):
    """The fixed values, NaN elsewhere."""
    at = from_coordinates(jnp.asarray(theta))
    weights = np.where(held[0], at.weights, np.nan)
    return Mixture(
        weights=weights,
        means=np.where(held[1:3], at.means, np.nan),
        variances=np.where(held[3:], at.variances, np.nan),
    )


@functools.partial(jax.jit, static_argnames="equal_variances")
def held_maximum(theta, held, x, counts, start, equal_variances=False):
    at = from_coordinates(theta)
    keep = [jnp.stack([held[0], held[0]]), held[1:3], held[3:]]
    fields = (
        jnp.where(k, getattr(at, name), jnp.nan) for name, k in zip(FIELDS, keep, strict=True)
    )
    fixed = Mixture(**dict(zip(FIELDS, fields, strict=True)))
    options = {"counts": counts, "equal_variances": equal_variances}
    return coordinates(local_maximum(x, start, fixed=fixed, **options))


@functools.partial(jax.jit, static_argnames="equal_variances")
def jacobians(theta, held, x, counts, start, equal_variances):
    climb = functools.partial(held_maximum, start=start, equal_variances=equal_variances)
    return jax.jacrev(climb, (0, 2, 3))(theta, held, x, counts)


def slopes(theta, held, x, counts, start, equal_variances=False):
    """Derivatives of the maximum's coordinates by fixed values, points and counts."""
    found = jacobians(theta, held, x, counts, start, equal_variances)
    return jax.tree.map(np.asarray, found)


PATTERNS = st.lists(st.booleans(), min_size=5, max_size=5).map(np.array)
# In standard errors: near enough for the same maximum.
MOVES = st.lists(st.floats(-1.0, 1.0), min_size=5, max_size=5).map(np.array)


def moved(x, held, move):
    """A fit, its coordinates, and these with the fixed ones moved by some standard errors."""
    fit = mog_jax.fit(x)
    theta = np.asarray(coordinates(fit.mixture), np.float64)
    errors = np.sqrt(np.diagonal(fit.covariance()))
    return fit, theta, np.where(held, theta + move * errors, theta)


@settings(max_examples=25)
@given(two_clear_components(), PATTERNS, MOVES)
def test_it_is_where_the_fit_with_the_same_values_is(x, held, move):
    with jax.enable_x64(True):
        _, theta, to = moved(x, held, move)
        fixed = holding(to, held)
        fit = mog_jax.fit(x, fixed=fixed)
        found = local_maximum(x, from_coordinates(theta), fixed=fixed)
        # Within a standard error of another maximum the fit may have taken that one.
        value = float(mog_jax.log_likelihood(found, x))
        assume(fit.log_likelihood < value + 0.1)
    assert value == pytest.approx(float(fit.log_likelihood), abs=1e-7)
    np.testing.assert_allclose(coordinates(found), coordinates(fit.mixture), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(coordinates(found)[held], to[held], rtol=1e-9, atol=1e-9)


@settings(max_examples=15)
@given(two_clear_components(), PATTERNS, MOVES, st.integers(0, SIZE - 1), st.booleans())
def test_derivatives_are_differences_of_climbs(x, held, move, i, counted):
    counts = np.arange(SIZE) % 3 + 0.5 if counted else np.ones(SIZE)
    with jax.enable_x64(True):
        fit, theta, to = moved(x, held, move)
        start = from_coordinates(theta)
        by_held, by_point, by_count = slopes(to, held, x, counts, start)
        errors = np.sqrt(np.diagonal(fit.covariance()))

        def difference(step, *, place):
            ends = []
            for sign in (1, -1):
                arguments = [to, held, x, counts]
                arguments[place] = arguments[place] + sign * step
                ends.append(np.asarray(held_maximum(*arguments, start)))
            return (ends[0] - ends[1]) / 2

        for j in np.flatnonzero(held):
            step = 1e-3 * errors * (np.arange(5) == j)
            expected = difference(step, place=0) / step[j]
            np.testing.assert_allclose(
                by_held[:, j] * errors[j] / errors, expected * errors[j] / errors, atol=1e-4
            )
        one = 1e-3 * (np.arange(SIZE) == i)
        for slope, place in ((by_point, 2), (by_count, 3)):
            expected = difference(one, place=place) / 1e-3
            np.testing.assert_allclose(slope[:, i] / errors, expected / errors, atol=1e-4)
    assert (by_held[:, ~held] == 0).all()
    assert (by_point[held] == 0).all()


@settings(max_examples=15)
@given(two_clear_components(), st.integers(0, 4))
def test_at_the_free_maximum_the_others_follow_along_the_ridge_of_the_covariance(x, j):
    with jax.enable_x64(True):
        fit = mog_jax.fit(x)
        theta = np.asarray(coordinates(fit.mixture))
        by_held, _, _ = slopes(theta, np.arange(5) == j, x, np.ones(SIZE), fit.mixture)
    covariance = np.asarray(fit.covariance())
    errors = np.sqrt(np.diagonal(covariance))
    unit = errors[j] / errors
    np.testing.assert_allclose(
        by_held[:, j] * unit, covariance[:, j] / covariance[j, j] * unit, atol=1e-6
    )


def test_variances_that_are_equal_move_together_beside_a_held_mean():
    with jax.enable_x64(True):
        start = mog_jax.fit(X, equal_variances=True).mixture
        held, counts = np.array([False, True, False, False, False]), np.ones(SIZE)
        theta = np.asarray(coordinates(start)) + 0.1 * held
        by_held, _, _ = slopes(theta, held, X, counts, start, equal_variances=True)
        step = 1e-4 * held
        up, down = (
            np.asarray(held_maximum(theta + s * step, held, X, counts, start, equal_variances=True))
            for s in (1, -1)
        )
    np.testing.assert_allclose(by_held[:, 1], (up - down) / 2e-4, rtol=1e-5)
    assert by_held[3, 1] == by_held[4, 1] != 0


def test_one_weight_is_what_the_other_leaves():
    start = mog_jax.fit(X).mixture
    one = local_maximum(
        X, start, fixed=dataclasses.replace(NOTHING, weights=np.array([np.nan, 0.7]))
    )
    both = local_maximum(X, start, fixed=dataclasses.replace(NOTHING, weights=np.array([0.3, 0.7])))
    np.testing.assert_allclose(one.weights, [0.3, 0.7], rtol=1e-12)
    np.testing.assert_allclose(one.means, both.means, rtol=1e-12)


def test_where_nothing_is_held_it_is_the_maximum_and_where_all_is_what_is_held():
    start = mog_jax.fit(X).mixture
    free, none = local_maximum(X, start), local_maximum(X, start, fixed=NOTHING)
    other = Mixture.from_arrays(weights=[0.2, 0.8], means=[3.0, -1.0], variances=[0.5, 2.0])
    everything = local_maximum(X, start, fixed=other)
    for name in FIELDS:
        np.testing.assert_allclose(getattr(none, name), getattr(free, name), rtol=1e-12)
        np.testing.assert_allclose(getattr(everything, name), getattr(other, name), rtol=1e-12)


def test_it_maps_over_what_is_held_and_differentiates_twice():
    start = mog_jax.fit(X).mixture

    def weight(mean):
        fixed = Mixture(weights=NAN, means=jnp.stack([mean, jnp.nan]), variances=NAN)
        return local_maximum(X, start, fixed=fixed).weights[0]

    with jax.enable_x64(True):
        means = start.means[0] + np.linspace(-0.2, 0.2, 5)
        curve = jax.jit(jax.vmap(weight))(means)
        alone = [
            local_maximum(
                X, start, fixed=dataclasses.replace(NOTHING, means=np.array([mean, np.nan]))
            ).weights[0]
            for mean in means
        ]
        np.testing.assert_allclose(curve, alone, rtol=1e-9)
        slope = jax.jit(jax.grad(weight))
        twice, step = jax.grad(slope)(means[1]), 1e-4
        quotient = (slope(means[1] + step) - slope(means[1] - step)) / (2 * step)
    np.testing.assert_allclose(twice, quotient, rtol=1e-5)


def test_a_held_variance_below_the_floor_or_beside_equal_ones_gives_nan():
    start = mog_jax.fit(X).mixture
    low = Mixture(weights=NAN, means=np.array([X[3], np.nan]), variances=np.array([1e-9, np.nan]))
    assert np.isnan(local_maximum(X, start, fixed=low).means).all()
    assert np.isfinite(local_maximum(X, start, fixed=low, variance_floor=1e-12).means).all()
    known = dataclasses.replace(NOTHING, variances=np.array([1.0, np.nan]))
    found = jax.jit(lambda fixed: local_maximum(X, start, fixed=fixed, equal_variances=True))(known)
    assert np.isnan(found.means).all()


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        (3.0, "`fixed` must be a Mixture, NaN where free; got float"),
        (
            dataclasses.replace(NOTHING, means=np.zeros((4, 2))),
            r"`fixed` must have fields of shape \(2,\); got means of shape \(4, 2\)",
        ),
        (
            dataclasses.replace(NOTHING, variances=np.ones(2)),
            "`fixed` variances and `equal_variances=True` exclude each other",
        ),
    ],
)
def test_what_cannot_be_held_is_refused(fixed, message):
    with pytest.raises(ValueError, match=message):
        local_maximum(X, mog_jax.fit(X).mixture, fixed=fixed, equal_variances=True)
