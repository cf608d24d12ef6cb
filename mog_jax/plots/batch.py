"""`plot_fits` and `plot_batch`: a grid of fits, and an overview of a batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mog_jax.fitting import Fit, Status
from mog_jax.fitting.options import INTERVAL_OPTIONS, intervals_are_given, refuse_unknown
from mog_jax.fitting.results.fitted_data import read_in_order
from mog_jax.fitting.results.map_points import read_points
from mog_jax.fitting.results.named import in_order
from mog_jax.plots import style
from mog_jax.plots.fit import (
    Drawing,
    density_grid,
    draw_densities,
)
from mog_jax.plots.points import finite_ends, shown_range, why_not_drawn
from mog_jax.plots.seen import SeenIntervals, SeenPoints


def plot_fits(
    fits: Fit,
    data: ArrayLike,
    *,
    counts: ArrayLike | None = None,
    chosen: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    columns: int = 4,
    axes: Any = None,
    label: str = "x",
    level: float = 0.95,
    scale: str = "density",
    components: Sequence[str] = ("lower", "upper"),
    **interval_options: Any,
) -> Any:
    """Draw a grid of fits, one panel for each.

    Parameters
    ----------
    fits : Fit
        The fits of a batch.
    data : array-like, shape (b, n), a list of b arrays, or a mapping from name
        The data that were fitted.
    counts : of the same shape, optional
        How often each point was seen.
    chosen : sequence of int, optional
        Which fits to draw, in this order; the first twelve if not given.
    names : sequence of str, optional
        Names of all datasets; if not given, those of the fits, or their numbers.
    columns : int
        Number of panels in a row.
    axes : array of matplotlib axes, optional
        Where to draw, at least as many as are chosen. A new figure, with a legend for all panels,
        if not given.
    label : str
        What the data are, for the axis.
    level, scale, components, **interval_options
        As for `plot_fit`.

    Returns
    -------
    array of matplotlib axes, shape (n,)
        One for each chosen fit.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If no fit is chosen, there are too few `axes`, or not one of `names` for each fit; or as for
        `plot_fit`.
    """
    drawing = Drawing.checked(scale=scale, level=level, components=components, width=1.2)
    numbers = list(range(min(12, len(fits))) if chosen is None else chosen)
    if not numbers:
        raise ValueError("`chosen` must be at least one of the fits; got none.")
    names = fits.names if names is None else names
    if names is not None and len(names) != len(fits):
        raise ValueError(f"`names` must be one for each of {len(fits)} fits; got {len(names)}.")
    is_own = axes is None
    if is_own:
        columns = min(columns, len(numbers))
        rows = -(-len(numbers) // columns)
        _, axes = style.pyplot().subplots(
            rows,
            columns,
            figsize=(max(2.3 * columns, 4.6), 1.9 * rows + 0.5),
            layout="constrained",
            squeeze=False,
        )
    panels = style.panels(axes, len(numbers))
    seen = _seen_of_each(fits, data, counts, interval_options, np.arange(len(fits))[numbers])
    if any(isinstance(each, SeenIntervals) for each in seen):
        drawing.refuse_counts()
    for panel, number, values in zip(panels, numbers, seen, strict=False):
        name = str(number) if names is None else names[number]
        _draw_panel(panel, fits[number], values, name, drawing)
    for panel in panels[len(numbers) :]:
        panel.set_axis_off()
    drawn = panels[: len(numbers)]
    if is_own:
        _label_grid(drawn, columns, label, drawing)
    return drawn


def _seen_of_each(
    fits: Fit,
    data: Any,
    counts: Any,
    interval_options: dict[str, Any],
    numbers: np.ndarray[Any, Any],
) -> list[SeenPoints | SeenIntervals]:
    """Return the values to draw of some datasets; none of a dataset without finite values."""
    batch = np.shape(fits.status)
    if intervals_are_given(interval_options):
        values = read_in_order(fits.names, data, batch, counts, interval_options, "plot_fits")
        given = values.given
        return [SeenIntervals.of(fits[int(number)], given, int(number)) for number in numbers]
    rows, times = in_order(fits.names, data, "data"), in_order(fits.names, counts, "counts")
    refuse_unknown("plot_fits", interval_options, INTERVAL_OPTIONS)
    values, seen = read_points(rows, batch, times).rows(numbers)
    found: list[SeenPoints | SeenIntervals] = []
    for place, row in enumerate(values):
        own_times = np.ones_like(row) if seen is None else seen[place]
        drawn = np.isfinite(row) & (own_times > 0)
        found.append(SeenPoints(np.asarray(row[drawn], np.float64), own_times[drawn]))
    return found


def _label_grid(panels: Any, columns: int, label: str, drawing: Drawing) -> None:
    """Label the axes of the outer panels, and draw one legend above all."""
    for place, panel in enumerate(panels):
        if place % columns == 0:
            panel.set_ylabel(drawing.height, fontsize="small")
        if place + columns >= len(panels):
            panel.set_xlabel(label, fontsize="small")
    style.key_of_components(panels[0].figure, drawing.components)


def plot_batch(
    fits: Fit,
    data: ArrayLike | None = None,
    *,
    counts: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    worst: int = 4,
    axes: Any = None,
    **interval_options: Any,
) -> Any:
    """Draw an overview of a batch: ΔBIC against separation, statuses, and the worst fits.

    Parameters
    ----------
    fits : Fit
        The fits of a batch.
    data : array-like, shape (b, n), a list of b arrays, or a mapping from name, optional
        The data that were fitted. If given, the worst fits are drawn below: those of the largest
        Kolmogorov distance from their data, in units of 1/√n.
    counts : of the same shape, optional
        How often each point was seen.
    names : sequence of str, optional
        Names of all datasets; if not given, those of the fits, or their numbers.
    worst : int
        Number of the worst fits.
    axes : pair of matplotlib axes, optional
        Where to draw the evidence and the statuses; then the worst fits are not drawn. A new
        figure where not given.
    **interval_options
        As for `plot_fit`.

    Returns
    -------
    array of matplotlib axes, shape (2,) or (2 + worst,)

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    worst = min(worst, len(fits)) if data is not None and axes is None else 0
    below: Any = []
    if axes is None:
        axes, below = _batch_axes(worst)
    axes = style.panels(axes, 2, 2)
    evidence, endings = axes
    _draw_evidence(evidence, fits)
    _draw_statuses(endings, fits)
    style.bare(evidence, endings)
    if not worst:
        return axes
    assert data is not None
    distance = np.asarray(fits.kolmogorov_distance(data, counts=counts, **interval_options))
    distance = distance * np.sqrt(np.asarray(fits.n_points))
    order = np.argsort(-np.nan_to_num(distance, nan=-1.0))[:worst]
    plot_fits(
        fits,
        data,
        counts=counts,
        chosen=order.tolist(),
        names=names,
        axes=below,
        **interval_options,
    )
    return np.concatenate([axes, below])


def _batch_axes(worst: int) -> tuple[Any, Any]:
    """Return the axes of a new figure: two for evidence and statuses, and those of worst fits."""
    height = 5.6 if worst else 3.6
    figure = style.pyplot().figure(figsize=(7.6, height), layout="constrained")
    # One figure, not subfigures, so that `axes.figure.savefig` saves all of it.
    heights = (5, 0.3, 3) if worst else (5,)
    rows = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    upper = rows[0].subgridspec(1, 2, width_ratios=(3, 2))
    above = [figure.add_subplot(upper[place]) for place in (0, 1)]
    if not worst:
        return above, []
    title = figure.add_subplot(rows[1])
    title.set_axis_off()
    title.text(0.5, 0.5, "farthest from their data", ha="center", va="center", fontsize="medium")
    lower = rows[2].subgridspec(1, worst)
    return above, [figure.add_subplot(lower[place]) for place in range(worst)]


def _draw_panel(
    axes: Any, fit: Fit, seen: SeenPoints | SeenIntervals, name: str, drawing: Drawing
) -> None:
    if drawing.scale == "density":
        axes.set_yticks([])
    axes.tick_params(labelsize="x-small")
    style.bare(axes)
    axes.spines["left"].set_visible(drawing.scale == "counts")
    is_interval = isinstance(seen, SeenIntervals)
    ends = finite_ends(seen.lower, seen.upper) if isinstance(seen, SeenIntervals) else seen.points
    if note := why_not_drawn(ends):
        axes.set_xticks([])
    else:
        shown = (float(ends.min()), float(ends.max())) if is_interval else shown_range(ends)
        draw_densities(axes, fit, seen, density_grid(fit, *shown), drawing)
        cut = float(fit.threshold().value)
        if np.isfinite(cut):
            axes.axvline(cut, color=style.CUT, lw=1.1)
        note = f"ΔBIC {float(fit.delta_bic()):.0f}" if np.isfinite(fit.delta_bic()) else ""
    if not fit.converged:
        note = fit.status_name.replace("_", " ")
    axes.set_title(f"{name}   {note}", fontsize="small", loc="left", pad=3)


def _draw_evidence(axes: Any, fits: Fit) -> None:
    separation, evidence = np.asarray(fits.ashman_d()), np.asarray(fits.delta_bic())
    status = np.asarray(fits.status)
    shown = np.isfinite(separation) & np.isfinite(evidence)
    size = float(np.clip(3_000 / max(len(evidence), 1), 3, 30))
    for ending in np.unique(status[shown]):
        here = shown & (status == ending)
        colour, marker = style.look_of(ending)
        axes.scatter(
            separation[here],
            evidence[here],
            s=size,
            c=colour,
            marker=marker,
            alpha=0.6,
            linewidths=0,
            rasterized=len(evidence) > 2_000,
        )
    axes.set_yscale("symlog", linthresh=10)
    axes.axhline(0, color="black", lw=0.8)
    axes.axvline(2, color="black", lw=0.8, ls=":")
    for text, offset, side in (("two ↑", 3, "bottom"), ("one ↓", -3, "top")):
        axes.annotate(
            text,
            (1, 0),
            xycoords=axes.get_yaxis_transform(),
            xytext=(0, offset),
            textcoords="offset points",
            ha="right",
            va=side,
            fontsize="small",
        )
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    favoured = int((evidence[shown] > 0).sum())
    axes.set_title(
        f"{favoured:,} of {len(evidence):,} favour two components", fontsize="medium", loc="left"
    )
    axes.set_xlabel("separation (Ashman's D)")
    axes.set_ylabel("ΔBIC")


def _draw_statuses(axes: Any, fits: Fit) -> None:
    endings, numbers = np.unique(np.asarray(fits.status), return_counts=True)
    order = np.argsort(numbers)
    places = np.arange(len(order))
    for place, ending, number in zip(places, endings[order], numbers[order], strict=True):
        axes.barh(
            place,
            number,
            height=0.6,
            color=style.look_of(ending)[0],
        )
        axes.annotate(
            f" {number:,}", (number, place), va="center", fontsize="small", annotation_clip=False
        )
    names = [Status(int(ending)).name.lower().replace("_", " ") for ending in endings[order]]
    axes.set_yticks(places, names)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(0, 4 * numbers.max())
    # Ticks are not needed, as the numbers are written beside the bars.
    axes.set_xticks([])
    axes.minorticks_off()
    axes.spines["bottom"].set_visible(False)
    axes.set_xlabel("datasets, on a logarithmic scale")
    axes.set_title("how they ended", fontsize="medium", loc="left")
