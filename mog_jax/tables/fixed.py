"""Parameters that are fixed, for all groups or for each, such as those of controls."""

from collections.abc import Mapping

from mog_jax.parameter_names import PARAMETERS, out_of_range
from mog_jax.tables.errors import TableError, no_such


def check_fixed(fixed: Mapping[str, float | str] | None) -> dict[str, float | str]:
    """Return what is fixed: a number for all groups, or the column that has one for each.

    Raises
    ------
    TableError
        If there is no such parameter, or a number is out of its range.
    """
    if not isinstance(fixed, Mapping | None):
        raise TableError(
            "`fixed` must map names to numbers or columns, as in {'mean_1': 0.0}; got "
            f"{type(fixed).__name__}."
        )
    checked: dict[str, float | str] = {}
    for name, value in (fixed or {}).items():
        if name not in PARAMETERS:
            raise no_such("parameter", name, PARAMETERS, source="`fixed`")
        checked[name] = value if isinstance(value, str) else float(value)
        if not isinstance(value, str) and (wrong := out_of_range(name, value, value)):
            raise TableError(f"fixed {name} must be {wrong}; got {value:g}.")
    if {"weight_1", "weight_2"} <= set(checked):
        raise TableError("fix one of the weights: the other is 1 minus it.")
    return checked


def columns_of(fixed: Mapping[str, float | str]) -> dict[str, str]:
    """Return the parameters that have a value for each group, and the columns that hold them."""
    return {name: value for name, value in fixed.items() if isinstance(value, str)}
