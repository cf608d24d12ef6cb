"""Defines the methods of `Fit`: each calls a pure function of `mog_jax.inference`."""

from typing import Any

from numpy.typing import ArrayLike

from mog_jax.fitting.results.criteria import FitCriteria
from mog_jax.fitting.results.distribution import FitDistribution
from mog_jax.fitting.results.remarks import remarks_of
from mog_jax.fitting.results.uncertainty import FitUncertainty


class FitMethods(FitUncertainty, FitCriteria, FitDistribution):
    """The methods of a fit; the fields are declared in `Fit`."""

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
