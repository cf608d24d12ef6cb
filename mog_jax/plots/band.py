"""Computes pointwise confidence bands of a density."""

from typing import Any

import numpy as np
from scipy.stats import norm

from mog_jax.arrays import HostArray
from mog_jax.fitting import Fit

# Larger logarithms of a factor would overflow, and are invisible in a figure.
_MOST = 700.0


def density_band(fit: Fit, grid: HostArray, level: float) -> tuple[HostArray, HostArray] | None:
    """Return the confidence band of a fit's density, as factors of the density.

    The interval is on the logarithm of the density, by the delta method: its gradient in the
    coordinates of the information is each point's score, equation (27) of ``derivation.md``.

    Parameters
    ----------
    fit : Fit
        The fit of one dataset.
    grid : array, shape (m,)
        Points at which to compute the band.
    level : float
        Probability of the interval at each point.

    Returns
    -------
    pair of arrays, shape (m,), or None
        Lower and upper factor. None if the parameters have no standard errors.
    """
    covariance = np.asarray(fit.covariance(), dtype=np.float64)
    if not np.isfinite(covariance).all() or np.any(np.asarray(fit.reason)):
        return None
    scores = _scores(fit, grid)
    # Where a score overflows the density is 0 in a figure.
    with np.errstate(over="ignore", invalid="ignore"):
        variance = np.einsum("mi,ij,mj->m", scores, covariance, scores)
        reach = norm.ppf(0.5 + 0.5 * level) * np.sqrt(np.maximum(variance, 0))
    reach = np.minimum(np.nan_to_num(reach, nan=_MOST, posinf=_MOST), _MOST)
    return np.exp(-reach), np.exp(reach)


def _scores(fit: Fit, grid: HostArray) -> HostArray:
    mixture: Any = fit.mixture
    means, variances = (np.asarray(f, dtype=np.float64) for f in (mixture.means, mixture.variances))
    weights, deviations = np.asarray(mixture.weights, dtype=np.float64), np.sqrt(variances)
    gamma = np.asarray(fit.responsibilities(grid), dtype=np.float64)
    z = (grid[:, None] - means) / deviations
    with np.errstate(over="ignore", invalid="ignore"):
        # Where the responsibility is 0 the square may overflow.
        shares = gamma * z
        moved = 0.5 * np.where(gamma > 0, shares * z - gamma, 0)
    logit = gamma[:, 0] - weights[0]
    found: HostArray = np.column_stack([logit, shares / deviations, moved])
    return found
