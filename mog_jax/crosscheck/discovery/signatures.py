"""Lists possible values of a function's parameters, by name, annotation and default.

Each parameter has a few alternatives, the likeliest first; `guesses` finds those that the function
accepts.
"""

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from mog_jax.crosscheck.discovery.errors import TargetError

# Lengths of the axes that an annotation names; each new name gets the next one.
_LENGTHS = (3, 2, 4)
# Usual names of random keys.
_KEYS = {"key", "rng", "prng", "prng_key", "rng_key", "seed_key"}
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclasses.dataclass(frozen=True)
class Drawn:
    """An array to be drawn; `shape` is None if it is not known."""

    shape: tuple[int, ...] | None = None
    integer: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Bound:
    """A value that is the same for all inputs."""

    value: Any


Alternative = Drawn | Bound


@dataclasses.dataclass(frozen=True, eq=False)
class Parameter:
    """A parameter, and its alternatives, the likeliest first."""

    name: str
    keyword: bool
    alternatives: list[Alternative]


def parameters_of(function: Callable[..., Any], static: frozenset[int]) -> list[Parameter]:
    """Return the parameters of a function that need a value.

    Raises
    ------
    TargetError
        If the function has no signature, or no value of a parameter can be guessed.
    """
    given, hints = _declared(function)
    lengths: dict[str, int] = {}
    found = []
    for position, parameter in enumerate(given):
        if parameter.kind == inspect.Parameter.VAR_KEYWORD:
            continue
        if parameter.kind == inspect.Parameter.VAR_POSITIONAL:
            if not any(one.kind in _POSITIONAL for one in given):
                found.append(Parameter(parameter.name, False, [Drawn()]))
            continue
        found.append(
            Parameter(
                parameter.name,
                parameter.kind == inspect.Parameter.KEYWORD_ONLY,
                _alternatives(
                    parameter, hints.get(parameter.name), lengths, is_static=position in static
                ),
            )
        )
    return found


def _declared(function: Callable[..., Any]) -> tuple[list[inspect.Parameter], dict[str, Any]]:
    """Return the parameters of a function and their annotations.

    A callable object may hide the parameters of the function that it holds: then those are used.
    """
    for one in (function, *_held_by(function)):
        try:
            given = list(inspect.signature(one).parameters.values())
        except (TypeError, ValueError):
            continue
        if any(p.kind in (*_POSITIONAL, inspect.Parameter.KEYWORD_ONLY) for p in given):
            return given, _annotations(one)
    try:
        return list(inspect.signature(function).parameters.values()), {}
    except (TypeError, ValueError):
        raise TargetError("its signature is not known, so that no input can be guessed.") from None


def _held_by(function: Callable[..., Any]) -> list[Any]:
    held = getattr(function, "__dict__", {})
    return [held[name] for name in ("fn", "func", "fun", "__wrapped__") if callable(held.get(name))]


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    plain = inspect.unwrap(function)
    try:
        return typing.get_type_hints(plain)
    except Exception:  # a name that exists for type checkers only
        return dict(getattr(plain, "__annotations__", {}))


def _alternatives(
    parameter: inspect.Parameter, hint: Any, lengths: dict[str, int], *, is_static: bool
) -> list[Alternative]:
    default = parameter.default
    if default is not inspect.Parameter.empty:
        is_number = isinstance(default, float | np.ndarray | jax.Array) and not is_static
        return [Drawn(np.shape(default)), Bound(default)] if is_number else [Bound(default)]
    if hint is str or "Callable" in str(hint) or "Callable" in str(getattr(hint, "__name__", "")):
        raise TargetError(
            f"its argument `{parameter.name}` is {'a string' if hint is str else 'a function'}, "
            "which cannot be guessed; bind it with `functools.partial`, and name the result."
        )
    if parameter.name in _KEYS or "PRNGKey" in str(hint):
        return [Bound(jax.random.key(0))]
    if hint in (bool, "bool"):
        return [Bound(False), Bound(True)]
    if hint in (int, "int"):
        return [Bound(2), Bound(1), Bound(0)]
    if hint in (float, "float", complex):
        return [Bound(0.5)] if is_static else [Drawn(())]
    annotated = _annotated_array(hint, lengths)
    if annotated is not None:
        return [annotated]
    if is_static:
        # 2 first: as a power, or a size, 1 shows little.
        return [Bound(value) for value in (2, 1, 0, 0.5, None)]
    return [Drawn()]


def _annotated_array(hint: Any, lengths: dict[str, int]) -> Drawn | None:
    """Read an annotation of jaxtyping, such as ``Float[Array, "n m"]``."""
    text, dtypes = getattr(hint, "dim_str", None), getattr(hint, "dtypes", None)
    if text is None:
        return None
    kinds = dtypes if isinstance(dtypes, list | tuple) else []
    integer = bool(kinds) and all(re.match("u?int|bool", str(kind)) for kind in kinds)
    shape: list[int] = []
    for axis in text.split():
        if "..." in axis or axis.startswith("*"):
            continue
        name = axis.split("=")[-1].lstrip("?#_")
        if name.isdigit():
            shape.append(int(name))
        elif re.fullmatch(r"\w*", name):
            shape.append(lengths.setdefault(name, _LENGTHS[len(lengths) % len(_LENGTHS)]))
        else:
            return Drawn(None, integer)
    return Drawn(tuple(shape), integer)
