"""Measures the quality of a batch of fits by the textbook formula, not by a tool's report."""

import dataclasses
from typing import Any

import _reference
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

# A fit is at best if no more than this is missing, in nats per point.
SHORT = 1e-6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fitted:
    """The fits of a tool: weights, means and variances, each ``(b, 2)``, in the data's units."""

    weights: Array
    means: Array
    variances: Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class Quality:
    """Shares of a batch, between 0 and 1, of the datasets that have a regular maximum.

    Parameters
    ----------
    n_datasets
        How many datasets the shares are of.
    at_best
        Regular, and within `SHORT` of the best known regular maximum.
    at_plain
        The same for the best known plain maximum, or above it.
    short
        More than 1 nat below the best known plain maximum.
    irregular
        Ended in a spike, with fewer than five points in a component, or not finite.
    n_above
        How many regular fits are above the best known maximum, by more than `SHORT`.
    """

    n_datasets: int
    at_best: float
    at_plain: float
    short: float
    irregular: float
    n_above: int


def log_likelihood(x: Array, fitted: Fitted) -> tuple[Array, Array]:
    """Log-likelihood ``(b,)`` and effective counts ``(b, 2)``, in float64 NumPy."""
    value, counts = np.empty(len(x)), np.empty((len(x), 2))
    weights, means, variances = (
        np.asarray(getattr(fitted, name), np.float64) for name in ("weights", "means", "variances")
    )
    with np.errstate(all="ignore"):
        # Row blocks, so that a batch of any size takes the same memory.
        for start in range(0, len(x), 4096):
            rows = slice(start, start + 4096)
            z = x[rows, :, None].astype(np.float64) - means[rows, None, :]
            v = variances[rows, None, :]
            terms = np.log(weights[rows, None, :]) - 0.5 * (np.log(2.0 * np.pi * v) + z * z / v)
            total = np.logaddexp(terms[..., 0], terms[..., 1])
            value[rows] = total.sum(axis=1)
            counts[rows] = np.exp(terms - total[..., None]).sum(axis=1)
    return value, counts


def judge(x: Array, fitted: Fitted, reference: _reference.Reference) -> Quality:
    """Compare the fits of ``x``, ``(b, n)``, with the best known maxima of the same rows."""
    n = x.shape[1]
    value, counts = log_likelihood(x, fitted)
    variances = np.asarray(fitted.variances, np.float64)
    with np.errstate(invalid="ignore"):
        # A maximum may hold five points to rounding: a millionth of grace. On the variance floor
        # there is none: the likelihood still rises there, and only the floor stopped it.
        regular = np.isfinite(value) & (counts.min(axis=1) >= _reference.MIN_POINTS * (1 - 1e-6))
        floor = _reference.MIN_VARIANCE * x.var(axis=1) * (1 + 1e-6)
        regular &= variances.min(axis=1) > floor
    known = np.isfinite(reference.log_likelihood)
    value = np.where(regular, value, -np.inf)
    missing = (reference.log_likelihood - value)[known]
    plain = (reference.plain_log_likelihood - value)[known]
    return Quality(
        n_datasets=int(known.sum()),
        at_best=float(np.mean(missing <= SHORT * n)),
        at_plain=float(np.mean(plain <= SHORT * n)),
        short=float(np.mean(plain > 1.0)),
        irregular=float(np.mean(~regular[known])),
        n_above=int(np.sum(missing < -SHORT * n)),
    )


def rows(reference: _reference.Reference, n: int) -> _reference.Reference:
    """Return the reference of the first `n` datasets."""
    fields = {f.name: getattr(reference, f.name) for f in dataclasses.fields(reference)}
    return _reference.Reference(**{name: array[:n] for name, array in fields.items()})
