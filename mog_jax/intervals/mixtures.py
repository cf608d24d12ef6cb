"""Computes the log-likelihood of intervals under a mixture of any number of components."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.intervals.moments import is_half_line, truncated_moments
from mog_jax.mixture import Mixture
from mog_jax.precision import compiled, is_traced


def log_likelihood_of(
    mixture: Mixture,
    x: ArrayLike,
    counts: ArrayLike | None,
    *,
    upper: ArrayLike | None,
    resolution: ArrayLike | None,
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
        raise ValueError("`resolution` and `limits` do not go with `upper`, which says it all.")
    low, high = _pair("limits", limits)
    begin, end = _pair("window", window)
    _refuse_wrong(x, upper, resolution, (low, high), (begin, end))
    return _log_likelihood(mixture, x, counts, upper, resolution, low, high, begin, end)


def _pair(name: str, value: Any) -> Any:
    if value is None:
        return None, None
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(
            f"`{name}` must be a pair, lower and upper, of which one may be None; got {value!r}."
        )
    return value


def _refuse_wrong(x: Any, upper: Any, resolution: Any, limits: Any, window: Any) -> None:
    """Raise `ValueError` for options with a wrong value, unless they are traced."""
    if is_traced((x, upper, resolution, limits, window)):
        return
    if resolution is not None and not np.all(np.asarray(resolution) > 0):
        raise ValueError(f"`resolution` must be positive; got {resolution!r}.")
    for (first, second), name in ((limits, "limits"), (window, "window")):
        if first is None or second is None:
            continue
        if not np.all(np.asarray(first) < np.asarray(second)):
            raise ValueError(f"`{name}` must be in order; got ({first!r}, {second!r}).")
    low = np.asarray(x, np.float64)
    high = low if upper is None else np.asarray(upper, np.float64)
    if high.shape != low.shape:
        raise ValueError(f"`upper` must have the shape of `x`, {low.shape}; got {high.shape}.")
    wrong = (low > high) | (np.isnan(low) != np.isnan(high))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"`upper` must not be below `x`, nor one of them NaN; got x[{at}] = {low[at]} and "
            f"upper[{at}] = {high[at]}."
        )
    begin, end = window
    outside = (high < (-np.inf if begin is None else begin)) | (
        low > (np.inf if end is None else end)
    )
    if outside.any():
        at = int(np.argmax(outside))
        raise ValueError(
            f"`window` says that nothing outside of it was recorded; got x[{at}] = {low[at]}."
        )


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
