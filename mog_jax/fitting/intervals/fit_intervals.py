"""Fits datasets of intervals: reads, standardises, maximises, describes."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.climb.directions import DIRECTIONS
from mog_jax.fitting.data.fixed import is_near_data, read_fixed
from mog_jax.fitting.data.interval_options import IntervalOptions
from mog_jax.fitting.data.intervals import Observed, read_intervals
from mog_jax.fitting.in_blocks import fill_in
from mog_jax.fitting.intervals.describe import describe
from mog_jax.fitting.intervals.maximise import maximise
from mog_jax.fitting.intervals.observations import standardised
from mog_jax.fitting.options import FitOptions
from mog_jax.fitting.parameterisation import theta_of, to_standard_scale
from mog_jax.fitting.results.describe import nothing
from mog_jax.fitting.results.fit import Fit
from mog_jax.mixture import Mixture

# Largest number of datasets that a thread fits side by side.
_WIDTH = 256


def fit_intervals(
    data: Any,
    counts: Any,
    interval_options: IntervalOptions,
    options: FitOptions,
    *,
    fixed: Mixture | Mapping[str, ArrayLike] | None,
    progress: bool,
    dtype: Any = None,
) -> Fit:
    """Fit a mixture to each dataset of intervals, which `interval_options` describe.

    Raises
    ------
    ValueError
        If an argument has a wrong value.
    """
    if options.direction is not DIRECTIONS["newton"]:
        raise ValueError("intervals are fitted by Newton's method: `direction` must be 'newton'.")
    if dtype is not None and np.dtype(dtype) != np.float64:
        raise ValueError(f"intervals are fitted in float64; got `dtype` {dtype!r}.")
    source, datasets, is_finite = read_intervals(data, counts, interval_options)
    known = read_fixed(fixed, len(source), equal_variances=options.equal_variances)
    fits = nothing(len(source), np.dtype(np.float64), options.equal_variances)

    def fit_some(index: Array) -> Fit:
        own = jax.tree.map(lambda field: field[index], known)
        return _fit_some([datasets[i] for i in index], is_finite[index], own, options)

    groups = np.array_split(np.arange(len(source)), max(1, -(-len(source) // _WIDTH)))
    fill_in(fits, [group for group in groups if group.size], fit_some, progress=progress)
    fits = dataclasses.replace(fits, names=source.names, of_intervals=True)
    return fits[0] if source.is_single else fits


def _fit_some(
    observed: list[Observed], is_finite: Array, fixed: Mixture, options: FitOptions
) -> Fit:
    data = standardised(observed)
    scale = np.where(data.is_usable, data.scale, 1)
    with np.errstate(divide="ignore", over="ignore"):
        theta = to_standard_scale(theta_of(fixed), data.mean, scale)
    free = np.isnan(theta).T
    usable = data.is_usable & is_finite & is_near_data(theta)
    some = np.flatnonzero(usable)
    values = np.where(free, 0, theta.T)
    maxima = maximise(data, some, options, free[some], values[some])
    return describe(maxima, data, some, is_finite, free, options)
