r"""`local_maximum`: one climb of one dataset, which works under `jit`, `vmap` and `grad`.

Its derivative does not differentiate the climb's operations. At the maximum the gradient is zero
whatever the data are; so when the data change, the maximum moves by the inverse information times
the change of the gradient at a fixed mixture: the implicit function theorem, in closed form.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Never

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mog_jax import inference
from mog_jax.array_like import real_array
from mog_jax.fitting.climb import derivatives
from mog_jax.fitting.climb.arrival import has_arrived, on_floor
from mog_jax.fitting.climb.ascent import Columns, ascend, begin
from mog_jax.fitting.data.interval_options import IntervalOptions
from mog_jax.fitting.intervals.from_starts import interval_maximum
from mog_jax.fitting.options import (
    DEFAULTS,
    AscentOptions,
    checked_options,
    keywords_of,
    refuse_unknown,
)
from mog_jax.fitting.parameterisation import mixture_at, theta_of
from mog_jax.inference.scores import score_slopes, scores
from mog_jax.kernel import lane_sums, totals
from mog_jax.lane_shapes import pad_rows, pad_to_power
from mog_jax.manual_axes import varying_as
from mog_jax.mixture import Mixture
from mog_jax.precision import compiled, is_traced


def local_maximum(
    x: ArrayLike,
    start: Mixture,
    *,
    counts: ArrayLike | None = None,
    tolerance: float = DEFAULTS.tolerance,
    max_steps: int | None = DEFAULTS.max_steps,
    variance_floor: float = DEFAULTS.variance_floor,
    equal_variances: bool = DEFAULTS.equal_variances,
    fixed: Mixture | None = None,
    upper: ArrayLike | None = None,
    resolution: float | None = None,
    limits: tuple[float | None, float | None] | None = None,
    window: tuple[float | None, float | None] | None = None,
    **unknown: Never,
) -> Mixture:
    r"""Climb from a mixture to the maximum of the likelihood above it: one dataset, one climb.

    A pure function: it works under ``jit`` and ``vmap``; ``grad``, ``jacfwd`` and ``hessian`` give
    the derivatives of the maximum by the points, by their counts, and by the fixed values,

    .. math:: d\hat\theta=d\eta+C\Big(\sum_i\Big[s_i\,dc_i+c_i\frac{\partial s_i}{\partial x}\,
              dx_i\Big]-I\,d\eta\Big),

    with the observed information :math:`I`, its inverse :math:`C` on the free coordinates, the
    scores :math:`s_i` of the points and the fixed values :math:`\eta`. Which maximum it is depends
    on the start; :func:`mog_jax.fit` finds the best one, and its ``mixture`` is a good start here.

    Parameters
    ----------
    x : array-like, shape (n,)
        The points. NaN is a missing value.
    start : Mixture, shape (2,)
        The start, with weights strictly between 0 and 1. The derivative by it is 0: a small change
        of the start does not change the maximum.
    counts : array-like, shape (n,), optional
        How often each point was seen, non-negative; 1 if not given. A point with count 0 has no
        effect on the maximum; the derivative by its count is the effect that it would have.
    tolerance : float
        The climb has converged when less than this is left to be gained, in nats.
    max_steps : int, optional
        Largest number of steps: by default 200.
    variance_floor : float
        Lowest variance of a component, in units of the data's variance.
    equal_variances : bool
        Whether the components share one variance.
    fixed : Mixture, shape (2,), optional
        Fixed values of parameters, in the order of `start`, NaN where they are free. If one weight
        is given, the other may be NaN.
    upper, resolution, limits, window : optional
        Say that the values are intervals, as for :func:`mog_jax.fit`. Then the function does not
        work under ``jit``, ``vmap`` and ``grad``.

    Returns
    -------
    Mixture, shape (2,)
        Components in the order of `start`. NaN if the climb does not end at an interior maximum: it
        reached the step limit or the variance floor, or the data cannot be fitted. Then the
        derivatives are NaN too, as they are if the information is singular.

    Raises
    ------
    ValueError
        If the shapes do not agree, an option is out of range, or `fixed` has variances although
        they are to be equal. If `fixed` is traced, the latter gives NaN instead.

    References
    ----------
    Equations (40) and (42) of ``derivation.md``.

    Examples
    --------
    If the longest waiting time at the geyser had been a minute longer, the mean of the short ones
    would have been lower, in minutes by

    >>> import jax
    >>> import mog_jax
    >>> x = np.sort(mog_jax.datasets.faithful())
    >>> start = mog_jax.fit(x).mixture
    >>> with jax.enable_x64(True):
    ...     slope = jax.grad(lambda x: local_maximum(x, start).means[0])(x)
    >>> print(f"{slope[-1]:.4f}")
    -0.0105
    """
    refuse_unknown("local_maximum", unknown, keywords_of(local_maximum))
    options = checked_options(
        tolerance=tolerance,
        max_steps=max_steps,
        variance_floor=variance_floor,
        equal_variances=equal_variances,
    ).ascent(searching=False)
    interval_options = IntervalOptions(
        upper=upper, resolution=resolution, limits=limits, window=window
    )
    if interval_options.are_given:
        _check_start(start)
        _check_fixed(fixed, options.equal_variances)
        return interval_maximum(x, start, counts, interval_options, options, fixed)
    x = real_array(x, "x")
    counts = None if counts is None else real_array(counts, "counts")
    _check_shapes(x, start, counts)
    _check_fixed(fixed, options.equal_variances)
    if not is_traced((x, start, counts, fixed)):
        x, counts = _filled_up(x, start, counts)
    return _program(options)(x, start, counts, fixed)


def _filled_up(
    x: ArrayLike, start: Mixture, counts: ArrayLike | None
) -> tuple[ArrayLike, ArrayLike | None]:
    """Pad with missing points to one of few lengths: each length needs a program of its own."""
    points = np.asarray(x)
    if not np.issubdtype(points.dtype, np.floating):
        points = points.astype(np.asarray(start.means).dtype)
    missing = (0, pad_to_power(len(points)) - len(points))
    points = np.pad(points, missing, constant_values=np.nan)
    return points, None if counts is None else np.pad(np.asarray(counts), missing)


def _check_shapes(x: ArrayLike, start: Mixture, counts: ArrayLike | None) -> None:
    if np.ndim(x) != 1 or np.shape(x)[0] == 0:
        raise ValueError(
            f"`x` must have shape (n,): one dataset of at least one point; got {np.shape(x)}. For "
            "a batch use jax.vmap."
        )
    _check_start(start)
    if counts is not None and np.shape(counts) != np.shape(x):
        raise ValueError(
            f"`counts` must have the shape of `x`, {np.shape(x)}; got {np.shape(counts)}."
        )


def _check_start(start: Mixture) -> None:
    if np.shape(start.means) != (2,):
        raise ValueError(
            f"`start` must have two components, shape (2,); got {np.shape(start.means)}. For a "
            "batch use jax.vmap."
        )


def _check_fixed(fixed: Mixture | None, equal_variances: bool) -> None:
    if fixed is None:
        return
    if not isinstance(fixed, Mixture):
        raise ValueError(f"`fixed` must be a Mixture, NaN where free; got {type(fixed).__name__}.")
    for name in ("weights", "means", "variances"):
        shape = np.shape(getattr(fixed, name))
        if shape != (2,):
            raise ValueError(
                f"`fixed` must have fields of shape (2,); got {name} of shape {shape}."
            )
    # The values of a traced `fixed` are unknown: then the answer is NaN.
    if equal_variances and not is_traced(fixed) and not np.isnan(fixed.variances).all():
        raise ValueError("`fixed` variances and `equal_variances=True` exclude each other.")


@functools.cache
def _program(
    options: AscentOptions,
) -> Callable[[ArrayLike, Mixture, ArrayLike | None, Mixture | None], Mixture]:
    return compiled(functools.partial(_maximum, options=options))


def _maximum(
    x: jax.Array,
    start: Mixture,
    counts: jax.Array | None,
    fixed: Mixture | None,
    *,
    options: AscentOptions,
) -> Mixture:
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(start.means.dtype)
    start = jax.tree.map(lambda field: jax.lax.stop_gradient(jnp.asarray(field, x.dtype)), start)
    free = None
    if fixed is not None:
        start, free = _put_in_place(jax.tree.map(jnp.asarray, fixed), start)
    present = ~jnp.isnan(x)
    seen = jnp.ones_like(x) if counts is None else jnp.asarray(counts, x.dtype)
    seen = jnp.where(present, seen, 0)
    x = jnp.where(present, x, 0)
    # A constant change of units does not change the derivative. So mean and scale, although they
    # come from the data, are constants to it.
    own = jax.lax.stop_gradient(totals(x, seen))
    scale = jnp.sqrt(own.variance)
    missing = (0, pad_rows(x.shape[0]) - x.shape[0])
    z = jnp.pad(jnp.where(present, (x - own.mean) / scale, 0), missing)
    standard = start.affine(1 / scale, -own.mean / scale)
    if options.equal_variances:
        standard = _with_shared_variance(standard)
    theta = theta_of(standard, jnp)
    end = _climb(z, jnp.pad(seen, missing), theta, free, options)
    return mixture_at(end, jnp).affine(scale, own.mean)


def _put_in_place(fixed: Mixture, start: Mixture) -> tuple[Mixture, jax.Array]:
    """Return the start with the fixed values, and which of the five coordinates are free."""
    weights = fixed.weights
    # A missing weight is one minus the other.
    weights = jnp.where(jnp.isnan(weights), 1 - weights[::-1], weights)
    fixed = dataclasses.replace(fixed, weights=weights)
    begun = jax.tree.map(
        lambda known, free: jnp.where(jnp.isnan(known), free, known.astype(free.dtype)),
        fixed,
        start,
    )
    return begun, jnp.isnan(jnp.concatenate([weights[:1], fixed.means, fixed.variances]))


def _with_shared_variance(mixture: Mixture) -> Mixture:
    shared = jnp.sum(mixture.weights * mixture.variances)
    return dataclasses.replace(mixture, variances=jnp.full_like(mixture.variances, shared))


@functools.partial(jax.custom_jvp, nondiff_argnums=(4,))
def _climb(
    z: jax.Array,
    counts: jax.Array,
    theta: jax.Array,
    free: jax.Array | None,
    options: AscentOptions,
) -> jax.Array:
    """Return the coordinates of the maximum above `theta`; NaN if the climb does not reach one."""
    data = Columns(x=z, totals=totals(z, counts), counts=counts, free=free)
    begun = dataclasses.replace(begin(np.zeros(5, theta.dtype)), theta=theta, proposal=theta)
    end = ascend(
        varying_as(begun, (theta, data)),
        data,
        steps=options.max_steps,
        **options.as_arguments(),
    )
    is_maximum = (
        has_arrived(end.gain_left, data.count, options.tolerance)
        & ~on_floor(end.theta, options.variance_floor)
        & jnp.all(counts >= 0)
    )
    if free is not None and options.equal_variances:
        is_maximum = is_maximum & free[3] & free[4]
    return jnp.where(is_maximum, end.theta, jnp.nan)


@_climb.defjvp
def _climb_jvp(
    options: AscentOptions, primals: tuple[Any, ...], tangents: tuple[Any, ...]
) -> tuple[jax.Array, jax.Array]:
    z, counts, start, free = primals
    z_tangent, counts_tangent, start_tangent, _ = tangents
    theta = _climb(z, counts, start, free, options)
    at = tuple(theta)
    sums = lane_sums(derivatives.unpack(at), z, totals(z, counts), counts)
    information = derivatives.information(at, sums).dense()
    covariance = inference.covariance(
        information,
        fixed=None if free is None else (~free).astype(np.int8),
        equal_variances=options.equal_variances,
    )
    mixture = mixture_at(theta, jnp)
    push = counts_tangent @ scores(mixture, z) + (counts * z_tangent) @ score_slopes(mixture, z)
    if free is None:
        return theta, covariance @ push
    # A fixed coordinate moves with its value; the free ones move by their response to it.
    moved = jnp.where(free, 0, start_tangent)
    return theta, moved + covariance @ (push - information @ moved)
