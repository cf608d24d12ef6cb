r"""From the nine sums to derivatives and a step uphill: the last part of a map-reduce.

The map is :func:`mog_jax.statistics.sums`, the reduce :func:`mog_jax.statistics.add` or ``psum``.
Sums and mixtures may be batches: the batch is in front in a mixture, and behind the components in
its sums.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.arrays import Array
from mog_jax.fitting.climb import derivatives
from mog_jax.fitting.climb.ascent import newton_decrement
from mog_jax.fitting.climb.directions import LocalModel, local_model, newton
from mog_jax.fitting.parameterisation import mixture_at, theta_of
from mog_jax.kernel import Sums
from mog_jax.mixture import Mixture
from mog_jax.precision import compiled, is_traced


def gradient(mixture: Mixture, sums: Sums) -> Mixture:
    """All partial derivatives of the log-likelihood, as :func:`mog_jax.gradient` of the points.

    Parameters
    ----------
    mixture : Mixture, shape (*batch, 2)
    sums : Sums
        Of all points, taken at `mixture`.

    Returns
    -------
    Mixture, shape (*batch, 2)
        Each field holds the derivative with respect to it.

    Raises
    ------
    ValueError
        If `sums` were taken at another mixture.

    Accuracy
    --------
    That of the points to 10,000 roundings a point, times one plus the squared distance of the means
    in standard deviations of the wider component. Measured by ``tests/test_steps.py``.

    References
    ----------
    Equations (8) to (10) of ``derivation.md``.
    """
    _check(mixture, sums)
    return _gradient(mixture, sums)


def observed_information(mixture: Mixture, sums: Sums) -> jax.Array:
    r"""Minus the Hessian of the log-likelihood: at a fit, its field `information`.

    Parameters
    ----------
    mixture : Mixture, shape (*batch, 2)
    sums : Sums
        Of all points, taken at `mixture`.

    Returns
    -------
    array, shape (*batch, 5, 5)
        In the coordinates :math:`(\log\pi_1/\pi_2,\mu_1,\mu_2,\log\sigma_1^2,\log\sigma_2^2)`, of
        which :func:`mog_jax.inference.covariance` makes the covariance of the estimates.

    Raises
    ------
    ValueError
        If `sums` were taken at another mixture.

    Accuracy
    --------
    Minus the Hessian of the reference to nine digits of its largest entry. Measured by
    ``tests/test_steps.py``.

    References
    ----------
    Equation (25) of ``derivation.md``.
    """
    _check(mixture, sums)
    return _observed_information(mixture, sums)


def em_step(mixture: Mixture, sums: Sums) -> Mixture:
    """One step of EM: weights, means and variances weighted by the responsibilities.

    Parameters
    ----------
    mixture : Mixture, shape (*batch, 2)
    sums : Sums
        Of all points, taken at `mixture`.

    Returns
    -------
    Mixture, shape (*batch, 2)
        Its likelihood is not lower.

    Raises
    ------
    ValueError
        If `sums` were taken at another mixture.

    Accuracy
    --------
    The textbook's step to eight digits. Measured by ``tests/test_steps.py``.

    References
    ----------
    Equations (17) to (19) of ``derivation.md``.

    Examples
    --------
    >>> from mog_jax.statistics import sums
    >>> mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[-1, 1], variances=[1, 1])
    >>> em_step(mixture, sums(mixture, [-3.0, -2.0, 0.0, 2.5, 3.0])).means.round(3)
    array([-1.982,  2.163])
    """
    _check(mixture, sums)
    return _em_step(mixture, sums)


def newton_step(mixture: Mixture, sums: Sums, step: ArrayLike = 1.0) -> Mixture:
    """Return the next mixture of Newton's method, uphill also where the likelihood is not concave.

    Parameters
    ----------
    mixture : Mixture, shape (*batch, 2)
        Weights strictly between 0 and 1.
    sums : Sums
        Of all points, taken at `mixture`.
    step : array-like, shape () or (*batch)
        Positive, and at most 1: shorter where the step before did not climb.

    Returns
    -------
    Mixture, shape (*batch, 2)

    Raises
    ------
    ValueError
        If `sums` were taken at another mixture, or `step` is out of range.

    Accuracy
    --------
    Steps over chunks end at the fit of all points, to eight digits. Measured by
    ``tests/test_steps.py``.

    Examples
    --------
    The maximum of data that never are in memory together:

    >>> import mog_jax
    >>> from mog_jax.statistics import add, sums
    >>> chunks = np.split(mog_jax.datasets.faithful(), [100, 200])
    >>> mixture = Mixture.from_arrays(weights=[0.4, 0.6], means=[55, 80], variances=[40, 40])
    >>> for _ in range(8):
    ...     whole = add(*(sums(mixture, chunk) for chunk in chunks))
    ...     mixture = newton_step(mixture, whole)
    >>> mixture.means.round(4)
    array([54.6149, 80.0911])
    """
    _check(mixture, sums)
    if not is_traced(step) and not np.all((np.asarray(step) > 0) & (np.asarray(step) <= 1)):
        raise ValueError(f"`step` must be positive and at most 1; got {step!r}.")
    return _newton_step(mixture, sums, step)


def gain_left(mixture: Mixture, sums: Sums) -> jax.Array:
    """Estimate the nats that a maximum lies above a mixture: the Newton decrement.

    Parameters
    ----------
    mixture : Mixture, shape (*batch, 2)
        Weights strictly between 0 and 1.
    sums : Sums
        Of all points, taken at `mixture`.

    Returns
    -------
    array, shape (*batch)
        Infinite where the likelihood is not concave.

    Raises
    ------
    ValueError
        If `sums` were taken at another mixture.

    Accuracy
    --------
    An estimate, and exact for a parabola. Near a maximum it is what is left to gain: measured by
    ``tests/fitting/test_fit.py`` on the field `gain_left` of a fit.
    """
    _check(mixture, sums)
    return _gain_left(mixture, sums)


def partial_derivatives(mixture: Mixture, sums: Sums) -> Mixture:
    """Return the gradient, as part of a program."""
    counts, first, second = (
        jnp.moveaxis(field, 0, -1) for field in (sums.effective_counts, sums.first, sums.second)
    )
    precisions = 1 / mixture.variances
    return Mixture(
        weights=counts / mixture.weights,
        means=precisions * first,
        variances=0.5 * precisions * (precisions * second - counts),
    )


_gradient = compiled(partial_derivatives)


@compiled
def _observed_information(mixture: Mixture, sums: Sums) -> jax.Array:
    dense = derivatives.information(_theta(mixture), sums.unstacked()).dense()
    return jnp.moveaxis(dense, (0, 1), (-2, -1))


@compiled
def _em_step(mixture: Mixture, sums: Sums) -> Mixture:
    theta = derivatives.em_step(_theta(mixture), sums.unstacked(), [True] * 5)
    return mixture_at(jnp.stack(theta), jnp)


@compiled
def _newton_step(mixture: Mixture, sums: Sums, step: ArrayLike) -> Mixture:
    model = _local_model(mixture, sums)
    step = jnp.broadcast_to(jnp.asarray(step, model.gradient[0].dtype), model.gradient[0].shape)
    moved = [here + change for here, change in zip(model.theta, newton(model, step), strict=True)]
    return mixture_at(jnp.stack(moved), jnp)


@compiled
def _gain_left(mixture: Mixture, sums: Sums) -> jax.Array:
    return newton_decrement(_local_model(mixture, sums))


def _local_model(mixture: Mixture, sums: Sums) -> LocalModel:
    return local_model(_theta(mixture), sums.unstacked(), None, False, smallest=-float("inf"))


def _theta(mixture: Mixture) -> tuple[jax.Array, ...]:
    return tuple(theta_of(mixture, jnp))


def _check(mixture: Mixture, sums: Any) -> None:
    if not isinstance(sums, Sums):
        raise ValueError(
            f"`sums` must be Sums, as mog_jax.statistics.sums gives them; got "
            f"{type(sums).__name__}."
        )
    if np.shape(mixture.means) != (*np.shape(sums.centre), 2):
        raise ValueError(
            f"`mixture` must have the shape of its sums, {(*np.shape(sums.centre), 2)}; got "
            f"{np.shape(mixture.means)}."
        )
    if is_traced((mixture, sums)):
        return
    narrower, centre = _narrower_mean(mixture), np.asarray(sums.centre)
    # XLA takes for zero what lies below the smallest normal number.
    smallest = np.finfo(centre.dtype).tiny
    if not np.isclose(narrower, centre, rtol=0, atol=smallest, equal_nan=True).all():
        raise ValueError(
            f"`sums` must be taken at `mixture`, whose narrower component has mean {narrower}; "
            f"got sums about {sums.centre}."
        )


def _narrower_mean(mixture: Mixture) -> Array:
    means, variances = (np.asarray(each) for each in (mixture.means, mixture.variances))
    return np.where(variances[..., 0] <= variances[..., 1], means[..., 0], means[..., 1])
