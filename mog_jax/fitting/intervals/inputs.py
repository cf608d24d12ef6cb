"""Reads data whose values are intervals, as resolution, limits, upper ends or a window say."""

import itertools
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mog_jax.array_like import real_array
from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.data.inputs import Source, read
from mog_jax.fitting.intervals.observations import Observed

# A value farther from the grid than this share of a step is off it; a warning is given if more than
# this share of the values is.
_OFF_GRID, _SHARE_OFF_GRID = 0.1, 0.1


class Words(NamedTuple):
    """The arguments that say the values are intervals, as they were given; None if not given.

    Attributes
    ----------
    upper : in the form of the data
        Upper ends of intervals whose lower ends are the data.
    resolution : number, or one for each dataset
        The step to which the values were rounded.
    limits : pair of them or None
        Limits of detection: a value at a limit or beyond is censored there.
    window : pair of them or None
        Range outside which values were not recorded.
    """

    upper: Any = None
    resolution: Any = None
    limits: Any = None
    window: Any = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Words":
        """Return these arguments among options of `fit`."""
        return cls(**{name: options[name] for name in cls._fields if name in options})

    @property
    def are_given(self) -> bool:
        """Whether any of them is given."""
        return any(word is not None for word in self)


def read_intervals(data: Any, counts: Any, words: Words) -> tuple[Source, list[Observed], Array]:
    """Validate data and words, and return the distinct intervals of each dataset.

    Returns
    -------
    source : Source
        The data as they were given.
    datasets : list of Observed
        The distinct intervals.
    is_finite : array of bool, shape (b,)
        False for a dataset with an infinite value that neither a limit nor an interval explains.

    Raises
    ------
    ValueError
        If an argument has a wrong value, or does not agree with another one or with the data.
    """
    _refuse_combinations(words)
    source = read(data, counts)
    b = len(source)
    lengths = source.lengths(np.arange(b)).astype(np.int64)
    row = np.repeat(np.arange(b), lengths)
    x = source.values.reshape(-1).astype(np.float64)
    times = np.ones(x.size) if source.counts is None else source.counts.reshape(-1)
    place = np.arange(x.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    names = _Names(source, row, place)
    if words.upper is not None:
        centre, half_width, missing = _from_ends(x, _read_upper(words.upper, source), names)
    else:
        missing = np.isnan(x)
        centre, half_width = _from_values(x, row, words, b)
    is_finite = np.isfinite(centre) | missing
    if words.window is not None:
        low, high = pair_of_each("window", words.window, b)
        at_value = x if words.upper is None else centre
        _refuse_outside(x, at_value, low[row], high[row], names, missing)
    datasets = _distinct(row, centre, half_width, np.where(missing | ~is_finite, 0, times), b)
    n_missing = np.bincount(row, missing, minlength=b)
    datasets = [
        one._replace(n_missing=int(number)) for one, number in zip(datasets, n_missing, strict=True)
    ]
    if words.window is not None:
        datasets = [_seen_through(*each) for each in zip(datasets, low, high, strict=True)]
    finite = np.bincount(row, ~is_finite, minlength=b) == 0
    return source, datasets, finite


def _refuse_combinations(words: Words) -> None:
    for name in ("resolution", "limits"):
        if words.upper is not None and getattr(words, name) is not None:
            raise ValueError(
                f"`{name}` and `upper` exclude each other: with `upper` each value is an interval "
                "of its own; a half-line has an infinite end."
            )


class _Names(NamedTuple):
    """Names of values for messages."""

    source: Source
    row: Array
    place: Array

    def of(self, name: str, at: int) -> str:
        """Return the name of a value, such as ``data[3][0]``."""
        if self.source.is_single:
            return f"{name}[{self.place[at]}]"
        own: Any = int(self.row[at])
        if self.source.names is not None:
            own = repr(str(self.source.names[own]))
        return f"{name}[{own}][{self.place[at]}]"


def _read_upper(upper: Any, source: Source) -> Array:
    try:
        ends = read(upper, None)
    except ValueError as error:
        text = str(error).replace("`data`", "`upper`").replace("data[", "upper[")
        raise ValueError(text) from None
    alike = ends.is_single == source.is_single and len(ends) == len(source)
    index = np.arange(len(source))
    if not (alike and np.array_equal(ends.lengths(index), source.lengths(index))):
        raise ValueError("`upper` must have the form and shape of `data`: an end for each value.")
    if source.names is not None:
        if ends.names is None or set(ends.names) != set(source.names):
            raise ValueError("`upper` must be a mapping with the names of `data`.")
        if list(ends.names) != list(source.names):
            raise ValueError("`upper` must name the datasets in the order of `data`.")
    values: Array = ends.values.reshape(-1).astype(np.float64)
    return values


def _from_ends(low: Array, high: Array, names: _Names) -> tuple[Array, Array, Array]:
    one_missing = np.isnan(low) != np.isnan(high)
    if one_missing.any():
        at = int(np.argmax(one_missing))
        raise ValueError(
            f"an interval must not have NaN at one end only: got {names.of('data', at)} = "
            f"{low[at]} and {names.of('upper', at)} = {high[at]}. An open end is infinite; a "
            "missing value is NaN at both."
        )
    wrong = low > high
    wrong |= (low == high) & np.isinf(low)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"`upper` must not be below `data`, nor both at one infinity; got "
            f"{names.of('data', at)} = {low[at]} and {names.of('upper', at)} = {high[at]}."
        )
    # An interval open at both ends carries no information: it is a missing value.
    missing = np.isnan(low) | (np.isinf(low) & np.isinf(high))
    with np.errstate(invalid="ignore", over="ignore"):
        middle = np.where(
            np.isinf(low), high, np.where(np.isinf(high), low, 0.5 * low + 0.5 * high)
        )
        half = np.where(
            np.isinf(low), -np.inf, np.where(np.isinf(high), np.inf, 0.5 * (high - low))
        )
    return middle, half, missing


def _from_values(x: Array, row: Array, words: Words, b: int) -> tuple[Array, Array]:
    half_width = np.zeros(x.size)
    centre = x.copy()
    inside = np.isfinite(x)
    if words.limits is not None:
        low, high = pair_of_each("limits", words.limits, b)
        below, above = x <= low[row], x >= high[row]
        centre = np.where(below, low[row], np.where(above, high[row], x))
        inside &= ~below & ~above
    if words.resolution is not None:
        step = of_each_dataset("resolution", words.resolution, b)
        if np.any(~(step > 0) | np.isinf(step)):
            wrong = step[np.argmax(~(step > 0) | np.isinf(step))]
            raise ValueError(
                f"`resolution` must be positive: the step to which values were rounded; got "
                f"{wrong}. Exact values need none."
            )
        _check_grid(x[inside], row[inside], step, b)
        half_width = 0.5 * step[row]
    if words.limits is not None:
        half_width = np.where(below, -np.inf, np.where(above, np.inf, half_width))
    return centre, half_width


def _check_grid(x: Array, row: Array, step: Array, b: int) -> None:
    """Refuse a step that is coarser than the range of all datasets; warn of values off the grid."""
    low, high = np.full(b, np.inf), np.full(b, -np.inf)
    np.minimum.at(low, row, x)
    np.maximum.at(high, row, x)
    varies = high > low
    with np.errstate(invalid="ignore"):
        coarse = varies & (step > high - low)
    if varies.any() and coarse[varies].all():
        at = int(np.argmax(coarse))
        raise ValueError(
            f"`resolution` is coarser than the data: a step of {step[at]:g}, and values from "
            f"{low[at]:g} to {high[at]:g}. It is in the unit of the data."
        )
    with np.errstate(over="ignore", invalid="ignore"):
        steps = (x - low[row]) / step[row]
        off = np.abs(steps - np.rint(steps)) > _OFF_GRID
    share = np.bincount(row, off, minlength=b) / np.maximum(np.bincount(row, minlength=b), 1)
    some = np.flatnonzero(share > _SHARE_OFF_GRID)
    if some.size:
        where = (
            ""
            if b == 1
            else f" of dataset {some[0]}"
            + (f" and {some.size - 1} others" if some.size > 1 else "")
        )
        warnings.warn(
            f"{share[some[0]]:.0%} of the values{where} do not lie on a grid of "
            f"{step[some[0]]:g}, the `resolution`: their intervals overlap.",
            OffGridWarning,
            stacklevel=5,
        )


class OffGridWarning(UserWarning):
    """Values do not lie on the grid that `resolution` gives."""


def of_each_dataset(name: str, value: Any, b: int) -> Array:
    """Return a number for each dataset, shape (b,), from one for all or one for each."""
    try:
        found = np.asarray(real_array(value, name), np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"`{name}` must be a number, or one for each dataset; got {value!r}."
        ) from None
    if found.shape not in ((), (b,)):
        raise ValueError(
            f"`{name}` must be a number, or one for each dataset, shape ({b},); got shape "
            f"{found.shape}."
        )
    return np.broadcast_to(found, (b,))


def pair_of_each(name: str, value: Any, b: int) -> tuple[Array, Array]:
    """Return lower and upper ends for each dataset, shape (b,) each, infinite if not given."""
    if not isinstance(value, list | tuple | np.ndarray) or len(value) != 2:
        raise ValueError(
            f"`{name}` must be a pair, lower and upper, of which one may be None; got {value!r}."
        )
    ends = []
    for end, nothing in zip(value, (-np.inf, np.inf), strict=True):
        ends.append(of_each_dataset(name, nothing if end is None else end, b))
    low, high = ends
    if np.isnan(low).any() or np.isnan(high).any():
        raise ValueError(f"`{name}` must not be NaN; None is no limit. Got {value!r}.")
    if np.any(low >= high):
        at = int(np.argmax(low >= high))
        raise ValueError(
            f"`{name}` must be in order, the lower one below the upper one; got ({low[at]:g}, "
            f"{high[at]:g})."
        )
    if np.isinf(low).all() and np.isinf(high).all():
        raise ValueError(f"`{name}` must have at least one end that is a number; got {value!r}.")
    return low, high


def _refuse_outside(
    x: Array, at_value: Array, low: Array, high: Array, names: _Names, missing: Array
) -> None:
    outside = ~missing & ((at_value < low) | (at_value > high))
    if outside.any():
        at = int(np.argmax(outside))
        raise ValueError(
            f"`window` says that nothing outside of {low[at]:g} to {high[at]:g} was recorded; got "
            f"{names.of('data', at)} = {x[at]:g}."
        )


def _distinct(row: Array, centre: Array, half_width: Array, times: Array, b: int) -> list[Observed]:
    """Return the distinct intervals of each dataset, in order, with the counts of repeats."""
    some = np.flatnonzero(times > 0)
    order = some[np.lexsort((half_width[some], centre[some], row[some]))]
    keys = row[order], centre[order], half_width[order]
    is_new = np.ones(order.size, bool)
    if order.size:
        is_new[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    first = np.flatnonzero(is_new)
    counts = np.add.reduceat(times[order], first) if first.size else np.zeros(0)
    edges = np.searchsorted(keys[0][first], np.arange(b + 1))
    middles, halves = keys[1][first], keys[2][first]
    datasets = []
    for begin, end in itertools.pairwise(edges):
        own = slice(begin, end)
        datasets.append(
            Observed(middles[own], halves[own], counts[own], float(counts[own].sum()), 0)
        )
    return datasets


def _seen_through(one: Observed, low: float, high: float) -> Observed:
    """Add the window as an interval with a negative count: minus the number of values."""
    if np.isinf(low):
        centre, half = high, -np.inf
    elif np.isinf(high):
        centre, half = low, np.inf
    else:
        centre, half = 0.5 * low + 0.5 * high, 0.5 * (high - low)
    return one._replace(
        centre=np.append(one.centre, centre),
        half_width=np.append(one.half_width, half),
        counts=np.append(one.counts, -one.total),
    )
