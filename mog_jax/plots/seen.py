"""The values of a dataset that are drawn: points, or intervals if interval options are given."""

from typing import Any, NamedTuple

import numpy as np

from mog_jax.fitting import Fit
from mog_jax.fitting.data.intervals import Recorded
from mog_jax.fitting.options import INTERVAL_OPTIONS, intervals_are_given, refuse_unknown
from mog_jax.fitting.results.map_intervals import read_interval_values
from mog_jax.plots.points import finite_points


class SeenPoints(NamedTuple):
    """Points that are drawn, and how often each was seen."""

    points: np.ndarray[Any, Any]
    times: np.ndarray[Any, Any]


class SeenIntervals(NamedTuple):
    """Intervals that are drawn: their ends, how often each was seen, and how many of all these are.

    The last is less than 1 where values outside a window were never recorded.
    """

    lower: np.ndarray[Any, Any]
    upper: np.ndarray[Any, Any]
    times: np.ndarray[Any, Any]
    share: float

    @property
    def middle(self) -> np.ndarray[Any, Any]:
        """The middle of each, or the end of one that is open."""
        ends = np.stack([self.lower, self.upper])
        middle: np.ndarray[Any, Any] = np.mean(ends, axis=0, where=np.isfinite(ends))
        return middle

    @classmethod
    def of(cls, fit: Fit, given: Recorded, dataset: int = 0) -> "SeenIntervals":
        """Choose those of one dataset, which `fit` is the fit of."""
        share = 1.0
        if given.window is not None:
            before, after = fit.cdf(np.array([end[dataset] for end in given.window]))
            share = float(after - before)
        drawn = (given.row == dataset) & (given.seen > 0)
        lower, upper = given.ends
        return cls(lower[drawn], upper[drawn], given.counts[drawn], share)


def read_seen(
    fit: Fit, data: Any, counts: Any, interval_options: dict[str, Any], function: str
) -> SeenPoints | SeenIntervals:
    """Read the values of one dataset as they are drawn.

    Raises
    ------
    ValueError
        If there are none that can be drawn.
    """
    if not intervals_are_given(interval_options):
        refuse_unknown(function, interval_options, INTERVAL_OPTIONS)
        return SeenPoints(*finite_points(data, counts))
    given = read_interval_values(data, (), counts, interval_options, function).given
    seen = SeenIntervals.of(fit, given)
    if not seen.lower.size:
        raise ValueError(f"`data` must have an interval with an end; got none in {given.row.size}.")
    return seen
