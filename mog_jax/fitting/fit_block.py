"""Fits a block of datasets: standardises them, maximises, and describes the ends as `Fit`."""

import functools
from typing import Any

import jax
import numpy as np

from mog_jax.fitting.climb.arrival import on_floor
from mog_jax.fitting.climb.ascent import begin
from mog_jax.fitting.climb.derivatives import information
from mog_jax.fitting.data.fixed import is_near_data
from mog_jax.fitting.data.inputs import Array, Datasets
from mog_jax.fitting.data.standardise import Standardised, sample, standardise
from mog_jax.fitting.multistart.block import Block
from mog_jax.fitting.multistart.maximise import Maxima, maximise
from mog_jax.fitting.multistart.polish import arrived
from mog_jax.fitting.options import FitOptions
from mog_jax.fitting.parameterisation import theta_of, to_standard_scale
from mog_jax.fitting.results.describe import Ended, Higher, describe
from mog_jax.fitting.results.fit import Fit
from mog_jax.mixture import Mixture


def fit_block(
    source: Datasets,
    index: Array,
    fixed: Mixture,
    options: FitOptions,
    precision: np.dtype[Any],
) -> Fit:
    """Fit some datasets, side by side.

    Parameters
    ----------
    source : Datasets
    index : array of int, shape (b,)
        Which datasets, of similar length.
    fixed : Mixture, shape (b, 2)
        Fixed values, NaN where free.
    options : FitOptions
    precision : float32 or float64
        Precision of the polish and of the answer.

    Returns
    -------
    Fit, shape (b,)
        NumPy arrays.
    """
    data = standardise(source, index)
    with np.errstate(divide="ignore", over="ignore"):
        theta_fixed = to_standard_scale(theta_of(fixed), data.mean, data.scale)
    free = np.isnan(theta_fixed)
    usable = (
        data.is_usable
        & data.holds_answers(precision, options.variance_floor)
        & is_near_data(theta_fixed)
    )
    if usable.any():
        block = _block(data, usable, free, np.where(free, 0, theta_fixed), precision)
        # Climbs that overflow single precision are dropped; if all do, the status says so.
        with np.errstate(over="ignore", invalid="ignore"):
            found = maximise(block, options)
    else:
        none = np.empty(0)
        found = Maxima(begin(np.empty((5, 0))), none, none, none, none > 0)
    end, passes = found.end, found.passes
    ended = Ended(
        has_arrived=arrived(end, options.tolerance),
        on_floor=on_floor(end.theta, options.variance_floor),
        on_atom=found.on_atom,
    )
    higher = Higher(found.higher_by, found.higher_points)
    end = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), end)
    # A weight may underflow.
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        observed = information(tuple(end.theta), end.sums, np).dense(np)
    whole = functools.partial(_spread, usable)
    end, ended, observed, passes, higher = jax.tree.map(
        whole, (end, ended, observed, passes, higher)
    )
    return describe(end, ended, observed, passes, data, free, options, precision, higher)


def _block(
    data: Standardised, usable: Array, free: Array, fixed: Array, precision: np.dtype[Any]
) -> Block:
    """Return the block of the datasets that can be fitted."""
    sampled, n_sampled = sample(data)
    some = slice(None) if usable.all() else usable
    return Block(
        points=data.points[some].astype(precision, copy=False),
        counts=None if data.counts is None else data.counts[some],
        n=data.n[some],
        total=data.total[some],
        sample=sampled[some],
        n_sample=n_sampled[some],
        free=free[:, some],
        fixed=fixed[:, some],
    )


def _spread(usable: Array, leaf: Array) -> Array:
    """Return the array with one entry for each dataset: NaN, or 0, for those not fitted."""
    if usable.all():
        return leaf
    nothing = np.nan if leaf.dtype.kind == "f" else 0
    whole = np.full((*leaf.shape[:-1], usable.size), nothing, leaf.dtype)
    whole[..., usable] = leaf
    return whole
