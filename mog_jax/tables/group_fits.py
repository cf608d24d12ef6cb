"""From the points of groups to the columns of the answer, by one call of `mog_jax.fit`."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.data.inputs import Ragged
from mog_jax.fitting.data.interval_options import IntervalOptions
from mog_jax.fitting.data.intervals import read_recorded
from mog_jax.fitting.results.columns import BINS, columns_of
from mog_jax.fitting.results.fit import Fit
from mog_jax.tables.errors import TableError
from mog_jax.tables.schema import ANSWERS


class Shown(NamedTuple):
    """Summaries of the values of b groups that are shown besides their fits.

    Attributes
    ----------
    lowest, highest : array, shape (b,)
        NaN where there is none.
    n_below, n_above : array, shape (b,)
        How many values are only known to lie below or above a limit.
    histograms : pyarrow.Array, length b
        See `histograms`.
    """

    lowest: Array
    highest: Array
    n_below: Array
    n_above: Array
    histograms: pyarrow.Array


def fit_groups(
    values: Array, lengths: Array, counts: Array | None, n_missing: Array, options: dict[str, Any]
) -> list[pyarrow.Array]:
    """Fit every group and lay the answers out as the columns of `ANSWERS`.

    Parameters
    ----------
    values : array, shape (n,)
        The groups' points one after the other, ascending within each; no NaN.
    lengths : array of int, shape (b,)
        How many of them each group has; may be 0.
    counts : array, shape (n,), optional
        How often each value occurs.
    n_missing : array of int, shape (b,)
        What was left out of each group.
    options : dict
        Passed on to `mog_jax.fit`.

    Raises
    ------
    TableError
        If the values are not what the options say of them.
    """
    fits = _fit(values, lengths, counts, options)
    interval_options = IntervalOptions.of(options)
    if interval_options.are_given:
        shown = _shown_of_intervals(values, lengths, counts, interval_options)
    else:
        shown = _shown_of_points(values, lengths, counts)
    return answers(fits, n_missing, shown)


def answers(fits: Fit, n_missing: Array, shown: Shown) -> list[pyarrow.Array]:
    """Lay fits of b groups out as the columns of `ANSWERS`.

    Parameters
    ----------
    fits : Fit
        Of shape (b,).
    n_missing : array of int, shape (b,)
        What was left out of each group.
    shown : Shown
    """
    columns = {
        **{name: _column(values) for name, values in columns_of(fits).items()},
        "n_missing": pyarrow.array(n_missing.astype(np.int64)),
        **{name: _column(getattr(shown, name)) for name in Shown._fields[:-1]},
        "histogram": shown.histograms,
    }
    return [columns[name] for name in ANSWERS.names]


def _fit(values: Array, lengths: Array, counts: Array | None, options: dict[str, Any]) -> Any:
    from mog_jax.fitting import fit

    weights = None if counts is None else Ragged(counts, lengths)
    try:
        return fit(Ragged(values, lengths), counts=weights, **options)
    except ValueError as error:
        raise TableError(str(error)) from None


def _column(values: Array) -> pyarrow.Array:
    if values.dtype == object:
        return pyarrow.array(values, pyarrow.string())
    return pyarrow.array(values, mask=np.isnan(values) if values.dtype == np.float64 else None)


def _shown_of_points(values: Array, lengths: Array, counts: Array | None) -> Shown:
    lowest, highest = _ranges(values, lengths)
    none = np.zeros(len(lengths))
    drawn = _histograms(values, lengths, counts, lowest, highest)
    return Shown(lowest, highest, none, none, drawn)


def _shown_of_intervals(
    values: Array, lengths: Array, counts: Array | None, interval_options: IntervalOptions
) -> Shown:
    b = len(lengths)
    times = None if counts is None else Ragged(counts, lengths)
    given = read_recorded(Ragged(values, lengths), times, interval_options)
    (low, high), row, seen = given.ends, given.row, given.seen
    lowest, highest = np.full(b, np.inf), np.full(b, -np.inf)
    for ends in (low, high):
        is_end = np.isfinite(ends) & (seen > 0)
        np.minimum.at(lowest, row[is_end], ends[is_end])
        np.maximum.at(highest, row[is_end], ends[is_end])
    is_known = lowest <= highest
    lowest, highest = (np.where(is_known, each, np.nan) for each in (lowest, highest))
    n_below, n_above = (
        np.bincount(row, seen * np.isinf(each), minlength=b) for each in (low, high)
    )
    with np.errstate(all="ignore"):
        width = (highest - lowest) / BINS
        drawn = np.isfinite(width) & (width > 0)
    inside = np.isfinite(low) & np.isfinite(high) & (seen > 0) & drawn[row]
    group = row[inside]
    begin, end = ((each[inside] - lowest[group]) / width[group] for each in (low, high))
    heights = _spread(begin, end, seen[inside], group, b)
    return Shown(lowest, highest, n_below, n_above, histograms(heights, drawn))


def _spread(begin: Array, end: Array, mass: Array, group: Array, b: int) -> Array:
    """Spread masses evenly from `begin` to `end`, places in units of bins: shape (b, BINS)."""
    first = np.clip(begin, 0, BINS - 1).astype(np.int64)
    last = np.clip(np.ceil(end) - 1, first, BINS - 1).astype(np.int64)
    heights = np.zeros(b * BINS)
    for ahead in range(int((last - first).max(initial=-1)) + 1):
        reached = first + ahead <= last
        place = (first + ahead)[reached]
        low, high = begin[reached], end[reached]
        width = high - low
        covered = np.minimum(high, place + 1) - np.maximum(low, place)
        part = np.where(width > 0, covered / np.where(width > 0, width, 1), 1)
        at = group[reached] * BINS + place
        heights += np.bincount(at, mass[reached] * part, minlength=heights.size)
    return heights.reshape(b, BINS)


def _ranges(values: Array, lengths: Array) -> tuple[Array, Array]:
    ends = np.cumsum(lengths)
    lowest, highest = np.full(len(lengths), np.nan), np.full(len(lengths), np.nan)
    some = lengths > 0
    lowest[some] = values[(ends - lengths)[some]]
    highest[some] = values[ends[some] - 1]
    return lowest, highest


def _histograms(
    values: Array, lengths: Array, counts: Array | None, lowest: Array, highest: Array
) -> pyarrow.Array:
    with np.errstate(all="ignore"):
        width = (highest - lowest) / BINS
        drawn = np.isfinite(width) & (width > 0)
        group = np.repeat(np.arange(len(lengths)), lengths)
        inside = drawn[group]
        group, x = group[inside], values[inside]
        bins = np.clip((x - lowest[group]) / width[group], 0, BINS - 1).astype(np.int64)
    heights = np.bincount(
        group * BINS + bins,
        weights=None if counts is None else counts[inside],
        minlength=len(lengths) * BINS,
    )
    return histograms(heights.reshape(-1, BINS), drawn)


def histograms(heights: Array, drawn: Array) -> pyarrow.Array:
    """Scale histograms to heights from 0 to 255.

    Parameters
    ----------
    heights : array, shape (b, BINS)
        The sum of the counts in each bin.
    drawn : array of bool, shape (b,)
        Which groups have a histogram; the others get null.
    """
    tallest = heights.max(axis=1, keepdims=True, initial=0)
    scaled = np.rint(255 * (heights / np.where(tallest > 0, tallest, 1))).astype(np.int16)
    offsets = np.concatenate([[0], np.cumsum(np.where(drawn, BINS, 0))]).astype(np.int32)
    return pyarrow.ListArray.from_arrays(
        pyarrow.array(offsets),
        pyarrow.array(scaled[drawn].ravel(), pyarrow.int16()),
        mask=pyarrow.array(~drawn),
    )
