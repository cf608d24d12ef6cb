r"""The likelihood of a mixture as the textbooks write it: stable, jitted, for any number k.

Everything else in the package is compared with this reference. It has no custom derivative rule and
uses none of the hand-written derivatives, so that the comparison is independent of them. Each
function takes one dataset, of shape (n,), and one mixture, of shape (k,); batches go through
:func:`jax.vmap`. A point that is NaN gives NaN, and so does every sum over it. A masked point gives
NaN as well, and sums leave it out.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.array_like import seen_points
from mog_jax.intervals.mixtures import log_likelihood_of
from mog_jax.mixture import Mixture
from mog_jax.precision import compiled

F = TypeVar("F", bound=Callable[..., Any])

_LOG_TWO_PI = math.log(2 * math.pi)


def sum_over_points(function: F) -> F:
    """Decorate a function of a mixture, points and perhaps counts, that adds up over the points.

    A masked point is left out.
    """

    @functools.wraps(function)
    def of_seen(mixture: Mixture, x: ArrayLike, counts: ArrayLike | None = None) -> Any:
        check_order(mixture, x)
        return function(mixture, *seen_points(x, counts))

    return cast(F, of_seen)


@compiled
def component_log_density(mixture: Mixture, x: ArrayLike) -> jax.Array:
    r"""Log-density of each point under each component alone, without its weight.

    .. math:: \log\mathcal N(x_i\mid\mu_k,\sigma_k^2)
              =-\tfrac12\Big[\log 2\pi+\log\sigma_k^2+\frac{(x_i-\mu_k)^2}{\sigma_k^2}\Big]

    Parameters
    ----------
    mixture : Mixture, shape (k,)
    x : array-like, shape (n,)
        The points, in the unit of the means.

    Returns
    -------
    array, shape (n, k)
        In nats.

    Raises
    ------
    ValueError
        If `x` is not one dataset of shape (n,), or `mixture` not one mixture of shape (k,).

    Accuracy
    --------
    A few roundings of the largest term, :math:`z^2` or :math:`\log\sigma^2`, for variances from
    1e-200 to 1e200. Measured by ``tests/test_likelihood.py``.

    References
    ----------
    Equation (1) of ``derivation.md``.

    Examples
    --------
    >>> mixture = Mixture.from_arrays(weights=[1.0], means=[0.0], variances=[1e-200])
    >>> component_log_density(mixture, [0.0, 1e-98])[:, 0].round(3)
    array([  229.34, -4770.66])
    """
    x = points(mixture, x)
    # z is squared after the division: (x - mean)**2 alone would leave the range of a double.
    z = (x[:, None] - mixture.means[None, :]) / jnp.sqrt(mixture.variances)[None, :]
    return -0.5 * (_LOG_TWO_PI + jnp.log(mixture.variances)[None, :] + jnp.square(z))


@compiled
def log_density(mixture: Mixture, x: ArrayLike) -> jax.Array:
    r"""Log-density of each point, :math:`\log\sum_k\pi_k\,\mathcal N(x_i\mid\mu_k,\sigma_k^2)`.

    Parameters
    ----------
    mixture : Mixture, shape (k,)
    x : array-like, shape (n,)
        The points, in the unit of the means.

    Returns
    -------
    array, shape (n,)
        In nats.

    Raises
    ------
    ValueError
        If `x` is not one dataset of shape (n,), or `mixture` not one mixture of shape (k,).

    Accuracy
    --------
    Within four times what rounding the inputs may cause, compared with 60 digits; to 14 digits a
    million standard deviations away. Measured by ``tests/test_likelihood.py``.

    References
    ----------
    Equation (2) of ``derivation.md``.

    Examples
    --------
    >>> mixture = Mixture.from_arrays(weights=[0.4, 0.6], means=[0, 5], variances=[1, 4])
    >>> log_density(mixture, [0.0, 100.0]).round(4)
    array([   -1.8028, -1130.2479])
    """
    largest, scaled = scaled_densities(mixture, x)
    return largest + jnp.log(jnp.sum(mixture.weights[None, :] * scaled, axis=-1))


def log_likelihood(
    mixture: Mixture,
    x: ArrayLike,
    counts: ArrayLike | None = None,
    *,
    upper: ArrayLike | None = None,
    resolution: ArrayLike | None = None,
    limits: tuple[ArrayLike | None, ArrayLike | None] | None = None,
    window: tuple[float | None, float | None] | None = None,
) -> jax.Array:
    r"""Log-likelihood of a dataset, :math:`\mathcal L=\sum_i c_i\log p(x_i)`: a sum, in nats.

    Parameters
    ----------
    mixture : Mixture, shape (k,)
    x : array-like, shape (n,)
        The points, in the unit of the means.
    counts : array-like, shape (n,), optional
        How often each point was seen; 1 where not given. A point with count 0 does not exist.
    upper, resolution, limits, window : optional
        What else is said of the values, as for :func:`mog_jax.fit`: an interval enters by its
        probability.

    Returns
    -------
    array, shape ()

    Raises
    ------
    ValueError
        If the shapes of `mixture`, `x` and `counts` do not agree, or `mixture` is no `Mixture`.

    Accuracy
    --------
    The sum of the log-densities to 14 digits of the sum of their absolute values. Measured by
    ``tests/test_likelihood.py``.

    References
    ----------
    Equation (3) of ``derivation.md``.

    Examples
    --------
    >>> mixture = Mixture.from_arrays(weights=[0.4, 0.6], means=[0, 5], variances=[1, 4])
    >>> log_likelihood(mixture, [0.1, 4.0, 4.0]).round(6)
    np.float64(-6.298243)
    >>> log_likelihood(mixture, [0.1, 4.0], counts=[1, 2]).round(6)
    np.float64(-6.298243)

    Rounded to tenths:

    >>> log_likelihood(mixture, [0.1, 4.0, 4.0], resolution=0.1).round(6)
    np.float64(-13.206527)
    """
    if upper is None and resolution is None and limits is None and window is None:
        return _log_likelihood(mixture, x, counts)
    check_order(mixture, x)
    points, seen = seen_points(x, counts)
    return log_likelihood_of(
        mixture, points, seen, upper=upper, resolution=resolution, limits=limits, window=window
    )


@sum_over_points
@compiled
def _log_likelihood(mixture: Mixture, x: ArrayLike, counts: ArrayLike | None = None) -> jax.Array:
    by_point = log_density(mixture, x)
    if counts is None:
        return jnp.sum(by_point)
    counts = multiplicities(by_point, counts)
    return jnp.sum(counts * jnp.where(counts == 0, jnp.zeros_like(by_point), by_point))


@compiled
def responsibilities(mixture: Mixture, x: ArrayLike) -> jax.Array:
    r"""Posterior probability of each component, given a point.

    .. math:: \gamma_{ik}=\frac{\pi_k\,\mathcal N(x_i\mid\mu_k,\sigma_k^2)}
                               {\sum_j\pi_j\,\mathcal N(x_i\mid\mu_j,\sigma_j^2)}

    Parameters
    ----------
    mixture : Mixture, shape (k,)
    x : array-like, shape (n,)
        The points, in the unit of the means.

    Returns
    -------
    array, shape (n, k)
        Each row sums to 1. A component of weight 0 has responsibility 0, exactly.

    Raises
    ------
    ValueError
        If `x` is not one dataset of shape (n,), or `mixture` not one mixture of shape (k,).

    Accuracy
    --------
    Each to its relative error, eight times what rounding the inputs may cause, compared with 60
    digits. Measured by ``tests/test_likelihood.py``.

    References
    ----------
    Equation (4) of ``derivation.md``.

    Examples
    --------
    >>> mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[-1, 1], variances=[1, 1])
    >>> responsibilities(mixture, [0.0, 100.0]).round(3)
    array([[0.5, 0.5], [0. , 1. ]])
    """
    _, scaled = scaled_densities(mixture, x)
    joint = mixture.weights[None, :] * scaled
    return joint / jnp.sum(joint, axis=-1, keepdims=True)


def scaled_densities(mixture: Mixture, x: ArrayLike) -> tuple[jax.Array, jax.Array]:
    r"""Densities of each point under each component, divided by a factor of the point's own.

    The factor cancels in every ratio of densities. Without it a far point would lose digits:
    :math:`\log\mathcal N` is large there, and so is its rounding error, which the exponential of a
    difference of two such numbers would magnify.

    Returns
    -------
    largest : array, shape (n,)
        Logarithm of the factor: the largest of the log joint densities.
    scaled : array, shape (n, k)
        :math:`\mathcal N(x_i\mid\mu_k,\sigma_k^2)\,e^{-\text{largest}_i}`.

    References
    ----------
    Equation (2) of ``derivation.md``.
    """
    by_component = component_log_density(mixture, x)
    # A constant for the derivative: it cancels between the inside and the outside of the sum.
    largest = jax.lax.stop_gradient(
        jnp.max(by_component + jnp.log(mixture.weights)[None, :], axis=-1)
    )
    # Every density underflows: the answer is -inf, and -inf - (-inf) would be NaN.
    largest = jnp.where(jnp.isneginf(largest), jnp.zeros_like(largest), largest)
    # The density of a component of weight 0 may exceed the mixture's by more than the range of a
    # double, and 0 x inf would be NaN.
    limit = 0.98 * math.log(float(np.finfo(by_component.dtype).max))
    return largest, jnp.exp(jnp.minimum(by_component - largest[:, None], limit))


def check_order(mixture: Any, x: Any) -> None:
    """Refuse points in the place of the mixture."""
    if not isinstance(mixture, Mixture):
        raise ValueError(
            "the first argument must be a Mixture, the second the points; got "
            f"{type(mixture).__name__} and {type(x).__name__}."
        )


def points(mixture: Mixture, x: ArrayLike) -> jax.Array:
    """Return `x` as an array of the mixture's precision, refusing anything but one dataset."""
    check_order(mixture, x)
    x = jnp.asarray(x)
    if jnp.ndim(mixture.means) != 1 or x.ndim != 1:
        raise ValueError(
            "`mixture` must have shape (k,) and `x` shape (n,): one dataset; got mixture "
            f"{jnp.shape(mixture.means)} and x {x.shape}. For a batch use jax.vmap."
        )
    return x


def multiplicities(by_point: jax.Array, counts: ArrayLike) -> jax.Array:
    """Return `counts` as an array, refusing another shape than the points'."""
    counts = jnp.asarray(counts, dtype=by_point.dtype)
    if counts.shape != by_point.shape:
        raise ValueError(
            f"`counts` must have the shape of `x`, {by_point.shape}; got {counts.shape}."
        )
    return counts
