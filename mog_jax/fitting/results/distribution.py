"""The methods of a fit that ask its mixture: densities, posteriors, labels, shape, distance."""

from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from mog_jax import inference
from mog_jax.array_like import real_array
from mog_jax.fitting.options import intervals_are_given
from mog_jax.fitting.results.fitted_data import FittedData
from mog_jax.inference import Modes


class FitDistribution(FittedData):
    """The fitted mixture as a distribution, at points or at the data."""

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
        distance: jax.Array = given.kolmogorov_distance(self.mixture)
        return distance
