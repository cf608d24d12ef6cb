"""One fit: the data, the density and its components, the threshold, the responsibilities."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mog_jax.array_like import real_array
from mog_jax.fitting import Fit
from mog_jax.likelihood import component_log_density
from mog_jax.plots import style
from mog_jax.plots.bars import draw_bars

# Points that are drawn one by one, below the responsibilities.
_RUG = 500

# Beyond these, densities and the ends of axes leave the range of a double.
_LARGEST, _NARROWEST = 1e300, 1e-300


def plot_fit(
    fit: Fit,
    data: ArrayLike,
    *,
    counts: ArrayLike | None = None,
    upper: ArrayLike | None = None,
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
    upper : array-like, shape (n,), optional
        Upper ends of intervals, of which `data` are the lower ones: each is a bar over its own
        width, and what lies beyond a limit is hatched.
    axes : matplotlib axes, or a pair, optional
        Where to draw: densities alone, or densities and responsibilities. A new figure where not
        given.
    label : str
        What the data are, for the axis.
    level : float
        Of the threshold's confidence interval: a band, and ± with the level in the legend.

    Returns
    -------
    array of matplotlib axes, shape (2,), or (1,) if one was given

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If `fit` is a batch, or `data` have no finite point, or lie beyond 1e300; or for other axes
        than one or two.
    """
    refuse_batch(fit)
    if upper is not None:
        points, ends, times = seen_intervals(data, upper, counts)
        low, high = _shown_ends(points, ends)
    else:
        ends = None
        points, times = finite_points(data, counts)
        low, high = shown_range(points)
    if axes is None:
        _, axes = style.pyplot().subplots(
            2, 1, sharex=True, figsize=(6.4, 4.8), height_ratios=(5, 2), layout="constrained"
        )
    both = style.panels(axes, 1, 2)
    grid = density_grid(fit, low, high)
    draw_densities(both[0], fit, points, times, grid, upper=ends)
    if ends is not None:
        middles = np.stack([points, ends])
        points = np.mean(middles, axis=0, where=np.isfinite(middles))
    _draw_threshold(both, fit, level, (grid[0], grid[-1]))
    both[0].set_ylabel("density")
    _draw_note(both[0], fit, points, (low, high))
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
    return both


def refuse_batch(fit: Any) -> None:
    """Refuse what is not the fit of one dataset."""
    if not isinstance(fit, Fit):
        raise ValueError(f"`fit` must be what `mog_jax.fit` gives; got {type(fit).__name__}.")
    if np.ndim(fit.status) != 0:
        raise ValueError("`fit` must be of one dataset; choose one, or use plot_fits for many.")


def draw_densities(
    axes: Any,
    fit: Fit,
    points: np.ndarray[Any, Any],
    times: np.ndarray[Any, Any],
    grid: np.ndarray[Any, Any],
    *,
    width: float = 1.6,
    upper: np.ndarray[Any, Any] | None = None,
) -> None:
    """Draw histogram, weighted components and their sum."""
    if upper is not None:
        *_, tallest = draw_bars(axes, points, upper, times)
    else:
        tallest = _draw_histogram(axes, points, times, _edges(points, times, fit))
    axes.set_xlim(grid[0], grid[-1])
    mixture = fit.mixture
    if np.isnan(np.asarray(mixture.means)).any():
        return
    components = np.exp(component_log_density(mixture, grid)) * np.asarray(mixture.weights)
    total = components.sum(axis=1)
    axes.plot(grid, total, color=style.TOTAL, lw=width, label="mixture")
    # On top of the sum, which would hide them wherever there is only one.
    for k, (colour, dashes) in enumerate(
        [(style.LOW, style.LOW_STYLE), (style.HIGH, style.HIGH_STYLE)]
    ):
        mean, deviation = float(mixture.means[k]), float(mixture.standard_deviations[k])
        text = f"{float(mixture.weights[k]):.3f} · N({_figure(mean, deviation)}, {deviation:.3g}²)"
        axes.plot(grid, components[:, k], linestyle=dashes, color=colour, lw=width, label=text)
    # A spike at tied points runs out of the picture rather than flattening all the rest.
    axes.set_ylim(0, 1.08 * max(tallest, min(float(total.max()), 2.5 * tallest)))


def _draw_histogram(
    axes: Any,
    points: np.ndarray[Any, Any],
    times: np.ndarray[Any, Any],
    edges: np.ndarray[Any, Any],
) -> float:
    heights, _, _ = axes.hist(
        points,
        bins=edges,
        weights=times / times.max(),
        density=True,
        color=style.BARS,
        edgecolor="white",
        linewidth=0.5 if len(edges) < 80 else 0,
    )
    return float(heights.max())


def seen_intervals(
    data: ArrayLike, upper: ArrayLike, counts: ArrayLike | None = None
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Give the intervals that can be drawn, lower and upper ends, and how often each was seen."""
    low = np.asarray(real_array(data, "data"), dtype=np.float64)
    high = np.asarray(real_array(upper, "upper"), dtype=np.float64)
    times = np.ones_like(low)
    if counts is not None:
        times = np.asarray(real_array(counts, "counts"), dtype=np.float64)
    if low.ndim != 1 or high.shape != low.shape or times.shape != low.shape:
        raise ValueError(
            "`data` must have shape (n,), `upper` and `counts` the same; got "
            f"{low.shape}, {high.shape} and {times.shape}."
        )
    drawn = (low <= high) & (np.isfinite(low) | np.isfinite(high)) & (times > 0)
    if not drawn.any():
        raise ValueError(f"`data` must have an interval with an end; got none in {low.size}.")
    return low[drawn], high[drawn], times[drawn]


def _shown_ends(low: np.ndarray[Any, Any], high: np.ndarray[Any, Any]) -> tuple[float, float]:
    ends = np.concatenate([low[np.isfinite(low)], high[np.isfinite(high)]])
    if reason := why_not_drawn(ends):
        raise ValueError(f"`data` must be of a size that can be drawn; got {reason}.")
    return float(ends.min()), float(ends.max())


def finite_points(
    data: ArrayLike, counts: ArrayLike | None = None
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Give the points that can be drawn, and how often each was seen."""
    points = np.asarray(real_array(data, "data"), dtype=np.float64)
    times = np.ones_like(points)
    if counts is not None:
        times = np.asarray(real_array(counts, "counts"), dtype=np.float64)
    if points.ndim != 1 or times.shape != points.shape:
        raise ValueError(
            "`data` must have shape (n,) and `counts` the same; got "
            f"{points.shape} and {times.shape}."
        )
    drawn = np.isfinite(points) & (times > 0)
    if not drawn.any():
        raise ValueError(f"`data` must have a finite point; got none in {points.size}.")
    points, times = points[drawn], times[drawn]
    if reason := why_not_drawn(points):
        raise ValueError(f"`data` must be of a size that can be drawn; got {reason}.")
    return points, times


def why_not_drawn(points: np.ndarray[Any, Any]) -> str:
    """Say why finite points have no picture; nothing where they have one."""
    if not points.size:
        return "no data"
    low, high = points.min(), points.max()
    if max(-low, high) > _LARGEST:
        return f"values beyond {_LARGEST:g}"
    return f"a range below {_NARROWEST:g}" if 0 < high - low < _NARROWEST else ""


def shown_range(points: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Give the range to draw: all points, but for a few that would flatten all others."""
    ordered = np.sort(points)
    low, high = ordered[0], ordered[-1]
    few = len(points) // 100
    inner_low, inner_high = ordered[few], ordered[-1 - few]
    reach = 5 * (inner_high - inner_low)
    if reach > 0:
        inside = ordered[(ordered >= inner_low - reach) & (ordered <= inner_high + reach)]
        low, high = inside[0], inside[-1]
    return float(low), float(high)


def density_grid(fit: Fit, low: float, high: float) -> np.ndarray[Any, Any]:
    """Where to draw densities: evenly over the range, and densely around narrow components."""
    margin = 0.08 * (high - low) or _around_one_value(low)
    ends = low - margin, high + margin
    # A narrow component must not fall between two points of an even grid.
    means = np.asarray(fit.mixture.means, dtype=np.float64)
    deviations = np.asarray(fit.mixture.standard_deviations, dtype=np.float64)
    around = (means[:, None] + deviations[:, None] * np.linspace(-5, 5, 201)).ravel()
    around = around[(around > ends[0]) & (around < ends[1])]
    return np.union1d(np.linspace(*ends, 600), around)


def _around_one_value(value: float) -> float:
    """Half of the width in which a single value is drawn; a large one has few digits for 0.5."""
    return max(0.5, 1e-3 * abs(value))


def _edges(
    points: np.ndarray[Any, Any], times: np.ndarray[Any, Any], fit: Fit
) -> np.ndarray[Any, Any]:
    """Bins of Freedman and Diaconis, of points that were seen `times` times."""
    low, high = shown_range(points)
    inside = (points >= low) & (points <= high)
    points, times = points[inside], times[inside]
    if low == high:
        return np.array([low - _around_one_value(low), low + _around_one_value(low)])
    # Of the counts only the proportions matter, and roughly how many points they are.
    largest = times.max()
    times = times / largest
    n = max(float(times.sum() * min(largest, _LARGEST)), 1.0)
    order = np.argsort(points)
    share = np.cumsum(times[order]) / times.sum()
    quartiles = points[order][np.searchsorted(share, [0.25, 0.75])]
    # The quartiles of two clusters span both; within one they are 1.349 standard deviations apart.
    within = np.sqrt(np.sum(np.asarray(fit.mixture.weights) * np.asarray(fit.mixture.variances)))
    spread = np.fmin(quartiles[1] - quartiles[0], 1.349 * within)
    width = 2 * spread / n ** (1 / 3)
    # Where half of the points are tied the rule has no width to give; Sturges' always has.
    if not width > 0:
        width = (high - low) / np.ceil(np.log2(n) + 1)
    width = np.clip(width, (high - low) / 200, (high - low) / 5)
    unit = np.diff(np.unique(points)).min()
    steps = (points - low) / unit
    if unit > 0.2 * width and np.abs(steps - np.rint(steps)).max() < 0.01:
        # Counts, or values that were rounded: each bin holds as many of them as the others.
        width = unit * max(1, round(width / unit))
        low = low - 0.5 * unit
        number = int(np.ceil((high + 0.49 * unit - low) / width))
        return np.linspace(low, low + width * number, number + 1)
    return np.linspace(low, high, int(np.ceil((high - low) / width)) + 1)


def _figure(value: float, scale: float) -> str:
    """Show four digits of a number, or as many as it takes to see `scale`."""
    size = abs(value) / scale if scale > 0 else 1
    if size < 1e-6:
        return "0"
    return f"{value:.{max(4, int(np.ceil(np.log10(max(size, 1)))) + 2)}g}"


def _draw_note(
    axes: Any, fit: Fit, points: np.ndarray[Any, Any], shown: tuple[float, float]
) -> None:
    """Say how many points there are, what two components gain, and what is amiss."""
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
    # Of very many points, quantiles; and lighter, so that a crowd does not become a bar.
    if points.size > _RUG:
        points = np.sort(points)[np.linspace(0, points.size - 1, _RUG).astype(int)]
    shade = float(np.clip(60 / points.size, 0.1, 0.6))
    axes.plot(points, np.full_like(points, -0.1), "|", color="black", ms=6, mew=0.7, alpha=shade)
    axes.set_ylim(-0.2, 1.06)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("responsibility")
