"""Reads data again in the form in which they were fitted, by name or in order."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.fitting.options import INTERVAL_OPTIONS, intervals_are_given, refuse_unknown
from mog_jax.fitting.results.map_intervals import IntervalValues, read_interval_values
from mog_jax.fitting.results.map_points import Points, read_points
from mog_jax.fitting.results.named import in_order
from mog_jax.mixture import Mixture


class FittedData:
    """The fields of a fit that its methods use, and the data that they ask for.

    Data are in the form in which they were fitted: `(n,)` for one dataset, `(b, n)`, a list of b
    arrays, `Ragged` or a mapping from name for a batch, NaN for a missing value. The interval
    options that `fit` was given, `resolution`, `limits`, `window` or `upper`, are given again.
    """

    if TYPE_CHECKING:
        mixture: Mixture
        log_likelihood: jax.Array
        information: jax.Array
        one_component: Any
        n_points: jax.Array
        fixed: jax.Array
        equal_variances: bool
        of_intervals: bool
        higher_by: jax.Array
        higher_points: jax.Array
        names: Any

        @property
        def status_name(self) -> Any:
            """Name of the status."""

        @property
        def reason(self) -> Any:
            """Why the fit has no standard errors."""

    def _fitted(
        self, function: str, data: Any, counts: Any, interval_options: dict[str, Any]
    ) -> Points | IntervalValues:
        """Read the fitted data, with the interval options of the fit."""
        given = intervals_are_given(interval_options)
        if given and not self.of_intervals:
            raise ValueError(
                f"`{next(iter(interval_options))}` was not given to `fit`: this is a fit of points."
            )
        if self.of_intervals and not given:
            refuse_unknown(function, interval_options, ("data", "counts", *INTERVAL_OPTIONS))
            raise ValueError(
                "this is a fit of intervals: give the options that `fit` was given, as in "
                f"{function}(data, resolution=0.1)."
            )
        return (
            self._intervals(function, data, counts, interval_options)
            if interval_options
            else self._points(data, counts)
        )

    def _intervals(
        self, function: str, data: Any, counts: Any, interval_options: dict[str, Any]
    ) -> IntervalValues:
        batch = np.shape(self.n_points)
        return read_in_order(self.names, data, batch, counts, interval_options, function)

    def _points(self, data: ArrayLike, counts: ArrayLike | None = None) -> Points:
        rows, times = in_order(self.names, data, "data"), in_order(self.names, counts, "counts")
        return read_points(rows, np.shape(self.n_points), times)

    def _each(self, function: Callable[[Mixture, ArrayLike], jax.Array], x: ArrayLike) -> Any:
        return self._named(x, self._points(x).map_points(function, self.mixture))

    def _named(self, x: Any, found: Any) -> Any:
        """Return the results by the names of the datasets, if the data were a mapping."""
        return dict(zip(self.names, found, strict=True)) if isinstance(x, Mapping) else found

    def _is_on_atom(self) -> Any:
        return np.asarray(self.status_name) == "atom"


def read_in_order(
    names: Any,
    data: Any,
    batch: tuple[int, ...],
    counts: Any,
    interval_options: dict[str, Any],
    function: str,
) -> IntervalValues:
    """Read values with their interval options; mappings are put in the order of the fits' names."""
    rows, times = in_order(names, data, "data"), in_order(names, counts, "counts")
    own = {name: in_order(names, option, name) for name, option in interval_options.items()}
    return read_interval_values(rows, batch, times, own, function)
