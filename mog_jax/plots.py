"""Pictures of a fit. They need matplotlib: ``pip install 'mog_jax[plot]'``."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from mog_jax.fitting import Fit
from mog_jax.likelihood import component_log_density, log_density, responsibilities

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart by the colour-blind; the line styles do so in grey.
_LOW, _HIGH, _TOTAL = "#0072B2", "#D55E00", "#000000"
_BARS = "#D9D9D9"


def plot_fit(fit: Fit, data: ArrayLike, *, label: str = "x") -> "Figure":
    """Draw one fit: histogram, density and components, and below them the responsibilities.

    Parameters
    ----------
    fit : Fit
        Of one dataset.
    data : array-like, shape (n,)
        What was fitted; NaN is left out.
    label : str
        What the data are, for the axis.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    pyplot = _pyplot()
    points = np.asarray(data, dtype=np.float64)
    points = points[np.isfinite(points)]
    margin = 0.05 * np.ptp(points)
    x = np.linspace(points.min() - margin, points.max() + margin, 800)
    mixture = fit.mixture

    figure: Figure
    figure, (top, bottom) = pyplot.subplots(
        2, 1, sharex=True, figsize=(6.4, 4.8), height_ratios=(3, 1), layout="constrained"
    )
    top.hist(points, bins="fd", density=True, color=_BARS, edgecolor="white", linewidth=0.5)
    components = np.exp(component_log_density(mixture, x)) * np.asarray(mixture.weights)
    for k, (color, style) in enumerate([(_LOW, "--"), (_HIGH, "-.")]):
        text = (
            f"{float(mixture.weights[k]):.3f} · N({float(mixture.means[k]):.4g}, "
            f"{float(mixture.standard_deviations[k]):.3g}²)"
        )
        top.plot(x, components[:, k], style, color=color, linewidth=1.6, label=text)
    top.plot(x, np.exp(log_density(mixture, x)), color=_TOTAL, linewidth=1.4, label="mixture")
    top.set_ylabel("density")
    top.legend(frameon=False, fontsize="small")

    posterior = responsibilities(mixture, x)
    bottom.plot(x, posterior[:, 0], "--", color=_LOW, linewidth=1.6)
    bottom.plot(x, posterior[:, 1], "-.", color=_HIGH, linewidth=1.6)
    bottom.plot(points, np.full_like(points, -0.06), "|", color="black", markersize=4, alpha=0.3)
    bottom.set_ylim(-0.12, 1.04)
    bottom.set_yticks([0, 0.5, 1])
    bottom.set_ylabel("responsibility")
    bottom.set_xlabel(label)
    for axes in (top, bottom):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_digits(
    separations: ArrayLike, log10_variance_ratios: ArrayLike, kept: dict[str, np.ndarray[Any, Any]]
) -> "Figure":
    """Draw the digits that gradients keep over a plane of mixtures, hand-written beside autodiff.

    Parameters
    ----------
    separations : array-like, shape (s,)
        Distances of the means, in standard deviations of the first component.
    log10_variance_ratios : array-like, shape (r,)
        Powers of ten of the second variance over the first.
    kept : dict from lane to array, shape (r, s)
        As :func:`mog_jax.checks.plane` gives them.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    pyplot = _pyplot()
    columns = {
        "hand-written": "jit",
        "reverse autodiff": "reverse autodiff",
        "forward autodiff": "forward autodiff",
    }
    figure: Figure
    figure, panels = pyplot.subplots(
        2, 3, sharex=True, sharey=True, figsize=(10, 5.8), layout="constrained"
    )
    for row, (precision, most) in zip(panels, (("float64", 16), ("float32", 7)), strict=True):
        for axes, (title, lane) in zip(row, columns.items(), strict=True):
            if precision == "float32":
                lane = "float32" if lane == "jit" else f"{lane}, float32"
            image = axes.pcolormesh(
                separations, log10_variance_ratios, kept[lane], vmin=0, vmax=most, cmap="viridis"
            )
            axes.set_title(f"{title}, {precision}", fontsize="medium")
        figure.colorbar(image, ax=list(row), label="digits kept")
        row[0].set_ylabel("log10 of the variances' ratio")
    for axes in panels[-1]:
        axes.set_xlabel("separation, in standard deviations")
    return figure


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError(
            "drawing needs matplotlib; install it with: pip install 'mog_jax[plot]'"
        ) from None
    return pyplot
