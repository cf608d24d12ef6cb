"""The door: raw data in, fits out. Arguments are validated here, and nowhere else."""

import concurrent.futures
import math
import os
from collections.abc import Mapping
from numbers import Real
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.fitting.ascent import Ascent
from mog_jax.fitting.best import information, maximise
from mog_jax.fitting.block import Block, Options
from mog_jax.fitting.directions import DIRECTIONS, Direction, direction_of
from mog_jax.fitting.held import read_held
from mog_jax.fitting.layout import check_layout
from mog_jax.fitting.reading import (
    Array,
    Ragged,
    Source,
    padded_width,
    read,
    size_classes,
)
from mog_jax.fitting.result import Fit, OneComponent, Status
from mog_jax.fitting.standardising import Standardised, sample, standardise
from mog_jax.fitting.starts import PLANS
from mog_jax.fitting.summit import arrived
from mog_jax.mixture import Mixture

_LOG_TWO_PI = math.log(2 * math.pi)

# Points of one block, which a thread works on at a time; some 200 bytes are needed for each.
_BLOCK_POINTS = 1024 * 2048


def fit(
    data: ArrayLike | Ragged,
    *,
    counts: ArrayLike | Ragged | None = None,
    direction: str | Direction = "newton",
    starts: str = "thorough",
    tolerance: float = 1e-9,
    max_steps: int | None = None,
    variance_floor: float = 1e-6,
    min_points: float = 5,
    dtype: Any = None,
    progress: bool = False,
    equal_variances: bool = False,
    fixed: Mixture | Mapping[str, ArrayLike] | None = None,
) -> Fit:
    """Fit a two-component mixture to each dataset: its highest regular maximum.

    A maximum is regular if each component holds at least `min_points` points (the sum of its
    responsibilities) and has a variance above the floor. The same data give the same fit every
    time: nothing is random.

    Parameters
    ----------
    data : array-like, shape (n,) or (b, n); list of arrays; or Ragged
        One dataset, or many: a dataset in each row. NaN is a missing value, and so is what is
        masked, or a null.
    counts : of the same shape, optional
        How often each point was seen: non-negative, not necessarily whole. To count a point twice
        is to give it twice.
    direction : "newton", "em", "gradient" or Direction
        How to climb.
    starts : "thorough" or "quick"
        How many climbs to begin: 14 or 5 for each dataset.
    tolerance : float
        A climb has arrived when less than this is left to be gained, in nats.
    max_steps : int, optional
        Steps after which to give a climb up: by default 200 of Newton's, 10,000 of the others.
    variance_floor : float
        Lowest variance of a component, in units of the dataset's variance.
    min_points : float
        Points that a component of a regular maximum holds at least.
    dtype : "float32" or "float64", optional
        Precision of the last climb and of the answer; by default float32 for float32 data, and
        float64 for all other.
    progress : bool
        Whether to show a progress bar, on standard error.
    equal_variances : bool
        Whether the components share one variance.
    fixed : Mixture, fields of shape (2,) or (b, 2), or mapping, optional
        What is known beforehand, such as a component from controls. A mixture is NaN where it is
        free; a mapping goes from ``weight_1``, ``mean_1``, ``sd_1`` and so on to a number, or to
        one for each dataset. As the components of a fit are in the order of their means, one that
        was fixed as the first may come out as the second.

    Returns
    -------
    Fit
        With a leading axis b, unless `data` is one dataset.

    Raises
    ------
    ValueError
        If an argument has a wrong type, shape or range; among them the shape (n, 1) that other
        libraries want, n datasets of one value here: give ``x.ravel()``. What is wrong with single
        datasets is told by their status instead.

    Warns
    -----
    UserWarning
        If all rows are too short for a regular maximum, less than twice `min_points`, and the
        columns are not: the datasets of a frame with a feature in each column are the rows of
        ``frame.to_numpy().T``, and of ``fit_table(frame, columns=[...])``. Counts, or lengths that
        are given as `Ragged`, say that the rows are meant.

    Examples
    --------
    >>> import mog_jax
    >>> mog_jax.fit(mog_jax.datasets.faithful())
    Fit(0.3609 N(54.6149, sd 5.871) + 0.6391 N(80.0911, sd 5.868); log-likelihood -1034.001750, 272
    points, converged)
    """
    source = read(data, counts)
    precision = _precision(dtype, source)
    options = _options(
        direction, starts, tolerance, max_steps, variance_floor, min_points, equal_variances
    )
    check_layout(data, source, options.min_points)
    held = read_held(fixed, len(source), equal_variances=equal_variances)
    fits = _fit_all(source, options, held, precision, progress)
    return fits[0] if source.is_single else fits


def _precision(dtype: Any, source: Source) -> np.dtype[Any]:
    if dtype is None:
        return np.dtype(np.float32 if source.values.dtype == np.float32 else np.float64)
    try:
        precision: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        raise ValueError(f"`dtype` must be float32 or float64; got {dtype!r}.") from None
    if precision not in (np.float32, np.float64):
        raise ValueError(f"`dtype` must be float32 or float64; got {precision}.")
    return precision


def _options(
    direction: Any,
    starts: Any,
    tolerance: float,
    max_steps: int | None,
    variance_floor: float,
    min_points: float,
    equal_variances: bool,
) -> Options:
    direction = direction_of(direction)
    if not isinstance(starts, str) or starts not in PLANS:
        known = ", ".join(map(repr, PLANS))
        raise ValueError(f"`starts` must be one of {known}; got {starts!r}.")
    for name, value in {"tolerance": tolerance, "variance_floor": variance_floor}.items():
        if not (_is_number(value) and 0 < value < math.inf):
            raise ValueError(f"`{name}` must be positive; got {value!r}.")
    if variance_floor > 0.1:
        raise ValueError(f"`variance_floor` must be at most 0.1; got {variance_floor}.")
    if not (_is_number(min_points) and 0 <= min_points < math.inf):
        raise ValueError(f"`min_points` must be non-negative; got {min_points!r}.")
    if max_steps is None:
        max_steps = 200 if direction is DIRECTIONS["newton"] else 10_000
    if not isinstance(max_steps, int | np.integer):
        raise ValueError(f"`max_steps` must be a whole number; got {max_steps!r}.")
    if max_steps < 1:
        raise ValueError(f"`max_steps` must be at least 1; got {max_steps}.")
    if not isinstance(equal_variances, bool | np.bool):
        raise ValueError(f"`equal_variances` must be True or False; got {equal_variances!r}.")
    return Options(
        direction=direction,
        plan=starts,
        tolerance=float(tolerance),
        max_steps=int(max_steps),
        variance_floor=float(variance_floor),
        min_points=float(min_points),
        equal_variances=bool(equal_variances),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real)


def _fit_all(
    source: Source, options: Options, held: Mixture, precision: np.dtype[Any], progress: bool
) -> Fit:
    fits = _nothing(len(source), precision, options.equal_variances)
    workers = os.cpu_count() or 1
    blocks = list(size_classes(source.widths(), _BLOCK_POINTS, workers))

    def work(index: Array, least: int) -> None:
        # JAX's configuration is per thread.
        with jax.enable_x64(True):
            found = _fit_block(
                source,
                index,
                least,
                jax.tree.map(lambda f: f[index], held),
                options,
                precision,
            )
        for whole, part in zip(jax.tree.leaves(fits), jax.tree.leaves(found), strict=True):
            whole[index] = part

    workers = max(1, min(len(blocks), workers))
    with (
        concurrent.futures.ThreadPoolExecutor(workers) as pool,
        _Progress(progress, len(source)) as bar,
    ):
        jobs = {pool.submit(work, index, least): len(index) for index, least in blocks}
        for job in concurrent.futures.as_completed(jobs):
            job.result()
            bar.advance(jobs[job])
    return fits


class _Progress:
    """A progress bar over datasets, or nothing."""

    def __init__(self, shown: bool, total: int) -> None:
        self._bar: Any = None
        if shown:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

            self._bar = Progress(
                "fitting",
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task("fitting", total=total)

    def __enter__(self) -> "_Progress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, number: int) -> None:
        if self._bar is not None:
            self._bar.advance(self._task, number)


def _fit_block(
    source: Source,
    index: Array,
    least: int,
    held: Mixture,
    options: Options,
    precision: np.dtype[Any],
) -> Fit:
    data, b = standardise(source, index, least), len(index)
    log_scale = np.log(data.scale)
    theta_held = np.concatenate(
        [
            np.log(held.weights[:, :1] / held.weights[:, 1:]).T,
            ((held.means - data.mean[:, None]) / data.scale[:, None]).T,
            (np.log(held.variances) - 2 * log_scale[:, None]).T,
        ]
    )
    free = np.isnan(theta_held)
    usable = data.is_finite & ~data.is_constant & (data.n >= 2)
    points, counts = data.points.astype(precision, copy=False), data.counts
    sampled, n_sampled = sample(data)
    # Columns beyond the datasets, and those of datasets that cannot be fitted, hold a stand-in.
    width = padded_width(b)
    given = np.zeros(width, bool)
    given[:b] = usable
    given[0] |= not usable.any()
    block = Block(
        points=_columns(points, usable, width),
        counts=None if counts is None else _columns(counts, usable, width, stand_in=1.0),
        given=given,
        n=_columns(data.n[None], usable, width, stand_in=points.shape[0])[0],
        total=_columns(data.total[None], usable, width, stand_in=points.shape[0])[0],
        sample=_columns(sampled, usable, width),
        n_sample=_columns(n_sampled[None], usable, width, stand_in=sampled.shape[0])[0],
        free=_columns(free, usable, width, stand_in=True),
        held=_columns(np.where(free, 0, theta_held), usable, width, stand_in=0.0),
    )
    end, passes = maximise(block, options)
    has_arrived = arrived(end, options.tolerance)[:b]
    end = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), end)
    observed = np.asarray(information(end.theta, end.sums))[..., :b]
    end = jax.tree.map(lambda leaf: leaf[..., :b], end)
    return _describe(end, observed, has_arrived, passes[:b], data, free, usable, options, precision)


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


def _describe(
    end: Ascent,
    observed: Array,
    has_arrived: Array,
    passes: Array,
    data: Standardised,
    free: Array,
    usable: Array,
    options: Options,
    precision: np.dtype[Any],
) -> Fit:
    """Put the climb's end into the data's units and order, and say how it ended."""
    total, scale = data.total.astype(np.float64), data.scale
    logits, log_variances = end.theta[0], end.theta[3:]
    weights = 1 / (1 + np.exp(np.stack([-logits, logits])))
    means = data.mean + scale * end.theta[1:3]
    order = np.where(means[0] <= means[1], [[0], [1]], [[1], [0]])
    swap = order[0] == 1
    place = np.where(swap, [[0], [2], [1], [4], [3]], np.arange(5)[:, None])
    sign = np.where(swap, -1.0, 1.0)
    unit = np.ones((5, len(passes)))
    unit[0], unit[1:3] = sign, 1 / scale
    observed = observed * (unit[:, None] * unit[None])
    observed = np.take_along_axis(
        np.take_along_axis(observed, place[:, None], axis=0), place[None], axis=1
    )
    # The constant of the change of units.
    jacobian = total * np.log(scale)

    def known(values: Array, dtype: Any = precision) -> Array:
        """The batch in front, NaN where nothing was fitted."""
        values = np.where(usable, values, np.nan).astype(dtype)
        return np.moveaxis(values, -1, 0)

    def ordered(pair: Array) -> Array:
        return known(np.take_along_axis(pair, order, axis=0))

    counted = (data.n >= 1) & data.is_finite
    variance = np.where(data.is_constant, 0, scale**2)
    # Where everything is one component, in closed form.
    with np.errstate(divide="ignore", invalid="ignore"):
        one_log_likelihood = -0.5 * total * (_LOG_TWO_PI + np.log(variance) + 1)
    one: dict[str, Array] = {
        "mean": np.where(counted, data.mean, np.nan).astype(precision),
        "variance": np.where(counted, variance, np.nan).astype(precision),
        "log_likelihood": np.where(usable, one_log_likelihood, np.nan).astype(precision),
    }
    n_steps: Array = np.where(usable, passes, 0).astype(np.int32)
    held: Array = np.take_along_axis(~free, place, axis=0).T
    return Fit(
        mixture=Mixture(
            weights=ordered(weights),
            means=ordered(means),
            variances=ordered(scale**2 * np.exp(log_variances)),
        ),
        log_likelihood=known(end.sums.log_likelihood - jacobian),
        status=_status(end, has_arrived, data, options),
        n_steps=n_steps,
        gain_left=known(end.gain_left),
        n_points=data.total,
        n_missing=data.n_missing,
        information=known(observed),
        one_component=OneComponent(**one),
        held=held,
        equal_variances=options.equal_variances,
    )


def _status(end: Ascent, has_arrived: Array, data: Standardised, options: Options) -> Array:
    counts = end.sums.effective_counts
    log_variances = end.theta[3:]
    on_floor = log_variances.min(axis=0) <= math.log(options.variance_floor) + 1e-9
    deviation = np.exp(0.5 * log_variances.max(axis=0))
    coincide = (np.abs(end.theta[1] - end.theta[2]) < 1e-4 * deviation) & (
        np.abs(log_variances[0] - log_variances[1]) < 1e-4
    )
    emptied = counts.min(axis=0) < 1e-3
    status = np.select(
        [
            ~data.is_finite,
            data.n < 2,
            data.is_constant,
            coincide | emptied,
            on_floor,
            ~has_arrived,
            counts.min(axis=0) < options.min_points,
        ],
        [
            Status.NOT_FINITE,
            Status.TOO_FEW_POINTS,
            Status.CONSTANT,
            Status.DEGENERATE,
            Status.VARIANCE_FLOOR,
            Status.STEP_LIMIT,
            Status.SPURIOUS,
        ],
        Status.CONVERGED,
    )
    return status.astype(np.int32)


def _nothing(b: int, precision: np.dtype[Any], equal_variances: bool) -> Fit:
    """Arrays for the fits of `b` datasets, to be filled in."""

    def empty(shape: tuple[int, ...] = (b,), dtype: Any = precision) -> Array:
        return np.empty(shape, dtype)

    def pair() -> Array:
        return empty((b, 2))

    def one(dtype: Any = precision) -> Array:
        return empty((b,), dtype)

    return Fit(
        mixture=Mixture(weights=pair(), means=pair(), variances=pair()),
        log_likelihood=one(),
        status=one(np.int32),
        n_steps=one(np.int32),
        gain_left=one(),
        n_points=one(np.float64),
        n_missing=one(np.int64),
        information=empty((b, 5, 5)),
        one_component=OneComponent(mean=one(), variance=one(), log_likelihood=one()),
        held=empty((b, 5), bool),
        equal_variances=equal_variances,
    )
