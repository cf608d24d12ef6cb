"""Draws fits. Needs matplotlib: ``pip install 'mog_jax[plot]'``.

Each function takes axes, or makes its own, and returns them as an array, shape (n,). So one line
saves any figure: ``plot_fit(fit, data)[0].figure.savefig("fit.png")``. Colours are Okabe and Ito's
palette for colour-blind readers; line styles and markers serve the same purpose in grey.

============  ======================================================================================
`fit`         `plot_fit`: data, density, components, threshold and responsibilities of one fit
`batch`       `plot_fits` and `plot_batch`: a grid of fits, and an overview of a batch
`likelihood`  `plot_likelihood`: the log-likelihood over the plane of the means, and paths of
              ascents
`digits`      `plot_digits`: the digits that gradients keep over a plane of mixtures
`seen`        what is drawn of a dataset: points, or intervals
`points`      which points to draw, their range, the bins of a histogram
`bars`        bars of values that are intervals
`band`        pointwise confidence bands of a density
`style`       colours, line styles and helpers that all figures share
============  ======================================================================================
"""

from mog_jax.plots.batch import plot_batch, plot_fits
from mog_jax.plots.digits import plot_digits
from mog_jax.plots.fit import plot_fit
from mog_jax.plots.likelihood import plot_likelihood

__all__ = ["plot_batch", "plot_digits", "plot_fit", "plot_fits", "plot_likelihood"]
