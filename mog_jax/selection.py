"""One component, two with equal variances, or two with free ones: the lowest BIC is chosen."""

import dataclasses
import enum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mog_jax.fitting import Fit, OneComponent, Ragged, fit
from mog_jax.fitting.options import options_of
from mog_jax.inference import bic
from mog_jax.mixture import Mixture


class Model(enum.IntEnum):
    """The models that are compared, in the order of their number of parameters."""

    NONE = -1
    ONE = 0
    EQUAL = 1
    FREE = 2


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """Three models of the same data, side by side.

    Parameters
    ----------
    one : OneComponent, shape (...,)
        A single Gaussian: 2 parameters.
    equal : Fit, shape (...,)
        Two components with equal variances: 4 parameters.
    free : Fit, shape (...,)
        Two components with a variance each: 5 parameters.
    bic : array, shape (..., 3)
        Of the three, in this order. NaN where a model has no regular maximum.
    best : array of int, shape (...,)
        The `Model` with the lowest BIC; `NONE` where nothing could be fitted.
    """

    one: OneComponent
    equal: Fit
    free: Fit
    bic: np.ndarray[Any, Any]
    best: np.ndarray[Any, Any]

    @property
    def two(self) -> Mixture:
        """The better of the two mixtures of two, whether or not one component is better still."""
        is_equal = np.nan_to_num(self.bic[..., 1], nan=np.inf) <= np.nan_to_num(
            self.bic[..., 2], nan=np.inf
        )
        fields: dict[str, Any] = {
            name: np.where(
                is_equal[..., None],
                np.asarray(getattr(self.equal.mixture, name)),
                np.asarray(getattr(self.free.mixture, name)),
            )
            for name in ("weights", "means", "variances")
        }
        return Mixture(**fields)

    def delta_bic(self) -> np.ndarray[Any, Any]:
        """BIC of one component minus that of the better two, shape (...,): positive favours two."""
        two = np.fmin(self.bic[..., 1], self.bic[..., 2])
        difference: np.ndarray[Any, Any] = self.bic[..., 0] - two
        return difference

    def __repr__(self) -> str:
        best = np.asarray(self.best)
        if best.ndim == 0:
            shown = ", ".join(
                f"{model.name.lower()} {value:.2f}"
                for model, value in zip(list(Model)[1:], self.bic, strict=True)
            )
            return f"Comparison(best {Model(int(best)).name.lower()}; BIC: {shown})"
        numbers = ", ".join(
            f"{int((best == model).sum())} {model.name.lower()}"
            for model in Model
            if (best == model).any()
        )
        return f"Comparison of {best.size} datasets: {numbers}"


def compare(
    data: ArrayLike | Ragged, *, counts: ArrayLike | Ragged | None = None, **options: Any
) -> Comparison:
    """Fit one component, two with equal variances and two with free ones, and compare their BIC.

    Parameters
    ----------
    data, counts : as for :func:`mog_jax.fit`
        One dataset, or many.
    **options
        Further arguments of :func:`mog_jax.fit`; not `equal_variances`.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If an argument has a wrong value.

    Accuracy
    --------
    BIC to nine digits of published fits. Measured by ``tests/test_selection.py``; whether the
    maxima are the highest, by the tests of :func:`mog_jax.fit`.

    Examples
    --------
    >>> import mog_jax
    >>> mog_jax.compare(mog_jax.datasets.faithful())
    Comparison(best equal; BIC: one 2201.79, equal 2090.43, free 2096.03)
    """
    if "equal_variances" in options:
        raise ValueError("`equal_variances` cannot be chosen: both are compared.")
    options_of("compare", options)
    free = fit(data, counts=counts, **options)
    equal = fit(data, counts=counts, equal_variances=True, **options)
    one = bic(free.one_component.log_likelihood, 2, free.n_points)
    values = np.stack([np.asarray(one), np.asarray(equal.bic()), np.asarray(free.bic())], axis=-1)
    ordered = np.nan_to_num(values, nan=np.inf)
    best = np.where(np.isnan(values).all(axis=-1), int(Model.NONE), np.argmin(ordered, axis=-1))
    return Comparison(one=free.one_component, equal=equal, free=free, bic=values, best=best[()])
