"""`fit_chunks`: one dataset that no memory holds, fitted by passes over it."""

from collections.abc import Mapping
from typing import Any, Never

import jax
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.chunks.answer import answer_of, higher_than, is_on_atom
from mog_jax.chunks.climb import Climb, climb
from mog_jax.chunks.levels import fit_levels
from mog_jax.chunks.passes import Passes, Whole
from mog_jax.chunks.sources import open_chunks
from mog_jax.chunks.starts import starts as starts_of
from mog_jax.chunks.survey import Survey, survey
from mog_jax.fitting import Fit
from mog_jax.fitting.climb.arrival import has_arrived, on_floor
from mog_jax.fitting.climb.ascent import begin
from mog_jax.fitting.data.fixed import is_near_data, read_fixed
from mog_jax.fitting.data.standardise import Standardised
from mog_jax.fitting.options import DEFAULTS, OPTIONS, FitOptions, checked_options, refuse_unknown
from mog_jax.fitting.parameterisation import theta_of, to_standard_scale
from mog_jax.fitting.results.describe import Ended, Higher, describe
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
    "choose",
    "fixed",
    "resolution",
    "limits",
    "window",
)
_HINTS = {
    "upper": "count the intervals, and give them to `fit` with `counts`",
    "counts": "give pairs of values and counts as chunks, or the column that holds them as `count`",
    "direction": "it climbs by Newton's method, a pass a step",
    "dtype": "it sums up in float64, whatever the chunks are",
    "by": "it fits one dataset; `fit_table` takes groups",
    "value": "say column=...",
}
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
    choose: str = DEFAULTS.choose,
    fixed: Mixture | Mapping[str, ArrayLike] | None = None,
    resolution: float | None = None,
    limits: tuple[float | None, float | None] | None = None,
    window: tuple[float | None, float | None] | None = None,
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
    choose : "penalised" or "regular"
        Which maximum is the answer, as in :func:`mog_jax.fit`: of the sample, and then of those
        that were climbed to from there.
    fixed : Mixture, fields of shape (2,), or mapping, optional
        What is known beforehand, as in :func:`mog_jax.fit`.
    resolution, limits, window : optional
        What else is said of the values, as in :func:`mog_jax.fit`. Distinct values are counted in
        one pass, and then fitted.

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
    Where to look is asked of the sample, up to 131,072 points with the lowest and the highest 1,024
    of all among them: up to so many points the sample is the data. If the sample as it is and the
    sample smoothed lead to two maxima, both are climbed, and `choose` says which is the answer.
    What neither shows, such as a narrow component of one point in a hundred thousand in the midst
    of the others, is not found. Where the data are one Gaussian, two are hardly determined, and
    Newton's method may creep: bound the passes by `max_steps`.

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
        choose=choose,
    )
    opened = open_chunks(chunks, column, count)
    if not (resolution is None and limits is None and window is None):
        own = {name: getattr(options, name) for name in OPTIONS}
        words = {"resolution": resolution, "limits": limits, "window": window}
        return fit_levels(opened, **words, **own, fixed=fixed)
    known = read_fixed(fixed, 1, equal_variances=equal_variances)
    passes = Passes(opened)
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
    best = Climb(begin(np.full(5, np.nan)), np.full((5, 5), np.nan), np.isnan(theta_fixed)[:, 0])
    higher = Higher(np.zeros(1), np.zeros(1))
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
