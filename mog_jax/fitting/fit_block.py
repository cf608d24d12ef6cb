"""A block of datasets, from their values to their fits: once through all the stages."""

from typing import Any

import jax
import numpy as np

from mog_jax.fitting.climb.arrival import on_floor
from mog_jax.fitting.data.buckets import padded_width
from mog_jax.fitting.data.fixed import is_near_data
from mog_jax.fitting.data.inputs import Array, Source
from mog_jax.fitting.data.standardise import sample, standardise
from mog_jax.fitting.multistart.block import Block
from mog_jax.fitting.multistart.maximise import information, maximise
from mog_jax.fitting.multistart.polish import arrived
from mog_jax.fitting.options import FitOptions
from mog_jax.fitting.parameterisation import theta_of, to_standard_scale
from mog_jax.fitting.results.describe import Ended, describe
from mog_jax.fitting.results.fit import Fit
from mog_jax.mixture import Mixture


def fit_block(
    source: Source,
    index: Array,
    least: int,
    fixed: Mixture,
    options: FitOptions,
    precision: np.dtype[Any],
) -> Fit:
    """Fit some datasets, side by side.

    Parameters
    ----------
    source : Source
    index : array of int, shape (b,)
        Which datasets, of similar length.
    least : int
        Length to which they are padded at least.
    fixed : Mixture, shape (b, 2)
        NaN where free.
    options : FitOptions
    precision : float32 or float64
        Of the polish and of the answer.

    Returns
    -------
    Fit, shape (b,)
        NumPy arrays.
    """
    data, b = standardise(source, index, least), len(index)
    with np.errstate(divide="ignore", over="ignore"):
        theta_fixed = to_standard_scale(theta_of(fixed), data.mean, data.scale)
    free = np.isnan(theta_fixed)
    usable = (
        data.is_usable
        & data.holds_answers(precision, options.variance_floor)
        & is_near_data(theta_fixed)
    )
    points, counts = data.points.astype(precision, copy=False), data.counts
    sampled, n_sampled = sample(data)
    # FullPoints beyond the datasets, and those of datasets that cannot be fitted, hold a stand-in.
    width = padded_width(b)
    given = np.zeros(width, bool)
    given[:b] = usable
    block = Block(
        points=_columns(points, usable, width),
        counts=None if counts is None else _columns(counts, usable, width, stand_in=1.0),
        given=given,
        n=_columns(data.n[None], usable, width, stand_in=points.shape[0])[0],
        total=_columns(data.total[None], usable, width, stand_in=points.shape[0])[0],
        sample=_columns(sampled, usable, width),
        n_sample=_columns(n_sampled[None], usable, width, stand_in=sampled.shape[0])[0],
        free=_columns(free, usable, width, stand_in=True),
        fixed=_columns(np.where(free, 0, theta_fixed), usable, width, stand_in=0.0),
    )
    # In single precision what leaves its range is lost, and said to be.
    with np.errstate(over="ignore", invalid="ignore"):
        end, passes = maximise(block, options)
    ended = Ended(
        has_arrived=arrived(end, options.tolerance)[:b],
        on_floor=on_floor(end.theta, options.variance_floor)[:b],
    )
    end = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), end)
    observed = np.asarray(information(end.theta, end.sums))[..., :b]
    end = jax.tree.map(lambda leaf: leaf[..., :b], end)
    return describe(end, ended, observed, passes[:b], data, free, options, precision)


def _columns(array: Array, usable: Array, width: int, stand_in: float | None = None) -> Array:
    if usable.all() and usable.size == width:
        return array
    column = np.linspace(-1.5, 1.5, array.shape[0]) if stand_in is None else stand_in
    column = np.reshape(column, (-1, 1))
    filled = np.empty((array.shape[0], width), array.dtype)
    filled[:, : usable.size] = array
    filled[:, : usable.size][:, ~usable] = column
    filled[:, usable.size :] = column
    return filled
