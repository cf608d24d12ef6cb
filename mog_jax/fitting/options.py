"""Defines and checks the options of a fit and of a climb: each one's default and range.

Each function that takes options of a fit (`fit`, `local_maximum`, `ascent_path`,
`profile_interval`, `compare`, `bootstrap_test`, `fit_chunks`, `fit_table`, `fit_batches`) checks
them here.
"""

import dataclasses
import functools
import inspect
import math
import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from numbers import Real
from types import MappingProxyType
from typing import Any

import numpy as np

from mog_jax.arrays import Array
from mog_jax.fitting.climb.directions import DIRECTIONS, Direction, direction_of
from mog_jax.suggestions import nearest

# Sets of starts, defined in mog_jax.fitting.multistart.starts.
STARTS = ("thorough", "quick")
# Rules for the answer: by the penalised likelihood (mog_jax.fitting.multistart.choice), or the
# highest regular maximum.
CHOICES = ("penalised", "regular")
# Tolerance of the search, in nats: the polish goes on from there.
SEARCH_TOLERANCE = 1e-3
# Steps are counted in 32 bits. In a search the rounds limit the number of steps instead.
_MOST_STEPS = int(np.iinfo(np.int32).max)
# Newton's method converges in 200 steps or not at all; the others converge slowly.
_STEPS_OF_NEWTON, _STEPS = 200, 10_000
# With a floor above this share of the data's variance two components could not both be narrow.
_HIGHEST_FLOOR = 0.1
# Below this, squares and products of 1 / variance overflow single precision, which a search uses.
_LOWEST_FLOOR = 1e-12


class UnknownOptionError(TypeError, ValueError):
    """An option that does not exist: both a `TypeError`, as in Python, and a `ValueError`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AscentOptions:
    """Options of a climb: hashable. Directions and equal variances have programs of their own.

    Attributes
    ----------
    direction : Direction
        How to propose a move.
    tolerance : float
        A climb has converged when less than this is left to be gained, in nats.
    max_steps : int
        Largest number of steps of a climb.
    variance_floor : float
        Lowest variance of a component, in units of the dataset's variance.
    equal_variances : bool
        Whether the components share one variance.
    give_up : bool
        Whether to stop climbs that have a variance on the floor and would shrink it further.
    penalty_strength : float
        Strength of the penalty on the variances (:mod:`mog_jax.penalty`): 1, or 0 for none.
    """

    direction: Direction
    tolerance: float
    max_steps: int
    variance_floor: float
    equal_variances: bool
    give_up: bool
    penalty_strength: float = 0.0

    def as_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of :func:`mog_jax.fitting.climb.ascent.ascend`."""
        arguments = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        arguments["smallest"] = math.log(arguments.pop("variance_floor"))
        # A program compiled for strength 0 leaves the penalty out.
        arguments["penalty_strength"] = arguments["penalty_strength"] or None
        return arguments


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Options of a fit: hashable. Made by :func:`checked_options`.

    Attributes
    ----------
    direction : Direction
        How to propose a move.
    starts : str
        Set of starts: one of `STARTS`.
    tolerance : float
        A climb has converged when less than this is left to be gained, in nats.
    max_steps : int
        Largest number of steps of a climb.
    variance_floor : float
        Lowest variance of a component, in units of the dataset's variance.
    min_points : float
        Least number of points in each component of a regular maximum.
    equal_variances : bool
        Whether the components share one variance.
    choose : str
        Rule for the answer: one of `CHOICES`.
    """

    direction: Direction
    starts: str
    tolerance: float
    max_steps: int
    variance_floor: float
    min_points: float
    equal_variances: bool
    choose: str

    @property
    def is_slow(self) -> bool:
        """Whether the direction takes many steps to a maximum, as all but Newton's method do."""
        return self.direction is not DIRECTIONS["newton"]

    def n_parameters(self, free: Array) -> Array:
        """Count the parameters that a fit estimates.

        Parameters
        ----------
        free : array of bool, shape (5, ...)
            The coordinates that are not fixed.

        Returns
        -------
        array of int, shape (...,)
        """
        number: Array = free.sum(axis=0)
        return number - (free[3] & free[4]) if self.equal_variances else number

    def ascent(self, *, searching: bool, penalised: bool = False) -> AscentOptions:
        """Return the options of a climb of the search or of the polish."""
        return AscentOptions(
            direction=self.direction,
            tolerance=SEARCH_TOLERANCE if searching else self.tolerance,
            max_steps=_MOST_STEPS if searching else self.max_steps,
            variance_floor=self.variance_floor,
            equal_variances=self.equal_variances,
            give_up=searching,
            penalty_strength=1.0 if penalised else 0.0,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Defaults:
    """The defaults of a fit; `max_steps` depends on the direction."""

    direction: str = "newton"
    starts: str = "thorough"
    tolerance: float = 1e-9
    max_steps: None = None
    variance_floor: float = 1e-6
    min_points: float = 5
    equal_variances: bool = False
    choose: str = "penalised"


DEFAULTS = _Defaults()
OPTIONS: Mapping[str, Any] = dataclasses.asdict(DEFAULTS)
# Arguments that say the values are intervals; `fitting.intervals` reads them.
INTERVAL_OPTIONS = ("upper", "resolution", "limits", "window")
# All arguments of `fit` besides the data.
FIT_OPTIONS = ("counts", *INTERVAL_OPTIONS, *OPTIONS, "dtype", "progress", "fixed")

# Names of options in other packages, and how to say the same here.
_ELSEWHERE = {
    "n_components": "two components are fitted, always; `compare` asks whether one is enough",
    "random_state": "nothing is random: the same data give the same fit, without a seed",
    "n_init": "say starts='thorough' or starts='quick'",
    "init_params": "the starts are chosen for you; `ascent_path` and `local_maximum` take one",
    "covariance_type": "say equal_variances=True for 'tied'; the others are the same here",
    "reg_covar": "say variance_floor=..., in units of each dataset's variance",
    "tol": "say tolerance=..., in nats that are left to be gained",
    "max_iter": "say max_steps=...",
    "means_init": "the starts are chosen for you; `ascent_path` and `local_maximum` take one",
    "sample_weight": "say counts=...: how often each point was seen, not necessarily whole",
    "verbose": "say progress=True",
}
_ELSEWHERE |= dict.fromkeys(["G", "k", "n_clusters"], _ELSEWHERE["n_components"])
_ELSEWHERE |= dict.fromkeys(["seed", "random_seed", "rng"], _ELSEWHERE["random_state"])
_ELSEWHERE |= dict.fromkeys(
    ["weights_init", "precisions_init", "init", "warm_start"], _ELSEWHERE["means_init"]
)
_ELSEWHERE |= dict.fromkeys(["epsilon", "eps", "rtol", "atol"], _ELSEWHERE["tol"])
_ELSEWHERE |= dict.fromkeys(["maxit", "maxiter", "n_iter", "max_iterations"], "say max_steps=...")
_ELSEWHERE |= dict.fromkeys(["modelNames", "arbvar"], _ELSEWHERE["covariance_type"])
_ELSEWHERE |= dict.fromkeys(["sample_weights", "weights"], _ELSEWHERE["sample_weight"])


def checked_options(**given: Any) -> FitOptions:
    """Check options of a fit, and add the defaults of those that are not given.

    Raises
    ------
    ValueError
        If a value has a wrong type or range.
    """
    options = {**OPTIONS, **given}
    direction = direction_of(options["direction"])
    starts = options["starts"]
    if not isinstance(starts, str) or starts not in STARTS:
        raise ValueError(f"`starts` must be one of {_listed(STARTS)}; got {starts!r}.")
    choose = options["choose"]
    if not isinstance(choose, str) or choose not in CHOICES:
        raise ValueError(f"`choose` must be one of {_listed(CHOICES)}; got {choose!r}.")
    max_steps = options["max_steps"]
    if max_steps is None:
        max_steps = _STEPS_OF_NEWTON if direction is DIRECTIONS["newton"] else _STEPS
    floor = _positive("variance_floor", options["variance_floor"])
    if floor > _HIGHEST_FLOOR:
        raise ValueError(f"`variance_floor` must be at most {_HIGHEST_FLOOR}; got {floor}.")
    if floor < _LOWEST_FLOOR:
        raise ValueError(f"`variance_floor` must be at least {_LOWEST_FLOOR}; got {floor}.")
    min_points = options["min_points"]
    if not (_is_real(min_points) and 0 <= min_points < math.inf):
        raise ValueError(f"`min_points` must be non-negative; got {min_points!r}.")
    return FitOptions(
        direction=direction,
        starts=starts,
        tolerance=_positive("tolerance", options["tolerance"]),
        max_steps=whole_number("max_steps", max_steps),
        variance_floor=floor,
        min_points=float(min_points),
        equal_variances=true_or_false("equal_variances", options["equal_variances"]),
        choose=choose,
    )


def options_of(function: str, given: Mapping[str, Any]) -> FitOptions:
    """Check the options that `function` passes on to `fit`.

    Raises
    ------
    UnknownOptionError
        If `fit` has no such option.
    ValueError
        If a value has a wrong type or range.
    """
    refuse_unknown(function, given, FIT_OPTIONS)
    return checked_options(**{name: given[name] for name in OPTIONS if name in given})


@functools.cache
def keywords_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the keyword-only parameters of a function, by name and in order."""
    return tuple(
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    )


def intervals_are_given(interval_options: Mapping[str, Any]) -> bool:
    """Return whether any of the options that make values intervals is given."""
    return any(option is not None for option in interval_options.values())


def refuse_unknown(
    function: str,
    given: Iterable[str],
    known: Collection[str],
    hints: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Refuse options that `function` does not have, with a hint at the one that may be meant.

    Parameters
    ----------
    function : str
        Name of the function.
    given : iterable of str
        The options that it was given.
    known : collection of str
        The options that it has.
    hints : mapping, optional
        Further hints, by the name of the unknown option.

    Raises
    ------
    UnknownOptionError
        For the first option that it does not have, if there is one.
    """
    for name in given:
        if name in known:
            continue
        near = nearest(name, known)
        meant = {**_ELSEWHERE, **hints}
        if name in meant:
            hint = meant[name]
        elif near is not None:
            hint = f"did you mean `{near}`?"
        else:
            hint = f"it has {', '.join(known)}"
        end = "" if hint.endswith("?") else "."
        raise UnknownOptionError(f"`{function}` has no option `{name}`: {hint}{end}")


def whole_number(name: str, value: Any) -> int:
    """Return `value` as an int, at least 1.

    Raises
    ------
    ValueError
        If `value` is not a whole number, or out of range.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"`{name}` must be a whole number; got {value!r}.") from None
    if isinstance(value, bool | np.bool):
        raise ValueError(f"`{name}` must be a whole number; got {value!r}.")
    if not 1 <= number <= _MOST_STEPS:
        bound = "at least 1" if number < 1 else f"at most {_MOST_STEPS}"
        raise ValueError(f"`{name}` must be {bound}; got {number}.")
    return number


def true_or_false(name: str, value: Any) -> bool:
    """Return `value` as a bool.

    Raises
    ------
    ValueError
        If `value` is neither True nor False.
    """
    if not isinstance(value, bool | np.bool):
        raise ValueError(f"`{name}` must be True or False; got {value!r}.")
    return bool(value)


def _positive(name: str, value: Any) -> float:
    if not (_is_real(value) and 0 < value < math.inf):
        raise ValueError(f"`{name}` must be positive; got {value!r}.")
    return float(value)


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
