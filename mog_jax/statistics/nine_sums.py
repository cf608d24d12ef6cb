r"""Sufficient statistics at a mixture, and the fast log-likelihood.

The public functions of the kernel, for datasets with the points on the trailing axis. The pass over
the points is in :mod:`mog_jax.kernel`.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.array_like import seen_points
from mog_jax.gradients import point_gradients
from mog_jax.kernel import Sums, lane_sums, totals
from mog_jax.lane_shapes import pad_rows
from mog_jax.likelihood import check_order, log_density
from mog_jax.mixture import Coordinates, Mixture
from mog_jax.precision import compiled, is_traced
from mog_jax.statistics.steps import partial_derivatives


def sums(mixture: Mixture, x: ArrayLike, counts: ArrayLike | None = None) -> Sums:
    """Sufficient statistics of the data at a mixture, of one dataset or of a batch.

    Parameters
    ----------
    mixture : Mixture, shape (*batch, 2)
        Two components; weights positive.
    x : array-like, shape (*batch, n)
        The points, in the unit of the means.
    counts : array-like, shape (*batch, n), optional
        How often each point was seen; 1 where not given. A point with count 0 does not exist.

    Returns
    -------
    Sums
        With the batch behind the components: fields of shape `(*batch)`, `(2, *batch)`,
        `(5, *batch)`.

    Raises
    ------
    ValueError
        If the shapes do not agree, or the mixture has not two components.

    Accuracy
    --------
    Each sum to 1000 roundings a point, times one plus the squared distance of the means in
    standard deviations of the wider component. Measured by ``tests/test_statistics.py``.

    References
    ----------
    Equation (23) of ``derivation.md``.

    Examples
    --------
    >>> mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[-1, 1], variances=[1, 1])
    >>> sums(mixture, [-3.0, 0.0, 3.0]).effective_counts.round(3)
    array([1.5, 1.5])
    """
    check_order(mixture, x)
    points, seen = seen_points(x, counts)
    _check_shapes(mixture, points, seen)
    return _sums(mixture, points, seen)


def add(*parts: Sums) -> Sums:
    """Sums over a whole dataset, from those over its parts: chunks of a file, shares of machines.

    Parameters
    ----------
    *parts : Sums
        At least one; all taken at the same mixture.

    Returns
    -------
    Sums
        The same, up to rounding, as of all points together.

    Raises
    ------
    ValueError
        If there are no parts, or they were taken at different mixtures.

    Accuracy
    --------
    The sums of all points to 12 digits, in any order of the parts. Measured by
    ``tests/test_statistics.py``.

    References
    ----------
    Equation (23) of ``derivation.md``.

    Examples
    --------
    One step of EM on data that never are in memory together:

    >>> mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[-1, 1], variances=[1, 1])
    >>> chunks = [-3.0, 0.0, 3.0], [-2.0, 2.5]
    >>> whole = add(*(sums(mixture, chunk) for chunk in chunks))
    >>> (mixture.means + whole.first / whole.effective_counts).round(3)
    array([-1.982,  2.163])
    """
    if not parts:
        raise ValueError("`add` needs the sums of at least one part.")
    first, *others = parts
    if not is_traced(parts):
        for part in others:
            if not np.array_equal(part.centre, first.centre):
                raise ValueError(
                    f"the parts must be taken at one mixture; got centres {first.centre} and "
                    f"{part.centre}."
                )
    total: Sums = jax.tree.map(lambda *leaves: sum(leaves), *parts)
    return dataclasses.replace(total, centre=first.centre)


@compiled
def _sums(mixture: Mixture, x: ArrayLike, counts: ArrayLike | None) -> Sums:
    x = jnp.moveaxis(jnp.asarray(x, mixture.means.dtype), -1, 0)
    missing = pad_rows(x.shape[0]) - x.shape[0]
    widths = [(0, missing)] + [(0, 0)] * (x.ndim - 1)
    padding = jnp.full(x.shape[1:], missing, x.dtype)
    x = jnp.pad(x, widths, mode="edge")
    if counts is not None:
        counts = jnp.pad(jnp.moveaxis(jnp.asarray(counts, x.dtype), -1, 0), widths)
    pairs = jax.tree.map(lambda field: jnp.moveaxis(field, -1, 0), mixture)
    # Measured from the narrower component's mean, a large offset costs no digits. The origin is
    # a mean and not computed: a compiler may round a value that is computed twice differently.
    first = pairs.variances[0] <= pairs.variances[1]
    origin = jax.lax.stop_gradient(jnp.where(first, pairs.means[0], pairs.means[1]))
    x = x - origin[None]
    coordinates = Coordinates(
        logits=jnp.log(pairs.weights),
        means=pairs.means - origin[None],
        log_variances=jnp.log(pairs.variances),
    )
    found = lane_sums(coordinates, x, totals(x, counts, padding), counts, padding).stacked()
    return dataclasses.replace(found, centre=found.centre + origin)


def log_likelihood(mixture: Mixture, x: ArrayLike, counts: ArrayLike | None = None) -> jax.Array:
    r"""Log-likelihood of a dataset under two components, with its gradient from the nine sums.

    The same number as :func:`mog_jax.log_likelihood`, which is the reference. Its derivative rule
    is written by hand: ``jax.value_and_grad`` of it costs one pass with one exponential a point.

    Parameters
    ----------
    mixture : Mixture, shape (2,)
        Weights positive. They may leave the simplex: derivatives are the partial ones.
    x : array-like, shape (n,)
        The points, in the unit of the means.
    counts : array-like, shape (n,), optional
        How often each point was seen; 1 where not given.

    Returns
    -------
    array, shape ()
        In nats.

    Raises
    ------
    ValueError
        If the shapes do not agree, or the mixture has not two components.

    Accuracy
    --------
    The textbook's to 1000 roundings a point, times one plus the squared distance of the means in
    standard deviations of the wider component; its derivative to 11 digits. Measured by
    ``tests/test_statistics.py``.

    References
    ----------
    Equation (22) of ``derivation.md``.

    Examples
    --------
    >>> mixture = Mixture.from_arrays(weights=[0.4, 0.6], means=[0, 5], variances=[1, 4])
    >>> log_likelihood(mixture, [0.1, 4.0, 4.0]).round(6)
    np.float64(-6.298243)
    """
    check_order(mixture, x)
    points, seen = seen_points(x, counts)
    if points.ndim != 1:
        raise ValueError(
            f"`x` must have shape (n,): one dataset; got {points.shape}. For a batch use jax.vmap."
        )
    _check_shapes(mixture, points, seen)
    return _compiled_log_likelihood(mixture, points, seen)


@compiled
def _compiled_log_likelihood(mixture: Mixture, x: ArrayLike, counts: ArrayLike | None) -> jax.Array:
    x = jnp.asarray(x, mixture.means.dtype)
    counts = None if counts is None else jnp.asarray(counts, x.dtype)
    return _log_likelihood(mixture, x, counts)


@jax.custom_jvp
def _log_likelihood(mixture: Mixture, x: jax.Array, counts: jax.Array | None) -> jax.Array:
    return _sums(mixture, x, counts).log_likelihood


def _log_likelihood_jvp(
    primals: tuple[Any, ...], tangents: tuple[Any, ...]
) -> tuple[jax.Array, jax.Array]:
    mixture, x, counts = primals
    along, x_tangent, counts_tangent = tangents
    at = _sums(mixture, x, counts)
    slopes = partial_derivatives(mixture, at)
    pairs = [
        (slopes.weights, along.weights),
        (slopes.means, along.means),
        (slopes.variances, along.variances),
    ]
    # The points and their counts are differentiated only where that was asked for.
    if _is_given(x_tangent):
        pairs.append((_point_slopes(mixture, x, counts), x_tangent))
    if _is_given(counts_tangent):
        pairs.append((log_density(mixture, x), counts_tangent))
    tangent = jnp.zeros_like(at.log_likelihood)
    for slope, direction in pairs:
        if _is_given(direction):
            tangent = tangent + jnp.sum(slope * direction)
    return at.log_likelihood, tangent


_log_likelihood.defjvp(_log_likelihood_jvp, symbolic_zeros=True)


def _is_given(tangent: Any) -> bool:
    return tangent is not None and not isinstance(tangent, jax.custom_derivatives.SymbolicZero)


def _point_slopes(mixture: Mixture, x: jax.Array, counts: jax.Array | None) -> jax.Array:
    # To move a point is to move both means the other way, for that point alone.
    slopes = -jnp.sum(point_gradients(mixture, x).means, axis=-1)
    return slopes if counts is None else counts * slopes


def _check_shapes(mixture: Mixture, x: Any, counts: Any) -> None:
    shape, points = np.shape(mixture.means), np.shape(x)
    if shape[-1:] != (2,):
        raise ValueError(
            f"`mixture` must have two components, shape (..., 2); got {shape}. For any number of "
            "components use mog_jax.log_likelihood and mog_jax.gradient."
        )
    if points[:-1] != shape[:-1] or not points or points[-1] == 0:
        batch = "".join(f"{size}, " for size in shape[:-1])
        raise ValueError(
            f"`x` must have shape ({batch}n), the mixture's batch and then at least one point; "
            f"got {points}."
        )
    if counts is not None and np.shape(counts) != points:
        raise ValueError(f"`counts` must have the shape of `x`, {points}; got {np.shape(counts)}.")
