r"""One component or two? The likelihood-ratio test, calibrated by simulation.

Twice the log-likelihood ratio has no chi-squared distribution here: a mixture of one component is a
mixture of two in many ways, none of them regular. McLachlan's parametric bootstrap draws datasets
from the fitted single Gaussian, and fits one and two components to each.

For normal data the test is both exact and cheap. Shifting and scaling the data adds the same amount
to both log-likelihoods, so the ratio's distribution under one Gaussian depends on the number of
points alone, and on no estimated parameter. Datasets drawn from a standard normal distribution
therefore replace those drawn from the fitted Gaussian, the test has exactly its nominal size, and
one set of replicates serves all datasets of a batch that have the same number of points.
"""

import dataclasses
import functools
import heapq
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.fitting import Fit, Ragged, fit
from mog_jax.fitting.data.interval_options import IntervalOptions
from mog_jax.fitting.intervals.replicates import Recording, recordings
from mog_jax.fitting.options import INTERVAL_OPTIONS, options_of, whole_number
from mog_jax.inference import Reason
from mog_jax.lane_shapes import pad_to_power
from mog_jax.mixture import read_key

# Replicates that are fitted first, then twice as many, and so on: enough to fill the lanes, and few
# after the result is known.
_CHUNK = 512
# Points that are in memory at once.
_BUDGET = 1 << 25
# Points that are drawn by one call.
_DRAWN = 1 << 18
# Points of a dataset above which a replicate does not fit into memory.
_MOST_POINTS = 1 << 31


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class BootstrapTest:
    """The outcome of testing one component against two, for each dataset.

    Parameters
    ----------
    statistic : array, shape (...,)
        Twice the gain in log-likelihood from one component to two. 0 where two have no regular
        maximum; NaN where nothing could be fitted, or the ascent stopped before a maximum.
    p_value : array, shape (...,)
        Probability, under one Gaussian, of a statistic as large as this.
    p_value_error : array, shape (...,)
        Standard error of `p_value` from the finite number of replicates.
    replicates : array of int, shape (...,)
        How many were used.
    """

    statistic: np.ndarray[Any, Any]
    p_value: np.ndarray[Any, Any]
    p_value_error: np.ndarray[Any, Any]
    replicates: np.ndarray[Any, Any]

    def q_value(self) -> np.ndarray[Any, Any]:
        """Benjamini and Hochberg's q-values over the batch; NaN takes no part.

        Of all rows with a q-value of at most 0.05, 5 % are expected to be false discoveries.

        Returns
        -------
        array, shape (...,)

        References
        ----------
        Y. Benjamini and Y. Hochberg, J. R. Stat. Soc. B 57 (1995) 289-300.
        """
        return q_values(self.p_value)

    def __repr__(self) -> str:
        if np.ndim(self.p_value) == 0:
            return (
                f"BootstrapTest(statistic {self.statistic:.4g}, p-value {self.p_value:.3g} ± "
                f"{self.p_value_error:.2g} from {self.replicates} replicates)"
            )
        below = int((self.p_value < 0.05).sum())
        return f"BootstrapTest of {self.p_value.size} datasets: {below} with a p-value below 0.05"


def q_values(p_values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return Benjamini and Hochberg's q-values of p-values; NaN takes no part."""
    from scipy.stats import false_discovery_control

    found = np.array(p_values)
    known = ~np.isnan(found)
    if known.any():
        found[known] = false_discovery_control(found[known])
    return found[()]


def bootstrap_test(
    data: ArrayLike | Ragged,
    *,
    key: jax.Array | int,
    replicates: int = 999,
    stop_after: int | None = 50,
    **options: Any,
) -> BootstrapTest:
    r"""Test one Gaussian against a mixture of two, by parametric bootstrap.

    With :math:`B` replicates of which :math:`g` have a statistic at least as large as the data's,

    .. math:: p=\frac{g+1}{B+1},

    and where `stop_after` :math:`=h` of them are found after :math:`l<B` replicates already, the
    answer is :math:`p=h/l`: Besag and Clifford's sequential rule, which keeps the test exact.

    Parameters
    ----------
    data : array-like, shape (n,) or (b, n), or a list of arrays
        As for :func:`mog_jax.fit`.
    key : jax.Array or int
        From :func:`jax.random.key`, or the seed of one. The same key gives the same answer.
    replicates : int
        At most so many datasets are drawn, for each number of points that occurs.
    stop_after : int, optional
        Stop when so many replicates exceed the statistic: the p-value is then known well enough,
        to a share :math:`1/\sqrt h` of itself. None goes through all of them.
    **options
        Further arguments of :func:`mog_jax.fit`, for data and replicates alike. With `counts`, a
        replicate has as many points as the counts add up to. With `resolution`, `limits`, `window`
        or `upper` each dataset has replicates of its own, drawn from the Gaussian that was fitted
        to it and rounded, censored, cut off and binned alike: the test is then as exact as that
        Gaussian is known.

    Returns
    -------
    BootstrapTest

    Raises
    ------
    ValueError
        If an argument is of the wrong kind or range, or counts do not add up to a whole number,
        or to more points than can be drawn.

    Accuracy
    --------
    The test is exact for normal data, and `p_value_error` is the standard error of the p-value from
    the finite number of replicates. The sequential rule keeps its level: measured by
    ``tests/test_bootstrap.py``, which also compares `bootstrap_test` with itself on shifted and
    scaled data; the level over 10,000 datasets, by ``benchmarks/coverage.py``.

    References
    ----------
    Equation (38) of ``derivation.md``.
    G. J. McLachlan, Appl. Statist. 36 (1987) 318-324. J. Besag and P. Clifford, Biometrika 78
    (1991) 301-304.

    Examples
    --------
    >>> import mog_jax
    >>> mog_jax.bootstrap_test(mog_jax.datasets.faithful(), key=0, replicates=99)
    BootstrapTest(statistic 122.6, p-value 0.01 ± 0.0099 from 99 replicates)
    """
    replicates = whole_number("replicates", replicates)
    stop_after = None if stop_after is None else whole_number("stop_after", stop_after)
    key = read_key(key)
    options_of("bootstrap_test", options)
    interval_options = IntervalOptions.of(options)
    fits = fit(data, **options)
    statistic = np.asarray(_statistic(fits), dtype=np.float64)
    statistic = np.where(fits.reason == Reason.NOT_AT_MAXIMUM, np.nan, statistic)
    if interval_options.are_given:
        counts = options.get("counts")
        nulls = _recorded_nulls(fits, recordings(data, counts, interval_options), options)
        return _compare_each(statistic, fits, nulls, key, replicates, stop_after)
    return compare_with_null(
        statistic,
        np.asarray(fits.n_points),
        key=key,
        replicates=replicates,
        stop_after=stop_after,
        options=options,
    )


def compare_with_null(
    statistic: np.ndarray[Any, Any],
    sizes: np.ndarray[Any, Any],
    *,
    key: jax.Array | int,
    replicates: int,
    stop_after: int | None,
    options: dict[str, Any],
) -> BootstrapTest:
    """Compare known statistics with those of datasets from one Gaussian.

    Parameters
    ----------
    statistic : array, shape (...,)
        Twice the gain in log-likelihood; NaN takes no part.
    sizes : array, shape (...,)
        How many points each dataset has.
    key, replicates, stop_after
        As for `bootstrap_test`.
    options : dict
        How the datasets were fitted: arguments of :func:`mog_jax.fit`.

    Returns
    -------
    BootstrapTest

    Raises
    ------
    ValueError
        If a dataset has a number of points that is not whole, or more than can be drawn.
    """
    key = read_key(key)
    known = ~np.isnan(statistic)
    _refuse_sizes(sizes[known])
    options = _of_replicates(options)
    p_value, error = np.full_like(statistic, np.nan), np.full_like(statistic, np.nan)
    used = np.zeros(statistic.shape, dtype=np.int64)
    for size in np.unique(sizes[known]):
        here = known & (sizes == size)
        null = _standard_null(int(size), options)
        found = _against_null(statistic[here], int(size), key, replicates, stop_after, null)
        p_value[here], error[here], used[here] = found
    return BootstrapTest(
        statistic=statistic[()], p_value=p_value[()], p_value_error=error[()], replicates=used[()]
    )


def _statistic(fits: Fit) -> Any:
    """Twice the log-likelihood ratio; 0 where two components have no regular maximum."""
    ratio = 2 * (np.asarray(fits.log_likelihood) - np.asarray(fits.one_component.log_likelihood))
    regular = np.where(fits.reason == Reason.BOUNDARY, 0, np.maximum(ratio, 0))
    return np.where(fits.reason == Reason.NOTHING_FITTED, np.nan, regular)


def _against_null(
    statistic: np.ndarray[Any, Any],
    size: int,
    key: jax.Array,
    replicates: int,
    stop_after: int | None,
    refit: Callable[[jax.Array], Fit],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return p-value, error and replicates used, for statistics of datasets of one size."""
    enough = replicates + 1 if stop_after is None else stop_after
    keys = jax.random.split(jax.random.fold_in(key, size), replicates)
    most = max(1, _BUDGET // size)
    chunk = most if stop_after is None else _CHUNK
    null: list[float] = []
    while len(null) < replicates and _exceedances(null, np.max(statistic)) < enough:
        # Each replicate has a key of its own: it does not depend on the size of the chunks.
        chosen = keys[len(null) : len(null) + min(chunk, most)]
        null.extend(_statistic(refit(chosen)).tolist())
        chunk *= 2
    return _p_values(statistic, np.asarray(null), enough)


def _standard_null(size: int, options: dict[str, Any]) -> Callable[[jax.Array], Fit]:
    """Return the fits of datasets of standard normals, one for each key."""

    def refit(keys: jax.Array) -> Fit:
        draws = _standard_normals(keys, size)
        # By their lengths, so that short datasets are not taken for a wrong layout.
        return fit(Ragged(draws.ravel(), np.full(len(draws), size)), **options)

    return refit


def _recorded_nulls(
    fits: Fit, recorded: list[Recording], options: dict[str, Any]
) -> list[Callable[[jax.Array], Fit]]:
    """Return, for each dataset, fits of draws from its own Gaussian, recorded as the dataset is.

    For intervals the ratio is not a pivot: it depends on the standard deviation relative to the
    resolution, and on where the limits lie.
    """
    options = {
        name: value
        for name, value in _of_replicates(options).items()
        if name not in INTERVAL_OPTIONS
    }
    one = fits.one_component
    columns = [np.atleast_1d(each) for each in (one.mean, one.variance, fits.n_points)]

    def null(i: int) -> Callable[[jax.Array], Fit]:
        mean, variance, size = (column[i] for column in columns)

        def refit(keys: jax.Array) -> Fit:
            normals = _standard_normals(keys, int(size))
            data, interval_options = recorded[i].record(
                normals, float(mean), float(np.sqrt(variance))
            )
            return fit(data, **interval_options._asdict(), **options)

        return refit

    return [null(i) for i in range(len(recorded))]


def _compare_each(
    statistic: np.ndarray[Any, Any],
    fits: Fit,
    nulls: list[Callable[[jax.Array], Fit]],
    key: jax.Array,
    replicates: int,
    stop_after: int | None,
) -> BootstrapTest:
    """Compare each statistic with replicates of its own dataset."""
    flat, sizes = np.atleast_1d(statistic), np.atleast_1d(np.asarray(fits.n_points))
    known = ~np.isnan(flat)
    _refuse_sizes(sizes[known])
    p_value, error = np.full_like(flat, np.nan), np.full_like(flat, np.nan)
    used = np.zeros(flat.shape, dtype=np.int64)
    for i in np.flatnonzero(known):
        own = jax.random.fold_in(key, int(i))
        found = _against_null(flat[i : i + 1], int(sizes[i]), own, replicates, stop_after, nulls[i])
        p_value[i], error[i], used[i] = (each[0] for each in found)
    shape = np.shape(statistic)
    return BootstrapTest(
        statistic=statistic,
        p_value=p_value.reshape(shape)[()],
        p_value_error=error.reshape(shape)[()],
        replicates=used.reshape(shape)[()],
    )


def _of_replicates(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in ("counts", "progress")}


def _refuse_sizes(sizes: np.ndarray[Any, Any]) -> None:
    if (sizes > _MOST_POINTS).any():
        raise ValueError(
            f"`counts` must add up to at most {_MOST_POINTS} points, because datasets of "
            f"that size are drawn; got {sizes.max():g}."
        )
    if (fraction := sizes % 1 != 0).any():
        raise ValueError(
            "`counts` must add up to a whole number of points, because datasets of that size "
            f"are drawn; got {sizes[fraction][0]}."
        )


def _standard_normals(keys: jax.Array, size: int) -> np.ndarray[Any, Any]:
    """Draw a dataset of `size` points for each key.

    Lengths are rounded up to powers of two, and so are blocks of keys: few programs are compiled,
    and the first draws of a key are the same whatever the length.
    """
    length = pad_to_power(size)
    rows = max(1, _DRAWN // length)
    draws = np.empty((len(keys), size))
    for first in range(0, len(keys), rows):
        index = np.minimum(np.arange(first, first + rows), len(keys) - 1)
        some = draws[first : first + rows]
        with jax.enable_x64(True):
            some[:] = np.asarray(_drawn(keys[index], length))[: len(some), :size]
    return draws


@functools.partial(jax.jit, static_argnums=1)
def _drawn(keys: jax.Array, length: int) -> jax.Array:
    return jax.vmap(lambda key: jax.random.normal(key, (length,), dtype=np.float64))(keys)


def _exceedances(null: list[float], statistic: float) -> int:
    return int((np.asarray(null) >= statistic).sum())


def _p_values(
    statistic: np.ndarray[Any, Any], null: np.ndarray[Any, Any], enough: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    # The h-th exceedance comes when the h-th largest so far reaches the statistic.
    largest: list[float] = []
    reached = np.full(null.shape, -np.inf)
    for i, value in enumerate(null):
        heapq.heappush(largest, value)
        if len(largest) > enough:
            heapq.heappop(largest)
        if len(largest) == enough:
            reached[i] = largest[0]
    stop = np.searchsorted(reached, statistic, side="left") + 1
    exceeding = null.size - np.searchsorted(np.sort(null), statistic, side="left")
    stopped = stop <= null.size
    p_value = np.where(stopped, enough / stop, (exceeding + 1) / (null.size + 1))
    spread = np.where(stopped, p_value / enough, 1 / (null.size + 1))
    error = np.sqrt(p_value * (1 - p_value) * spread)
    return p_value, error, np.where(stopped, stop, null.size)
