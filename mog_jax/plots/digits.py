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
    kept : dict from execution to array, shape (r, s)
        As :func:`mog_jax.self_check.plane` gives them.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    columns = {
        "conditioning allows": "allowed",
        "hand-written": "jit",
        "reverse autodiff": "reverse autodiff",
        "forward autodiff": "forward autodiff",
    }
    pyplot = style.pyplot()
    figure, panels = pyplot.subplots(
        2, 4, sharex=True, sharey=True, figsize=(11, 5.4), layout="constrained"
    )
    # Whole digits, a colour each: what differs by a part of one is not worth looking at.
    for row, (precision, most) in zip(panels, (("float64", 16), ("float32", 7)), strict=True):
        colors = pyplot.get_cmap("viridis", most)
        for axes, (title, execution) in zip(row, columns.items(), strict=True):
            if precision == "float32":
                execution = "float32" if execution == "jit" else f"{execution}, float32"
            image = axes.pcolormesh(
                separations, log10_variance_ratios, kept[execution], vmin=0, vmax=most, cmap=colors
            )
            axes.set_facecolor("0.85")  # no entry large enough to have digits
            worst = float(np.nanmin(kept[execution]))
            axes.set_title(f"{title}\n{precision}, at worst {worst:.1f}", fontsize="medium")
        ticks = range(0, most + 1, 4 if most > 8 else 1)
        figure.colorbar(image, ax=list(row), label="digits", ticks=ticks, aspect=15)
        row[0].set_ylabel(r"$\log_{10}\;\sigma_2^2/\sigma_1^2$")
    for axes in panels[-1]:
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel(r"$(\mu_2-\mu_1)/\sigma_1$")
    figure.suptitle("Decimal digits kept by the worst entry of the log-likelihood's gradient")
    return figure
