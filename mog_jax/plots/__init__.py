"""Draws fits. Needs matplotlib: ``pip install 'mog_jax[plot]'``.

Each function takes axes, or makes its own, and returns them as an array, shape (n,). So one line
saves any figure: ``plot_fit(fit, data)[0].figure.savefig("fit.png")``. Colours are Okabe and Ito's
palette for colour-blind readers; line styles and markers serve the same purpose in grey.
"""

from mog_jax.plots.batch import plot_batch, plot_fits
from mog_jax.plots.digits import plot_digits
from mog_jax.plots.fit import plot_fit
from mog_jax.plots.likelihood import plot_likelihood

__all__ = ["plot_batch", "plot_digits", "plot_fit", "plot_fits", "plot_likelihood"]
