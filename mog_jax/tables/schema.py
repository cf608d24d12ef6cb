"""The columns of the answer: name, type, meaning and where each is shown, in this one place.

A number that does not exist, such as the standard error of a fit on a boundary, is null. Types are
signed: Spark has no others.
"""

import dataclasses

import pyarrow

BINS = 32


@dataclasses.dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the answer.

    Attributes
    ----------
    name : str
    type : pyarrow.DataType
    meaning : str
    is_on_page : bool
        Whether the page of a report shows it, or draws from it.
    is_on_terminal : bool
        Whether the command line shows it in a table of groups.
    """

    name: str
    type: pyarrow.DataType
    meaning: str
    is_on_page: bool = True
    is_on_terminal: bool = True


def _number(name: str, meaning: str, *, page: bool = True, terminal: bool = True) -> Column:
    return Column(
        name=name,
        type=pyarrow.float64(),
        meaning=meaning,
        is_on_page=page,
        is_on_terminal=terminal,
    )


def _error(name: str, of: str) -> Column:
    return _number(name, f"standard error of {of}", terminal=False)


COLUMNS = [
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
    _number(
        "gain_left",
        "estimate of the log-likelihood still to be gained, in nats",
        page=False,
        terminal=False,
    ),
    _number("n_points", "points used, each as often as it was counted"),
    Column(
        name="n_missing",
        type=pyarrow.int64(),
        meaning="points left out because a value or a count is missing",
    ),
    Column(
        name="status",
        type=pyarrow.string(),
        meaning="how the fit ended, in lower case: see mog_jax.Status",
    ),
    _number("lowest", "the lowest point", terminal=False),
    _number("highest", "the highest point", terminal=False),
    Column(
        name="histogram",
        type=pyarrow.list_(pyarrow.int16()),
        meaning=f"{BINS} equal bins between these: heights in 255ths of the tallest",
        is_on_terminal=False,
    ),
]

# The same as Arrow's schema, with the meanings as metadata of its fields.
ANSWERS = pyarrow.schema(
    [
        pyarrow.field(column.name, column.type, metadata={"meaning": column.meaning})
        for column in COLUMNS
    ]
)
