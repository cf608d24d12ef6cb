"""Fits one dataset from its chunks: survey, starts, climbs, answer."""

import jax
import numpy as np

from mog_jax.chunks.answer import answer_of, higher_than, is_on_atom
from mog_jax.chunks.blocks import Chunks
from mog_jax.chunks.climb import Climb, climb
from mog_jax.chunks.passes import Passes, Whole
from mog_jax.chunks.starts import starts as starts_of
from mog_jax.chunks.survey import Survey, survey
from mog_jax.fitting import Fit
from mog_jax.fitting.climb.arrival import has_arrived, on_floor
from mog_jax.fitting.climb.ascent import begin
from mog_jax.fitting.data.fixed import is_near_data
from mog_jax.fitting.data.standardise import Standardised
from mog_jax.fitting.options import FitOptions
from mog_jax.fitting.parameterisation import theta_of, to_standard_scale
from mog_jax.fitting.results.describe import Ended, Higher, describe
from mog_jax.mixture import Mixture

_DOUBLE = np.dtype(np.float64)


def maximum(chunks: Chunks, known: Mixture, options: FitOptions) -> Fit:
    """Fit a mixture to all points of a stream.

    Parameters
    ----------
    chunks : Chunks
    known : Mixture, fields of shape (1, 2)
        Fixed values; NaN where free.
    options : FitOptions

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        If the stream has no values, not even missing ones, or the points of a pass differ from
        those of the first.
    """
    passes = Passes(chunks)
    data = survey(passes)
    if data.seen.n_points + data.seen.n_missing + data.seen.n_infinite == 0:
        raise ValueError("`chunks` gave no values at all; it must give at least one array of them.")
    standard = _standardised(data)
    with np.errstate(divide="ignore", over="ignore"):
        theta_fixed = to_standard_scale(theta_of(known), standard.mean, standard.scale)
    usable = (
        standard.is_usable
        & standard.holds_answers(_DOUBLE, options.variance_floor)
        & is_near_data(theta_fixed)
    )[0]
    higher = Higher(np.zeros(1), np.zeros(1))
    best = Climb(begin(np.full(5, np.nan)), np.full((5, 5), np.nan), np.isnan(theta_fixed)[:, 0])
    if usable:
        whole = Whole(data.total, data.mean, data.scale)
        begun = starts_of(data, known, options)
        climbs = climb(passes, begun, options, whole)
        best = answer_of(climbs, data, options)
        higher = higher_than(best, climbs)
    end, observed, free = jax.tree.map(lambda leaf: np.asarray(leaf)[..., None], best)
    ended = Ended(
        has_arrived=has_arrived(end.gain_left, standard.total, options.tolerance),
        on_floor=on_floor(end.theta, options.variance_floor),
        on_atom=np.atleast_1d(
            options.choose == "penalised" and usable and is_on_atom(best, data, options)
        ),
    )
    n_passes = np.array([passes.n_passes])
    return describe(end, ended, observed, n_passes, standard, free, options, _DOUBLE, higher)[0]


def _standardised(data: Survey) -> Standardised:
    """Return mean, scale and size of the data for `describe`, without their points."""
    is_finite = data.seen.n_infinite == 0
    n = data.seen.n_points
    return Standardised.without_points(
        n=n if is_finite else 0,
        total=data.total if is_finite else 0.0,
        n_missing=data.seen.n_missing,
        mean=data.mean,
        scale=data.scale,
        is_finite=is_finite,
        is_constant=data.low == data.high or n == 0,
    )
