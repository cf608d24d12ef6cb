"""An autoregression seen through noise: the Kalman filter's likelihood, a scan.

The hand-written derivative carries the filter's state and its tangents side by side.
"""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from benchmarks.planted.case import Collection, Subject
from benchmarks.planted.draws import array, log_uniform

planted = Collection("held back")


def log_likelihood(phi, process, noise, y):
    """Log-density of `y`: a stationary AR(1) with variance `process`, and `noise` on top."""

    def step(state, observed):
        mean, variance, total = state
        spread = variance + noise
        surprise = observed - mean
        gain = variance / spread
        total = total - 0.5 * (jnp.log(spread) + surprise * surprise / spread)
        filtered = mean + gain * surprise
        # variance x noise / spread, rather than (1 - gain) x variance: nothing cancels.
        return (phi * filtered, phi * phi * gain * noise + process, total), None

    zero = jnp.zeros_like(y[0])
    start = (zero, process / (1 - phi * phi), zero)
    (_, _, total), _ = jax.lax.scan(step, start, y)
    return total


def filter_tangents(phi, process, noise, y, *, start=None, step_changes=None):
    """Run the filter with the tangents of its state along (phi, process, noise).

    `start` overrides the tangent of the first variance, and `step_changes` edits what a step
    computes: the planted mistakes are made there.
    """
    zero = jnp.zeros_like(y[0])
    one = jnp.ones_like(zero)
    along_phi = jnp.stack([one, zero, zero])
    along_process = jnp.stack([zero, one, zero])
    along_noise = jnp.stack([zero, zero, one])
    free = 1 / ((1 - phi) * (1 + phi))
    if start is None:
        start = along_process * free + along_phi * (2 * phi * process * free * free)

    def step(state, observed):
        mean, d_mean, variance, d_variance, slope = state
        spread, d_spread = variance + noise, d_variance + along_noise
        surprise, d_surprise = observed - mean, -d_mean
        gain = variance / spread
        d_gain = (d_variance * noise - variance * along_noise) / (spread * spread)
        here = {
            "d_log": d_spread / spread,
            "d_fit": 2 * surprise * d_surprise / spread
            - surprise * surprise * d_spread / (spread * spread),
            "d_filtered": d_mean + d_gain * surprise + gain * d_surprise,
            "d_kept": d_gain * noise + gain * along_noise,
        }
        if step_changes is not None:
            here |= step_changes(surprise=surprise, gain=gain, d_gain=d_gain, spread=spread, **here)
        filtered, kept = mean + gain * surprise, gain * noise
        return (
            phi * filtered,
            along_phi * filtered + phi * here["d_filtered"],
            phi * phi * kept + process,
            2 * phi * along_phi * kept + phi * phi * here["d_kept"] + along_process,
            slope - 0.5 * (here["d_log"] + here["d_fit"]),
        ), None

    first = (zero, zero * along_phi, process * free, start, zero * along_phi)
    (_, _, _, _, slope), _ = jax.lax.scan(step, first, y)
    return slope[0], slope[1], slope[2]


def gradient(phi, process, noise, y):
    """Give the derivative by the coefficient and the two variances."""
    return filter_tangents(phi, process, noise, y)


@st.composite
def _inputs(draw: st.DrawFn):
    phi = draw(st.one_of(st.sampled_from([0.0, 0.5, -0.5, 0.99]), st.floats(-0.95, 0.95)))
    process, noise = draw(log_uniform(1e-2, 1e2)), draw(log_uniform(1e-2, 1e2))
    n = draw(st.sampled_from([1, 2, 10]))
    y = draw(st.sampled_from([0.1, 1.0, 100.0])) * draw(array(st.floats(-3, 3), n))
    return np.float64(phi), np.float64(process), np.float64(noise), y


def _typical(rng):
    process, noise = np.exp(0.5 * rng.normal(size=2))
    return np.float64(rng.uniform(-0.8, 0.8)), process, noise, rng.normal(size=5)


KALMAN = Subject(
    name="kalman",
    function=log_likelihood,
    derivative=gradient,
    wrt=(0, 1, 2),
    inputs=_inputs(),
    typical=_typical,
)


@planted.bug(KALMAN, "dropped", "wrong_formula")
def start_held_fixed(phi, process, noise, y):
    """The stationary variance that the filter starts from is taken for a constant."""
    nothing = jnp.zeros_like(y[0]) * jnp.ones(3, jnp.asarray(y).dtype)
    return filter_tangents(phi, process, noise, y, start=nothing)


@planted.bug(KALMAN, "dropped", "wrong_formula")
def gain_held_fixed(phi, process, noise, y):
    """The gain is taken for a constant in the filtered mean: right for one point."""

    def changes(d_filtered, d_gain, surprise, **_):
        return {"d_filtered": d_filtered - d_gain * surprise}

    return filter_tangents(phi, process, noise, y, step_changes=changes)


@planted.bug(KALMAN, "factor", "wrong_formula")
def surprise_without_two(phi, process, noise, y):
    """The factor 2 of the squared surprise is forgotten: right for one point."""

    def changes(d_fit, d_log, surprise, spread, **_):
        by_spread = -surprise * surprise * d_log / spread
        return {"d_fit": 0.5 * (d_fit - by_spread) + by_spread}

    return filter_tangents(phi, process, noise, y, step_changes=changes)


@planted.bug(KALMAN, "sign", "wrong_formula")
def determinant_negated(phi, process, noise, y):
    """The log-determinant is subtracted."""
    return filter_tangents(
        phi, process, noise, y, step_changes=lambda d_log, **_: {"d_log": -d_log}
    )


@planted.bug(KALMAN, "index", "wrong_formula")
def variances_swapped(phi, process, noise, y):
    """The two variances take each other's derivative."""
    by_phi, by_process, by_noise = gradient(phi, process, noise, y)
    return by_phi, by_noise, by_process


@planted.bug(KALMAN, "smoothing", "wrong_formula")
def spread_plus_1e_12(phi, process, noise, y):
    """1e-12 is added to the noise."""
    return gradient(phi, process, noise + 1e-12, y)


@planted.bug(KALMAN, "dropped", "wrong_formula")
def first_point_skipped(phi, process, noise, y):
    """The first innovation is left out, as in a conditional likelihood."""
    everything = gradient(phi, process, noise, y)
    first = gradient(phi, process, noise, y[:1])
    return tuple(a - b for a, b in zip(everything, first, strict=True))


@planted.bug(KALMAN, "second order", "wrong_second_order")
def steady_state_to_second_order(phi, process, noise, y):
    """The filter's start is a constant to the second derivative."""
    free = 1 / ((1 - phi) * (1 + phi))
    one, zero = jnp.ones_like(y[0]), jnp.zeros_like(y[0])
    start = jnp.stack([one * 2 * phi * process * free * free, one * free, zero])
    return filter_tangents(phi, process, noise, y, start=jax.lax.stop_gradient(start))


@planted.rewriting(KALMAN)
def by_loop(phi, process, noise, y):
    """A Python loop over the points, with the tangents written out one by one."""
    free = 1 / (1 - phi * phi)
    mean, variance = 0.0 * phi, process * free
    d_mean = [0.0 * phi] * 3
    d_variance = [2 * phi * process * free * free, free, 0.0 * phi]
    slopes = [0.0 * phi] * 3
    for t in range(y.shape[0]):
        spread, surprise = variance + noise, y[t] - mean
        scaled = surprise / spread
        gain = variance / spread
        for j in range(3):
            d_noise = 1.0 if j == 2 else 0.0
            d_spread = d_variance[j] + d_noise
            slopes[j] = slopes[j] - 0.5 * d_spread / spread
            slopes[j] = slopes[j] + scaled * d_mean[j] + 0.5 * scaled * scaled * d_spread
            d_gain = (d_variance[j] - gain * d_spread) / spread
            d_filtered = d_mean[j] * (1 - gain) + d_gain * surprise
            d_kept = d_gain * noise + gain * d_noise
            d_mean[j] = phi * d_filtered
            d_variance[j] = phi * phi * d_kept
        d_mean[0] = d_mean[0] + mean + gain * surprise
        d_variance[0] = d_variance[0] + 2 * phi * gain * noise
        d_variance[1] = d_variance[1] + 1.0
        mean, variance = phi * (mean + gain * surprise), phi * phi * gain * noise + process
    return tuple(jnp.asarray(slope) for slope in slopes)


@planted.rewriting(KALMAN)
def by_jvp(phi, process, noise, y):
    """Three tangents pushed forward through the function, which is right by construction."""
    one, zero = jnp.ones_like(y[0]), jnp.zeros_like(y[0])

    def along(*tangent):
        function = lambda *p: log_likelihood(*p, y)  # noqa: E731
        return jax.jvp(function, (phi, process, noise), tangent)[1]

    return along(one, zero, zero), along(zero, one, zero), along(zero, zero, one)
