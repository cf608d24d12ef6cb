"""Draws a report: digits kept against digits that conditioning allows."""

from pathlib import Path
from typing import Any

import numpy as np

from mog_jax.crosscheck.findings import Execution
from mog_jax.crosscheck.report.summary import Summary

# Okabe and Ito's palette, with a marker for each, so that colour is not needed.
_STYLES = {
    Execution.JIT: ("hand-written", "#0072B2", "o"),
    Execution.REVERSE: ("reverse autodiff", "#D55E00", "^"),
    Execution.FORWARD: ("forward autodiff", "#009E73", "v"),
}
# Decimal digits that a precision has fewer than float64.
_FEWER = {"float64": 0.0, "float32": 29 * np.log10(2)}


def draw_digits(report: Summary, path: str | Path) -> None:
    """Draw one panel for each precision and write the figure to `path`.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    pyplot = _pyplot()
    figure, panels = pyplot.subplots(1, 2, figsize=(9.6, 4.4), sharey=True, layout="constrained")
    for axes, precision in zip(panels, ("float64", "float32"), strict=True):
        _panel(axes, report, precision)
    panels[0].set_ylabel("digits kept")
    verdict = "ok" if report.ok else "FAILED"
    figure.suptitle(f"{report.name}: {verdict}, {report.examples} inputs")
    try:
        figure.savefig(path, dpi=150)
    finally:
        pyplot.close(figure)


def _panel(axes: Any, report: Summary, precision: str) -> None:
    allowed = np.array([point["allowed"] for point in report.points]) - _FEWER[precision]
    top = 17 - _FEWER[precision]
    line = np.array([0.0, top])
    axes.plot(line, line, color="black", linewidth=1, label="all that conditioning allows")
    axes.plot(
        line, line / 2, color="black", linewidth=1, linestyle=":", label="half of them: fails"
    )
    for own, (label, color, marker) in _STYLES.items():
        execution = own.in_float32 if precision == "float32" else own
        kept = np.array([point.get(execution, np.nan) for point in report.points], dtype=float)
        if not np.isfinite(kept).any():
            continue
        axes.plot(
            allowed,
            kept,
            marker,
            color=color,
            label=label,
            markersize=4.5,
            alpha=0.6,
            markeredgewidth=0,
        )
    axes.set(title=precision, xlabel="digits that conditioning allows", xlim=(0, top))
    axes.set_ylim(-0.4, 17)
    axes.legend(frameon=False, fontsize="small", loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError(
            "drawing needs matplotlib; install it with: pip install 'mog_jax[plot]'"
        ) from None
    return pyplot
