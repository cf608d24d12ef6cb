"""Values as intervals: each with what is said of it, and of each dataset those that differ."""

import itertools
import warnings
from typing import Any, NamedTuple

import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.data.inputs import Datasets, read
from mog_jax.fitting.data.interval_options import (
    IntervalOptions,
    of_each_value,
    pair_of_each,
    pair_of_values,
)

# A value farther from the grid than this share of a step is off it; a warning is given if more than
# this share of the values is.
_OFF_GRID, _SHARE_OFF_GRID = 0.1, 0.1


class Observed(NamedTuple):
    """One dataset in its own unit: distinct intervals, as `mog_jax.intervals.moments` has them.

    Attributes
    ----------
    centre, half_width, counts : array, shape (m,)
        Of a half-line `centre` is its end.
    total : float
        Sum of the counts; without what a window takes away.
    n_missing : int
    """

    centre: Array
    half_width: Array
    counts: Array
    total: float
    n_missing: int


class Recorded(NamedTuple):
    """All values, one after the other, with what is said of each.

    Attributes
    ----------
    source : Datasets
        Of the data.
    row : array of int, shape (total,)
        Whose value each is.
    centre, half_width : array, shape (total,)
        As `mog_jax.intervals.moments` has them.
    counts : array, shape (total,)
    missing : array of bool, shape (total,)
        Of which nothing is known.
    is_finite : array of bool, shape (total,)
        Whether an infinite value, where it is one, says something.
    window : pair of arrays, shape (b,), or None
    """

    source: Datasets
    row: Array
    centre: Array
    half_width: Array
    counts: Array
    missing: Array
    is_finite: Array
    window: tuple[Array, Array] | None

    @property
    def unknown(self) -> Array:
        """Values of which nothing is known: missing ones, and infinite ones that say nothing."""
        found: Array = self.missing | ~self.is_finite
        return found

    @property
    def seen(self) -> Array:
        """How often each value was seen, 0 where nothing is known of it."""
        return np.where(self.unknown, 0, self.counts)

    def values_of(self, i: int) -> "Recorded":
        """Return the values of one dataset alone; `source` and `window` stay those of all."""
        # The values lie in the order of the datasets.
        begin, end = np.searchsorted(self.row, [i, i + 1])
        of_each_value = ("row", "centre", "half_width", "counts", "missing", "is_finite")
        return self._replace(**{name: getattr(self, name)[begin:end] for name in of_each_value})

    @property
    def ends(self) -> tuple[Array, Array]:
        """Lower and upper ends, infinite where an interval is open."""
        with np.errstate(invalid="ignore"):
            low = np.where(self.half_width == np.inf, self.centre, self.centre - self.half_width)
            high = np.where(self.half_width == -np.inf, self.centre, self.centre + self.half_width)
        low = np.where(self.half_width == -np.inf, -np.inf, low)
        return low, np.where(self.half_width == np.inf, np.inf, high)


def read_recorded(
    data: Any, counts: Any, interval_options: IntervalOptions, *, checks_grid: bool = False
) -> Recorded:
    """Validate data and interval options, and return each value as an interval.

    Parameters
    ----------
    data, counts : as for `fit`
    interval_options : IntervalOptions
    checks_grid : bool
        Whether the resolution must be one that the values can have.

    Raises
    ------
    ValueError
        If an option has a wrong value, or does not go with another one or with the data.
    """
    interval_options.refuse_combinations()
    source = read(data, counts)
    b = len(source)
    lengths = source.lengths(np.arange(b)).astype(np.int64)
    row = np.repeat(np.arange(b), lengths)
    x = source.values.reshape(-1).astype(np.float64)
    times = np.ones(x.size) if source.counts is None else source.counts.reshape(-1)
    place = np.arange(x.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    names = _Names(source, row, place)
    if interval_options.upper is not None:
        centre, half_width, missing = _from_ends(
            x, _read_upper(interval_options.upper, source), names
        )
    else:
        missing = np.isnan(x)
        centre, half_width = _from_values(x, row, interval_options, source, checks_grid)
    window = None
    if interval_options.window is not None:
        window = pair_of_each("window", interval_options.window, b)
        at_value = x if interval_options.upper is None else centre
        _refuse_outside(x, at_value, window[0][row], window[1][row], names, missing)
    is_finite = np.isfinite(centre) | missing
    return Recorded(source, row, centre, half_width, times, missing, is_finite, window)


def middle_and_half(low: Array, high: Array) -> tuple[Array, Array]:
    """Return intervals, given by their ends, as `mog_jax.intervals.moments` has them."""
    with np.errstate(invalid="ignore", over="ignore"):
        middle = np.where(
            np.isinf(low), high, np.where(np.isinf(high), low, 0.5 * low + 0.5 * high)
        )
        half = np.where(
            np.isinf(low), -np.inf, np.where(np.isinf(high), np.inf, 0.5 * (high - low))
        )
    return middle, half


def read_intervals(
    data: Any, counts: Any, interval_options: IntervalOptions
) -> tuple[Datasets, list[Observed], Array]:
    """Validate data and interval options, and return the distinct intervals of each dataset.

    Returns
    -------
    source : Datasets
        The data as they were given.
    datasets : list of Observed
        The distinct intervals.
    is_finite : array of bool, shape (b,)
        False for a dataset with an infinite value that neither a limit nor an interval explains.

    Raises
    ------
    ValueError
        If an argument has a wrong value, or does not agree with another one or with the data.
    """
    given = read_recorded(data, counts, interval_options, checks_grid=True)
    b, row = len(given.source), given.row
    datasets = _distinct(row, given.centre, given.half_width, given.seen, b)
    n_missing = np.bincount(row, given.missing, minlength=b)
    datasets = [
        one._replace(n_missing=int(number)) for one, number in zip(datasets, n_missing, strict=True)
    ]
    if given.window is not None:
        datasets = [_seen_through(*each) for each in zip(datasets, *given.window, strict=True)]
    return given.source, datasets, np.bincount(row, ~given.is_finite, minlength=b) == 0


class _Names(NamedTuple):
    """Names of values for messages."""

    source: Datasets
    row: Array
    place: Array

    def of(self, name: str, at: int) -> str:
        """Return the name of a value, such as ``data[3][0]``."""
        if self.source.is_single:
            return f"{name}[{self.place[at]}]"
        own: Any = int(self.row[at])
        if self.source.names is not None:
            own = repr(str(self.source.names[own]))
        return f"{name}[{own}][{self.place[at]}]"


def _read_upper(upper: Any, source: Datasets) -> Array:
    try:
        ends = read(upper, None)
    except ValueError as error:
        text = str(error).replace("`data`", "`upper`").replace("data[", "upper[")
        raise ValueError(text) from None
    alike = ends.is_single == source.is_single and len(ends) == len(source)
    index = np.arange(len(source))
    if not (alike and np.array_equal(ends.lengths(index), source.lengths(index))):
        raise ValueError("`upper` must have the form and shape of `data`: an end for each value.")
    if source.names is not None:
        if ends.names is None or set(ends.names) != set(source.names):
            raise ValueError("`upper` must be a mapping with the names of `data`.")
        if list(ends.names) != list(source.names):
            raise ValueError("`upper` must name the datasets in the order of `data`.")
    values: Array = ends.values.reshape(-1).astype(np.float64)
    return values


def _from_ends(low: Array, high: Array, names: _Names) -> tuple[Array, Array, Array]:
    one_missing = np.isnan(low) != np.isnan(high)
    if one_missing.any():
        at = int(np.argmax(one_missing))
        raise ValueError(
            f"an interval must not have NaN at one end only: got {names.of('data', at)} = "
            f"{low[at]} and {names.of('upper', at)} = {high[at]}. An open end is infinite; a "
            "missing value is NaN at both."
        )
    wrong = low > high
    wrong |= (low == high) & np.isinf(low)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"`upper` must not be below `data`, nor both at one infinity; got "
            f"{names.of('data', at)} = {low[at]} and {names.of('upper', at)} = {high[at]}."
        )
    # An interval open at both ends carries no information: it is a missing value.
    missing = np.isnan(low) | (np.isinf(low) & np.isinf(high))
    return *middle_and_half(low, high), missing


def _from_values(
    x: Array, row: Array, interval_options: IntervalOptions, source: Datasets, checks_grid: bool
) -> tuple[Array, Array]:
    half_width = np.zeros(x.size)
    centre = x.copy()
    inside = np.isfinite(x)
    if interval_options.limits is not None:
        low, high = pair_of_values("limits", interval_options.limits, source, row)
        below, above = x <= low, x >= high
        centre = np.where(below, low, np.where(above, high, x))
        inside &= ~below & ~above
    if interval_options.resolution is not None:
        step, vary = of_each_value("resolution", interval_options.resolution, source, row)
        wrong = ~(step >= 0 if vary else step > 0) | np.isinf(step)
        if wrong.any():
            raise ValueError(
                f"`resolution` must be positive: the step to which values were rounded; got "
                f"{step[np.argmax(wrong)]}. Exact values need none"
                f"{', or 0 where it is given for each value.' if vary else '.'}"
            )
        if checks_grid and not vary:
            _check_grid(x[inside], row[inside], step[inside], len(source))
        half_width = 0.5 * step
    if interval_options.limits is not None:
        half_width = np.where(below, -np.inf, np.where(above, np.inf, half_width))
    return centre, half_width


def _check_grid(x: Array, row: Array, step: Array, b: int) -> None:
    """Refuse a step that is coarser than all data, and warn of values that it does not fit."""
    low, high, steps = np.full(b, np.inf), np.full(b, -np.inf), np.ones(b)
    np.minimum.at(low, row, x)
    np.maximum.at(high, row, x)
    steps[row] = step
    varies = high > low
    with np.errstate(invalid="ignore"):
        coarse = varies & (steps > high - low)
    if varies.any() and coarse[varies].all():
        at = int(np.argmax(coarse))
        raise ValueError(
            f"`resolution` is coarser than the data: a step of {steps[at]:g}, and values from "
            f"{low[at]:g} to {high[at]:g}. It is in the unit of the data."
        )
    with np.errstate(over="ignore", invalid="ignore"):
        place = (x - low[row]) / step
        off = np.abs(place - np.rint(place)) > _OFF_GRID
    share = np.bincount(row, off, minlength=b) / np.maximum(np.bincount(row, minlength=b), 1)
    some = np.flatnonzero(share > _SHARE_OFF_GRID)
    if some.size:
        where = (
            ""
            if b == 1
            else f" of dataset {some[0]}"
            + (f" and {some.size - 1} others" if some.size > 1 else "")
        )
        warnings.warn(
            f"{share[some[0]]:.0%} of the values{where} do not lie on a grid of "
            f"{steps[some[0]]:g}, the `resolution`: their intervals overlap.",
            OffGridWarning,
            stacklevel=7,
        )


class OffGridWarning(UserWarning):
    """Values do not lie on the grid that `resolution` gives."""


def _refuse_outside(
    x: Array, at_value: Array, low: Array, high: Array, names: _Names, missing: Array
) -> None:
    outside = ~missing & ((at_value < low) | (at_value > high))
    if outside.any():
        at = int(np.argmax(outside))
        raise ValueError(
            f"`window` says that nothing outside of {low[at]:g} to {high[at]:g} was recorded; got "
            f"{names.of('data', at)} = {x[at]:g}."
        )


def _distinct(row: Array, centre: Array, half_width: Array, times: Array, b: int) -> list[Observed]:
    """Return the distinct intervals of each dataset, in order, with the counts of repeats."""
    some = np.flatnonzero(times > 0)
    order = some[np.lexsort((half_width[some], centre[some], row[some]))]
    keys = row[order], centre[order], half_width[order]
    is_new = np.ones(order.size, bool)
    if order.size:
        is_new[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    first = np.flatnonzero(is_new)
    counts = np.add.reduceat(times[order], first) if first.size else np.zeros(0)
    edges = np.searchsorted(keys[0][first], np.arange(b + 1))
    middles, halves = keys[1][first], keys[2][first]
    datasets = []
    for begin, end in itertools.pairwise(edges):
        own = slice(begin, end)
        datasets.append(
            Observed(middles[own], halves[own], counts[own], float(counts[own].sum()), 0)
        )
    return datasets


def _seen_through(one: Observed, low: float, high: float) -> Observed:
    """Add the window: an interval that is taken away as often as there are values."""
    centre, half = middle_and_half(np.asarray(low), np.asarray(high))
    return one._replace(
        centre=np.append(one.centre, centre),
        half_width=np.append(one.half_width, half),
        counts=np.append(one.counts, -one.total),
    )
