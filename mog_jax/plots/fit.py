"""`plot_fit`: one fit with its data, density, components, threshold and responsibilities."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mog_jax.fitting import Fit
from mog_jax.likelihood import component_log_density
from mog_jax.plots import style
from mog_jax.plots.band import density_band
from mog_jax.plots.bars import draw_bars
from mog_jax.plots.points import (
    around_one_value,
    bin_edges,
    shown_ends,
    shown_range,
)
from mog_jax.plots.seen import SeenIntervals, SeenPoints, read_seen

# Largest number of points that are drawn one by one, below the responsibilities.
_RUG = 500
_HEIGHTS = {"density": "density", "counts": "points in a bin"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawing:
    """Options of a drawing; see `plot_fit`. Made by `checked`."""

    scale: str
    level: float
    components: tuple[str, str]
    width: float

    @classmethod
    def checked(cls, *, scale: Any, level: Any, components: Any, width: float = 1.6) -> "Drawing":
        """Return validated options.

        Raises
        ------
        ValueError
            If one of them has a wrong value.
        """
        if scale not in _HEIGHTS:
            raise ValueError(f"`scale` must be 'density' or 'counts'; got {scale!r}.")
        if not (isinstance(level, float) and 0 < level < 1):
            raise ValueError(f"`level` must be between 0 and 1; got {level!r}.")
        names = components if isinstance(components, tuple | list) else ()
        if len(names) != 2 or not all(isinstance(name, str) for name in names):
            raise ValueError(f"`components` must be two names; got {components!r}.")
        return cls(scale=scale, level=level, components=(names[0], names[1]), width=width)

    def refuse_counts(self) -> None:
        """Refuse counts as the heights of intervals.

        Raises
        ------
        ValueError
            If they are asked for.
        """
        if self.scale == "counts":
            raise ValueError(
                "`scale` must be 'density' for intervals, which have widths of their own; got "
                "'counts'."
            )

    @property
    def height(self) -> str:
        """Label of the axis of the heights."""
        return _HEIGHTS[self.scale]


def plot_fit(
    fit: Fit,
    data: ArrayLike,
    *,
    counts: ArrayLike | None = None,
    axes: Any = None,
    label: str = "x",
    level: float = 0.95,
    scale: str = "density",
    components: Sequence[str] = ("lower", "upper"),
    **interval_options: Any,
) -> Any:
    """Draw one fit: histogram, density, components and threshold; responsibilities below.

    Density and threshold have confidence bands: each covers the true value with the probability
    `level`, if the mixture is right.

    Parameters
    ----------
    fit : Fit
        The fit of one dataset.
    data : array-like, shape (n,)
        The data that were fitted; NaN is left out.
    counts : array-like, shape (n,), optional
        How often each point was seen.
    axes : matplotlib axes, or a pair, optional
        Where to draw: densities only, or densities and responsibilities. A new figure if not given.
    label : str
        Label of the data's axis.
    level : float
        Probability of the threshold's confidence interval and, point by point, of the density's.
    scale : "density" or "counts"
        Heights as density, or as number of points in a bin.
    components : pair of str
        What the components are called, by ascending mean, as ("negative", "positive").
    **interval_options
        What was said of the values to `fit`, `resolution`, `limits`, `window` or `upper`: each
        interval is a bar over its own width, and what lies beyond a limit is hatched. Inside a
        window the bars are as high as if all values had been recorded.

    Returns
    -------
    array of matplotlib axes, shape (2,), or (1,) if one was given

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If `fit` is a batch; if `data` have no finite point, or one beyond 1e300; if `axes` are not
        one or two; if `scale`, `level` or `components` have a wrong value; or if `scale` is
        "counts" for intervals.
    """
    refuse_batch(fit)
    drawing = Drawing.checked(scale=scale, level=level, components=components)
    seen = read_seen(fit, data, counts, interval_options, "plot_fit")
    if isinstance(seen, SeenIntervals):
        drawing.refuse_counts()
        (low, high), points = shown_ends(seen.lower, seen.upper), seen.middle
    else:
        points, _ = seen
        low, high = shown_range(points)
    if axes is None:
        _, axes = style.pyplot().subplots(
            2, 1, sharex=True, figsize=(6.4, 4.8), height_ratios=(5, 2), layout="constrained"
        )
    both = style.panels(axes, 1, 2)
    grid = density_grid(fit, low, high)
    draw_densities(both[0], fit, seen, grid, drawing)
    _draw_threshold(both, fit, level, (grid[0], grid[-1]))
    both[0].set_ylabel(drawing.height)
    _draw_note(both[0], fit, points, (low, high))
    # Above the axes, as inside there may be no room beside the data.
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
    return both


def refuse_batch(fit: Any) -> None:
    """Raise `ValueError` unless `fit` is the fit of one dataset."""
    if not isinstance(fit, Fit):
        raise ValueError(f"`fit` must be a result of `mog_jax.fit`; got {type(fit).__name__}.")
    if np.ndim(fit.status) != 0:
        raise ValueError("`fit` must be of one dataset; choose one, or use plot_fits for many.")


def draw_densities(
    axes: Any,
    fit: Fit,
    seen: SeenPoints | SeenIntervals,
    grid: np.ndarray[Any, Any],
    drawing: Drawing,
) -> None:
    """Draw histogram, or bars of intervals, weighted components and their sum with its band."""
    unit = 1.0
    if isinstance(seen, SeenIntervals):
        tallest = draw_bars(axes, seen.lower, seen.upper, seen.times, fit, share=seen.share)
    else:
        points, times = seen
        unit, tallest = _draw_histogram(axes, points, times, bin_edges(points, times, fit), drawing)
    axes.set_xlim(grid[0], grid[-1])
    mixture = fit.mixture
    if np.isnan(np.asarray(mixture.means)).any():
        return
    parts = np.exp(component_log_density(mixture, grid)) * np.asarray(mixture.weights) * unit
    total = np.asarray(parts).sum(axis=1)
    band = density_band(fit, grid, drawing.level)
    text = "mixture"
    if band is not None:
        low, high = total * band[0], total * band[1]
        axes.fill_between(grid, low, high, color=style.TOTAL, alpha=0.15, lw=0)
        text += f" ({100 * drawing.level:g} % band)"
    axes.plot(grid, total, color=style.TOTAL, lw=drawing.width, label=text)
    # Drawn on top of the sum, which would hide them wherever one component dominates.
    for k, (colour, dashes) in enumerate(
        [(style.LOW, style.LOW_STYLE), (style.HIGH, style.HIGH_STYLE)]
    ):
        mean, deviation = float(mixture.means[k]), float(mixture.standard_deviations[k])
        normal = f"N({_figure(mean, deviation)}, {deviation:.3g}²)"
        text = f"{drawing.components[k]}: {float(mixture.weights[k]):.3f} · {normal}"
        axes.plot(grid, parts[:, k], linestyle=dashes, color=colour, lw=drawing.width, label=text)
    # A spike at tied points is cut off, as the rest would be flat beside it.
    axes.set_ylim(0, 1.08 * max(tallest, min(float(total.max()), 2.5 * tallest)))


def _draw_histogram(
    axes: Any,
    points: np.ndarray[Any, Any],
    times: np.ndarray[Any, Any],
    edges: np.ndarray[Any, Any],
    drawing: Drawing,
) -> tuple[float, float]:
    """Draw the histogram; return the height of a density of 1, and of the tallest bar."""
    width = float(edges[1] - edges[0])
    # A density depends on the proportions of the counts only; dividing avoids overflow.
    largest = float(times.max())
    density = times / largest / (float((times / largest).sum()) * width)
    unit = float(times.sum()) * width if drawing.scale == "counts" else 1.0
    heights, _, _ = axes.hist(
        points,
        bins=edges,
        weights=density * unit,
        color=style.BARS,
        edgecolor="white",
        linewidth=0.5 if len(edges) < 80 else 0,
    )
    return unit, float(heights.max())


def density_grid(fit: Fit, low: float, high: float) -> np.ndarray[Any, Any]:
    """Return the points at which densities are drawn: an even grid, denser around components."""
    margin = 0.08 * (high - low) or around_one_value(low)
    ends = low - margin, high + margin
    # A narrow component could fall between two points of an even grid.
    means = np.asarray(fit.mixture.means, dtype=np.float64)
    deviations = np.asarray(fit.mixture.standard_deviations, dtype=np.float64)
    around = (means[:, None] + deviations[:, None] * np.linspace(-5, 5, 201)).ravel()
    around = around[(around > ends[0]) & (around < ends[1])]
    return np.union1d(np.linspace(*ends, 600), around)


def _figure(value: float, scale: float) -> str:
    """Return a number with four digits, or as many as a difference of `scale` needs."""
    size = abs(value) / scale if scale > 0 else 1
    if size < 1e-6:
        return "0"
    return f"{value:.{max(4, int(np.ceil(np.log10(max(size, 1)))) + 2)}g}"


def _draw_note(
    axes: Any, fit: Fit, points: np.ndarray[Any, Any], shown: tuple[float, float]
) -> None:
    """Write the number of points, ΔBIC, a status other than converged, and points not shown."""
    lines = [f"n = {float(fit.n_points):,.6g}"]
    if np.isfinite(fit.delta_bic()):
        lines.append(f"ΔBIC = {float(fit.delta_bic()):,.1f}")
    if not fit.converged:
        lines.append(fit.status_name.replace("_", " "))
    for beyond, arrow in ((points < shown[0], "←"), (points > shown[1], "→")):
        if beyond.any():
            lines.append(f"{int(beyond.sum())} beyond {arrow}")
    axes.annotate(
        "\n".join(lines),
        (1, 1),
        xycoords="axes fraction",
        xytext=(-2, -2),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize="small",
    )


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
    text = f"threshold {_figure(value, float(np.min(fit.mixture.standard_deviations)))}"
    if np.isfinite(reach):
        text += f" ± {reach:.2g} ({100 * level:g} %)"
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
    # Many points are replaced by quantiles, and drawn lighter, so that they stay distinct.
    if points.size > _RUG:
        points = np.sort(points)[np.linspace(0, points.size - 1, _RUG).astype(int)]
    shade = float(np.clip(60 / points.size, 0.1, 0.6))
    axes.plot(points, np.full_like(points, -0.1), "|", color="black", ms=6, mew=0.7, alpha=shade)
    axes.set_ylim(-0.2, 1.06)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("responsibility")
