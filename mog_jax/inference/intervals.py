"""Posteriors and probabilities of values of which only an interval is known.

Values of many datasets stand one after the other; `row` says whose each is. An interval is given as
in :mod:`mog_jax.intervals.moments`, in the unit of the data, and all that follows from it at once
is computed by one program of fixed shape.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.fuse import fuse
from mog_jax.inference.information import N_COORDINATES
from mog_jax.intervals.derivatives import interval_terms, log_odds
from mog_jax.mixture import Mixture
from mog_jax.precision import COMPILER
from mog_jax.program_cache import keep_compiled

# Intervals that the program sees at a time.
_ROWS = 1024


class IntervalTerms(NamedTuple):
    """Log-probability, log-odds and score of each interval under a mixture.

    Attributes
    ----------
    log_probability : array, shape (n,)
        Of an exact value its log-density.
    log_odds : array, shape (n,)
        Of the second component against the first.
    scores : array, shape (n, 5)
        Gradient of `log_probability` in the coordinates of the information.
    """

    log_probability: Array
    log_odds: Array
    scores: Array


def interval_statistics(
    mixture: Mixture, row: Array, centre: Array, half_width: Array
) -> IntervalTerms:
    """Return log-probability, log-odds and score of each interval.

    Parameters
    ----------
    mixture : Mixture, shape (b, 2)
    row : array of int, shape (n,)
        Whose value each is.
    centre, half_width : array, shape (n,)
        NaN gives NaN.

    References
    ----------
    Equations (48) and (51) of ``derivation.md``.
    """
    weights, means, variances = (
        np.asarray(field, np.float64)
        for field in (mixture.weights, mixture.means, mixture.variances)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        logit = np.log(weights[:, 0]) - np.log(weights[:, 1])
        theta = np.stack([logit, *means.T, *np.log(variances).T])
    found = np.empty((2 + N_COORDINATES, row.size))
    with jax.enable_x64(True):
        for lo in range(0, row.size, _ROWS):
            some = np.minimum(np.arange(lo, lo + _ROWS), row.size - 1)
            part = np.asarray(_program(theta[:, row[some]], centre[some], half_width[some]))
            found[:, lo : lo + _ROWS] = part[:, : row.size - lo]
    return IntervalTerms(found[0], found[1], found[2:].T)


def interval_terms_of(theta: Array, centre: Array, half_width: Array) -> jax.Array:
    """Compute the numbers of `IntervalTerms`, one below the other, shape (7, n)."""
    coordinates = tuple(jnp.asarray(theta))
    middle, half = jnp.asarray(centre), jnp.asarray(half_width)
    terms = interval_terms(coordinates, middle, half, unrolled=True)
    odds = log_odds(coordinates, middle, half, unrolled=True)
    return jnp.stack(fuse([terms.log_probability, -odds, *terms.gradient]))


_program = keep_compiled(interval_terms_of, compiler_options=COMPILER)


def interval_responsibilities(log_odds: Array) -> Array:
    """Posterior probabilities of both components, shape (n, 2), from the odds of the second."""
    with np.errstate(over="ignore"):
        found: Array = 1 / (1 + np.exp(np.stack([log_odds, -log_odds], axis=-1)))
    return found


def interval_icl(bic: Array, log_odds: Array, row: Array, counts: Array) -> Array:
    r"""Integrated completed likelihood of intervals: :math:`\gamma_{ik}` is that of the interval.

    References
    ----------
    As :func:`mog_jax.inference.icl`.
    """
    doubt = np.log1p(np.exp(-np.abs(log_odds)))
    criterion: Array = bic + 2 * np.bincount(row, counts * doubt, minlength=bic.size)
    return criterion


def interval_sandwich(covariance: Array, scores: Array, row: Array, counts: Array) -> Array:
    """Covariance that is valid even if the model is wrong, of intervals.

    Parameters
    ----------
    covariance : array, shape (b, 5, 5)
        From the observed information.
    scores : array, shape (n, 5)
        Of a window they are less that of the window itself.
    row, counts : array, shape (n,)

    References
    ----------
    Equation (28) of ``derivation.md``.
    """
    meat = np.empty_like(covariance)
    for i in range(N_COORDINATES):
        for j in range(N_COORDINATES):
            products = counts * scores[:, i] * scores[:, j]
            meat[:, i, j] = np.bincount(row, products, minlength=len(covariance))
    # What is below the resolution says nothing, and takes nothing away from the rest.
    known = np.nan_to_num(covariance)
    both: Array = np.where(np.isnan(covariance), np.nan, known @ meat @ known)
    return both


def interval_kolmogorov_distance(
    mixture: Mixture, low: Array, high: Array, counts: Array, window: tuple[float, float]
) -> float:
    r"""Least Kolmogorov distance of any data that lie within the intervals.

    .. math:: \sup_x\max\Big[F(x)-\tfrac1n\#\{a_i<x\},\ \tfrac1n\#\{b_i\le x\}-F(x),\ 0\Big]

    Of bins that do not overlap it is the distance at their ends; of exact values, where
    :math:`a_i=b_i`, Kolmogorov's own.

    Parameters
    ----------
    mixture : Mixture, shape (2,)
    low, high, counts : array, shape (n,)
        Ends of the intervals :math:`a_i,b_i` of one dataset, and how often each was seen.
    window : pair of float
        Outside of which nothing was recorded: the mixture's distribution is that inside.
    """
    if not counts.sum() > 0:
        return float("nan")
    largest = 0.0
    before, after = (_distribution(mixture, np.array([end]))[0] for end in window)
    for ends, side, sign in ((low, "left", 1), (high, "right", -1)):
        order = np.argsort(ends)
        share = np.concatenate([[0], np.cumsum(counts[order])]) / counts.sum()
        at = ends[np.isfinite(ends) & (counts > 0)]
        if at.size:
            seen = share[np.searchsorted(ends[order], at, side=side)]  # type: ignore[call-overload]
            expected = (_distribution(mixture, at) - before) / (after - before)
            largest = max(largest, float((sign * (expected - seen)).max()))
    return largest


def _distribution(mixture: Mixture, x: Array) -> Array:
    from scipy.special import ndtr

    weights, means, variances = (
        np.asarray(field, np.float64)
        for field in (mixture.weights, mixture.means, mixture.variances)
    )
    below: Array = ndtr((x[:, None] - means) / np.sqrt(variances)) @ weights
    return below
