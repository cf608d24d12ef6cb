"""The door: raw data in, fits out. Validation, units and the batch axis live here."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.fitting.ascent import ascend
from mog_jax.fitting.directions import DIRECTIONS
from mog_jax.fitting.result import Fit, Status
from mog_jax.fitting.starts import best_split
from mog_jax.mixture import Mixture
from mog_jax.precision import hand_back


def fit(
    data: ArrayLike,
    *,
    direction: str = "em",
    tolerance: float = 1e-9,
    max_steps: int = 5_000,
    variance_floor: float = 1e-6,
) -> Fit:
    """Fit a two-component mixture to each dataset by maximum likelihood.

    Parameters
    ----------
    data : array-like, shape (n,) or (b, n)
        One dataset, or one in each row. NaN is a missing value.
    direction : "em" or "gradient"
        How to climb; both use the hand-written gradients.
    tolerance : float
        A fit has converged when less than this is left to be gained, in nats.
    max_steps : int
        Steps after which to give up.
    variance_floor : float
        Lowest variance of a component, in units of the dataset's variance.

    Returns
    -------
    Fit
        With a leading axis b where the data have one. In float64 unless `data` is float32.

    Raises
    ------
    ValueError
        If an argument has a wrong type, shape or range. What is wrong with single datasets is
        told by their status instead.

    Examples
    --------
    >>> import mog_jax
    >>> mog_jax.fit(mog_jax.datasets.faithful())
    Fit(0.3609 N(54.6149, sd 5.871) + 0.6391 N(80.0911, sd 5.868); log-likelihood -1034.001750, 272
    points, converged in ... steps)
    """
    array = _real_matrix(data)
    if direction not in DIRECTIONS:
        known = ", ".join(map(repr, DIRECTIONS))
        raise ValueError(f"`direction` must be one of {known}; got {direction!r}.")
    for name, value in {"tolerance": tolerance, "variance_floor": variance_floor}.items():
        if not value > 0:
            raise ValueError(f"`{name}` must be positive; got {value}.")
    if max_steps < 1:
        raise ValueError(f"`max_steps` must be at least 1; got {max_steps}.")
    with jax.enable_x64(array.dtype == np.float64):
        fits: Fit = _fit_batch(
            np.atleast_2d(array),
            direction=direction,
            tolerance=float(tolerance),
            max_steps=int(max_steps),
            variance_floor=float(variance_floor),
        )
    fits = hand_back(fits)
    return fits if array.ndim == 2 else fits[0]


def _real_matrix(data: ArrayLike) -> np.ndarray[Any, Any]:
    try:
        array = np.asarray(data)
    except ValueError:
        raise ValueError(
            "`data` must be an array of shape (n,) or (b, n); got a ragged list."
        ) from None
    if array.dtype.kind not in "fiub":
        raise ValueError(f"`data` must be real numbers; got dtype {array.dtype}.")
    if array.ndim not in (1, 2) or array.size == 0:
        raise ValueError(
            f"`data` must have shape (n,) or (b, n), with n and b at least 1; got {array.shape}."
        )
    return array.astype(np.float32 if array.dtype == np.float32 else np.float64, copy=False)


@functools.partial(
    jax.jit, static_argnames=("direction", "tolerance", "max_steps", "variance_floor")
)
def _fit_batch(data: jax.Array, **options: Any) -> Fit:
    def fit_one(dataset: jax.Array) -> Fit:
        return _fit_one(dataset, **options)

    return jax.vmap(fit_one)(data)


def _fit_one(
    data: jax.Array, *, direction: str, tolerance: float, max_steps: int, variance_floor: float
) -> Fit:
    present = ~jnp.isnan(data)
    counts = present.astype(data.dtype)
    n_points = jnp.sum(present, dtype=jnp.int32)
    total = jnp.sum(counts)
    is_finite = jnp.all(jnp.isfinite(data) | ~present)
    # Padding is a finite value with count 0: NaN would poison sums even when multiplied by 0.
    x = jnp.where(present & is_finite, data, jnp.zeros_like(data))
    lowest = jnp.min(x, initial=jnp.inf, where=present)
    highest = jnp.max(x, initial=-jnp.inf, where=present)
    is_constant = lowest == highest
    usable = is_finite & (n_points >= 2) & ~is_constant

    # In two steps, so that an offset far larger than the spread leaves no rounding in the mean.
    centre = jnp.where(usable, lowest + 0.5 * (highest - lowest), 0)
    x = jnp.where(present, x - centre, 0)
    mean = jnp.sum(x) / jnp.maximum(total, 1)
    x = jnp.where(present, x - mean, 0)
    scale = jnp.sqrt(jnp.sum(jnp.square(x)) / jnp.maximum(total, 1))
    scale = jnp.where(usable, scale, 1)
    x = x / scale

    end, status = ascend(
        best_split(x, counts, variance_floor),
        x,
        counts,
        direction=DIRECTIONS[direction],
        tolerance=tolerance,
        max_steps=max_steps,
        variance_floor=variance_floor,
    )
    status = jnp.select(
        [~is_finite, n_points < 2, is_constant],
        [
            jnp.int32(Status.NOT_FINITE),
            jnp.int32(Status.TOO_FEW_POINTS),
            jnp.int32(Status.CONSTANT),
        ],
        status,
    )

    def known(value: Any) -> Any:
        return jax.tree.map(lambda leaf: jnp.where(usable, leaf, jnp.nan), value)

    mixture: Mixture = known(end.mixture.affine(scale, mean).affine(1.0, centre).ordered())
    return Fit(
        mixture=mixture,
        log_likelihood=known(end.log_likelihood - total * jnp.log(scale)),
        status=status,
        n_steps=jnp.where(usable, end.n_steps, 0),
        gain_left=known(end.gain_left),
        n_points=n_points,
        n_missing=data.size - n_points,
    )
