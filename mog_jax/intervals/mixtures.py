"""Computes the log-likelihood of intervals under a mixture of any number of components."""

from typing import Any

import jax
import jax.numpy as jnp
from numpy.typing import ArrayLike

from mog_jax.intervals.moments import is_half_line, truncated_moments
from mog_jax.mixture import Mixture
from mog_jax.precision import compiled


def log_likelihood_of(
    mixture: Mixture,
    x: ArrayLike,
    counts: ArrayLike | None,
    *,
    upper: ArrayLike | None,
    resolution: float | None,
    limits: Any,
    window: Any,
) -> jax.Array:
    r"""Return :math:`\sum_ic_i\log\sum_k\pi_kP_{ik}`, in nats; the arguments are those of `fit`.

    Raises
    ------
    ValueError
        If an argument has a wrong value, or excludes another one.

    References
    ----------
    Equation (48) of ``derivation.md``.
    """
    if upper is not None and (resolution is not None or limits is not None):
        raise ValueError("`resolution` and `limits` exclude `upper`, which gives the intervals.")
    low, high = (None, None) if limits is None else limits
    begin, end = (None, None) if window is None else window
    if resolution is not None and not resolution > 0:
        raise ValueError(f"`resolution` must be positive; got {resolution!r}.")
    for first, second, name in ((low, high, "limits"), (begin, end, "window")):
        if first is not None and second is not None and not first < second:
            raise ValueError(f"`{name}` must be in order; got ({first!r}, {second!r}).")
    return _log_likelihood(mixture, x, counts, upper, resolution, low, high, begin, end)


@compiled
def _log_likelihood(
    mixture: Mixture,
    x: ArrayLike,
    counts: ArrayLike | None,
    upper: ArrayLike | None,
    resolution: ArrayLike | None,
    lower_limit: ArrayLike | None,
    upper_limit: ArrayLike | None,
    begin: ArrayLike | None,
    end: ArrayLike | None,
) -> jax.Array:
    x = jnp.asarray(x, mixture.means.dtype)

    def number(value: ArrayLike | None, nothing: float) -> jax.Array:
        return jnp.asarray(nothing if value is None else value, x.dtype)

    times = jnp.ones_like(x) if counts is None else jnp.asarray(counts, x.dtype)
    if upper is None:
        is_below = x <= number(lower_limit, -jnp.inf)
        is_above = x >= number(upper_limit, jnp.inf)
        centre = jnp.where(is_below, number(lower_limit, 0), x)
        centre = jnp.where(is_above, number(upper_limit, 0), centre)
        half = jnp.where(is_below, -jnp.inf, 0.5 * number(resolution, 0))
        half = jnp.where(is_above, jnp.inf, half)
    else:
        centre, half = _from_ends(x, jnp.asarray(upper, x.dtype))
    total = jnp.sum(jnp.where(times == 0, 0, times * _log_probability(mixture, centre, half)))
    if begin is not None or end is not None:
        window = _from_ends(number(begin, -jnp.inf)[None], number(end, jnp.inf)[None])
        total = total - jnp.sum(times) * _log_probability(mixture, *window)[0]
    return total


def _from_ends(low: jax.Array, high: jax.Array) -> tuple[jax.Array, jax.Array]:
    is_below, is_above = jnp.isneginf(low), jnp.isposinf(high)
    centre = jnp.where(is_below, high, jnp.where(is_above, low, 0.5 * low + 0.5 * high))
    half = jnp.where(is_below, -jnp.inf, jnp.where(is_above, jnp.inf, 0.5 * (high - low)))
    # An interval open at both ends has probability 1: a centre of NaN marks it.
    return jnp.where(is_below & is_above, jnp.nan, centre), half


def _log_probability(mixture: Mixture, centre: jax.Array, half: jax.Array) -> jax.Array:
    deviation = jnp.sqrt(mixture.variances)[None, :]
    half = half[:, None]
    is_open = is_half_line(half)
    scaled = jnp.where(is_open, half, jnp.where(is_open, 0, half) / deviation)
    z = (centre[:, None] - mixture.means[None, :]) / deviation
    log_mass = truncated_moments(z, scaled).log_mass - jnp.where(half == 0, jnp.log(deviation), 0)
    joint = jnp.log(mixture.weights)[None, :] + log_mass
    found = jax.scipy.special.logsumexp(joint, axis=-1)
    return jnp.where(jnp.isnan(centre) & jnp.isinf(half[:, 0]), 0, found)
