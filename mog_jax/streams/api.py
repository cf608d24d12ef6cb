"""`fit_chunks`: fits one dataset that does not fit into memory, by passes over its chunks."""

from collections.abc import Mapping
from typing import Any, Never

from numpy.typing import ArrayLike

from mog_jax.chunks import maximum
from mog_jax.chunks.levels import fit_levels
from mog_jax.fitting import Fit
from mog_jax.fitting.data.fixed import read_fixed
from mog_jax.fitting.options import DEFAULTS, OPTIONS, checked_options, keywords_of, refuse_unknown
from mog_jax.mixture import Mixture
from mog_jax.streams.sources import open_chunks

_HINTS = {
    "upper": "count the intervals, and give them to `fit` with `counts`",
    "counts": "give pairs of values and counts as chunks, or the column that holds them as `count`",
    "direction": "it uses Newton's method, with one pass for each step",
    "dtype": "it sums up in float64, whatever the dtype of the chunks",
    "by": "it fits one dataset; `fit_table` takes groups",
    "value": "say column=...",
}


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
    """Fit a two-component mixture to one dataset that is read in chunks, in several passes.

    The first pass computes the data's size, mean and variance, and draws a sample, which
    :func:`mog_jax.fit` fits. From there Newton's method climbs to the maximum of all points, one
    pass for each step: the nine sums of the chunks are added up, and all derivatives follow from
    them. The result has log-likelihood, status and standard errors of all points, as that of
    :func:`mog_jax.fit`. It depends on the order of the points, but not on how they are divided into
    chunks.

    Parameters
    ----------
    chunks : callable, list of arrays, path or DuckDB relation
        A callable that returns a fresh iterator of chunks each time it is called: arrays of shape
        (n,), or pairs ``(values, counts)``. Or memory-mapped arrays,
        ``numpy.load(path, mmap_mode="r")``, one or a list. Or the path of a Parquet file, a pattern
        of several, or a DuckDB relation; that needs ``pip install 'mog_jax[table]'``. NaN, a masked
        value and a null are missing values.
    column : str, optional
        The column of the table to fit. May be left out if there is only one.
    count : str, optional
        A column of the table that says how often each value occurs.
    starts : "thorough" or "quick"
        Number of starts in the sample, as in :func:`mog_jax.fit`.
    tolerance : float
        The climb has converged when less than this is left to be gained, in nats.
    max_steps : int, optional
        Largest number of steps: by default 200. Most data need about five.
    variance_floor : float
        Lowest variance of a component, in units of the data's variance.
    min_points : float
        Least number of points in each component of a regular maximum.
    equal_variances : bool
        Whether the components share one variance.
    choose : "penalised" or "regular"
        Rule for the answer, as in :func:`mog_jax.fit`: among the maxima of the sample, and then
        among those of all points that were reached from there.
    fixed : Mixture, fields of shape (2,), or mapping, optional
        Parameters that are known, as in :func:`mog_jax.fit`.
    resolution, limits, window : optional
        Say that the values are rounded, censored or truncated, as in :func:`mog_jax.fit`. Distinct
        values are counted in one pass, and then fitted.

    Returns
    -------
    Fit
        The fit of one dataset. `n_passes` is the number of times that the data were read.

    Raises
    ------
    ValueError
        If `chunks` cannot be read several times, does not return the same points each time, or
        returns anything but arrays of numbers; if an option has a wrong type or range.

    Notes
    -----
    The climbs start at fits of the sample: up to 131,072 points, including the 1,024 lowest and
    highest of all. If the sample as it is and the smoothed sample lead to two maxima, both are
    climbed, and `choose` says which is the answer. A component that neither shows, such as a narrow
    one of one point in a hundred thousand, is not found. If the data are one Gaussian, two
    components are hardly determined, and Newton's method may be slow: limit the passes by
    `max_steps`.

    Examples
    --------
    >>> import mog_jax
    >>> x = mog_jax.datasets.faithful()
    >>> mog_jax.fit_chunks(lambda: iter([x[:100], x[100:]]))
    Fit(0.3609 N(54.6149, sd 5.871) + 0.6391 N(80.0911, sd 5.868); log-likelihood -1034.001750, 272
    points, converged)
    """
    refuse_unknown("fit_chunks", unknown, keywords_of(fit_chunks), _HINTS)
    options = checked_options(
        starts=starts,
        tolerance=tolerance,
        max_steps=max_steps,
        variance_floor=variance_floor,
        min_points=min_points,
        equal_variances=equal_variances,
        choose=choose,
    )
    known = read_fixed(fixed, 1, equal_variances=equal_variances)
    opened = open_chunks(chunks, column, count)
    if not (resolution is None and limits is None and window is None):
        own = {name: getattr(options, name) for name in OPTIONS}
        interval_options = {"resolution": resolution, "limits": limits, "window": window}
        return fit_levels(opened, **interval_options, **own, fixed=fixed)
    return maximum(opened, known, options)
