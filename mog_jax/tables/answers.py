"""What a row of the answer holds, and how a batch of fits becomes such rows.

==================  ===============================================================================
weight_1, weight_2  weights of the components, by ascending mean
mean_1, mean_2      their means, in the unit of the values
sd_1, sd_2          their standard deviations, in the unit of the values
weight_se           standard error of either weight (they sum to 1)
mean_1_se, ...      standard errors of the means and of the standard deviations
log_likelihood      a sum over the points, in nats
delta_bic           BIC of one component minus BIC of two: positive favours two
threshold           where the responsibilities cross one half, between the means
threshold_se        its standard error
gain_left           estimate of the log-likelihood still to be gained, in nats
n_points, n_missing points used, and points left out because a value or a count is missing
status              how the fit ended, in lower case; see `mog_jax.Status`
lowest, highest     the range of the points
histogram           32 equal bins over that range: heights in 255ths of the tallest
==================  ===============================================================================

A number that does not exist, such as the standard error of a fit on a boundary, is null.
"""

from typing import Any

import numpy as np
import pyarrow

_NUMBERS = [
    "weight_1",
    "weight_2",
    "mean_1",
    "mean_2",
    "sd_1",
    "sd_2",
    "weight_se",
    "mean_1_se",
    "mean_2_se",
    "sd_1_se",
    "sd_2_se",
    "log_likelihood",
    "delta_bic",
    "threshold",
    "threshold_se",
    "gain_left",
]
_BINS = 32
ANSWERS = pyarrow.schema(
    [
        *[(name, pyarrow.float64()) for name in _NUMBERS],
        ("n_points", pyarrow.float64()),
        ("n_missing", pyarrow.int64()),
        ("status", pyarrow.string()),
        ("lowest", pyarrow.float64()),
        ("highest", pyarrow.float64()),
        ("histogram", pyarrow.list_(pyarrow.uint8())),
    ]
)

Array = np.ndarray[Any, Any]


def answer(
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
    fits = _fit(values, lengths, counts, options)
    ranges = _ranges(values, lengths)
    numbers = _numbers(fits)
    return [
        *[_column(numbers[name]) for name in _NUMBERS],
        pyarrow.array(np.asarray(fits.n_points, dtype=np.float64)),
        pyarrow.array(n_missing.astype(np.int64)),
        pyarrow.array(fits.status_name.tolist(), pyarrow.string()),
        *map(_column, ranges),
        _histograms(values, lengths, counts, *ranges),
    ]


def _fit(values: Array, lengths: Array, counts: Array | None, options: dict[str, Any]) -> Any:
    from mog_jax.fitting import Ragged, fit

    weights = None if counts is None else Ragged(counts, lengths)
    return fit(Ragged(values, lengths), counts=weights, **options)


def _numbers(fits: Any) -> dict[str, Array]:
    n_groups = len(fits)
    fits = _filled_up(fits)
    errors, threshold = fits.standard_errors(), fits.threshold()
    columns = {
        "weight_se": np.asarray(errors.weights)[:, 0],
        "log_likelihood": fits.log_likelihood,
        "delta_bic": fits.delta_bic(),
        "threshold": threshold.value,
        "threshold_se": threshold.standard_error,
        "gain_left": fits.gain_left,
    }
    pairs = {
        "weight_{}": fits.mixture.weights,
        "mean_{}": fits.mixture.means,
        "sd_{}": fits.mixture.standard_deviations,
        "mean_{}_se": errors.means,
        "sd_{}_se": errors.standard_deviations,
    }
    for name, pair in pairs.items():
        for k in (0, 1):
            columns[name.format(k + 1)] = np.asarray(pair)[:, k]
    return {name: np.asarray(column)[:n_groups] for name, column in columns.items()}


def _filled_up(fits: Any) -> Any:
    """Repeat the last fit up to a power of two: each length is a program of its own to compile."""
    import jax

    index = np.arange(1 << (len(fits) - 1).bit_length()).clip(max=len(fits) - 1)
    return jax.tree.map(lambda leaf: np.asarray(leaf)[index], fits)


def _column(values: Array) -> pyarrow.Array:
    values = np.asarray(values, dtype=np.float64)
    return pyarrow.array(values, mask=np.isnan(values))


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
        width = (highest - lowest) / _BINS
        drawn = np.isfinite(width) & (width > 0)
        group = np.repeat(np.arange(len(lengths)), lengths)
        inside = drawn[group]
        group, x = group[inside], values[inside]
        bins = np.clip((x - lowest[group]) / width[group], 0, _BINS - 1).astype(np.int64)
    heights = np.bincount(
        group * _BINS + bins,
        weights=None if counts is None else counts[inside],
        minlength=len(lengths) * _BINS,
    ).reshape(-1, _BINS)
    tallest = heights.max(axis=1, keepdims=True, initial=0)
    scaled = np.rint(255 * (heights / np.where(tallest > 0, tallest, 1))).astype(np.uint8)
    offsets = np.concatenate([[0], np.cumsum(np.where(drawn, _BINS, 0))]).astype(np.int32)
    return pyarrow.ListArray.from_arrays(
        pyarrow.array(offsets),
        pyarrow.array(scaled[drawn].ravel()),
        mask=pyarrow.array(~drawn),
    )
