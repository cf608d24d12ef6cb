"""Draws values from one Gaussian, and rounds, censors, bins and truncates them as the data are."""

from typing import Any, NamedTuple

import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.data.inputs import Source, read
from mog_jax.fitting.intervals.inputs import Words, of_each_dataset, pair_of_each


class Recording(NamedTuple):
    """How the values of one dataset were recorded; None for what does not apply.

    Attributes
    ----------
    step, origin : float or None
        Step and one value of the grid to which they were rounded.
    limits, window : pair of floats or None
        Limits of detection, and range outside which nothing was recorded.
    bins : pair of arrays or None
        Lower and upper ends, ascending.
    """

    step: float | None
    origin: float
    limits: tuple[float, float] | None
    window: tuple[float, float] | None
    bins: tuple[Array, Array] | None

    def record(self, normals: Array, mean: float, deviation: float) -> tuple[Array, Array | None]:
        """Return recorded values, and upper ends or None, from draws of a standard normal."""
        from scipy.special import ndtr, ndtri

        x = mean + deviation * normals
        seen = self.window
        if self.bins is not None:
            seen = float(self.bins[0][0]), float(self.bins[1][-1])
        if seen is not None:
            low, high = (ndtr((end - mean) / deviation) for end in seen)
            x = mean + deviation * ndtri(low + (high - low) * ndtr(normals))
            x = np.clip(x, *seen)
        if self.bins is not None:
            lower, upper = self.bins
            at = np.minimum(np.searchsorted(upper, x), upper.size - 1)
            return lower[at], upper[at]
        if self.step is not None:
            x = self.origin + self.step * np.rint((x - self.origin) / self.step)
        if self.limits is not None:
            x = np.clip(x, *self.limits)
        if self.window is not None:
            x = np.clip(x, *self.window)
        return x, None

    def words(self) -> dict[str, Any]:
        """Return the options of `fit` that describe replicates, except their upper ends."""
        if self.bins is not None:
            return {"window": self.window}
        return {"resolution": self.step, "limits": self.limits, "window": self.window}


def recordings(data: Any, words: Words) -> list[Recording]:
    """Return, for each dataset, how its values were recorded.

    Raises
    ------
    ValueError
        If the intervals that `upper` gives overlap: then the interval of a replicate's value is
        not determined.
    """
    source = read(data, None)
    upper = None if words.upper is None else read(words.upper, None)
    b = len(source)
    step = None if words.resolution is None else of_each_dataset("resolution", words.resolution, b)
    limits = None if words.limits is None else pair_of_each("limits", words.limits, b)
    window = None if words.window is None else pair_of_each("window", words.window, b)
    found = []
    for i in range(b):
        own = _values(source, i)
        found.append(
            Recording(
                step=None if step is None else float(step[i]),
                origin=float(own[np.argmax(np.isfinite(own))]) if own.size else 0.0,
                limits=None if limits is None else (float(limits[0][i]), float(limits[1][i])),
                window=None if window is None else (float(window[0][i]), float(window[1][i])),
                bins=None if upper is None else _bins(own, _values(upper, i)),
            )
        )
    return found


def _values(source: Source, dataset: int) -> Array:
    values, _ = source.rows(np.array([dataset]))
    row: Array = np.asarray(values[0], np.float64)
    return row


def _bins(lower: Array, upper: Array) -> tuple[Array, Array]:
    seen = ~(np.isnan(lower) | (np.isinf(lower) & np.isinf(upper)))
    ends = np.unique(np.stack([lower[seen], upper[seen]], axis=1), axis=0)
    low, high = ends[:, 0], ends[:, 1]
    if (low == high).any() or (low[1:] < high[:-1]).any():
        raise ValueError(
            "`upper`: the intervals must be bins that do not overlap, or the interval of a "
            "replicate's value is not determined; give `resolution` or `limits` instead."
        )
    return low, high
