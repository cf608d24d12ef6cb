"""One fit: the data, the density and its components, the threshold, the responsibilities."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mog_jax.fitting import Fit
from mog_jax.likelihood import component_log_density
from mog_jax.plots import style


def plot_fit(
    fit: Fit,
    data: ArrayLike,
    *,
    counts: ArrayLike | None = None,
    axes: Any = None,
    label: str = "x",
    level: float = 0.95,
) -> Any:
    """Draw one fit: histogram, density, components and threshold; responsibilities below.

    Parameters
    ----------
    fit : Fit
        Of one dataset.
    data : array-like, shape (n,)
        What was fitted; NaN is left out.
    counts : array-like, shape (n,), optional
        How often each point was seen.
    axes : pair of matplotlib axes, or one, optional
        Where to draw: densities and responsibilities, or densities alone. A new figure where not
        given.
    label : str
        What the data are, for the axis.
    level : float
        Of the threshold's confidence interval, drawn as a band.

    Returns
    -------
    array of matplotlib axes, shape (2,), or the one given
        Their ``figure`` can be saved.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If `fit` is a batch, or `data` have no finite point.
    """
    if np.ndim(fit.status) != 0:
        raise ValueError("`fit` must be of one dataset; choose one, or use plot_fits for many.")
    points, times = finite_points(data, counts)
    if axes is None:
        _, axes = style.pyplot().subplots(
            2, 1, sharex=True, figsize=(6.4, 4.8), height_ratios=(5, 2), layout="constrained"
        )
    both = np.atleast_1d(np.asarray(axes, dtype=object))
    grid = density_grid(fit, points)
    draw_densities(both[0], fit, points, times, grid)
    _draw_threshold(both, fit, level, (grid[0], grid[-1]))
    both[0].set_ylabel("density")
    # Above the axes: inside, there is room only where the data happen to leave some.
    handles, labels = both[0].get_legend_handles_labels()
    both[0].legend(
        handles,
        labels,
        frameon=False,
        fontsize="small",
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=2,
        borderaxespad=0.2,
        handlelength=2.8,
    )
    if len(both) > 1:
        _draw_responsibilities(both[1], fit, points, grid)
    both[-1].set_xlabel(label)
    style.bare(*both)
    return axes


def draw_densities(
    axes: Any,
    fit: Fit,
    points: np.ndarray[Any, Any],
    times: np.ndarray[Any, Any],
    grid: np.ndarray[Any, Any],
    *,
    width: float = 1.6,
) -> None:
    """Draw histogram, weighted components and their sum."""
    heights, _, _ = axes.hist(
        points,
        bins=_edges(points, times),
        weights=times,
        density=True,
        color=style.BARS,
        edgecolor="white",
        linewidth=0.5,
    )
    mixture, tallest = fit.mixture, float(heights.max())
    if np.isnan(np.asarray(mixture.means)).any():
        return
    components = np.exp(component_log_density(mixture, grid)) * np.asarray(mixture.weights)
    total = components.sum(axis=1)
    axes.plot(grid, total, color=style.TOTAL, lw=width, label="mixture")
    # On top of the sum, which would hide them wherever there is only one.
    for k, (colour, dashes) in enumerate(
        [(style.LOW, style.LOW_STYLE), (style.HIGH, style.HIGH_STYLE)]
    ):
        text = (
            f"{float(mixture.weights[k]):.3f} · N({float(mixture.means[k]):.4g}, "
            f"{float(mixture.standard_deviations[k]):.3g}²)"
        )
        axes.plot(grid, components[:, k], linestyle=dashes, color=colour, lw=width, label=text)
    # A spike at tied points runs out of the picture rather than flattening all the rest.
    axes.set_ylim(0, 1.08 * max(tallest, min(float(total.max()), 2.5 * tallest)))


def finite_points(
    data: ArrayLike, counts: ArrayLike | None = None
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Give the points that can be drawn, and how often each was seen."""
    points = np.asarray(data, dtype=np.float64)
    times = np.ones_like(points) if counts is None else np.asarray(counts, dtype=np.float64)
    if points.ndim != 1 or times.shape != points.shape:
        raise ValueError(
            "`data` must have shape (n,) and `counts` the same; got "
            f"{points.shape} and {times.shape}."
        )
    drawn = np.isfinite(points) & (times > 0)
    if not drawn.any():
        raise ValueError(f"`data` must have a finite point; got none in {points.size}.")
    return points[drawn], times[drawn]


def _edges(points: np.ndarray[Any, Any], times: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Bins of Freedman and Diaconis, of points that were seen `times` times."""
    low, high = points.min(), points.max()
    if low == high:
        return np.array([low - 0.5, low + 0.5])
    order = np.argsort(points)
    share = np.cumsum(times[order]) / times.sum()
    quartiles = points[order][np.searchsorted(share, [0.25, 0.75])]
    width = 2 * (quartiles[1] - quartiles[0]) / times.sum() ** (1 / 3)
    # Where half of the points are tied the rule has no width to give; Sturges' always has.
    number = np.ceil((high - low) / width) if width > 0 else np.ceil(np.log2(times.sum()) + 1)
    return np.linspace(low, high, int(np.clip(number, 5, 200)) + 1)


def density_grid(fit: Fit, points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where to draw densities: evenly over the data, and densely around narrow components."""
    margin = 0.08 * np.ptp(points) or 0.5
    ends = points.min() - margin, points.max() + margin
    # A narrow component must not fall between two points of an even grid.
    means = np.asarray(fit.mixture.means, dtype=np.float64)
    deviations = np.asarray(fit.mixture.standard_deviations, dtype=np.float64)
    around = (means[:, None] + deviations[:, None] * np.linspace(-5, 5, 201)).ravel()
    around = around[(around > ends[0]) & (around < ends[1])]
    return np.union1d(np.linspace(*ends, 600), around)


def _draw_threshold(
    axes: np.ndarray[Any, Any], fit: Fit, level: float, ends: tuple[float, float]
) -> None:
    """Draw the threshold and its interval on all axes, and the other crossing dotted."""
    from scipy.stats import norm

    found = fit.threshold()
    value = float(found.value)
    if np.isnan(value):
        return
    reach = float(norm.ppf(0.5 + 0.5 * level)) * float(found.standard_error)
    low, high = max(value - reach, ends[0]), min(value + reach, ends[1])
    text = f"threshold {value:.4g}"
    if np.isfinite(reach):
        text += f" ({value - reach:.4g} to {value + reach:.4g})"
    for each in axes:
        each.axvline(value, color=style.CUT, lw=1.4, zorder=1.5, label=text)
        if np.isfinite(reach):
            each.axvspan(low, high, color=style.CUT, alpha=0.18, lw=0, zorder=0.5)
        if ends[0] < found.other < ends[1]:
            each.axvline(float(found.other), color=style.CUT, lw=1.0, ls=":", zorder=1.5)


def _draw_responsibilities(
    axes: Any, fit: Fit, points: np.ndarray[Any, Any], grid: np.ndarray[Any, Any]
) -> None:
    posterior = np.asarray(fit.responsibilities(grid))
    axes.plot(grid, posterior[:, 0], ls=style.LOW_STYLE, color=style.LOW, lw=1.6)
    axes.plot(grid, posterior[:, 1], ls=style.HIGH_STYLE, color=style.HIGH, lw=1.6)
    # Lighter where there are many, so that a crowd does not become a bar.
    shade = float(np.clip(60 / points.size, 0.02, 0.6))
    axes.plot(points, np.full_like(points, -0.1), "|", color="black", ms=6, alpha=shade)
    axes.set_ylim(-0.2, 1.06)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("responsibility")
