"""How to fit and how to climb: every option, its default and its range, in one place.

Each function that takes options of a fit (`fit`, `local_maximum`, `ascent_path`,
`profile_interval`, `compare`, `bootstrap_test`, `fit_chunks`, `fit_table`, `fit_batches`) checks
them here.
"""

import dataclasses
import functools
import inspect
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from types import MappingProxyType
from typing import Any

import numpy as np

from mog_jax.arrays import Array
from mog_jax.fitting.climb.directions import DIRECTIONS, Direction, direction_of
from mog_jax.suggestions import nearest

# Which ascents a fit may begin, defined in mog_jax.fitting.multistart.starts.
STARTS = ("thorough", "quick")
# Which maximum is the answer, defined in mog_jax.fitting.multistart.choice; or the highest regular
# one.
CHOICES = ("penalised", "regular")
# Nats left at which the search leaves a climb to the polish.
SEARCH_TOLERANCE = 1e-3
# Steps are counted in 32 bits. In a search the rounds say how many steps a climb may make.
_MOST_STEPS = int(np.iinfo(np.int32).max)
# Newton's steps that have not arrived after 200 never do; the others creep.
_STEPS_OF_NEWTON, _STEPS = 200, 10_000
# Above this share of the data's variance two components could not both be narrow.
_HIGHEST_FLOOR = 0.1
# Below, the squares and products of 1 / variance leave single precision, in which a fit searches.
_LOWEST_FLOOR = 1e-12


class UnknownOptionError(TypeError, ValueError):
    """An option that does not exist: Python's own error, and the package's."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AscentOptions:
    """How to climb. Hashable; direction and equal variances have compiled programs of their own.

    Attributes
    ----------
    direction : Direction
        How to propose a move.
    tolerance : float
        A climb has arrived when less than this is left to be gained, in nats.
    max_steps : int
        Steps after which a climb is given up.
    variance_floor : float
        Lowest variance of a component, in units of the dataset's variance.
    equal_variances : bool
        Whether the components share one variance.
    give_up : bool
        Whether to leave climbs alone that are held on the variance floor.
    penalty_strength : float
        Of the penalty on the variances (:mod:`mog_jax.penalty`): 1, or 0 for none.
    """

    direction: Direction
    tolerance: float
    max_steps: int
    variance_floor: float
    equal_variances: bool
    give_up: bool
    penalty_strength: float = 0.0

    def as_arguments(self) -> dict[str, Any]:
        """Give what :func:`mog_jax.fitting.climb.ascent.ascend` takes, by name."""
        arguments = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        arguments["smallest"] = math.log(arguments.pop("variance_floor"))
        # A program that is compiled for one strength needs no penalty where there is none.
        arguments["penalty_strength"] = arguments["penalty_strength"] or None
        return arguments


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How to search and climb: hashable. Made by :func:`checked_options`.

    Attributes
    ----------
    direction : Direction
        How to propose a move.
    starts : str
        Which ascents to begin: one of `STARTS`.
    tolerance : float
        A climb has arrived when less than this is left to be gained, in nats.
    max_steps : int
        Steps after which a climb is given up.
    variance_floor : float
        Lowest variance of a component, in units of the dataset's variance.
    min_points : float
        Points that a component of a regular maximum holds at least.
    equal_variances : bool
        Whether the components share one variance.
    choose : str
        Which maximum is the answer: one of `CHOICES`.
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
        """Whether the direction takes many steps to a maximum, as all but Newton's do."""
        return self.direction is not DIRECTIONS["newton"]

    def n_parameters(self, free: Array) -> Array:
        """Count the parameters that a fit estimates.

        Parameters
        ----------
        free : array of bool, shape (5, ...)
            The coordinates that are not held fixed.

        Returns
        -------
        array of int, shape (...,)
        """
        number: Array = free.sum(axis=0)
        return number - (free[3] & free[4]) if self.equal_variances else number

    def ascent(self, *, searching: bool, penalised: bool = False) -> AscentOptions:
        """Give the options of one climb, in the search or in the polish."""
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
# What else may be said of the values; `fitting.intervals` reads it.
WORDS = ("upper", "resolution", "limits", "window")
# All that `fit` takes besides the data.
FIT_OPTIONS = ("counts", *WORDS, *OPTIONS, "dtype", "progress", "fixed")

# Names of other packages, and what the same thing is called here.
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
    refuse_unknown(function, [name for name in given if name not in FIT_OPTIONS], FIT_OPTIONS)
    return checked_options(**{name: given[name] for name in OPTIONS if name in given})


@functools.cache
def keywords_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """Give the keyword-only parameters of a function, by name and in order."""
    return tuple(
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    )


def refuse_unknown(
    function: str,
    unknown: Iterable[str],
    known: Iterable[str],
    hints: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Refuse options that `function` does not have, and say what is meant.

    Parameters
    ----------
    function : str
        Whose options they are.
    unknown, known : iterable of str
        Those that it does not have, and those that it has.
    hints : mapping, optional
        What to do in place of some.

    Raises
    ------
    UnknownOptionError
        For the first of `unknown`, if there is one.
    """
    for name in unknown:
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
    """Check a number of things, at least one.

    Raises
    ------
    ValueError
        If `value` is no such number.
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
    """Check a switch.

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
