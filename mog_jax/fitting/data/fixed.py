"""Reads fixed parameters: a mapping by name or a mixture, for all datasets or for each."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mog_jax.array_like import real_array
from mog_jax.arrays import Array
from mog_jax.mixture import Mixture
from mog_jax.parameter_names import PARAMETERS, out_of_range
from mog_jax.suggestions import did_you_mean

# A fixed mean may be this many standard deviations of the data away from them, and a fixed standard
# deviation this many times smaller or larger: single precision can hold the fourth power.
_FARTHEST = 1e6


def is_near_data(theta: Array) -> Array:
    """Return for which datasets the fixed values are in range.

    Parameters
    ----------
    theta : array, shape (5, b)
        Coordinates on the data's standard scale, NaN where free.

    Returns
    -------
    array of bool, shape (b,)
    """
    far = ~(np.abs(theta[1:3]) <= _FARTHEST)
    wide = ~(np.abs(theta[3:]) <= 2 * np.log(_FARTHEST))
    near: Array = ~((far & ~np.isnan(theta[1:3])) | (wide & ~np.isnan(theta[3:]))).any(axis=0)
    return near & ~np.isinf(theta[0])


def read_fixed(
    fixed: Mixture | Mapping[str, ArrayLike] | None, b: int, *, equal_variances: bool
) -> Mixture:
    """Validate the fixed parameters of `b` datasets.

    Returns
    -------
    Mixture, shape (b, 2)
        Fixed values, NaN where free.

    Raises
    ------
    ValueError
        If a parameter does not exist, or a value has a wrong type, shape or range.
    """
    if isinstance(fixed, Mixture):
        fixed = _by_name(fixed, b)
    if not isinstance(fixed, Mapping | None):
        raise ValueError(
            "`fixed` must be a Mixture, NaN where free, or map names to values, as in "
            f"{{'mean_1': 0.0, 'sd_1': 1.0}}; got {type(fixed).__name__}."
        )
    pairs: dict[str, Array] = {name: np.full((b, 2), np.nan) for name in ("weight", "mean", "sd")}
    for name, value in (fixed or {}).items():
        of_each = _of_each(name, value, b)
        kind, k = name.split("_")
        pairs[kind][:, int(k) - 1] = of_each
    weights = pairs["weight"]
    if np.any(np.abs(weights.sum(axis=1) - 1) > 1e-8):
        raise ValueError("`fixed` weights must sum to 1: fix one of them, it determines the other.")
    if equal_variances and not np.isnan(pairs["sd"]).all():
        raise ValueError("a fixed sd and `equal_variances=True` exclude each other.")
    # A missing weight is one minus the other.
    weights = np.where(np.isnan(weights), 1 - weights[:, ::-1], weights)
    # A variance that underflows or overflows gives its dataset the status OUT_OF_RANGE.
    with np.errstate(over="ignore", under="ignore"):
        variances = np.square(pairs["sd"])
    return Mixture(weights=weights, means=pairs["mean"], variances=variances)


def _by_name(fixed: Mixture, b: int) -> dict[str, ArrayLike]:
    fields: dict[str, Array] = {}
    for name in ("weights", "means", "variances"):
        value = np.asarray(real_array(getattr(fixed, name), f"fixed.{name}"))
        if value.shape not in ((2,), (b, 2)):
            raise ValueError(
                f"`fixed` must have fields of shape (2,) or ({b}, 2); got {name} of shape "
                f"{value.shape}."
            )
        fields[name] = value.astype(np.float64)
    if np.any(fields["variances"] <= 0):
        raise ValueError("`fixed` variances must be positive.")
    columns = {
        "weight": fields["weights"],
        "mean": fields["means"],
        "sd": np.sqrt(fields["variances"]),
    }
    return {f"{name}_{k + 1}": both[..., k] for name, both in columns.items() for k in (0, 1)}


def _of_each(name: Any, value: Any, b: int) -> Array:
    if name not in PARAMETERS:
        hint = did_you_mean(name, PARAMETERS)
        raise ValueError(
            f"`fixed` must name parameters, {', '.join(PARAMETERS)}; got {name!r}{hint}"
        )
    try:
        values = np.asarray(real_array(value, name))
    except ValueError:
        values = np.zeros((), bool)
    if values.dtype == bool:
        raise ValueError(f"`fixed` must hold real numbers; got {name} = {value!r}.")
    if values.shape not in ((), (b,)):
        raise ValueError(
            f"`fixed` must hold a number, or one for each dataset, shape ({b},); got {name} of "
            f"shape {values.shape}."
        )
    values = values.astype(np.float64)
    known = values[~np.isnan(values)]
    for extreme in (known.min(), known.max()) if known.size else ():
        if wrong := out_of_range(name, extreme, extreme):
            raise ValueError(f"`fixed` {name} must be {wrong}; got {extreme:g}.")
    return values
