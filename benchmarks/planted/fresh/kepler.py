"""Kepler's equation by Newton's method, with the implicit function's derivative as its rule."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from benchmarks.planted.case import Collection, Subject
from benchmarks.planted.draws import array
from benchmarks.planted.traps import with_tangent

planted = Collection("fresh")


def _solved(eccentricity, mean_anomaly):
    """Solve E - e sin E = M for E, by steps enough for any precision."""
    start = mean_anomaly + 0.85 * eccentricity * jnp.sign(jnp.sin(mean_anomaly))

    def newton(anomaly, _):
        off = anomaly - eccentricity * jnp.sin(anomaly) - mean_anomaly
        return anomaly - off / (1 - eccentricity * jnp.cos(anomaly)), None

    return jax.lax.scan(newton, start, None, length=12)[0]


def eccentric_anomaly(eccentricity, mean_anomaly):
    """Sum of the eccentric anomalies."""
    return jnp.sum(_solved(eccentricity, mean_anomaly))


KEPLER = Subject(
    name="kepler_rule",
    function=eccentric_anomaly,
    wrt=(0, 1),
    inputs=st.tuples(
        st.one_of(st.sampled_from([0.0, 0.5]), st.floats(0, 0.9)).map(np.float64),
        array(st.one_of(st.floats(0.05, 3.1), st.floats(-3.1, -0.05)), 3),
    ),
    typical=lambda rng: (rng.uniform(0.1, 0.7), rng.uniform(0.3, 2.8, size=3)),
)


def _by(by_eccentricity, by_mean):
    """Give the solution a rule, from two functions of eccentricity, mean anomaly and solution."""

    def tangent(primals, tangents):
        where = (*primals, _solved(*primals))
        return jnp.sum(by_eccentricity(*where) * tangents[0] + by_mean(*where) * tangents[1])

    return with_tangent(eccentric_anomaly, tangent)


def _by_mean(e, _, anomaly):
    return 1 / (1 - e * jnp.cos(anomaly))


def _by_eccentricity(e, _, anomaly):
    return jnp.sin(anomaly) / (1 - e * jnp.cos(anomaly))


def _half_angle(e, anomaly):
    return (1 - e) + 2 * e * jnp.square(jnp.sin(0.5 * anomaly))


_right = _by(lambda e, _, a: jnp.sin(a) / _half_angle(e, a), lambda e, _, a: 1 / _half_angle(e, a))
_plus = _by(_by_eccentricity, lambda e, _, a: 1 / (1 + e * jnp.cos(a)))
_dropped = _by(lambda *where: 0 * _by_eccentricity(*where), _by_mean)
_mean_for_eccentric = _by(lambda e, m, a: jnp.sin(m) / (1 - e * jnp.cos(a)), _by_mean)
_frozen = _by(_by_eccentricity, lambda e, m, a: _by_mean(e, m, jax.lax.stop_gradient(a)))


@planted.bug(KEPLER, "sign", "wrong_formula")
def plus_for_minus(eccentricity, mean_anomaly):
    """1 + e cos E in the denominator: right for a circle."""
    return _plus(eccentricity, mean_anomaly)


@planted.bug(KEPLER, "dropped", "wrong_formula")
def eccentricity_without_effect(eccentricity, mean_anomaly):
    """The derivative by the eccentricity is taken to be zero."""
    return _dropped(eccentricity, mean_anomaly)


@planted.bug(KEPLER, "index", "wrong_formula")
def sine_of_the_mean_anomaly(eccentricity, mean_anomaly):
    """The sine is of the mean anomaly: right for a circle."""
    return _mean_for_eccentric(eccentricity, mean_anomaly)


@planted.bug(KEPLER, "second order", "wrong_second_order")
def solution_frozen(eccentricity, mean_anomaly):
    """The solution is a constant to the second derivative."""
    return _frozen(eccentricity, mean_anomaly)


@planted.rewriting(KEPLER)
def half_angle(eccentricity, mean_anomaly):
    """1 - e cos E by the sine of half the angle, where nothing cancels."""
    return _right(eccentricity, mean_anomaly)
