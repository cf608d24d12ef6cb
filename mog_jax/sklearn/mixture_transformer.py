"""`MixtureTransformer`: transforms each column to the posterior of its upper component."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from mog_jax import fitting
from mog_jax.arrays import HostArray as Array
from mog_jax.fitting import Fit
from mog_jax.fitting.options import DEFAULTS, true_or_false
from mog_jax.sklearn.reading import padded, read_matrix, read_weights, warn_of


class MixtureTransformer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Fit two Gaussians to each column, and return the posterior of the one with the upper mean.

    Parameters
    ----------
    equal_variances : bool
        Whether the components of a column share one variance.
    monotone : bool
        Whether the posterior is made monotone. If the variances differ, the posterior of the upper
        component falls again far out, where the wider component dominates on both sides.
    min_points : float
        Least number of points in each component of a regular maximum.
    starts : {"thorough", "quick"}
        Number of starts for each column, as in :func:`mog_jax.fit`.
    choose : {"penalised", "regular"}
        Rule for the answer, as in :func:`mog_jax.fit`.

    resolution : float, or array-like of shape (features,), optional
        The step to which the values were rounded, as for :func:`mog_jax.fit`.
    limits : pair of float, of array-like of shape (features,), or None, optional
        Of a value at a limit or beyond only that is known. Such a value, or a rounded one, has the
        posterior of its interval; not with `monotone`.
    window : pair of float, of array-like of shape (features,), or None, optional
        Values outside were never recorded.

    Attributes
    ----------
    weights_, means_, variances_ : array, shape (features, 2)
        Parameters of each column's components, by ascending mean.
    thresholds_ : array, shape (features,)
        Value at which the posterior is one half.
    converged_ : array of bool, shape (features,)
        Whether each fit is converged or few_points (:class:`mog_jax.Status`). A
        `ConvergenceWarning` says why others are not.
    fits_ : mog_jax.Fit
        The fits themselves, with standard errors and delta BIC.
    n_features_in_ : int
    feature_names_in_ : array of str, shape (features,)
        Names of the columns, if they have any.

    Notes
    -----
    A missing value stays NaN. A column that cannot be fitted, such as a constant one, becomes NaN
    throughout: it has no upper component. If a later step does not accept NaN, put
    ``SimpleImputer(strategy="constant", fill_value=..., keep_empty_features=True)`` in between.

    Examples
    --------
    >>> import mog_jax
    >>> X = mog_jax.datasets.faithful().reshape(-1, 1)
    >>> MixtureTransformer().fit(X).transform([[50.0], [90.0]]).round(3).tolist()
    [[0.0], [1.0]]
    """

    fits_: Fit

    def __init__(
        self,
        *,
        equal_variances: bool = False,
        monotone: bool = False,
        min_points: float = DEFAULTS.min_points,
        starts: str = DEFAULTS.starts,
        choose: str = DEFAULTS.choose,
        resolution: Any = None,
        limits: Any = None,
        window: Any = None,
    ) -> None:
        self.equal_variances = equal_variances
        self.monotone = monotone
        self.min_points = min_points
        self.starts = starts
        self.choose = choose
        self.resolution = resolution
        self.limits = limits
        self.window = window

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit a mixture to each column.

        Parameters
        ----------
        X : array-like, shape (n, features)
            NaN is a missing value.
        y : ignored
        sample_weight : array-like, shape (n,), optional
            How often each sample was seen: non-negative, not necessarily whole.

        Returns
        -------
        MixtureTransformer
            Itself.

        Raises
        ------
        ValueError
            If an argument has a wrong type, shape or range.

        Warns
        -----
        ConvergenceWarning
            With the names of the columns whose fit is neither converged nor few_points.
        """
        matrix = read_matrix(self, X, reset=True)
        weights = read_weights(sample_weight, len(matrix))
        if true_or_false("monotone", self.monotone) and self._interval_options():
            raise ValueError(
                "`monotone` goes with points; with `resolution` or `limits` each value has the "
                "posterior of its interval."
            )
        columns = np.ascontiguousarray(matrix.T)
        lengths = np.full(len(columns), len(matrix))
        counts = np.ones(columns.size) if weights is None else np.tile(weights, len(columns))
        # `Ragged`, so that few samples are not taken for a wrong layout.
        self.fits_ = fitting.fit(
            fitting.Ragged(columns.ravel(), lengths),
            counts=None if weights is None else fitting.Ragged(counts, lengths),
            equal_variances=self.equal_variances,
            min_points=self.min_points,
            starts=self.starts,
            choose=self.choose,
            resolution=self.resolution,
            limits=self.limits,
            window=self.window,
        )
        warn_of(self.fits_, [f"column {name}" for name in self.get_feature_names_out()])
        self.weights_ = np.asarray(self.fits_.mixture.weights)
        self.means_ = np.asarray(self.fits_.mixture.means)
        self.variances_ = np.asarray(self.fits_.mixture.variances)
        self.thresholds_ = np.asarray(self.fits_.threshold(monotone=self.monotone).value)
        self.converged_ = np.asarray(self.fits_.converged)
        return self

    def transform(self, X: Any) -> Array:
        """Return the posterior probability of each column's upper component.

        Parameters
        ----------
        X : array-like, shape (n, features)

        Returns
        -------
        array, shape (n, features)
            NaN where `X` is, and where nothing was fitted.
        """
        check_is_fitted(self)
        matrix = read_matrix(self, X, reset=False)
        rows = padded(matrix.T)
        posterior = self.fits_.responsibilities(
            rows, monotone=self.monotone, **self._interval_options()
        )
        return np.asarray(posterior)[:, : len(matrix), 1].T.astype(matrix.dtype, copy=False)

    def _interval_options(self) -> dict[str, Any]:
        """The interval options of each sample."""
        interval_options = {"resolution": self.resolution, "limits": self.limits}
        return {name: given for name, given in interval_options.items() if given is not None}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
