"""Draws values from one Gaussian, and rounds, censors, bins and truncates them as the data are."""

from typing import Any, NamedTuple

import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.data.inputs import Datasets, Ragged, read
from mog_jax.fitting.data.interval_options import (
    IntervalOptions,
    of_each_value,
    pair_of_each,
    pair_of_values,
)


class Recording(NamedTuple):
    """The way in which the values of one dataset were recorded; None for what does not apply.

    Attributes
    ----------
    step : array, shape (n,) or (1,), or None
        Of the grid to which each value was rounded, or all; 0 for an exact one.
    origin : array, of the same shape
        A place on that grid.
    limits : pair of arrays of shape (n,) or (1,), or None
    window : pair of floats or None
    bins : pair of arrays or None
        Lower and upper ends, ascending.
    """

    step: Array | None
    origin: Array
    limits: tuple[Array, Array] | None
    window: tuple[float, float] | None
    bins: tuple[Array, Array] | None

    def record(
        self, normals: Array, mean: float, deviation: float
    ) -> tuple[Ragged, IntervalOptions]:
        """Return draws from a standard normal, shape (r, n), as datasets with interval options."""
        from scipy.special import ndtr, ndtri

        lengths = np.full(len(normals), normals.shape[1])
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
            ends = Ragged(upper[at].ravel(), lengths)
            return Ragged(lower[at].ravel(), lengths), IntervalOptions(
                upper=ends, window=self.window
            )
        if self.step is not None:
            unit = np.where(self.step > 0, self.step, 1)
            rounded = self.origin + unit * np.rint((x - self.origin) / unit)
            x = np.where(self.step > 0, rounded, x)
        if self.limits is not None:
            x = np.clip(x, *self.limits)
        if self.window is not None:
            x = np.clip(x, *self.window)

        def of_each(word: Array) -> Any:
            if word.size == 1:
                return float(word[0])
            return Ragged(np.broadcast_to(word, x.shape).ravel(), lengths)

        interval_options = IntervalOptions(
            resolution=None if self.step is None else of_each(self.step),
            limits=None
            if self.limits is None
            else (of_each(self.limits[0]), of_each(self.limits[1])),
            window=self.window,
        )
        return Ragged(x.ravel(), lengths), interval_options


def recordings(data: Any, counts: Any, interval_options: IntervalOptions) -> list[Recording]:
    """Return how the values of each dataset were recorded.

    Parameters
    ----------
    data, counts : as for `fit`
        Of a value that was counted often, so many of a replicate are recorded as it was.
    interval_options : IntervalOptions

    Raises
    ------
    ValueError
        If the intervals that `upper` gives overlap: then the interval of a replicate's value is
        not determined.
    """
    source = read(data, counts)
    upper = None if interval_options.upper is None else read(interval_options.upper, None)
    b = len(source)
    lengths = source.lengths(np.arange(b)).astype(np.int64)
    row = np.repeat(np.arange(b), lengths)
    x = source.values.reshape(-1).astype(np.float64)
    step = limits = window = None
    if interval_options.resolution is not None:
        step, _ = of_each_value("resolution", interval_options.resolution, source, row)
    if interval_options.limits is not None:
        limits = pair_of_values("limits", interval_options.limits, source, row)
    if interval_options.window is not None:
        window = pair_of_each("window", interval_options.window, b)
    times = np.ones(x.size) if source.counts is None else source.counts.reshape(-1)
    edges = np.concatenate([[0], np.cumsum(lengths)])
    found = []
    for i in range(b):
        own = slice(edges[i], edges[i + 1])
        number = np.where(np.isnan(x[own]), 0, times[own])
        found.append(
            Recording(
                step=None if step is None else _each(step[own], number),
                origin=_grid_origin(x[own], None if step is None else step[own], number),
                limits=None
                if limits is None
                else (_each(limits[0][own], number), _each(limits[1][own], number)),
                window=None if window is None else (float(window[0][i]), float(window[1][i])),
                bins=None if upper is None else _bins(x[own], _values(upper, i)),
            )
        )
    return found


def _each(word: Array, number: Array) -> Array:
    """Return an option of each value, repeated by its count; once if it is the same for all."""
    seen = word[number > 0]
    if seen.size and (seen == seen[0]).all():
        return seen[:1]
    return np.repeat(word, number.astype(np.int64))


def _grid_origin(x: Array, step: Array | None, number: Array) -> Array:
    """Return a place on the grid of each value, or on the grid of all."""
    finite = np.isfinite(x) & (number > 0)
    if step is None or _each(step, number).size <= 1:
        return x[finite][:1] if finite.any() else np.zeros(1)
    return np.repeat(np.where(finite, x, 0), number.astype(np.int64))


def _values(source: Datasets, dataset: int) -> Array:
    values, _ = source.rows(np.array([dataset]))
    row: Array = np.asarray(values[0], np.float64)
    return row


def _bins(lower: Array, upper: Array) -> tuple[Array, Array]:
    upper = upper[: lower.size]
    seen = ~(np.isnan(lower) | (np.isinf(lower) & np.isinf(upper)))
    ends = np.unique(np.stack([lower[seen], upper[seen]], axis=1), axis=0)
    low, high = ends[:, 0], ends[:, 1]
    if (low == high).any() or (low[1:] < high[:-1]).any():
        raise ValueError(
            "`upper`: the intervals must be bins that do not overlap, or the interval of a "
            "replicate's value is not determined; give `resolution` or `limits` instead."
        )
    return low, high
