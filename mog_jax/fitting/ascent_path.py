"""`ascent_path`: one climb from a given start, with the mixture after each step."""

import dataclasses
from typing import Never

import jax
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.fitting.climb.arrival import has_arrived
from mog_jax.fitting.climb.ascent import Ascent, unpacked
from mog_jax.fitting.climb.directions import Direction
from mog_jax.fitting.data.inputs import Array, read
from mog_jax.fitting.data.standardise import Standardised, standardise
from mog_jax.fitting.multistart.climbs import advance, begin_climbs
from mog_jax.fitting.multistart.packing import standardised_points
from mog_jax.fitting.options import (
    DEFAULTS,
    AscentOptions,
    checked_options,
    keywords_of,
    refuse_unknown,
)
from mog_jax.fitting.parameterisation import mixture_at, theta_of, to_standard_scale
from mog_jax.mixture import Mixture


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class AscentPath:
    """The path of an ascent: the start, and every mixture that it moved to.

    Parameters
    ----------
    mixture : Mixture, shape (moves + 1, 2)
        In the data's unit, the components in the order of the start.
    log_likelihood : array, shape (moves + 1,)
        Of each mixture, in nats. It never falls, except by rounding.
    n_passes : int
        Passes over the data: one for each mixture, and one for each proposal that did not climb.
    converged : bool
        Whether less than the tolerance is left to be gained.
    """

    mixture: Mixture
    log_likelihood: Array
    n_passes: int
    converged: bool

    def __len__(self) -> int:
        return len(self.log_likelihood)

    def __repr__(self) -> str:
        end = "converged" if self.converged else "not converged"
        return (
            f"AscentPath({len(self)} mixtures, log-likelihood {self.log_likelihood[0]:.6f} to "
            f"{self.log_likelihood[-1]:.6f} in {self.n_passes} passes, {end})"
        )


def ascent_path(
    data: ArrayLike,
    start: Mixture,
    *,
    counts: ArrayLike | None = None,
    direction: str | Direction = DEFAULTS.direction,
    tolerance: float = DEFAULTS.tolerance,
    max_steps: int | None = DEFAULTS.max_steps,
    variance_floor: float = DEFAULTS.variance_floor,
    **unknown: Never,
) -> AscentPath:
    """Climb the likelihood of one dataset from a given start, and return every mixture on the way.

    It is the ascent of :func:`mog_jax.fit`, which climbs from several starts of its own and chooses
    among their ends; from one start the end may be another maximum, or the variance floor.

    Parameters
    ----------
    data : array-like, shape (n,)
        NaN is a missing value.
    start : Mixture, fields of shape (2,)
        The start, in the data's unit.
    counts : array-like, shape (n,), optional
        How often each point was seen.
    direction : "newton", "em", "gradient" or Direction
        Direction of the ascent.
    tolerance : float
        The climb has converged when less than this is left to be gained, in nats.
    max_steps : int, optional
        Largest number of steps: by default 200 for Newton's method, 10,000 for the others.
    variance_floor : float
        Lowest variance of a component, in units of the data's variance.

    Returns
    -------
    AscentPath

    Raises
    ------
    ValueError
        If `start` is not a mixture of two components, or the data cannot be fitted.

    Examples
    --------
    >>> import mog_jax
    >>> start = mog_jax.Mixture.from_arrays(weights=[0.5, 0.5], means=[50, 60], variances=[99, 99])
    >>> mog_jax.ascent_path(mog_jax.datasets.faithful(), start)
    AscentPath(... mixtures, log-likelihood ... to -1034.001750 in ... passes, converged)
    """
    refuse_unknown("ascent_path", unknown, keywords_of(ascent_path))
    options = checked_options(
        direction=direction,
        tolerance=tolerance,
        max_steps=max_steps,
        variance_floor=variance_floor,
    ).ascent(searching=False)
    source = read(data, counts)
    if not source.is_single:
        raise ValueError("`data` must have shape (n,): one dataset.")
    if not isinstance(start, Mixture):
        raise ValueError(f"`start` must be a Mixture; got {type(start).__name__}.")
    if np.shape(start.means) != (2,):
        raise ValueError(
            f"`start` must be a mixture with fields of shape (2,); got {np.shape(start.means)}."
        )
    Mixture.from_arrays(weights=start.weights, means=start.means, variances=start.variances)
    points = standardise(source, np.arange(1))
    if not points.is_usable[0]:
        raise ValueError(
            "`data` must be finite and hold at least two different points, of a magnitude whose "
            "square is a floating-point number."
        )
    path = _climb(points, _on_standard_scale(start, points), options)
    return _described(path, points, options.tolerance)


def _on_standard_scale(start: Mixture, data: Standardised) -> Array:
    if not (np.asarray(start.weights) > 0).all():
        raise ValueError("`start` must have positive weights: an empty component stays empty.")
    start = jax.tree.map(lambda field: np.asarray(field, np.float64)[None], start)
    return to_standard_scale(theta_of(start), data.mean, data.scale)


def _climb(data: Standardised, theta: Array, options: AscentOptions) -> Ascent:
    """Return the states after each step, along the last axis."""
    points = standardised_points(
        data.points, data.counts, n=data.n, total=data.total, free=np.ones((5, 1), bool)
    )
    nothing = np.zeros(1, np.int64)
    pieces: list[Array] = []
    with jax.enable_x64(True):
        climbs = begin_climbs(theta, nothing, nothing, points.points.dtype)
        while not pieces or climbs.state.climbing[0]:
            climbs = advance(climbs, points, options, steps=1)
            pieces.append(climbs.rows)
    return unpacked(np.concatenate(pieces, axis=1))


def _described(path: Ascent, data: Standardised, tolerance: float) -> AscentPath:
    """Return the steps that moved, in the data's unit."""
    moved = np.append(True, (np.diff(path.theta, axis=1) != 0).any(axis=0))
    total, scale = data.total[0], data.scale[0]
    standard = mixture_at(path.theta[:, moved])
    return AscentPath(
        mixture=Mixture(
            weights=standard.weights,
            means=data.mean[0] + scale * standard.means,
            variances=scale**2 * standard.variances,
        ),
        # The constant of the change of units.
        log_likelihood=path.sums.log_likelihood[moved] - total * np.log(scale),
        n_passes=int(path.n_steps[-1]),
        converged=bool(has_arrived(path.gain_left[-1], total, tolerance)),
    )
