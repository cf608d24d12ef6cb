"""Options that make values intervals: resolution, limits, upper ends and a window."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mog_jax.array_like import real_array
from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.data.inputs import Datasets, Ragged, read


class IntervalOptions(NamedTuple):
    """The options that say how values were recorded, as they were given; None if not given.

    Attributes
    ----------
    upper : in the form of the data
        Upper ends of intervals whose lower ends are the data.
    resolution : number, or one for each dataset or each value
        The step to which the values were rounded.
    limits : pair of them or None
        Limits of detection: a value at a limit or beyond is censored there.
    window : pair of numbers, or of one for each dataset, or None
        Range outside which values were not recorded.
    """

    upper: Any = None
    resolution: Any = None
    limits: Any = None
    window: Any = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "IntervalOptions":
        """Return the interval options among options of `fit`."""
        return cls(**{name: options[name] for name in cls._fields if name in options})

    @property
    def are_given(self) -> bool:
        """Whether any of them is given."""
        return any(option is not None for option in self)

    def refuse_combinations(self) -> None:
        """Raise `ValueError` for options that exclude each other."""
        for name in ("resolution", "limits"):
            if self.upper is not None and getattr(self, name) is not None:
                raise ValueError(
                    f"`{name}` and `upper` exclude each other: where `upper` is given, each "
                    "interval says it all; a half-line has an infinite end."
                )


def of_each_dataset(name: str, value: Any, b: int) -> Array:
    """Return a number for each dataset, from one for all or one for each."""
    found = _numbers(name, value, "a number, or one for each dataset")
    if found.shape not in ((), (b,)):
        raise ValueError(
            f"`{name}` must be a number, or one for each dataset, shape ({b},); got shape "
            f"{found.shape}."
        )
    return np.broadcast_to(found, (b,))


def of_each_value(name: str, value: Any, source: Datasets, row: Array) -> tuple[Array, bool]:
    """Return a number for each value, from one for all, for each dataset, or for each value.

    Parameters
    ----------
    name : str
        Name of the argument, for messages.
    value : as given
    source : Datasets
        Of the data.
    row : array of int, shape (total,)
        Whose value each is.

    Returns
    -------
    numbers : array, shape (total,)
    vary : bool
        Whether they were given for each value.
    """
    b = len(source)
    if isinstance(value, Mapping) and source.names is not None:
        if set(value) != set(source.names):
            raise ValueError(f"`{name}`, a mapping, must have the names of `data`.")
        value = [value[each] for each in source.names]
    if isinstance(value, Ragged) or (isinstance(value, list | tuple) and any(map(np.ndim, value))):
        given = read(value, None)
        index = np.arange(b)
        if len(given) != b or not np.array_equal(given.lengths(index), source.lengths(index)):
            raise ValueError(
                f"`{name}` must be a number, or one for each dataset or each value of `data`."
            )
        return given.values.reshape(-1).astype(np.float64), True
    found = _numbers(name, value, "a number, or one for each dataset or each value")
    if found.shape in ((), (b,)):
        return np.broadcast_to(found, (b,))[row], False
    shape = source.values.shape[1:] if source.is_single else source.values.shape
    if source.offsets is not None or found.shape != shape:
        raise ValueError(
            f"`{name}` must be a number, or one for each dataset, shape ({b},), or for each value, "
            f"in the form of `data`; got shape {found.shape}."
        )
    return found.reshape(-1), True


def pair_of_each(name: str, value: Any, b: int) -> tuple[Array, Array]:
    """Return lower and upper ends for each dataset, infinite where there is none."""
    low, high = (
        of_each_dataset(name, nothing if end is None else end, b)
        for end, nothing in zip(_pair(name, value), (-np.inf, np.inf), strict=True)
    )
    _check_order(name, value, low, high)
    _refuse_nothing(name, value, low, high)
    return low, high


def pair_of_values(name: str, value: Any, source: Datasets, row: Array) -> tuple[Array, Array]:
    """Return lower and upper ends for each value, infinite where there is none."""
    (low, low_varies), (high, high_varies) = (
        of_each_value(name, nothing if end is None else end, source, row)
        for end, nothing in zip(_pair(name, value), (-np.inf, np.inf), strict=True)
    )
    _check_order(name, value, low, high)
    # Of some values no limit may be known; then they are exact.
    if not (low_varies or high_varies):
        _refuse_nothing(name, value, low, high)
    return low, high


def _check_order(name: str, value: Any, low: Array, high: Array) -> None:
    if np.isnan(low).any() or np.isnan(high).any():
        raise ValueError(f"`{name}` must not be NaN; None is no limit. Got {value!r}.")
    if np.any(low >= high):
        at = int(np.argmax(low >= high))
        raise ValueError(
            f"`{name}` must be in order, the lower one below the upper one; got ({low[at]:g}, "
            f"{high[at]:g})."
        )


def _refuse_nothing(name: str, value: Any, low: Array, high: Array) -> None:
    if low.size and np.isinf(low).all() and np.isinf(high).all():
        raise ValueError(f"`{name}` must have at least one end that is a number; got {value!r}.")


def _pair(name: str, value: Any) -> Any:
    if not isinstance(value, list | tuple | np.ndarray) or len(value) != 2:
        raise ValueError(
            f"`{name}` must be a pair, lower and upper, of which one may be None; got {value!r}."
        )
    return value


def _numbers(name: str, value: Any, wanted: str) -> Array:
    try:
        return np.asarray(real_array(value, name), np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"`{name}` must be {wanted}; got {value!r}.") from None
