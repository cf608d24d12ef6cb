r"""Density, distribution function and quantiles of a fitted mixture, and how well it fits.

Functions of mixtures of shape (..., k) and points of shape (..., n), for any batch axes in front.
"""

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.array_like import real_array, seen_points
from mog_jax.arrays import HostArray
from mog_jax.inference.batches import Points, answer, over_batch
from mog_jax.inference.root_finding import monotone_zero
from mog_jax.inference.two_components import (
    on_last_axis,
    responsibilities_of_each,
    scaled_joint_densities,
)
from mog_jax.likelihood import multiplicities
from mog_jax.mixture import Mixture
from mog_jax.precision import hand_back, is_traced


def log_density(mixture: Mixture, x: ArrayLike) -> jax.Array:
    """Log-density of points under the mixtures of a batch.

    Parameters
    ----------
    mixture : Mixture, shape (..., k)
    x : array-like, shape (..., n)
        The points, in the unit of the means.

    Returns
    -------
    array, shape (..., n)
        In nats.

    Raises
    ------
    ValueError
        If `x` holds no numbers, or its batch is another than that of `mixture`.

    Accuracy
    --------
    The same as :func:`mog_jax.log_density`, to 13 digits. Measured by
    ``tests/inference/test_distribution.py``.

    References
    ----------
    Equation (2) of ``derivation.md``.
    """
    return _log_density(mixture, real_array(x, "x"))


def responsibilities(mixture: Mixture, x: ArrayLike) -> jax.Array:
    """Posterior probability of each component, for the mixtures of a batch.

    Parameters
    ----------
    mixture : Mixture, shape (..., k)
    x : array-like, shape (..., n)
        The points, in the unit of the means.

    Returns
    -------
    array, shape (..., n, k)

    Raises
    ------
    ValueError
        If `x` holds no numbers, or its batch is another than that of `mixture`.

    Accuracy
    --------
    Each to its last digits, however small: four times what rounding the inputs may cause, compared
    with 50 digits. Measured for `responsibilities` by ``tests/inference/test_sandwich.py``.

    References
    ----------
    Equation (4) of ``derivation.md``.
    """
    return _responsibilities(mixture, real_array(x, "x"))


def cdf(mixture: Mixture, x: ArrayLike) -> jax.Array:
    r"""Distribution function, :math:`\sum_k\pi_k\,\Phi\big((x-\mu_k)/\sigma_k\big)`.

    Parameters
    ----------
    mixture : Mixture, shape (..., k)
    x : array-like, shape (..., n)
        The points, in the unit of the means.

    Returns
    -------
    array, shape (..., n)

    Raises
    ------
    ValueError
        If `x` holds no numbers, or its batch is another than that of `mixture`.

    Accuracy
    --------
    A relative error of 1e-9, in the lower tail too, compared with mpmath. Measured by
    ``tests/inference/test_distribution.py``.

    References
    ----------
    Equation (37) of ``derivation.md``.

    Examples
    --------
    >>> mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[-1, 1], variances=[1, 1])
    >>> cdf(mixture, [0.0, 1.0]).round(4)
    array([0.5   , 0.7386])
    """
    return _cdf(mixture, real_array(x, "x"))


def quantile(mixture: Mixture, probabilities: ArrayLike) -> jax.Array:
    r"""Quantiles: the points below which given shares of the distribution lie.

    Parameters
    ----------
    mixture : Mixture, shape (..., k)
    probabilities : array-like, shape (..., m)
        Between 0 and 1.

    Returns
    -------
    array, shape (..., m)
        In the unit of the means; infinite at 0 and 1.

    Raises
    ------
    ValueError
        If a probability is not between 0 and 1.

    Accuracy
    --------
    `cdf` at the answer is the probability to nine digits, within 1e-9 of the mixture's spread.
    Measured by ``tests/inference/test_distribution.py``.

    References
    ----------
    The inverse of equation (37) of ``derivation.md``.

    Examples
    --------
    >>> mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[-1, 1], variances=[1, 1])
    >>> quantile(mixture, [0.0, 0.975, 1.0]).round(4)
    array([  -inf, 2.6461,    inf])
    """
    values = np.asarray(real_array(probabilities, "probabilities"))
    outside = ~((values >= 0) & (values <= 1))
    if outside.any():
        index = [int(i) for i in np.argwhere(outside)[0]]
        place = f"probabilities{index}" if index else "probabilities"
        raise ValueError(
            f"`probabilities` must lie between 0 and 1; got {place} = {values[tuple(index)]}."
        )
    return _quantile(mixture, values)


def kolmogorov_distance(
    mixture: Mixture, x: ArrayLike, counts: ArrayLike | None = None
) -> jax.Array:
    r"""Largest distance between the data's distribution function and the mixture's.

    .. math:: \sup_x|F_n(x)-F(x)|

    Kolmogorov's test does not apply to it: its p-values are for a distribution that was not fitted
    to the same data.

    Parameters
    ----------
    mixture : Mixture, shape (..., k)
    x, counts : array-like, shape (..., n)
        The data, and how often each point was seen; 1 where not given.

    Returns
    -------
    array, shape (...,)
        Between 0 and 1. NaN where there are no data.

    Raises
    ------
    ValueError
        If the shapes of `x` and `counts` do not agree.

    Accuracy
    --------
    To 12 digits of the largest gap at the data's steps. Measured by
    ``tests/inference/test_distribution.py``.

    Examples
    --------
    >>> mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[-1, 1], variances=[1, 1])
    >>> kolmogorov_distance(mixture, [0.0])
    np.float64(0.5)
    """
    x, counts = seen_points(x, counts)
    if is_traced((mixture, x, counts)):
        traced: jax.Array = _kolmogorov_distance(mixture, x, counts)
        return traced
    # NumPy sorts many times faster than XLA does on a CPU, and plain sorting beats an argsort.
    points = np.asarray(x)
    if counts is None:
        return _kolmogorov_of_sorted(mixture, np.sort(points, axis=-1), None)
    times = np.asarray(counts)
    if ((times == 0) | (times == 1)).all():
        points = np.sort(np.where(times > 0, points, np.inf), axis=-1)
        inside = np.arange(points.shape[-1]) < np.sum(times > 0, axis=-1, keepdims=True)
        points, times = np.where(inside, points, 0), inside.astype(points.dtype)
    else:
        order = np.argsort(points, axis=-1)
        points, times = (np.take_along_axis(a, order, axis=-1) for a in (points, times))
    return _kolmogorov_of_sorted(mixture, points, times)


_responsibilities = on_last_axis(responsibilities_of_each)


_EACH_POINT = Points(at=(1,), length=64, filling=(np.nan,))


@answer(core=(1, 1), points=_EACH_POINT)
def _log_density(mixture: Mixture, x: jax.Array) -> jax.Array:
    largest, scaled = scaled_joint_densities(mixture, x)
    return largest + jnp.log(sum(scaled[1:], scaled[0]))


@answer(core=(1, 1), points=_EACH_POINT)
def _cdf(mixture: Mixture, x: jax.Array) -> jax.Array:
    return _distribution(mixture, x)


def _distribution(mixture: Mixture, x: jax.Array) -> jax.Array:
    # Half of erfc(-z/√2) keeps the digits of the lower tail, which 1 + erf(z/√2) does not.
    scales = -jnp.sqrt(2 * mixture.variances)
    below = [
        0.5 * mixture.weights[k] * jax.scipy.special.erfc((x - mixture.means[k]) / scales[k])
        for k in range(mixture.n_components)
    ]
    return sum(below[1:], below[0])


@answer(core=(1, 1), points=Points(at=(1,), length=1, filling=(0.5,)))
def _quantile(mixture: Mixture, probabilities: jax.Array) -> jax.Array:
    deviations = jnp.sqrt(mixture.variances)
    # In the upper tail the probability above is used: 1 - p would have no digits.
    flip = jnp.where(probabilities > 0.5, -1, 1).astype(probabilities.dtype)
    tail = jnp.where(probabilities > 0.5, 1 - probabilities, probabilities)
    by_component = (
        mixture.means[None, :]
        + deviations[None, :] * (jax.scipy.stats.norm.ppf(probabilities)[:, None])
    )
    # The quantile of the mixture lies between those of its components, but for the digits that
    # `ppf` loses far out.
    present = mixture.weights[None, :] > 0
    margin = 1e-6 * jnp.max(deviations)
    lowest = jnp.min(by_component, axis=-1, initial=jnp.inf, where=present) - margin
    highest = jnp.max(by_component, axis=-1, initial=-jnp.inf, where=present) + margin

    def excess(x: jax.Array) -> jax.Array:
        z = (x[:, None] - mixture.means[None, :]) / deviations[None, :]
        log_tail = jax.scipy.stats.norm.logcdf(flip[:, None] * z)
        total = jax.scipy.special.logsumexp(log_tail, axis=-1, b=mixture.weights[None, :])
        return flip * (total - jnp.log(tail))

    inner = (probabilities > 0) & (probabilities < 1)
    zero = jnp.zeros_like(lowest)
    found = monotone_zero(excess, jnp.where(inner, lowest, zero), jnp.where(inner, highest, zero))
    return jnp.where(inner, found, lowest)


@jax.jit
@over_batch(core=(1, 1, 1))
def _kolmogorov_distance(mixture: Mixture, x: jax.Array, counts: jax.Array | None) -> jax.Array:
    if counts is None:
        return _largest_gap(mixture, jnp.sort(x), jnp.ones_like(x))
    order = jnp.argsort(x)
    return _largest_gap(mixture, x[order], multiplicities(x, counts)[order])


def _kolmogorov_of_sorted(mixture: Mixture, x: HostArray, counts: HostArray | None) -> jax.Array:
    expected = np.asarray(_cdf(mixture, x))
    if counts is None:
        counts = np.ones(x.shape[-1:], x.dtype)
    if counts.shape[-1:] != x.shape[-1:]:
        raise ValueError(
            f"`counts` must have the shape of `x`, {x.shape[-1:]}; got {counts.shape[-1:]}."
        )
    upto = np.cumsum(counts, axis=-1, dtype=expected.dtype)
    total = upto.max(axis=-1, initial=0, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        gaps = expected - (upto - counts) / total, upto / total - expected
    # The step of a point that was never seen has no height, and no gap of its own.
    above, below = (np.where(counts > 0, gap, 0).max(axis=-1, initial=0) for gap in gaps)
    largest = np.maximum(above, below)
    distance = np.where(total[..., 0] > 0, largest, np.nan).astype(expected.dtype)[()]
    answered: jax.Array = hand_back(distance)
    return answered


def _largest_gap(mixture: Mixture, x: jax.Array, counts: jax.Array) -> jax.Array:
    expected = _distribution(mixture, x)
    steps = counts / jnp.sum(counts)
    excess = expected - jnp.cumsum(steps)
    # The step of a point that was never seen has no height, and no gap of its own.
    above, below = (
        jnp.max(jnp.where(counts > 0, gap, jnp.zeros_like(gap)))
        for gap in (excess + steps, -excess)
    )
    return jnp.where(jnp.sum(counts) > 0, jnp.maximum(above, below), jnp.nan)
