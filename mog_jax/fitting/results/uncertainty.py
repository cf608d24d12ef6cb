"""The methods of a fit that need its information: covariance, errors, intervals, threshold."""

from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from mog_jax import inference
from mog_jax.fitting.results import unresolved
from mog_jax.fitting.results.fitted_data import FittedData
from mog_jax.inference import ConfidenceIntervals, StandardErrors, Threshold

_KINDS = ("observed", "sandwich")


class FitUncertainty(FittedData):
    """How well the data determine the parameters, and the threshold between the components."""

    def covariance(
        self,
        data: ArrayLike | None = None,
        *,
        counts: ArrayLike | None = None,
        kind: str = "observed",
        **interval_options: Any,
    ) -> jax.Array:
        r"""Covariance of the estimates.

        In the coordinates :math:`(\log\pi_1/\pi_2,\mu_1,\mu_2,\log\sigma_1^2,\log\sigma_2^2)`.

        Parameters
        ----------
        data, counts : array-like, optional
            The data that were fitted; needed for the sandwich only.
        kind : "observed" or "sandwich"
            From the observed information, right if the data come from two Gaussians; or the
            sandwich, right if they do not.
        **interval_options
            The interval options that `fit` was given: `resolution`, `limits`, `window`, `upper`.

        Returns
        -------
        array, shape (..., 5, 5)
            NaN where the information is singular.

        Raises
        ------
        ValueError
            For another kind, or a sandwich without data.
        """
        if kind not in _KINDS:
            raise ValueError(f"`kind` must be one of {', '.join(map(repr, _KINDS))}; got {kind!r}.")
        found: jax.Array = unresolved.covariance(
            self.information, self._held(), self.reason, equal_variances=self.equal_variances
        )
        if kind == "observed":
            return found
        if data is None:
            raise ValueError("the sandwich needs the data: give `data`, as it was fitted.")
        given = self._fitted("covariance", data, counts, interval_options)
        robust: jax.Array = given.sandwich(found, self.mixture)
        return robust

    def standard_errors(
        self,
        data: ArrayLike | None = None,
        *,
        counts: ArrayLike | None = None,
        kind: str = "observed",
        **interval_options: Any,
    ) -> StandardErrors:
        """Standard errors of weights, means, variances and standard deviations.

        Parameters
        ----------
        data, counts : array-like, optional
            The data that were fitted; needed for the sandwich only.
        kind : "observed" or "sandwich"
            As in `covariance`.
        **interval_options
            The interval options that `fit` was given.

        Returns
        -------
        StandardErrors
            NaN with a reason for a fit that has none.

        Examples
        --------
        >>> import mog_jax
        >>> fit = mog_jax.fit(mog_jax.datasets.faithful())
        >>> fit.standard_errors().means.round(3)
        array([0.7  , 0.505])
        """
        covariance = self.covariance(data, counts=counts, kind=kind, **interval_options)
        return inference.standard_errors(self.mixture, covariance, self.reason)

    def confidence_intervals(
        self,
        data: ArrayLike | None = None,
        *,
        counts: ArrayLike | None = None,
        kind: str = "observed",
        level: float = 0.95,
        **interval_options: Any,
    ) -> ConfidenceIntervals:
        """Wald intervals, on the logit of the weights and the logarithm of the variances.

        Parameters
        ----------
        data, counts : array-like, optional
            The data that were fitted; needed for the sandwich only.
        kind : "observed" or "sandwich"
            As in `covariance`.
        level : float
            Probability with which each interval is to cover its parameter.
        **interval_options
            The interval options that `fit` was given.

        Returns
        -------
        ConfidenceIntervals
            NaN with a reason for a fit that has none.
        """
        covariance = self.covariance(data, counts=counts, kind=kind, **interval_options)
        return inference.confidence_intervals(self.mixture, covariance, self.reason, level=level)

    def threshold(
        self,
        *,
        posterior: float = 0.5,
        false_positive_rate: float | None = None,
        monotone: bool = False,
    ) -> Threshold:
        """Threshold between the two components.

        Parameters
        ----------
        posterior : float
            Posterior probability of the upper component at the threshold.
        false_positive_rate : float, optional
            Share of the lower component above the threshold; if given, it defines the threshold
            instead of `posterior`.
        monotone : bool
            Whether the posterior is kept constant beyond its vertex, so that there is no other
            crossing.

        Returns
        -------
        Threshold
            With its standard error, the other crossing and the rates of both errors; NaN with a
            reason where a number does not exist. It is that of the mixture, whatever the status: a
            fit that is not at a maximum has a threshold, but no standard error.

        Raises
        ------
        ValueError
            If a probability is not between 0 and 1.

        Examples
        --------
        >>> import mog_jax
        >>> mog_jax.fit(mog_jax.datasets.faithful()).threshold()
        Threshold(66.5831, standard error 1.01, other 42975...; false positives 0.0208,
        false negatives 0.0107)
        """
        about = self.mixture, self.covariance(), self.reason
        if false_positive_rate is not None:
            return inference.quantile_threshold(*about, false_positive_rate=false_positive_rate)
        return inference.threshold(*about, posterior=posterior, monotone=monotone)

    def _held(self) -> Any:
        """Which coordinates are known: those that are fixed, and an atom's mean and variance."""
        variances = np.asarray(self.mixture.variances)
        narrower = np.stack(
            [variances[..., 0] <= variances[..., 1], variances[..., 0] > variances[..., 1]], axis=-1
        )
        nothing = np.zeros((*narrower.shape[:-1], 1), bool)
        own = np.concatenate([nothing, narrower, narrower], axis=-1)
        return np.asarray(self.fixed) | (own & self._is_on_atom()[..., None])
