"""Parameters that are known beforehand, of all groups or of each, such as those of controls."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mog_jax.tables.errors import TableError, no_such

Array = np.ndarray[Any, Any]

# As the columns of the answer are called.
PARAMETERS = ("weight_1", "weight_2", "mean_1", "mean_2", "sd_1", "sd_2")


def check_fixed(fixed: Mapping[str, float | str] | None) -> dict[str, float | str]:
    """Give what is fixed: a number for all groups, or the column that has one for each.

    Raises
    ------
    TableError
        If there is no such parameter, or a number is out of its range.
    """
    checked: dict[str, float | str] = {}
    for name, value in (fixed or {}).items():
        if name not in PARAMETERS:
            raise no_such("parameter", name, PARAMETERS, source="`fixed`")
        checked[name] = value if isinstance(value, str) else float(value)
        if not isinstance(value, str) and (wrong := out_of_range(name, value, value)):
            raise TableError(f"fixed {name} must be {wrong}; got {value:g}.")
    if {"weight_1", "weight_2"} <= set(checked):
        raise TableError("fix one of the weights: it settles the other.")
    return checked


def columns_of(fixed: Mapping[str, float | str]) -> dict[str, str]:
    """Give the parameters that have a value for each group, and the columns that hold them."""
    return {name: value for name, value in fixed.items() if isinstance(value, str)}


def out_of_range(name: str, lowest: float, highest: float) -> str:
    """Say what a parameter must be, if the range from `lowest` to `highest` is not that."""
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        return "finite"
    if name.startswith("weight") and not 0 < lowest <= highest < 1:
        return "between 0 and 1"
    if name.startswith("sd") and lowest <= 0:
        return "positive"
    return ""


def as_mixture(fixed: Mapping[str, float | Array], n_groups: int) -> Any:
    """Give what `mog_jax.fit` takes: a `Mixture` of shape (b, 2), NaN where free."""
    from mog_jax.mixture import Mixture

    def pair(name: str) -> Any:
        held = np.full((n_groups, 2), np.nan)
        for k in (0, 1):
            held[:, k] = fixed.get(f"{name}_{k + 1}", np.nan)
        return held

    return Mixture(weights=pair("weight"), means=pair("mean"), variances=np.square(pair("sd")))
