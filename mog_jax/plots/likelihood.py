"""`plot_likelihood`: the log-likelihood over the plane of the means, and paths of ascents."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.arrays import HostArray
from mog_jax.fitting import AscentPath, Fit
from mog_jax.likelihood import log_likelihood
from mog_jax.mixture import Mixture
from mog_jax.plots import style
from mog_jax.plots.fit import refuse_batch
from mog_jax.plots.points import finite_points
from mog_jax.precision import compiled

_POINTS = 4096
# Largest depth below the maximum that is drawn, in nats.
_DEEPEST = 2.0**40


def plot_likelihood(
    fit: Fit,
    data: ArrayLike,
    *,
    counts: ArrayLike | None = None,
    paths: Mapping[str, AscentPath] | None = None,
    axes: Any = None,
    resolution: int = 121,
    reach: float = 1.0,
) -> Any:
    """Draw the log-likelihood as a function of the two means, with the others fixed at the fit.

    Parameters
    ----------
    fit : Fit
        The fit of one dataset.
    data : array-like, shape (n,)
        The data that were fitted; NaN is left out. More than 4,096 points are joined with their
        neighbours.
    counts : array-like, shape (n,), optional
        How often each point was seen.
    paths : dict from str to AscentPath, optional
        Paths of ascents from :func:`mog_jax.ascent_path`, by name. They are drawn in the plane of
        their means: their weights and variances are those of the fit only at the end.
    axes : matplotlib axes, optional
        Where to draw. A new figure if not given.
    resolution : int
        Number of grid points in each direction.
    reach : float
        Margin around the maxima and the paths, in standard deviations of the data.

    Returns
    -------
    array of matplotlib axes, shape (1,)

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If `fit` is a batch or of intervals, or nothing was fitted; or for several axes.
    """
    refuse_batch(fit)
    best = np.asarray(fit.mixture.means, dtype=np.float64)
    if np.isnan(best).any():
        raise ValueError("`fit` must have a maximum to draw; here nothing was fitted.")
    if fit.of_intervals:
        raise ValueError(
            "`plot_likelihood` draws the likelihood of points; this is a fit of intervals: see "
            "`profile_interval`."
        )
    points, times = condensed(*finite_points(data, counts))
    passed = {name: np.asarray(path.mixture.means) for name, path in (paths or {}).items()}
    labels = {
        name: f"{name}, {path.n_passes:,} passes" + ("" if path.converged else ", not there yet")
        for name, path in (paths or {}).items()
    }
    around = np.concatenate([best[None], best[None, ::-1], *passed.values()])
    margin = reach * float(np.sqrt(fit.one_component.variance))
    low, high = around.min() - margin, around.max() + margin
    side = np.linspace(low, high, resolution)
    values = np.asarray(_over_plane(fit.mixture, points, times, side))
    drop = _drop(values)

    if axes is None:
        _, axes = style.pyplot().subplots(figsize=(5.2, 4.8), layout="compressed")
    (axes,) = found = style.panels(axes, 1, 1)
    _draw_plane(axes, side, drop)
    for number, (name, means) in enumerate(passed.items()):
        _draw_path(axes, means, labels[name], number)
    # The order of the components is arbitrary: so there are two equal maxima.
    for place in (best, best[::-1]):
        axes.plot(*place, marker="*", ms=11, color="white", mec="black", mew=0.9, zorder=5)
    if passed:
        # Above the axes, as inside there may be no room beside the paths.
        axes.legend(
            frameon=False,
            fontsize="small",
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=2,
            borderaxespad=0.3,
            handlelength=3,
        )
    axes.set_xlabel("mean of the first component")
    axes.set_ylabel("mean of the second component")
    axes.set_aspect("equal")
    return found


def _drop(values: HostArray) -> HostArray:
    """Return how far values are below the largest, in nats; the largest depth if not finite."""
    finite = np.isfinite(values)
    top = values.max(initial=-np.inf, where=finite)
    below: HostArray = np.full(values.shape, _DEEPEST)
    np.subtract(top, values, out=below, where=finite)
    return np.clip(below, 0, _DEEPEST)


def condensed(points: HostArray, times: HostArray) -> tuple[HostArray, HostArray]:
    """Replace more than 4,096 points by means of neighbours: the plane has thousands of pixels."""
    if points.size <= _POINTS:
        return points, times
    order = np.argsort(points)
    starts = np.linspace(0, points.size, _POINTS, endpoint=False).astype(int)
    total = np.add.reduceat(times[order], starts)
    return np.add.reduceat((times * points)[order], starts) / total, total


def _draw_plane(axes: Any, side: HostArray, drop: np.ndarray[Any, Any]) -> None:
    from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap

    # Levels in nats below the maximum, each twice as deep as the last.
    levels = np.concatenate([[0], 2.0 ** np.arange(0, np.log2(max(drop.max(), 4)) + 1)])
    # White at the top and never dark, so that paths stand out; contour lines serve in grey.
    shades = LinearSegmentedColormap.from_list("height", ["#FFFFFF", "#B9D3E6", "#7E9DBB"])
    norm = BoundaryNorm(levels, shades.N)
    filled = axes.contourf(side, side, drop.T, levels=levels, cmap=shades, norm=norm)
    axes.contour(side, side, drop.T, levels=levels[1:], colors="#4A6076", linewidths=0.4)
    axes.plot(side[[0, -1]], side[[0, -1]], color="#4A6076", lw=0.8, ls=":")
    axes.set(xlim=side[[0, -1]], ylim=side[[0, -1]])
    beside = axes.inset_axes((1.03, 0, 0.04, 1))
    bar = axes.figure.colorbar(filled, cax=beside, ticks=levels[1::2])
    bar.ax.set_yticklabels([f"{level:,.0f}" for level in levels[1::2]])
    bar.ax.tick_params(labelsize="small")
    bar.set_label("nats below the maximum")


def _draw_path(axes: Any, means: HostArray, label: str, number: int) -> None:
    colour, dashes, marker = style.PATHS[number % len(style.PATHS)]
    # Mark all steps if there are few; else steps 0, 1, 2, 4, 8, ...
    steps = len(means)
    marked = range(steps) if steps <= 20 else [0, *(2**k for k in range((steps - 1).bit_length()))]
    axes.plot(
        *means.T,
        color=colour,
        ls=dashes,
        lw=1.3,
        marker=marker,
        ms=4,
        mec="white",
        mew=0.5,
        markevery=list(marked),
        label=label,
        zorder=4,
    )
    axes.plot(*means[0], marker="o", ms=8, mfc="none", mec="black", mew=1.1, zorder=4)


@compiled
def _over_plane(mixture: Mixture, x: ArrayLike, times: ArrayLike, side: ArrayLike) -> jax.Array:
    def at(first: jax.Array, second: jax.Array) -> jax.Array:
        moved = dataclasses.replace(mixture, means=jnp.stack([first, second]))
        return log_likelihood(moved, x, times)

    side = jnp.asarray(side)
    # Row by row, to save memory: the dataset would be needed for each point of the plane.
    plane: jax.Array = jax.lax.map(lambda first: jax.vmap(lambda s: at(first, s))(side), side)
    return plane
