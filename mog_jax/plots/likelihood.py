"""The log-likelihood over a plane of two parameters, and the path of an ascent across it."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.fitting import Fit
from mog_jax.likelihood import log_likelihood
from mog_jax.mixture import Mixture
from mog_jax.plots import style
from mog_jax.plots.fit import finite_points
from mog_jax.precision import compiled


def plot_likelihood(
    fit: Fit,
    data: ArrayLike,
    *,
    path: Mixture | None = None,
    axes: Any = None,
    resolution: int = 121,
    reach: float = 1.0,
) -> Any:
    """Draw the log-likelihood as a function of the two means, the rest held at the fit.

    Parameters
    ----------
    fit : Fit
        Of one dataset.
    data : array-like, shape (n,)
        What was fitted; NaN is left out.
    path : Mixture, shape (steps, 2), optional
        Where an ascent came by. Drawn in the plane of its means: its weights and variances are
        those of the fit only at the end.
    axes : matplotlib axes, optional
        Where to draw. A new figure where not given.
    resolution : int
        Points of the grid, in each direction.
    reach : float
        How far around the maximum and the path to draw, in standard deviations of the data.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If `fit` is a batch, or nothing was fitted.
    """
    if np.ndim(fit.status) != 0:
        raise ValueError("`fit` must be of one dataset; choose one of the batch.")
    best = np.asarray(fit.mixture.means, dtype=np.float64)
    if np.isnan(best).any():
        raise ValueError("`fit` must have a maximum to draw; here nothing was fitted.")
    points, _ = finite_points(data)
    passed = np.empty((0, 2)) if path is None else np.asarray(path.means, dtype=np.float64)
    around = np.concatenate([best[None], best[None, ::-1], passed])
    margin = reach * np.std(points)
    low, high = around.min() - margin, around.max() + margin
    side = np.linspace(low, high, resolution)
    values = np.asarray(_over_plane(fit.mixture, points, side))
    drop = values.max() - values

    if axes is None:
        _, axes = style.pyplot().subplots(figsize=(5.6, 4.4), layout="constrained")
    # In nats below the maximum, each level twice as far down as the last.
    levels = np.concatenate([[0], 2.0 ** np.arange(0, np.log2(max(drop.max(), 4)) + 1)])
    # The lightest at the top; the lines say the same in grey.
    filled = axes.contourf(side, side, drop.T, levels=levels, cmap="cividis_r", norm="symlog")
    axes.contour(side, side, drop.T, levels=levels[1:], colors="white", linewidths=0.5)
    bar = axes.figure.colorbar(filled, ax=axes, ticks=levels[1::2])
    bar.ax.set_yticklabels([f"{level:g}" for level in levels[1::2]])
    bar.set_label("nats below the maximum")
    axes.plot([low, high], [low, high], color="white", lw=1, ls=":")
    if len(passed):
        axes.plot(*passed.T, color="black", lw=1.2, marker="o", ms=3.5, mfc="white", mew=0.9)
        axes.annotate(
            "start",
            passed[0],
            xytext=(6, -10),
            textcoords="offset points",
            fontsize="small",
            color="white",
        )
    axes.plot(*best, marker="*", ms=14, color=style.HIGH, mec="black", mew=0.7)
    axes.set_xlabel("mean of the first component")
    axes.set_ylabel("mean of the second component")
    axes.set_aspect("equal")
    return axes


@compiled
def _over_plane(mixture: Mixture, x: ArrayLike, side: ArrayLike) -> jax.Array:
    def at(first: jax.Array, second: jax.Array) -> jax.Array:
        return log_likelihood(dataclasses.replace(mixture, means=jnp.stack([first, second])), x)

    side = jnp.asarray(side)
    # Row by row, so that a large dataset does not have to be held once for each point of the plane.
    plane: jax.Array = jax.lax.map(lambda first: jax.vmap(lambda s: at(first, s))(side), side)
    return plane
