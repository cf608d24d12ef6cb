"""`plot_digits`: the digits that gradients keep over a plane of mixtures."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mog_jax.plots import style


def plot_digits(
    separations: ArrayLike,
    log10_variance_ratios: ArrayLike,
    kept: dict[str, np.ndarray[Any, Any]],
    *,
    axes: Any = None,
) -> Any:
    """Draw the digits that gradients keep over a plane of mixtures, hand-written beside autodiff.

    Parameters
    ----------
    separations : array-like, shape (s,)
        Distances of the means, in standard deviations of the first component.
    log10_variance_ratios : array-like, shape (r,)
        Powers of ten of the second variance over the first.
    kept : dict from execution to array, shape (r, s)
        From :func:`mog_jax.self_check.plane`.
    axes : array of 8 matplotlib axes, optional
        Where to draw: four in float64, then four in float32. A new figure if not given.

    Returns
    -------
    array of matplotlib axes, shape (8,)

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If `axes` are not eight.
    """
    columns = {
        "conditioning allows": "allowed",
        "hand-written": "jit",
        "reverse autodiff": "reverse autodiff",
        "forward autodiff": "forward autodiff",
    }
    pyplot = style.pyplot()
    if axes is None:
        figure, axes = pyplot.subplots(
            2, 4, sharex=True, sharey=True, figsize=(11, 5.4), layout="constrained"
        )
        figure.suptitle("Decimal digits kept by the worst entry of the log-likelihood's gradient")
    panels = style.panels(axes, 8, 8).reshape(2, 4)
    # One colour for each whole digit: smaller differences do not matter.
    for row, (precision, most) in zip(panels, (("float64", 16), ("float32", 7)), strict=True):
        colors = pyplot.get_cmap("viridis", most)
        for panel, (title, execution) in zip(row, columns.items(), strict=True):
            if precision == "float32":
                execution = "float32" if execution == "jit" else f"{execution}, float32"
            image = panel.pcolormesh(
                separations, log10_variance_ratios, kept[execution], vmin=0, vmax=most, cmap=colors
            )
            panel.set_facecolor("0.85")  # no entry large enough to have digits
            worst = float(np.nanmin(kept[execution]))
            panel.set_title(f"{title}\n{precision}, at worst {worst:.1f}", fontsize="medium")
        ticks = range(0, most + 1, 4 if most > 8 else 1)
        row[0].figure.colorbar(image, ax=list(row), label="digits", ticks=ticks, aspect=15)
        row[0].set_ylabel(r"$\log_{10}\;\sigma_2^2/\sigma_1^2$")
    for panel in panels[-1]:
        panel.yaxis.get_major_locator().set_params(integer=True)
        panel.set_xlabel(r"$(\mu_2-\mu_1)/\sigma_1$")
    return panels.ravel()
