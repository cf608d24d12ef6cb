"""Posteriors, densities and distances of intervals under the fits of a batch."""

import dataclasses
from typing import Any

import jax
import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.data.interval_options import IntervalOptions
from mog_jax.fitting.data.intervals import Recorded, middle_and_half, read_recorded
from mog_jax.fitting.options import INTERVAL_OPTIONS, refuse_unknown
from mog_jax.inference.intervals import (
    IntervalTerms,
    interval_icl,
    interval_kolmogorov_distance,
    interval_responsibilities,
    interval_sandwich,
    interval_statistics,
)
from mog_jax.mixture import Mixture
from mog_jax.precision import hand_back


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class IntervalValues:
    """Values with what is said of each, for one fit or for each of a batch.

    Parameters
    ----------
    given : Recorded
    batch : () or (b,)
        Of the fits.
    as_list : bool
        Whether the data came as a list of arrays.
    """

    given: Recorded
    batch: tuple[int, ...]
    as_list: bool

    def responsibilities(self, mixture: Mixture) -> Any:
        """Posterior probability of each component, in the form of the data and an axis of 2."""
        return self._in_form(interval_responsibilities(self._terms(mixture).log_odds))

    def log_probability(self, mixture: Mixture) -> Any:
        """Logarithm of the probability of each value, or its density, in the form of the data."""
        found = self._terms(mixture).log_probability
        if self.given.window is not None:
            found = found - self._window_terms(mixture).log_probability[self.given.row]
        return self._in_form(found)

    def icl(self, bic: Any, mixture: Mixture) -> Any:
        """Integrated completed likelihood of each fit."""
        log_odds = np.nan_to_num(self._terms(mixture).log_odds, nan=0, posinf=1e300, neginf=-1e300)
        criterion, given = np.atleast_1d(np.asarray(bic)), self.given
        found = interval_icl(criterion, log_odds, given.row, given.seen)
        return self._shaped(found)

    def sandwich(self, covariance: Any, mixture: Mixture) -> Any:
        """Robust covariance of each fit, shape (*batch, 5, 5)."""
        given, times = self.given, self.given.seen
        scores = self._terms(mixture).scores
        if given.window is not None:
            scores = scores - self._window_terms(mixture).scores[given.row]
        scores = np.where(times[:, None] > 0, scores, 0)
        whole = np.asarray(covariance).reshape(-1, 5, 5)
        return self._shaped(interval_sandwich(whole, scores, given.row, times))

    def kolmogorov_distance(self, mixture: Mixture) -> Any:
        """Least distance between the distribution functions that the intervals allow."""
        given, whole = self.given, self._whole(mixture)
        found = np.full(len(given.source), np.nan)
        for i in range(found.size):
            own = given.values_of(i)
            (low, high), times = own.ends, own.seen
            seen = times > 0
            window = (-np.inf, np.inf)
            if given.window is not None:
                window = float(given.window[0][i]), float(given.window[1][i])
            one: Mixture = jax.tree.map(lambda field, i=i: field[i], whole)
            found[i] = interval_kolmogorov_distance(one, low[seen], high[seen], times[seen], window)
        return self._shaped(found)

    def exact(self, i: int) -> tuple[Array, float]:
        """Return the distinct exact values of a dataset, and the number of exact values."""
        given = self.given.values_of(i)
        times = given.seen
        own = (given.half_width == 0) & (times > 0)
        return np.unique(given.centre[own]), float(times[own].sum())

    def _whole(self, mixture: Mixture) -> Mixture:
        whole: Mixture = jax.tree.map(
            np.asarray if self.batch else lambda field: np.asarray(field)[None], mixture
        )
        return whole

    def _terms(self, mixture: Mixture) -> IntervalTerms:
        given = self.given
        return interval_statistics(self._whole(mixture), given.row, given.centre, given.half_width)

    def _window_terms(self, mixture: Mixture) -> IntervalTerms:
        assert self.given.window is not None
        low, high = self.given.window
        ends = middle_and_half(low, high)
        return interval_statistics(self._whole(mixture), np.arange(low.size), *ends)

    def _in_form(self, found: Array) -> Any:
        source = self.given.source
        # Of a value that may be anything nothing is said: it is missing.
        found[self.given.unknown] = np.nan
        if source.offsets is not None:
            return np.split(found, source.offsets[1:-1]) if self.as_list else hand_back(found)
        return self._shaped(found.reshape(*source.values.shape, *found.shape[1:]))

    def _shaped(self, found: Array) -> Any:
        return hand_back(found if self.batch else found[0])


def read_interval_values(
    data: Any, batch: tuple[int, ...], counts: Any, interval_options: dict[str, Any], function: str
) -> IntervalValues:
    """Read values with the interval options of :func:`mog_jax.fit`.

    Raises
    ------
    ValueError
        If there are not as many datasets as fits, or an option has a wrong value.
    UnknownOptionError
        If there is no such option.
    """
    refuse_unknown(function, interval_options, ("counts", *INTERVAL_OPTIONS))
    given = read_recorded(data, counts, IntervalOptions.of(interval_options))
    if batch != (() if given.source.is_single else (len(given.source),)):
        wanted = f"{batch[0]} datasets, as there are fits" if batch else "one dataset, shape (n,)"
        got = "one" if given.source.is_single else f"{len(given.source)}"
        raise ValueError(f"`data` must be {wanted}; got {got}.")
    return IntervalValues(given=given, batch=batch, as_list=isinstance(data, list | tuple))
