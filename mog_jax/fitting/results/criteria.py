"""The methods of a fit that judge two components against one: AIC, BIC, ICL, indices."""

from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from mog_jax import inference
from mog_jax.fitting.results.fitted_data import FittedData

# Reasons with which the likelihood has a maximum, if only on a ridge.
_DELTA_BIC_STANDS = [
    inference.Reason.KNOWN,
    inference.Reason.SINGULAR,
    inference.Reason.BELOW_RESOLUTION,
]


class FitCriteria(FittedData):
    """Criteria of the fit: NaN where it is not at a maximum."""

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
        criterion: jax.Array = given.icl(self.bic(), self.mixture)
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

    def _at_maximum(self, values: ArrayLike) -> Any:
        """Return the values, with NaN for the fits that are not at a maximum."""
        # If the components coincide, the likelihood has its maximum on a ridge.
        known = np.isin(self.reason, _DELTA_BIC_STANDS)
        array = np.asarray(values)
        return np.where(known, array, np.nan).astype(array.dtype)[()]
