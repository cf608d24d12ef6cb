"""From the points of groups to the columns of the answer, by one call of `mog_jax.fit`."""

from typing import Any

import numpy as np
import pyarrow

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.results.columns import BINS, columns_of
from mog_jax.fitting.results.fit import Fit
from mog_jax.tables.schema import ANSWERS


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
    """
    ranges = _ranges(values, lengths)
    histograms = _histograms(values, lengths, counts, *ranges)
    return answers(_fit(values, lengths, counts, options), n_missing, ranges, histograms)


def answers(
    fits: Fit, n_missing: Array, ranges: tuple[Array, Array], histograms: pyarrow.Array
) -> list[pyarrow.Array]:
    """Lay fits of b groups out as the columns of `ANSWERS`.

    Parameters
    ----------
    fits : Fit
        Of shape (b,).
    n_missing : array of int, shape (b,)
        What was left out of each group.
    ranges : pair of arrays, shape (b,)
        The lowest and the highest value of each, NaN where there is none.
    histograms : pyarrow.Array, length b
        See `histograms`.
    """
    columns = {
        **{name: _column(values) for name, values in columns_of(fits).items()},
        "n_missing": pyarrow.array(n_missing.astype(np.int64)),
        "lowest": _column(ranges[0]),
        "highest": _column(ranges[1]),
        "histogram": histograms,
    }
    return [columns[name] for name in ANSWERS.names]


def _fit(values: Array, lengths: Array, counts: Array | None, options: dict[str, Any]) -> Any:
    from mog_jax.fitting import Ragged, fit

    weights = None if counts is None else Ragged(counts, lengths)
    return fit(Ragged(values, lengths), counts=weights, **options)


def _column(values: Array) -> pyarrow.Array:
    if values.dtype == object:
        return pyarrow.array(values, pyarrow.string())
    return pyarrow.array(values, mask=np.isnan(values) if values.dtype == np.float64 else None)


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
