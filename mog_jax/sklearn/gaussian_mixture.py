"""`GaussianMixture`: two components for one column, with scikit-learn's interface."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mog_jax import fitting, inference
from mog_jax.arrays import HostArray as Array
from mog_jax.fitting import Fit
from mog_jax.fitting.options import DEFAULTS, whole_number
from mog_jax.sklearn.reading import padded, read_matrix, read_weights, warn_of

_COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")


class GaussianMixture(DensityMixin, BaseEstimator):
    """Two Gaussians for one column, with the interface of ``sklearn.mixture.GaussianMixture``.

    Code for scikit-learn needs only a changed import. The fit is the best maximum of the likelihood
    found from many starts; it does not depend on a seed. NaN is a missing value.

    Parameters
    ----------
    n_components : int
        Must be 2.
    covariance_type : {"full", "tied", "diag", "spherical"}
        "tied" gives both components one variance. In one dimension the others differ only in the
        shape of ``covariances_``.
    min_points : float
        Least number of points in each component of a regular maximum.
    starts : {"thorough", "quick"}
        Number of starts, as in :func:`mog_jax.fit`.
    choose : {"penalised", "regular"}
        Which maximum is the answer, as in :func:`mog_jax.fit`.
    resolution : float, optional
        The step to which the values were rounded, as for :func:`mog_jax.fit`.
    limits, window : pair of float or None, optional
        Of a value at a limit or beyond only that is known; values outside a window were never
        recorded. Posteriors, densities and criteria are then those of values that were recorded
        alike; what is drawn is neither rounded nor cut off. Bins have two columns of ends: give
        them to :func:`mog_jax.fit`.
    random_state : int, RandomState or None
        Used by :meth:`sample` only.
    tol, reg_covar, max_iter, n_init, init_params, weights_init, means_init, precisions_init, \
warm_start, verbose, verbose_interval
        Accepted without effect, so that code need not be changed. In scikit-learn they set where EM
        begins and when it ends; here the result does not depend on these. Nothing is added to the
        variances.

    Attributes
    ----------
    weights_ : array, shape (2,)
        In the order of ascending means.
    means_ : array, shape (2, 1)
    covariances_, precisions_, precisions_cholesky_ : array
        Shape (2, 1, 1) for "full", (1, 1) for "tied", (2, 1) for "diag", (2,) for "spherical".
    converged_ : bool
        Whether the fit is converged or few_points (:class:`mog_jax.Status`). If not, a
        `ConvergenceWarning` says why.
    n_iter_ : int
        Passes over the data or a coreset of them, summed over all climbs.
    lower_bound_ : float
        Mean log-likelihood of the samples.
    fit_ : mog_jax.Fit
        The fit itself, with standard errors, threshold and delta BIC, which scikit-learn lacks.
    n_features_in_ : int
        Always 1.
    feature_names_in_ : array of str, shape (1,)
        Name of the column, if it has one.

    Notes
    -----
    For a column that cannot be fitted, such as a constant one, the parameters are NaN, as are
    posterior probabilities and densities; labels are -1. Missing values have a NaN posterior and
    density and the label -1, too.

    Examples
    --------
    >>> import mog_jax
    >>> X = mog_jax.datasets.faithful().reshape(-1, 1)
    >>> GaussianMixture(n_components=2).fit(X).means_.round(2).tolist()
    [[54.61], [80.09]]
    """

    fit_: Fit

    def __init__(
        self,
        n_components: int = 2,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        min_points: float = DEFAULTS.min_points,
        starts: str = DEFAULTS.starts,
        choose: str = DEFAULTS.choose,
        resolution: float | None = None,
        limits: tuple[float | None, float | None] | None = None,
        window: tuple[float | None, float | None] | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.min_points = min_points
        self.starts = starts
        self.choose = choose
        self.resolution = resolution
        self.limits = limits
        self.window = window

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the mixture.

        Parameters
        ----------
        X : array-like, shape (n, 1)
            One column; NaN is a missing value.
        y : ignored
        sample_weight : array-like, shape (n,), optional
            How often each sample was seen: non-negative, not necessarily whole.

        Returns
        -------
        GaussianMixture
            Itself.

        Raises
        ------
        ValueError
            If `n_components` is not 2, an argument has a wrong value, or `X` is not one column.

        Warns
        -----
        ConvergenceWarning
            If the fit is neither converged nor few_points.
        """
        column = self._column(X, reset=True)
        self._check_parameters()
        weights = read_weights(sample_weight, column.size)
        self.fit_ = fitting.fit(
            column,
            counts=weights,
            equal_variances=self.covariance_type == "tied",
            min_points=self.min_points,
            starts=self.starts,
            choose=self.choose,
            **self._interval_options(),
            window=self.window,
        )
        warn_of(self.fit_, ["`X`"])
        self._set_parameters()
        return self

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Array:
        """Fit the mixture and label the samples that it was fitted to; see `fit` and `predict`."""
        return self.fit(X, y, sample_weight).predict(X)

    def predict(self, X: Any) -> Array:
        """Label each sample with its more probable component.

        Returns
        -------
        array of int, shape (n,)
            0 for the lower mean, 1 for the upper, -1 if the posterior is NaN.
        """
        upper = self.predict_proba(X)[:, 1]
        return np.where(np.isnan(upper), -1, upper > 0.5)

    def predict_proba(self, X: Any) -> Array:
        """Posterior probability of each component, shape (n, 2); NaN where it does not exist."""
        check_is_fitted(self)
        column = self._column(X)
        found = self.fit_.responsibilities(padded(column), **self._interval_options())
        return np.asarray(found)[: column.size]

    def score_samples(self, X: Any) -> Array:
        """Log-density of each sample in nats, or of an interval's probability, shape (n,)."""
        check_is_fitted(self)
        column = self._column(X)
        found = self.fit_.log_density(
            padded(column), **self._interval_options(), window=self.window
        )
        return np.asarray(found)[: column.size]

    def score(self, X: Any, y: Any = None) -> float:
        """Mean log-density of the samples that are not missing, in nats."""
        densities = self.score_samples(X)
        known = ~np.isnan(densities)
        return float(densities[known].mean()) if known.any() else float("nan")

    def bic(self, X: Any) -> float:
        """Schwarz's criterion of the mixture on `X`; lower is better."""
        total, n = self._total(X)
        return float(inference.bic(total, self._n_parameters(), n))

    def aic(self, X: Any) -> float:
        """Akaike's criterion of the mixture on `X`; lower is better."""
        total, _ = self._total(X)
        return float(inference.aic(total, self._n_parameters()))

    def sample(self, n_samples: int = 1) -> tuple[Array, Array]:
        """Draw samples, with `random_state`.

        Returns
        -------
        X : array, shape (n_samples, 1)
            Ordered by component, as in scikit-learn.
        y : array of int, shape (n_samples,)
            Their components.
        """
        check_is_fitted(self)
        count = whole_number("n_samples", n_samples)
        if np.isnan(self.weights_).any():
            raise ValueError("cannot draw samples: nothing was fitted.")
        random = check_random_state(self.random_state)
        weights = np.asarray(self.weights_, dtype=np.float64)
        labels = np.repeat([0, 1], random.multinomial(count, weights / weights.sum()))
        deviations = np.asarray(self.fit_.mixture.standard_deviations)
        points = self.means_[labels, 0] + deviations[labels] * random.standard_normal(count)
        return points[:, None], labels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _column(self, X: Any, *, reset: bool = False) -> Array:
        matrix = read_matrix(self, X, reset=reset)
        if matrix.shape[1] != 1:
            raise ValueError(
                f"`X` must be one column, n_features = 1; got n_features = {matrix.shape[1]}. For "
                "a mixture of each column use mog_jax.sklearn.MixtureTransformer."
            )
        return matrix[:, 0]

    def _interval_options(self) -> dict[str, Any]:
        """The interval options of each sample."""
        return {"resolution": self.resolution, "limits": self.limits}

    def _check_parameters(self) -> None:
        if self.n_components != 2:
            raise ValueError(
                f"`n_components` must be 2, which is all that mog_jax fits; got "
                f"{self.n_components!r}. `fit_.delta_bic()` tells whether one is enough; for more "
                "use scikit-learn's."
            )
        if self.covariance_type not in _COVARIANCE_TYPES:
            raise ValueError(
                f"`covariance_type` must be one of {', '.join(map(repr, _COVARIANCE_TYPES))}; got "
                f"{self.covariance_type!r}."
            )

    def _set_parameters(self) -> None:
        mixture = self.fit_.mixture
        self.weights_ = np.asarray(mixture.weights)
        self.means_ = np.asarray(mixture.means)[:, None]
        variances = np.asarray(mixture.variances)
        self.covariances_ = self._in_shape(variances)
        self.precisions_ = self._in_shape(1 / variances)
        self.precisions_cholesky_ = self._in_shape(1 / np.sqrt(variances))
        self.converged_ = bool(self.fit_.converged)
        self.n_iter_ = int(self.fit_.n_passes)
        self.lower_bound_ = float(self.fit_.log_likelihood) / float(self.fit_.n_points)

    def _in_shape(self, pair: Array) -> Array:
        """Return a number for each component in scikit-learn's shape."""
        shapes = {"full": (2, 1, 1), "tied": (1, 1), "diag": (2, 1), "spherical": (2,)}
        return np.resize(pair, shapes[self.covariance_type])

    def _total(self, X: Any) -> tuple[float, int]:
        """Log-likelihood of the samples that are not missing, and their number."""
        densities = self.score_samples(X)
        known = ~np.isnan(densities)
        return float(densities[known].sum()) if known.any() else float("nan"), int(known.sum())

    def _n_parameters(self) -> Any:
        return inference.n_parameters(equal_variances=self.covariance_type == "tied")
