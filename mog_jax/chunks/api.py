"""`fit_chunks`: one dataset that no memory holds, fitted by passes over it."""

import functools
from collections.abc import Mapping
from typing import Any, Never

import jax
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.arrays import Array
from mog_jax.chunks.climb import climb
from mog_jax.chunks.passes import Passes, Whole
from mog_jax.chunks.sources import open_chunks
from mog_jax.chunks.survey import Survey, survey
from mog_jax.fitting import Fit, fit
from mog_jax.fitting.climb.arrival import has_arrived, on_floor
from mog_jax.fitting.climb.ascent import begin
from mog_jax.fitting.data.fixed import is_near_data, read_fixed
from mog_jax.fitting.data.standardise import Standardised
from mog_jax.fitting.options import DEFAULTS, FitOptions, checked_options, refuse_unknown
from mog_jax.fitting.parameterisation import theta_of, to_standard_scale
from mog_jax.fitting.results.describe import Ended, describe
from mog_jax.mixture import Mixture

_OPTIONS = (
    "column",
    "count",
    "starts",
    "tolerance",
    "max_steps",
    "variance_floor",
    "min_points",
    "equal_variances",
    "fixed",
)
_HINTS = {
    "counts": "give pairs of values and counts as chunks, or the column that holds them as `count`",
    "direction": "it climbs by Newton's method, a pass a step",
    "dtype": "it sums up in float64, whatever the chunks are",
    "by": "it fits one dataset; `fit_table` takes groups",
    "value": "say column=...",
}
# Logarithm of the ratio of weights beyond which one of them is no number.
_EMPTY = 700.0
_DOUBLE = np.dtype(np.float64)


def fit_chunks(
    chunks: Any,
    *,
    column: str | None = None,
    count: str | None = None,
    starts: str = DEFAULTS.starts,
    tolerance: float = DEFAULTS.tolerance,
    max_steps: int | None = DEFAULTS.max_steps,
    variance_floor: float = DEFAULTS.variance_floor,
    min_points: float = DEFAULTS.min_points,
    equal_variances: bool = DEFAULTS.equal_variances,
    fixed: Mixture | Mapping[str, ArrayLike] | None = None,
    **unknown: Never,
) -> Fit:
    """Fit a two-component mixture to one dataset that is read in chunks, several times over.

    The first pass takes the data's size, mean and variance, and a sample, which
    :func:`mog_jax.fit` fits. From there Newton's method climbs to the maximum of all points, one
    pass a step: the nine sums of the chunks are added up, and they say everything about the
    likelihood. So the answer is that of :func:`mog_jax.fit` on all points, the log-likelihood, the
    status and the standard errors too, and depends on their order alone, not on how they are cut.

    Parameters
    ----------
    chunks : callable, list of arrays, path or DuckDB relation
        A callable that gives a fresh iterator of chunks each time it is called: arrays of shape
        (n,), or pairs ``(values, counts)``. Or arrays that are mapped into memory,
        ``numpy.load(path, mmap_mode="r")``, one or a list. Or the path of a Parquet file, a pattern
        of several, or a DuckDB relation; that needs ``pip install 'mog_jax[table]'``. NaN is a
        missing value, and so is what is masked, or a null.
    column : str, optional
        The column of the table to fit. May be left out if there is only one.
    count : str, optional
        A column of the table that says how often each value occurs.
    starts : "thorough" or "quick"
        How many climbs to begin in the sample.
    tolerance : float
        The climb has arrived when less than this is left to be gained, in nats.
    max_steps : int, optional
        Steps after which to give up: by default 200. Most data need about five.
    variance_floor : float
        Lowest variance of a component, in units of the data's variance.
    min_points : float
        Points that a component of a regular maximum holds at least.
    equal_variances : bool
        Whether the components share one variance.
    fixed : Mixture, fields of shape (2,), or mapping, optional
        What is known beforehand, as in :func:`mog_jax.fit`.

    Returns
    -------
    Fit
        Of one dataset. `n_passes` is the number of times that the data were read.

    Raises
    ------
    ValueError
        If `chunks` cannot be read again and again, gives other points the second time, or gives
        what is no array of numbers; if an option has a wrong type or range.

    Notes
    -----
    Which maximum is the highest is asked of the sample, of up to 131,072 points with the lowest and
    the highest 1,024 of all among them. Up to so many points the sample is the data. Where two
    maxima are so close that such a sample cannot tell, the answer may be the lower one.

    Examples
    --------
    >>> import mog_jax
    >>> x = mog_jax.datasets.faithful()
    >>> mog_jax.fit_chunks(lambda: iter([x[:100], x[100:]]))
    Fit(0.3609 N(54.6149, sd 5.871) + 0.6391 N(80.0911, sd 5.868); log-likelihood -1034.001750, 272
    points, converged)
    """
    refuse_unknown("fit_chunks", unknown, _OPTIONS, _HINTS)
    options = checked_options(
        starts=starts,
        tolerance=tolerance,
        max_steps=max_steps,
        variance_floor=variance_floor,
        min_points=min_points,
        equal_variances=equal_variances,
    )
    known = read_fixed(fixed, 1, equal_variances=equal_variances)
    passes = Passes(open_chunks(chunks, column, count))
    data = survey(passes)
    if data.seen.n_points + data.seen.n_missing + data.seen.n_infinite == 0:
        raise ValueError("`chunks` gave no values at all; it must give at least one array of them.")
    return _fitted(passes, data, known, options)


def _fitted(passes: Passes, data: Survey, known: Mixture, options: FitOptions) -> Fit:
    standard = _standardised(data)
    with np.errstate(divide="ignore", over="ignore"):
        theta_fixed = to_standard_scale(theta_of(known), standard.mean, standard.scale)
    usable = (
        standard.is_usable
        & standard.holds_answers(_DOUBLE, options.variance_floor)
        & is_near_data(theta_fixed)
    )[0]
    free = np.isnan(theta_fixed)[:, 0]
    end, observed = begin(np.full(5, np.nan)), np.full((5, 5), np.nan)
    if usable:
        theta, free = _start(data, known, options)
        whole = Whole(data.total, data.mean, data.scale)
        end, observed = climb(passes, theta, free, options.ascent(searching=False), whole)
    end = jax.tree.map(lambda leaf: np.asarray(leaf)[..., None], end)
    ended = Ended(
        has_arrived=has_arrived(end.gain_left, standard.total, options.tolerance),
        on_floor=on_floor(end.theta, options.variance_floor),
    )
    n_passes = np.array([passes.n_passes])
    about = standard, free[:, None], options, _DOUBLE
    return describe(end, ended, observed[..., None], n_passes, *about)[0]


def _standardised(data: Survey) -> Standardised:
    """Say how the data are standardised; their points are not kept."""
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


def _start(data: Survey, known: Mixture, options: FitOptions) -> tuple[Array, Array]:
    """Give where the sample's fit ends, on the standard scale of all data, and what is free."""
    found = fit(
        data.values,
        counts=data.counts,
        starts=options.starts,
        tolerance=options.tolerance,
        variance_floor=options.variance_floor,
        min_points=options.min_points,
        equal_variances=options.equal_variances,
        fixed=jax.tree.map(functools.partial(np.squeeze, axis=0), known),
    )
    free = ~np.asarray(found.fixed)
    with np.errstate(divide="ignore"):
        theta = theta_of(found.mixture)
    theta = to_standard_scale(theta, np.array(data.mean), np.array(data.scale))
    # What is empty in the sample may hold a few of all.
    theta[0] = np.clip(theta[0], -_EMPTY, _EMPTY)
    lowest = np.where(free[3:], np.log(options.variance_floor), -np.inf)
    theta[3:] = np.maximum(theta[3:], lowest)
    return theta, free
