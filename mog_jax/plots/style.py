"""Colours, line styles and helpers for axes, which all figures share."""

from typing import Any

import numpy as np

from mog_jax.arrays import HostArray
from mog_jax.fitting import Status

# Okabe and Ito's palette, with a line style for each colour, for print in grey.
LOW, HIGH, TOTAL = "#0072B2", "#D55E00", "#000000"
LOW_STYLE, HIGH_STYLE = (0, (5, 1.5)), (0, (4, 1.2, 1, 1.2))
CUT = "#009E73"
# Colour, dashes and marker of each of several paths in a figure.
PATHS = (
    ("#000000", "-", "o"),
    ("#D55E00", (0, (5, 1.5)), "^"),
    ("#0072B2", (0, (1.5, 1)), "s"),
    ("#009E73", (0, (4, 1.2, 1, 1.2)), "D"),
)
BARS = "#DCDCDC"
# Colour and marker by status; other statuses, which have no standard errors, get grey squares.
_LOOKS = {
    Status.CONVERGED: ("#0072B2", "o"),
    Status.DEGENERATE: ("#D55E00", "^"),
    Status.FEW_POINTS: ("#CC79A7", "v"),
    Status.ATOM: ("#E69F00", "D"),
    Status.BELOW_RESOLUTION: ("#56B4E9", "P"),
    Status.SATURATED: ("#D55E00", "X"),
}
_OTHERS = ("#999999", "s")


def pyplot() -> Any:
    """Import and return matplotlib's pyplot.

    Raises
    ------
    ImportError
        Without matplotlib, saying how to install it.
    """
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError(
            "drawing needs matplotlib; install it with: pip install 'mog_jax[plot]'"
        ) from None
    return pyplot


def look_of(status: int) -> tuple[str, str]:
    """Return the colour and the marker of a status."""
    return _LOOKS.get(Status(int(status)), _OTHERS)


def panels(axes: Any, fewest: int, most: int | None = None) -> HostArray:
    """Return given axes, one, a list, or an array of any shape, as an array, shape (n,).

    Raises
    ------
    ValueError
        If there are too few or too many, or they are not axes.
    """
    found = np.asarray(axes, dtype=object).ravel()
    if len(found) < fewest or (most is not None and len(found) > most):
        wanted = f"at least {fewest}" if most is None else f"{fewest}"
        wanted += "" if most in (None, fewest) else f" or {most}"
        raise ValueError(f"`axes` must be {wanted}; got {len(found)}.")
    for each in found:
        if not hasattr(each, "plot") or not hasattr(each, "set_xlim"):
            raise ValueError(f"`axes` must be axes of matplotlib; got {type(each).__name__}.")
    return found


def bare(*axes: Any) -> None:
    """Remove the upper and right side of the frame."""
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)


def key_of_components(figure: Any, components: tuple[str, str]) -> None:
    """Draw one legend above all panels of a figure: data, mixture, components, threshold."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    figure.legend(
        handles=[
            Patch(color=BARS, label="data"),
            Line2D([], [], color=TOTAL, label="mixture"),
            Line2D([], [], color=LOW, ls=LOW_STYLE, label=components[0]),
            Line2D([], [], color=HIGH, ls=HIGH_STYLE, label=components[1]),
            Line2D([], [], color=CUT, label="threshold"),
        ],
        loc="outside upper left",
        ncols=5,
        frameon=False,
        fontsize="small",
        handlelength=2.4,
        columnspacing=1.2,
    )
