"""Defines the columns of fits in a table: name, type, meaning and where each is shown.

`Fit.to_frame`, `Fit.to_arrow` and the answers of `fit_table` all use this list. A number that does
not exist, such as the standard error of a fit on a boundary, is null.
"""

import dataclasses
from typing import Any, Literal

import numpy as np

from mog_jax.arrays import HostArray
from mog_jax.inference import Crossing

BINS = 32


@dataclasses.dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the answer.

    Attributes
    ----------
    name : str
    type : {"float64", "int64", "text", "int16s"}
        "int16s" are lists of whole numbers.
    meaning : str
    is_on_page : bool
        Whether the page of a report shows it, or draws from it.
    is_on_terminal : bool
        Whether the command line shows it in a table of groups.
    """

    name: str
    type: Literal["float64", "int64", "text", "int16s"]
    meaning: str
    is_on_page: bool = True
    is_on_terminal: bool = True


def _number(name: str, meaning: str, *, page: bool = True, terminal: bool = True) -> Column:
    return Column(
        name=name, type="float64", meaning=meaning, is_on_page=page, is_on_terminal=terminal
    )


def _error(name: str, of: str) -> Column:
    return _number(name, f"standard error of {of}", terminal=False)


COLUMNS: list[Column] = [
    _number("weight_1", "weight of the component with the lower mean"),
    _number("weight_2", "weight of the component with the upper mean"),
    _number("mean_1", "mean of the lower component, in the unit of the values"),
    _number("mean_2", "mean of the upper component, in the unit of the values"),
    _number("sd_1", "standard deviation of the lower component, in the unit of the values"),
    _number("sd_2", "standard deviation of the upper component, in the unit of the values"),
    _error("weight_se", "either weight: they sum to 1"),
    _error("mean_1_se", "mean_1"),
    _error("mean_2_se", "mean_2"),
    _error("sd_1_se", "sd_1"),
    _error("sd_2_se", "sd_2"),
    _number("log_likelihood", "a sum over the points, in nats", terminal=False),
    _number("delta_bic", "BIC of one component minus BIC of two: positive favours two"),
    _number("threshold", "where the responsibilities cross one half, between the means"),
    _number("threshold_se", "standard error of the threshold"),
    Column(
        name="threshold_reason",
        type="text",
        meaning="why there is no threshold, in lower case: see mog_jax.inference.Crossing",
        is_on_page=False,
        is_on_terminal=False,
    ),
    _number(
        "gain_left",
        "estimate of the log-likelihood still to be gained, in nats",
        page=False,
        terminal=False,
    ),
    _number("n_points", "points used, each as often as it was counted"),
    Column(
        name="n_missing",
        type="int64",
        meaning="points left out because a value or a count is missing",
    ),
    Column(
        name="status",
        type="text",
        meaning="how the fit ended, in lower case: see mog_jax.Status",
    ),
    _number(
        "higher_by",
        "nats by which another maximum that was found, not the answer, is higher; 0 for none",
        page=False,
        terminal=False,
    ),
    _number(
        "higher_points",
        "points in the smaller component of that maximum",
        page=False,
        terminal=False,
    ),
    _number("lowest", "the lowest point, or end of an interval", terminal=False),
    _number("highest", "the highest point, or end of an interval", terminal=False),
    _number("n_below", "points of which only an upper limit is known", terminal=False),
    _number("n_above", "points of which only a lower limit is known", terminal=False),
    Column(
        name="histogram",
        type="int16s",
        meaning=f"{BINS} equal bins from lowest to highest: heights in 255ths of the tallest",
        is_on_terminal=False,
    ),
]

# The columns that a bootstrap test adds after them.
TEST_COLUMNS: list[Column] = [
    _number("p_value", "probability, under one Gaussian, of a likelihood ratio as large"),
    _number("q_value", "p-value adjusted by Benjamini and Hochberg's method, over all groups"),
]

# Why there is no threshold, by its `crossing`; None if there is one.
_CROSSINGS = np.array(
    [None if not crossing else crossing.name.lower() for crossing in Crossing], dtype=object
)


def columns_of(fits: Any) -> dict[str, HostArray]:
    """Return the fits of a batch as the columns that need no data, in the order of `COLUMNS`.

    Parameters
    ----------
    fits : Fit, of batch shape (b,)

    Returns
    -------
    dict from str to array, shape (b,)
        NaN where a number does not exist, None where there is no text.
    """
    errors, threshold = fits.standard_errors(), fits.threshold()
    found = {
        "weight_se": np.asarray(errors.weights)[:, 0],
        "log_likelihood": fits.log_likelihood,
        "delta_bic": fits.delta_bic(),
        "threshold": threshold.value,
        "threshold_se": threshold.standard_error,
        "threshold_reason": _CROSSINGS[np.asarray(threshold.crossing)],
        "gain_left": fits.gain_left,
        "n_points": fits.n_points,
        "n_missing": fits.n_missing,
        "status": fits.status_name,
        "higher_by": fits.higher_by,
        "higher_points": fits.higher_points,
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
            found[name.format(k + 1)] = np.asarray(pair)[:, k]
    types = {"float64": np.float64, "int64": np.int64, "text": object}
    return {
        column.name: np.asarray(found[column.name]).astype(types[column.type])
        for column in COLUMNS
        if column.name in found
    }
