"""Digits kept over a plane of mixtures: hand-written gradients beside automatic ones."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mog_jax.plots import style


def plot_digits(
    separations: ArrayLike, log10_variance_ratios: ArrayLike, kept: dict[str, np.ndarray[Any, Any]]
) -> Any:
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
    columns = {
        "hand-written": "jit",
        "reverse autodiff": "reverse autodiff",
        "forward autodiff": "forward autodiff",
    }
    figure, panels = style.pyplot().subplots(
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
