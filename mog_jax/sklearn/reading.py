"""Reads matrices and sample weights for both estimators, and warns of unconverged fits."""

import warnings
from numbers import Real
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_array, validate_data

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting import Fit, Status
from mog_jax.lane_shapes import pad_rows


def read_matrix(estimator: Any, X: Any, *, reset: bool) -> Array:
    """Read samples in rows and features in columns; NaN is missing, an infinity is refused.

    Parameters
    ----------
    estimator : estimator
        Its number of features, and their names, are set with `reset`, and checked without.
    X : array-like, shape (n, features)

    Returns
    -------
    array of float32 or float64
    """
    matrix: Array = validate_data(
        estimator,
        X,
        reset=reset,
        dtype=[np.float64, np.float32],
        ensure_all_finite="allow-nan",
        ensure_min_samples=2 if reset else 1,
    )
    return matrix


def read_weights(sample_weight: Any, n: int) -> Array | None:
    """Return how often each of `n` samples was seen, shape (n,); None if not given.

    Raises
    ------
    ValueError
        If there is not one weight for each sample, or one is negative, or none is positive.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n, sample_weight)
    weights: Array = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weights.shape != (n,):
        raise ValueError(
            f"`sample_weight` must be one for each sample, shape ({n},); got {weights.shape}."
        )
    if (weights < 0).any():
        raise ValueError(f"`sample_weight` must be non-negative; got {weights[weights < 0][0]}.")
    if not (weights > 0).any():
        raise ValueError("`sample_weight` must be positive for some sample; got zeros only.")
    return weights


def padded(rows: Array) -> Array:
    """Pad rows of points with NaN to one of few lengths, so that few programs are compiled."""
    n = rows.shape[-1]
    widths = [(0, 0)] * (rows.ndim - 1) + [(0, pad_rows(n) - n)]
    return np.pad(rows, widths, constant_values=np.nan)


def warn_of(fits: Fit, names: list[str]) -> None:
    """Warn of the fits that are neither converged nor few_points, with the meaning of their status.

    Parameters
    ----------
    fits : Fit
        The fit of one dataset, or of a batch.
    names : list of str
        Name of each dataset for the warning.
    """
    status = np.atleast_1d(np.asarray(fits.status))
    for ending in np.unique(status[~np.isin(status, [Status.CONVERGED, Status.FEW_POINTS])]):
        those = [names[index] for index in np.flatnonzero(status == ending)]
        shown = ", ".join(those[:5]) + (f" and {len(those) - 5} more" if len(those) > 5 else "")
        message = Status(int(ending)).message
        warnings.warn(f"{shown}: {message}.", ConvergenceWarning, stacklevel=3)
