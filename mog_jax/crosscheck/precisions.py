"""Runs functions in float64 and in float32, with unchanged arrays in their closures.

JAX converts a NumPy array that a function closes over to the current precision, and keeps the
result as long as a trace holds it, even when the precision changes: then a float64 program gets
float32 data, or the other way round. So each precision has a copy of its own of every such array,
which replaces the original while a program is traced or run.
"""

import contextlib
import contextvars
import functools
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

# Functions of these modules hold arrays of the user in their closures only, not in globals.
_LIBRARIES = ("jax", "jaxlib", "numpy", "scipy", "builtins", "functools")
# Attributes that hold the wrapped function: of `functools.wraps`, `partial`, custom rules.
_WRAPPED = ("__wrapped__", "__func__", "func", "fun", "jvp", "fwd", "bwd")

_current: contextvars.ContextVar["ClosedOver | None"] = contextvars.ContextVar(
    "crosscheck_closed_over", default=None
)


class ClosedOver:
    """The NumPy arrays that functions close over, with one copy of each for every precision."""

    def __init__(self, functions: Sequence[Callable[..., Any]]) -> None:
        self._places = list(_places(functions))
        self._copies: dict[bool, list[Any]] = {}

    @contextlib.contextmanager
    def copied(self, wide: bool) -> Iterator[None]:
        """Replace the arrays by the copies of a precision inside the block."""
        if wide not in self._copies:
            self._copies[wide] = [_copy(place.value) for place in self._places]
        before = [place.value for place in self._places]
        try:
            for place, copy in zip(self._places, self._copies[wide], strict=True):
                place.put(copy)
            yield
        finally:
            for place, value in zip(self._places, before, strict=True):
                place.put(value)


@contextlib.contextmanager
def closing_over(functions: Sequence[Callable[..., Any]]) -> Iterator[None]:
    """Let `in_float64` and `in_float32` replace the arrays of these functions inside the block."""
    token = _current.set(ClosedOver(functions))
    try:
        yield
    finally:
        _current.reset(token)


@contextlib.contextmanager
def in_float64() -> Iterator[None]:
    """Trace and run in float64 inside the block."""
    with jax.enable_x64(True), _copied(True):
        yield


@contextlib.contextmanager
def in_float32() -> Iterator[None]:
    """Trace and run in float32 inside the block, as JAX does by default."""
    with jax.enable_x64(False), _copied(False), warnings.catch_warnings():
        # A program that asks for float64 by name gets float32 here, as its user would.
        warnings.filterwarnings("ignore", "Explicitly requested dtype", UserWarning)
        yield


def _copied(wide: bool) -> contextlib.AbstractContextManager[None]:
    current = _current.get()
    return contextlib.nullcontext() if current is None else current.copied(wide)


class _Place:
    """A place that holds an array, or a container of arrays."""

    def __init__(self, value: Any, put: Callable[[Any], None]) -> None:
        self.value, self._put = value, put

    def put(self, value: Any) -> None:
        """Replace the value."""
        self._put(value)
        self.value = value


def _places(functions: Sequence[Callable[..., Any]]) -> Iterator[_Place]:
    seen: set[int] = set()
    waiting: list[Any] = list(functions)
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        for name in _WRAPPED:
            inner = getattr(value, name, None)
            if callable(inner):
                waiting.append(inner)
        for place in _held_by(value):
            if _has_arrays(place.value):
                yield place
            elif callable(place.value):
                waiting.append(place.value)


def _held_by(value: Any) -> Iterator[_Place]:
    """Yield the places of a callable: cells, globals, defaults, bound arguments, attributes."""
    if isinstance(value, types.FunctionType):
        for cell in value.__closure__ or ():
            with contextlib.suppress(ValueError):  # not yet assigned
                yield _Place(cell.cell_contents, functools.partial(setattr, cell, "cell_contents"))
        for attribute in ("__defaults__", "__kwdefaults__"):
            yield _Place(getattr(value, attribute), functools.partial(setattr, value, attribute))
        if value.__module__.split(".")[0] not in _LIBRARIES:
            for name in _names(value.__code__) & value.__globals__.keys():
                yield _item(value.__globals__, name)
    elif isinstance(value, functools.partial):
        yield from (_item(value.keywords, name) for name in value.keywords)
        yield _Place(value.args, functools.partial(_bind_again, value))
    elif isinstance(value, types.MethodType):
        yield from _attributes(value.__self__)
    elif type(value).__module__.split(".")[0] not in _LIBRARIES:
        yield from _attributes(value)


def _bind_again(value: "functools.partial[Any]", args: tuple[Any, ...]) -> None:
    state: Any = (value.func, args, value.keywords, value.__dict__)
    value.__setstate__(state)  # type: ignore[attr-defined]


def _attributes(value: Any) -> Iterator[_Place]:
    held = getattr(value, "__dict__", None)
    if isinstance(held, dict) and not isinstance(value, type | types.ModuleType):
        yield from (_item(held, name) for name in list(held))


def _item(table: dict[str, Any], name: str) -> _Place:
    return _Place(table[name], functools.partial(table.__setitem__, name))


def _names(code: types.CodeType) -> set[str]:
    inner = (const for const in code.co_consts if isinstance(const, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _has_arrays(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return _is_wide(value)
    if isinstance(value, list | tuple | dict):
        return any(_is_wide(leaf) for leaf in jax.tree.leaves(value))
    return False


def _is_wide(leaf: Any) -> bool:
    # JAX converts only arrays of 64 bits when the precision changes.
    return isinstance(leaf, np.ndarray) and leaf.dtype.itemsize >= 8 and leaf.dtype.kind in "fciu"


def _copy(value: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.copy() if _is_wide(leaf) else leaf, value)
