"""Options that make the values of a table intervals: numbers for all rows, or columns."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.data.interval_options import IntervalOptions, of_each_dataset, pair_of_each
from mog_jax.tables.errors import TableError

# What a column may hold, one number for each row; null where nothing is known.
ROLES = ("upper", "resolution", "lower_limit", "upper_limit")
# What such a column is when nothing is known of a row.
_NOTHING = {"upper": np.nan, "resolution": 0.0, "lower_limit": -np.inf, "upper_limit": np.inf}


class TableIntervalOptions(NamedTuple):
    """The interval options of a table, see `fitting.data.interval_options.IntervalOptions`.

    Attributes
    ----------
    columns : dict
        From a role, one of `ROLES`, to the name of the column that holds it.
    numbers : dict
        `resolution`, `limits` and `window`, as far as they are numbers.
    """

    columns: dict[str, str]
    numbers: dict[str, Any]

    @property
    def are_given(self) -> bool:
        """Whether anything is said."""
        return bool(self.columns or self.numbers)

    @classmethod
    def checked(cls, given: Mapping[str, Any]) -> "TableIntervalOptions":
        """Return the interval options among options, before any row is read.

        Raises
        ------
        ValueError
            If one has a wrong value, or does not go with another.
        """
        try:
            return cls._checked(given)
        except TableError:
            raise
        except ValueError as error:
            raise TableError(str(error)) from None

    @classmethod
    def _checked(cls, given: Mapping[str, Any]) -> "TableIntervalOptions":
        said = {
            name: given[name] for name in IntervalOptions._fields if given.get(name) is not None
        }
        columns: dict[str, str] = {}
        numbers: dict[str, Any] = {}
        upper, resolution, limits, window = (said.get(name) for name in IntervalOptions._fields)
        others = [name for name in ("resolution", "limits") if name in said]
        if upper is not None:
            if not isinstance(upper, str):
                raise TableError(f"`upper` must name a column; got {upper!r}.")
            if others:
                raise TableError(f"`{others[0]}` and `upper` exclude each other: `upper` says all.")
            columns["upper"] = upper
        if isinstance(resolution, str):
            columns["resolution"] = resolution
        elif resolution is not None:
            _refuse_step(float(of_each_dataset("resolution", resolution, 1)[0]))
            numbers["resolution"] = resolution
        if limits is not None:
            numbers |= _limits(limits, columns)
        if window is not None:
            pair_of_each("window", window, 1)
            numbers["window"] = list(window)
        return cls(columns, numbers)

    @classmethod
    def of_run(cls, run: Mapping[str, Any]) -> "TableIntervalOptions":
        """Return the interval options of a run from its record."""
        chosen, options = run["columns"], run["options"]
        return cls(
            {role: chosen[role] for role in ROLES if chosen.get(role)},
            {
                name: options[name]
                for name in IntervalOptions._fields
                if options.get(name) is not None
            },
        )

    def as_options(self) -> dict[str, Any]:
        """Return them as options of a fit whose columns are named by their roles."""
        options = dict(self.numbers)
        options |= {name: name for name in ("upper", "resolution") if name in self.columns}
        if self._has_limits:
            options["limits"] = self._limits_or({role: role for role in self.columns})
        return options

    def for_fit(self, rows: Mapping[str, Array], form: Callable[[Array], Any]) -> dict[str, Any]:
        """Return them as `mog_jax.fit` takes them.

        Parameters
        ----------
        rows : mapping
            From each role of `columns` to its numbers, NaN where nothing is known.
        form : callable
            Brings numbers into the form of the data.
        """
        found = dict(self.numbers)
        own = {
            role: form(np.where(np.isnan(rows[role]), _NOTHING[role], rows[role]))
            for role in self.columns
        }
        found |= {name: own[name] for name in ("upper", "resolution") if name in own}
        if self._has_limits:
            found["limits"] = self._limits_or(own)
        return found

    @property
    def _has_limits(self) -> bool:
        return not {"lower_limit", "upper_limit"}.isdisjoint(self.columns)

    def _limits_or(self, own: Mapping[str, Any]) -> tuple[Any, Any]:
        low, high = self.numbers.get("limits") or (None, None)
        return own.get("lower_limit", low), own.get("upper_limit", high)


def refuse_steps(column: str, steps: Array) -> None:
    """Refuse a column of steps that are no steps."""
    wrong = steps[(steps < 0) | np.isinf(steps)]
    if wrong.size:
        raise TableError(
            f"column {column!r} holds the `resolution`, which must be finite and not negative, 0 "
            f"or null for exact values; got {wrong[0]:g}."
        )


def refuse_limits(names: tuple[str, str], low: Array, high: Array) -> None:
    """Refuse limits of which the lower is not the lower one."""
    wrong = low >= high
    if wrong.any():
        at = int(np.argmax(wrong))
        raise TableError(
            f"`limits` must be in order, the lower one below the upper one; got {low[at]:g} "
            f"({names[0]}) and {high[at]:g} ({names[1]}) in one row."
        )


def _refuse_step(step: float) -> None:
    if not 0 < step < np.inf:
        raise TableError(
            f"`resolution` must be positive, the step to which values were rounded, or the name of "
            f"a column; got {step:g}. Exact values need none."
        )


def _limits(limits: Any, columns: dict[str, str]) -> dict[str, Any]:
    """Put limits that are columns into `columns`, and return those that are numbers."""
    if not isinstance(limits, list | tuple) or len(limits) != 2:
        raise TableError(
            "`limits` must be a pair, lower and upper, each a number, a column or None; got "
            f"{limits!r}."
        )
    named = zip(("lower_limit", "upper_limit"), limits, strict=True)
    own = {role: each for role, each in named if isinstance(each, str)}
    columns |= own
    rest = [None if isinstance(each, str) else each for each in limits]
    if own and rest == [None, None]:
        return {}
    pair_of_each("limits", rest, 1)
    return {"limits": rest}
