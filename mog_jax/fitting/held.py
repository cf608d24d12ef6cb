"""What is known beforehand and held: given by name, for all datasets or for each."""

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mog_jax.fitting.reading import Array
from mog_jax.mixture import Mixture
from mog_jax.parameters import PARAMETERS, out_of_range


def read_held(fixed: Mapping[str, ArrayLike] | None, b: int, *, equal_variances: bool) -> Mixture:
    """Validate what is fixed of `b` datasets.

    Returns
    -------
    Mixture, shape (b, 2)
        NaN where free.

    Raises
    ------
    ValueError
        If there is no such parameter, or a value is of a wrong kind, shape or range.
    """
    if not isinstance(fixed, Mapping | None):
        raise ValueError(
            "`fixed` must map names to values, as in {'mean_1': 0.0, 'sd_1': 1.0}; got "
            f"{type(fixed).__name__}."
        )
    fixed = fixed or {}
    pairs: dict[str, Array] = {name: np.full((b, 2), np.nan) for name in ("weight", "mean", "sd")}
    for name, value in fixed.items():
        of_each = _of_each(name, value, b)
        kind, k = name.split("_")
        pairs[kind][:, int(k) - 1] = of_each
    if {"weight_1", "weight_2"} <= set(fixed):
        raise ValueError("`fixed` must hold one of the weights: it settles the other.")
    if equal_variances and not {"sd_1", "sd_2"}.isdisjoint(fixed):
        raise ValueError("a fixed sd and `equal_variances=True` exclude each other.")
    # One weight is what the other leaves.
    weights = pairs["weight"]
    weights = np.where(np.isnan(weights), 1 - weights[:, ::-1], weights)
    return Mixture(weights=weights, means=pairs["mean"], variances=np.square(pairs["sd"]))


def _of_each(name: Any, value: Any, b: int) -> Array:
    if name not in PARAMETERS:
        near = difflib.get_close_matches(str(name), PARAMETERS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(
            f"`fixed` must name parameters, {', '.join(PARAMETERS)}; got {name!r}{hint}"
        )
    values = np.asarray(value)
    if values.dtype.kind not in "fiu":
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
