"""Fits rounded or censored values by counting the distinct ones in one pass."""

import dataclasses
from typing import Any

import numpy as np

from mog_jax.arrays import HostArray
from mog_jax.chunks.blocks import Chunks
from mog_jax.fitting import Fit, fit

# Largest number of distinct values.
_MOST = 1 << 22


def fit_levels(chunks: Chunks, limits: Any, **options: Any) -> Fit:
    """Count the distinct values of a stream, and fit them as intervals.

    Raises
    ------
    ValueError
        If there are more than 4,194,304 distinct values, or `fit` refuses an option.
    """
    levels, counts, n_missing, n_values = np.zeros(0), np.zeros(0), 0, 0
    for chunk in chunks():
        values = np.asarray(chunk.values, np.float64)
        times = np.ones(values.size) if chunk.counts is None else np.asarray(chunk.counts)
        n_values += values.size
        missing = np.isnan(values)
        n_missing += int(missing.sum())
        levels, counts = _counted(
            np.concatenate([levels, values[~missing]]), np.concatenate([counts, times[~missing]])
        )
        if levels.size > _MOST:
            raise ValueError(
                f"`chunks` hold more than {_MOST:,} distinct values: round them to the "
                "`resolution` that they have."
            )
    if not n_values:
        raise ValueError("`chunks` gave no values at all; it must give at least one array of them.")
    found = fit(levels, counts=counts, limits=limits, **options)
    missing_there: Any = np.int64(n_missing)
    return dataclasses.replace(found, n_missing=missing_there)


def _counted(values: HostArray, times: HostArray) -> tuple[HostArray, HostArray]:
    levels, place = np.unique(values, return_inverse=True)
    return levels, np.bincount(place, times, minlength=levels.size)
