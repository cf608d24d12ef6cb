"""What all pictures share: colours, line styles, and how axes come about."""

from typing import Any

# Okabe and Ito's palette; with each colour a line style, for print in grey.
LOW, HIGH, TOTAL = "#0072B2", "#D55E00", "#000000"
LOW_STYLE, HIGH_STYLE = (0, (5, 1.5)), (0, (4, 1.2, 1, 1.2))
CUT = "#009E73"
BARS = "#DCDCDC"
STATUS_COLOURS = ("#0072B2", "#E69F00", "#D55E00", "#CC79A7", "#009E73", "#56B4E9", "#000000")
STATUS_MARKERS = ("o", "^", "s", "D", "v", "P", "X")


def pyplot() -> Any:
    """Import matplotlib's pyplot, or say how to install it."""
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError(
            "drawing needs matplotlib; install it with: pip install 'mog_jax[plot]'"
        ) from None
    return pyplot


def bare(*axes: Any) -> None:
    """Take away the frame's upper and right side."""
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
