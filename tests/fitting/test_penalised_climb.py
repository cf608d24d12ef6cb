"""A climb with the penalty: its slopes and steps are those of the penalised likelihood."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mog_jax
from mog_jax import Mixture
from mog_jax.fitting.climb import derivatives
from mog_jax.fitting.climb.ascent import Columns, ascend, begin
from mog_jax.fitting.climb.derivatives import unpack
from mog_jax.fitting.climb.directions import DIRECTIONS, local_model
from mog_jax.fitting.multistart.choice import rank_bound, widened
from mog_jax.kernel import lane_sums, totals
from mog_jax.penalty import (
    penalised_variance,
    penalty,
    penalty_information,
    penalty_slopes,
    penalty_weight,
)
from tests.fitting.draws import datasets

THETAS = st.tuples(
    st.floats(-2, 2), st.floats(-2, 0), st.floats(0, 2), st.floats(-4, 1), st.floats(-4, 1)
).map(np.array)


def standard(x):
    return (x - x.mean()) / x.std()


@jax.jit
def viewed(theta, z, weight):
    at = tuple(theta)
    sums = lane_sums(unpack(at), z, totals(z))
    free = [jnp.bool(True)] * 5
    model = functools.partial(local_model, at, sums, free, False, smallest=-1e3)
    views = [model(), model(pseudo_points=2 * weight)]
    steps = [
        derivatives.em_step(at, sums, [True] * 5),
        derivatives.em_step(at, sums, [True] * 5, pseudo_points=2 * weight),
    ]
    return (
        [jnp.stack(view.gradient) for view in views],
        [view.information.dense() for view in views],
        [view.complete_information.dense() for view in views],
        [jnp.stack(step) for step in steps],
        sums,
    )


@settings(max_examples=30)
@given(datasets(), THETAS, st.floats(0.01, 1))
def test_what_it_sees_is_the_likelihoods_and_the_penaltys(x, theta, weight):
    with jax.enable_x64(True):
        seen = viewed(theta, standard(x), weight)
    (slope, with_slope), informations, completes, (step, with_step), sums = jax.tree.map(
        np.asarray, seen
    )
    size = np.abs(informations[0]).max() + weight * np.exp(-theta[3:].min())
    added = np.concatenate([np.zeros(3), penalty_slopes(theta, weight, xp=np)])
    np.testing.assert_allclose(with_slope, slope + added, rtol=1e-9, atol=1e-12 * size)
    curved = np.diag([0, 0, 0, *penalty_information(theta, weight, xp=np)])
    for without, with_it in (informations, completes):
        np.testing.assert_allclose(with_it, without + curved, rtol=1e-9, atol=1e-12 * size)
    held, variances = np.stack(sums.effective_counts), np.exp(step[3:])
    expected = penalised_variance(held * variances, held, weight)
    np.testing.assert_allclose(np.exp(with_step[3:]), expected, rtol=1e-9)
    np.testing.assert_array_equal(with_step[:3], step[:3])


@functools.partial(jax.jit, static_argnames=("name", "penalised", "equal_variances"))
def climbed(theta, z, steps, strength, *, name, penalised, equal_variances=False):
    data = Columns(x=z, totals=totals(z), counts=None, free=None)
    state = dataclasses.replace(begin(np.zeros(5)), theta=theta, proposal=theta)
    return ascend(
        state,
        data,
        direction=DIRECTIONS[name],
        tolerance=1e-9,
        smallest=np.log(1e-6),
        steps=steps,
        max_steps=500,
        equal_variances=equal_variances,
        penalty_strength=strength if penalised else None,
    )


def penalised_likelihood(theta, z):
    weights = jax.nn.softmax(jnp.stack([theta[0], jnp.zeros_like(theta[0])]))
    mixture = Mixture(weights=weights, means=theta[1:3], variances=jnp.exp(theta[3:]))
    return mog_jax.log_likelihood(mixture, z) + penalty(theta, penalty_weight(z.size * 1.0))


PENALISED, PENALISED_SLOPE = jax.jit(penalised_likelihood), jax.jit(jax.grad(penalised_likelihood))


@settings(max_examples=15)
@given(datasets(), THETAS, st.sampled_from(["newton", "em"]))
def test_it_never_falls_and_its_value_is_the_penalised_likelihood(x, theta, name):
    z, values = standard(x), []
    with jax.enable_x64(True):
        for steps in (1, 2, 4, 8, 16):
            end = climbed(theta, z, np.int32(steps), 1.0, name=name, penalised=True)
            values.append(float(end.sums.log_likelihood))
        value = float(PENALISED(np.asarray(end.theta), z))
    assert (np.diff(values) >= -1e-10 * (1 + np.abs(values[1:]))).all()
    assert values[-1] == pytest.approx(value, abs=1e-9)


@settings(max_examples=15)
@given(datasets())
def test_where_it_arrives_the_penalised_likelihood_has_no_slope_and_is_bounded(x):
    z = standard(x)
    # From a spike on a point, where without the penalty it would fall to the floor.
    theta = np.array([-3.0, z[0], 0.0, np.log(1e-5), 0.0])
    with jax.enable_x64(True):
        end = climbed(theta, z, np.int32(400), 1.0, name="newton", penalised=True)
        slope = np.asarray(PENALISED_SLOPE(np.asarray(end.theta), z))
    assert np.exp(end.theta[3:]).min() > 1e-4
    if float(end.gain_left) < 1e-9:
        np.testing.assert_allclose(slope, 0, atol=1e-3)


@settings(max_examples=15)
@given(datasets(), THETAS, st.sampled_from(["newton", "em", "gradient"]), st.booleans())
def test_a_strength_of_nothing_changes_no_bit(x, theta, name, equal_variances):
    z = standard(x)
    if equal_variances:
        theta = np.array([*theta[:4], theta[3]])
    with jax.enable_x64(True):
        without, with_it = (
            climbed(
                theta,
                z,
                np.int32(12),
                0.0,
                name=name,
                penalised=penalised,
                equal_variances=equal_variances,
            )
            for penalised in (False, True)
        )
    np.testing.assert_array_equal(without.theta, with_it.theta)
    np.testing.assert_array_equal(without.sums.log_likelihood, with_it.sums.log_likelihood)


@settings(max_examples=20)
@given(datasets(), THETAS)
def test_the_bound_on_a_rank_is_what_a_penalised_em_step_reaches_at_least(x, theta):
    z = standard(x)
    weight = float(penalty_weight(np.float64(z.size), xp=np))
    with jax.enable_x64(True):
        end = climbed(theta, z, np.int32(300), 0.0, name="newton", penalised=True)
        at = np.asarray(end.theta)
        held = np.asarray(end.sums.effective_counts)
        bound = rank_bound(at, held, float(end.sums.log_likelihood), weight)
        wide = widened(at, held, weight)
        risen = climbed(wide, z, np.int32(1), 1.0, name="newton", penalised=True)
    # At a maximum above the floor the M-step changes the variances alone.
    if float(end.gain_left) < 1e-9 and at[3:].min() > np.log(1e-6):
        assert bound <= float(risen.sums.log_likelihood) + 1e-6
        assert bound >= float(end.sums.log_likelihood) + penalty(at, weight, xp=np) - 1e-9
