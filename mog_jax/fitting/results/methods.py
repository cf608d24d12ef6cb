"""Defines the methods of `Fit`: each calls a pure function of `mog_jax.inference`."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from mog_jax import inference
from mog_jax.array_like import real_array
from mog_jax.fitting.options import INTERVAL_OPTIONS, intervals_are_given, refuse_unknown
from mog_jax.fitting.results import unresolved
from mog_jax.fitting.results.map_intervals import IntervalValues, read_interval_values
from mog_jax.fitting.results.map_points import Points, read_points
from mog_jax.fitting.results.named import in_order
from mog_jax.fitting.results.remarks import remarks_of
from mog_jax.inference import (
    ConfidenceIntervals,
    Modes,
    StandardErrors,
    Threshold,
)
from mog_jax.mixture import Mixture

_KINDS = ("observed", "sandwich")
# Reasons with which the likelihood has a maximum, if only on a ridge.
_DELTA_BIC_STANDS = [
    inference.Reason.KNOWN,
    inference.Reason.SINGULAR,
    inference.Reason.BELOW_RESOLUTION,
]


class FitMethods:
    """The methods of a fit; the fields are declared in `Fit`.

    Where data are asked for, they are in the form in which they were fitted: `(n,)` for one
    dataset, `(b, n)`, a list of b arrays, `Ragged` or a mapping from name for a batch, NaN for a
    missing value. Where something was said of them besides, `resolution`, `limits`, `window` or
    `upper`, the same is said again.
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
        robust: jax.Array = (
            given.sandwich(found, self.mixture)
            if isinstance(given, IntervalValues)
            else given.map_fits(inference.sandwich, found, self.mixture)
        )
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

    def aic(self) -> jax.Array:
        """Akaike's criterion, lower is better, shape (...,); NaN if the fit is not at a maximum."""
        return inference.aic(self._at_maximum(self.log_likelihood), self._n_parameters())

    def bic(self) -> jax.Array:
        """Schwarz's criterion, lower is better, shape (...,); NaN if not at a maximum."""
        return inference.bic(
            self._at_maximum(self.log_likelihood), self._n_parameters(), self._total()
        )

    def icl(
        self, data: ArrayLike, *, counts: ArrayLike | None = None, **interval_options: Any
    ) -> jax.Array:
        """Integrated completed likelihood: BIC, with a penalty for components that overlap.

        Parameters
        ----------
        data, counts : array-like
            What was fitted.
        **interval_options
            The interval options that `fit` was given.

        Returns
        -------
        array, shape (...,)
            Lower is better. NaN if the fit is not at a maximum.
        """
        given = self._fitted("icl", data, counts, interval_options)
        criterion: jax.Array = (
            given.icl(self.bic(), self.mixture)
            if isinstance(given, IntervalValues)
            else given.map_fits(inference.icl, self.bic(), self.mixture)
        )
        return criterion

    def bimodality_index(self) -> jax.Array:
        """Wang's bimodality index, which is defined on the fit with equal variances.

        Returns
        -------
        array, shape (...,)
            NaN if the fit is not at a maximum. Wang and others call a gene bimodal from 1.1 on.

        Raises
        ------
        ValueError
            If the variances are free.
        """
        if not self.equal_variances:
            raise ValueError(
                "the bimodality index is defined on the fit with equal variances: fit with "
                "equal_variances=True, or take the field `equal` of a comparison."
            )
        index: jax.Array = self._at_maximum(inference.bimodality_index(self.mixture))
        return index

    def delta_bic(self) -> jax.Array:
        """BIC of one component minus BIC of two: positive favours two.

        Returns
        -------
        array, shape (...,)
            NaN if the fit of two components is not at a maximum. Above 10 the evidence is called
            very strong (Kass and Raftery, J. Amer. Statist. Assoc. 90 (1995) 773-795).
        """
        one = inference.bic(self.one_component.log_likelihood, 2, self._total())
        difference: jax.Array = one - self.bic()
        return difference

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

    def modes(self) -> Modes:
        """Number and places of the modes of the density, exactly."""
        return inference.modes(self.mixture)

    def n_modes(self) -> jax.Array:
        """Number of modes of the density, 1 or 2, shape (...,); 0 where there is no fit."""
        return self.modes().count

    def ashman_d(self) -> jax.Array:
        """Ashman's D, the distance of the means in standard deviations, shape (...,).

        Above 2 the components count as clearly separated.
        """
        return inference.ashman_d(self.mixture)

    def log_density(self, x: ArrayLike, **interval_options: Any) -> Any:
        """Log-density of points, in nats; of intervals the logarithm of their probability.

        Parameters
        ----------
        x : array-like
            Points in the form of the data, or `(n,)` for all fits.
        **interval_options
            If `x` are intervals, or lie in a window, what says so, as to `fit`.

        Returns
        -------
        array or list of arrays, of the form of `x`
        """
        if intervals_are_given(interval_options):
            given = self._intervals("log_density", x, None, interval_options)
            return self._named(x, given.log_probability(self.mixture))
        return self._each(inference.log_density, x)

    def cdf(self, x: ArrayLike) -> Any:
        """Cumulative distribution function; at the data, the probability integral transform.

        Parameters
        ----------
        x : array-like
            Points in the form of the data, or `(n,)` for all fits.

        Returns
        -------
        array or list of arrays, of the form of `x`
            If the mixture is right, its values at the data are uniform on (0, 1).
        """
        return self._each(inference.cdf, x)

    def quantile(self, probabilities: ArrayLike) -> jax.Array:
        """Quantiles of each mixture.

        Parameters
        ----------
        probabilities : float or array-like, shape (m,)
            Between 0 and 1.

        Returns
        -------
        array, shape (...,) or (..., m)
        """
        asked = np.asarray(real_array(probabilities, "probabilities"))
        found = inference.quantile(self.mixture, np.atleast_1d(asked))
        return found[..., 0] if asked.ndim == 0 else found

    def responsibilities(
        self, x: ArrayLike, *, monotone: bool = False, **interval_options: Any
    ) -> Any:
        r"""Posterior probabilities of the components.

        Of an interval :math:`\gamma_k=\pi_kP_k/\sum_j\pi_jP_j`, with its probabilities
        :math:`P_k`.

        Parameters
        ----------
        x : array-like
            Points in the form of the data, or `(n,)` for all fits.
        monotone : bool
            Whether the posterior of the upper component may never fall as x rises; of points.
        **interval_options
            If `x` are intervals, what says so: `resolution`, `limits` or `upper`, as to `fit`.

        Returns
        -------
        array or list of arrays, of the form of `x` with a last axis of length 2
            NaN where `x` is.
        """
        if intervals_are_given(interval_options):
            if monotone:
                raise ValueError("`monotone` goes with points; an interval has one posterior.")
            given = self._intervals("responsibilities", x, None, interval_options)
            return self._named(x, given.responsibilities(self.mixture))
        posterior = inference.monotone_responsibilities if monotone else inference.responsibilities
        return self._each(posterior, x)

    def predict(self, x: ArrayLike, *, monotone: bool = False, **interval_options: Any) -> Any:
        """Label each value with its more probable component: 0 for the lower mean, 1 the upper.

        Parameters
        ----------
        x : array-like
            Points in the form of the data, or `(n,)` for all fits.
        monotone : bool
            Whether the posterior of the upper component may never fall as x rises.
        **interval_options
            As for `responsibilities`.

        Returns
        -------
        array of int or list of them, of the form of `x`
            -1 where `x` is NaN, or nothing was fitted.
        """

        def label(posterior: ArrayLike) -> Any:
            upper = np.asarray(posterior)[..., 1]
            return np.where(np.isnan(upper), -1, upper > 0.5)

        posterior = self.responsibilities(x, monotone=monotone, **interval_options)
        if isinstance(posterior, dict):
            return {name: label(each) for name, each in posterior.items()}
        return (
            [label(each) for each in posterior] if isinstance(posterior, list) else label(posterior)
        )

    def sample(self, key: jax.Array | int, n: int) -> jax.Array:
        """Draw `n` points from each mixture, shape (..., n); `key` is a JAX key or a seed."""
        return self.mixture.sample(key, n)

    def kolmogorov_distance(
        self, data: ArrayLike, *, counts: ArrayLike | None = None, **interval_options: Any
    ) -> jax.Array:
        """Largest distance between the distribution functions of the data and of the fit.

        Of intervals the least that it can be, wherever in them the values lie; in a window, of
        what the mixture says inside.

        Parameters
        ----------
        data, counts : array-like
            What was fitted.
        **interval_options
            The interval options that `fit` was given.

        Returns
        -------
        array, shape (...,)
        """
        given = self._fitted("kolmogorov_distance", data, counts, interval_options)
        distance: jax.Array = (
            given.kolmogorov_distance(self.mixture)
            if isinstance(given, IntervalValues)
            else given.map_fits(inference.kolmogorov_distance, self.mixture)
        )
        return distance

    def remarks(
        self,
        data: ArrayLike | None = None,
        *,
        counts: ArrayLike | None = None,
        **interval_options: Any,
    ) -> list[Any]:
        """Return remarks on a fit, as sentences.

        A remark says that another maximum is higher; and with the data, that they lie on a grid,
        that a component is narrower than the step between values, or that neither one Gaussian nor
        two describe them.

        Parameters
        ----------
        data, counts : array-like, optional
            What was fitted.
        **interval_options
            The interval options that `fit` was given.

        Returns
        -------
        list of str, or for a batch a list of them for each fit

        Examples
        --------
        >>> import mog_jax
        >>> mog_jax.fit([1.0, 2, 3, 4, 5], counts=[80, 12, 10, 30, 110]).remarks()
        ['a maximum 537 nats higher has a component of 110 points, tied or close together: it is
        not the answer']
        """
        if data is None:
            return remarks_of(self, None)
        return remarks_of(self, self._fitted("remarks", data, counts, interval_options))

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
        rows, times = in_order(self.names, data, "data"), in_order(self.names, counts, "counts")
        own = {name: in_order(self.names, word, name) for name, word in interval_options.items()}
        return read_interval_values(rows, np.shape(self.n_points), times, own, function)

    def _points(self, data: ArrayLike, counts: ArrayLike | None = None) -> Points:
        rows, times = in_order(self.names, data, "data"), in_order(self.names, counts, "counts")
        return read_points(rows, np.shape(self.n_points), times)

    def _each(self, function: Callable[[Mixture, ArrayLike], jax.Array], x: ArrayLike) -> Any:
        return self._named(x, self._points(x).map_points(function, self.mixture))

    def _named(self, x: Any, found: Any) -> Any:
        """Return the results by the names of the datasets, if the data were a mapping."""
        return dict(zip(self.names, found, strict=True)) if isinstance(x, Mapping) else found

    def _total(self) -> Any:
        """Sum of the counts, in the precision of the fit, so that results have it as well."""
        return np.asarray(self.n_points, np.asarray(self.log_likelihood).dtype)

    def _n_parameters(self) -> Any:
        fixed = np.asarray(self.fixed)
        if self.equal_variances:
            fixed = fixed[..., :4]
        # An atom's variance is that of the floor: it is not estimated.
        n_fixed = fixed.sum(axis=-1) + self._is_on_atom()
        return inference.n_parameters(equal_variances=self.equal_variances, n_fixed=n_fixed)

    def _is_on_atom(self) -> Any:
        return np.asarray(self.status_name) == "atom"

    def _held(self) -> Any:
        """Which coordinates are known: those that are fixed, and an atom's mean and variance."""
        variances = np.asarray(self.mixture.variances)
        narrower = np.stack(
            [variances[..., 0] <= variances[..., 1], variances[..., 0] > variances[..., 1]], axis=-1
        )
        nothing = np.zeros((*narrower.shape[:-1], 1), bool)
        own = np.concatenate([nothing, narrower, narrower], axis=-1)
        return np.asarray(self.fixed) | (own & self._is_on_atom()[..., None])

    def _at_maximum(self, values: ArrayLike) -> Any:
        """Return the values, with NaN for the fits that are not at a maximum."""
        # If the components coincide, the likelihood has its maximum on a ridge.
        known = np.isin(self.reason, _DELTA_BIC_STANDS)
        array = np.asarray(values)
        return np.where(known, array, np.nan).astype(array.dtype)[()]
