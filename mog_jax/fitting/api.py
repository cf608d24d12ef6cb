"""`fit`: checks the arguments, divides the datasets into blocks, and fits these on threads."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Never

import jax
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.devices import on_own_device, shared_out
from mog_jax.fitting.climb.directions import Direction
from mog_jax.fitting.data.buckets import blocks
from mog_jax.fitting.data.fixed import read_fixed
from mog_jax.fitting.data.inputs import Array, Datasets, Ragged, read
from mog_jax.fitting.data.interval_options import IntervalOptions
from mog_jax.fitting.data.layout import check_layout
from mog_jax.fitting.fit_block import fit_block
from mog_jax.fitting.in_blocks import fill_in
from mog_jax.fitting.intervals.fit_intervals import fit_intervals
from mog_jax.fitting.multistart.climbs import compile_ahead
from mog_jax.fitting.multistart.packing import Layout
from mog_jax.fitting.options import (
    DEFAULTS,
    FIT_OPTIONS,
    FitOptions,
    checked_options,
    refuse_unknown,
    true_or_false,
)
from mog_jax.fitting.results.describe import nothing
from mog_jax.fitting.results.fit import Fit
from mog_jax.mixture import Mixture
from mog_jax.threads import workers


def fit(
    data: ArrayLike | Ragged | Mapping[str, ArrayLike],
    *,
    counts: ArrayLike | Ragged | Mapping[str, ArrayLike] | None = None,
    upper: ArrayLike | Ragged | Mapping[str, ArrayLike] | None = None,
    resolution: ArrayLike | None = None,
    limits: tuple[ArrayLike | None, ArrayLike | None] | None = None,
    window: tuple[ArrayLike | None, ArrayLike | None] | None = None,
    direction: str | Direction = DEFAULTS.direction,
    starts: str = DEFAULTS.starts,
    tolerance: float = DEFAULTS.tolerance,
    max_steps: int | None = DEFAULTS.max_steps,
    variance_floor: float = DEFAULTS.variance_floor,
    min_points: float = DEFAULTS.min_points,
    dtype: Any = None,
    progress: bool = False,
    equal_variances: bool = DEFAULTS.equal_variances,
    choose: str = DEFAULTS.choose,
    fixed: Mixture | Mapping[str, ArrayLike] | None = None,
    **unknown: Never,
) -> Fit:
    """Fit a two-component mixture to each dataset: the best maximum of its likelihood.

    A maximum is regular if each component holds at least `min_points` points (the sum of its
    responsibilities) and has a variance above the floor. The best one is the first in the order of
    a penalised likelihood that is regular; or holds fewer points, at least two, and has a lower BIC
    than one Gaussian (``few_points``); or has as a component one value that a tenth of the points
    have (``atom``). Nothing is random: the same data give the same fit every time.

    Parameters
    ----------
    data : array-like, shape (n,) or (b, n); list of arrays; mapping; or Ragged
        One dataset, or many: a dataset in each row. NaN, a masked value and a null are missing
        values. A mapping goes from names to values, and the fits keep the names: ``fits["CD4"]``.
    counts : of the same shape, optional
        How often each point was seen: non-negative, not necessarily whole. A count of 2 is the same
        as giving the point twice. The counts of a dataset sum to 1e30 at most, or it is out of
        range.
    upper : of the same shape, optional
        Upper ends of intervals, whose lower ends are `data`: equal ends are an exact value, an
        infinite end is open, NaN at both is a missing value.
    resolution : float, or array-like of shape (b,), optional
        The step to which the values were rounded: each is known to half a step.
    limits : pair of numbers or None, optional
        Limits of detection, (lower, upper), None for none; or of each dataset. A value at a limit
        or beyond is censored there.
    window : pair of numbers or None, optional
        Range of the recorded values: the data are truncated, as values outside were not recorded
        and their number is unknown.
    direction : "newton", "em", "gradient" or Direction
        Direction of the ascent. Intervals are always fitted by Newton's method.
    starts : "thorough" or "quick"
        Number of starts: 14 or 5 for each dataset.
    tolerance : float
        A climb has converged when less than this is left to be gained, in nats.
    max_steps : int, optional
        Largest number of steps of a climb: by default 200 for Newton's method, 10,000 for the
        others.
    variance_floor : float
        Lowest variance of a component, in units of the dataset's variance.
    min_points : float
        Least number of points in each component of a regular maximum.
    dtype : "float32" or "float64", optional
        Precision of the last climb and of the answer; by default float32 for float32 data, and
        float64 for all other data.
    progress : bool
        Whether to show a progress bar, on standard error.
    equal_variances : bool
        Whether the components share one variance.
    choose : "penalised" or "regular"
        Which maximum is the answer: the best one by the penalised likelihood, or the highest
        regular one.
    fixed : Mixture, fields of shape (2,) or (b, 2), or mapping, optional
        Parameters that are known, such as a component from controls. A mixture is NaN where it is
        free; a mapping goes from ``weight_1``, ``mean_1``, ``sd_1`` and so on to a number, or to
        one for each dataset. A mean farther from the data than a million of their standard
        deviations, or a standard deviation as many times narrower or wider than theirs, is out of
        range. As the components of a fit are in the order of their means, a component that was
        fixed as the first may come out as the second.

    Returns
    -------
    Fit
        With a leading axis b, unless `data` is one dataset.

    Raises
    ------
    ValueError
        If an argument has a wrong type, shape or range; among these the shape (n, 1) that other
        libraries take, which here means n datasets of one value: give ``x.ravel()``. A fault of a
        single dataset sets its status instead.

    Warns
    -----
    UserWarning
        If all rows are shorter than twice `min_points`, too short for a regular maximum, and the
        columns are not. The datasets of a frame with a feature in each column are the rows of
        ``frame.to_numpy().T``; ``fit_table(frame, columns=[...])`` fits them too. There is no
        warning if counts are given, or lengths by `Ragged`.

    Examples
    --------
    >>> import mog_jax
    >>> mog_jax.fit(mog_jax.datasets.faithful())
    Fit(0.3609 N(54.6149, sd 5.871) + 0.6391 N(80.0911, sd 5.868); log-likelihood -1034.001750, 272
    points, converged)
    """
    refuse_unknown("fit", unknown, FIT_OPTIONS)
    options = checked_options(
        direction=direction,
        starts=starts,
        tolerance=tolerance,
        max_steps=max_steps,
        variance_floor=variance_floor,
        min_points=min_points,
        equal_variances=equal_variances,
        choose=choose,
    )
    progress = true_or_false("progress", progress)
    interval_options = IntervalOptions(
        upper=upper, resolution=resolution, limits=limits, window=window
    )
    if interval_options.are_given:
        return fit_intervals(
            data, counts, interval_options, options, fixed=fixed, progress=progress, dtype=dtype
        )
    source = read(data, counts)
    precision = _precision(dtype, source)
    check_layout(data, source, options.min_points)
    known = read_fixed(fixed, len(source), equal_variances=equal_variances)
    fits = _fit_all(source, options, known, precision, progress)
    fits = dataclasses.replace(fits, names=source.names)
    return fits[0] if source.is_single else fits


def _precision(dtype: Any, source: Datasets) -> np.dtype[Any]:
    if dtype is None:
        return np.dtype(np.float32 if source.values.dtype == np.float32 else np.float64)
    try:
        precision: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        raise ValueError(f"`dtype` must be float32 or float64; got {dtype!r}.") from None
    if precision not in (np.float32, np.float64):
        raise ValueError(f"`dtype` must be float32 or float64; got {precision}.")
    return precision


def _fit_all(
    source: Datasets, options: FitOptions, fixed: Mixture, precision: np.dtype[Any], progress: bool
) -> Fit:
    fits = nothing(len(source), precision, options.equal_variances)
    is_fixed = ~np.all([np.isnan(field).all(axis=1) for field in jax.tree.leaves(fixed)], axis=0)

    def fit_some(index: Array) -> Fit:
        own = jax.tree.map(lambda field: field[index], fixed)
        # JAX's configuration holds for one thread only.
        with jax.enable_x64(True):
            return fit_block(source, index, own, options, precision)

    if len(source):
        # The polish has a program of its own, which compiles while the search runs.
        layout = Layout(precision, source.counts is not None, bool(is_fixed.any()))
        compile_ahead(options.ascent(searching=False), layout)
    devices = shared_out()
    threads = max(workers(), len(devices))
    some = blocks(source.widths(), is_fixed, threads)
    fill_in(fits, some, on_own_device(fit_some, devices), progress=progress, threads=threads)
    return fits
