"""Imports the targets of a check, named ``package.module:function`` or ``package.module``."""

import dataclasses
import difflib
import importlib
import pkgutil
import types
from collections.abc import Callable, Iterator
from typing import Any

from mog_jax.crosscheck.discovery.errors import TargetError
from mog_jax.crosscheck.findings import error_line

# Importing these runs a program, or a test suite.
_LEFT_OUT = {"__main__", "conftest", "tests", "test", "_tests", "testing"}


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """A function to be checked.

    Attributes
    ----------
    name : str
        Its name, ``package.module:function``.
    function : callable
    """

    name: str
    function: Callable[..., Any]

    @property
    def short_name(self) -> str:
        """The name within its module."""
        return self.name.rpartition(":")[2]


def imported(module: str) -> types.ModuleType:
    """Import a module.

    Raises
    ------
    TargetError
        If the module does not exist or fails; the message says why, in one sentence.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(error.name + ".")):
            raise TargetError(f"there is no module {error.name!r} to import.") from None
        raise TargetError(
            f"the module {module!r} needs {error.name!r}, which is not installed."
        ) from None
    except Exception as error:
        raise TargetError(f"the module {module!r} cannot be imported: {error_line(error)}") from (
            error
        )


def found(name: str) -> Any:
    """Import the object ``package.module:name``.

    Raises
    ------
    TargetError
        If it does not exist.
    """
    module, _, path = name.partition(":")
    value: Any = imported(module)
    for part in path.split("."):
        if not hasattr(value, part):
            near = difflib.get_close_matches(part, dir(value), n=3)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
            raise TargetError(f"{module!r} has no {path!r}{hint}")
        value = getattr(value, part)
    return value


def function_named(name: str) -> Target:
    """Import a function to check.

    Raises
    ------
    TargetError
        If no function has that name.
    """
    value = found(name)
    if not callable(value) or isinstance(value, type):
        raise TargetError(f"{name} must be a function; got {type(value).__name__}.")
    return Target(name, value)


def modules_in(name: str) -> Iterator[tuple[str, types.ModuleType | TargetError]]:
    """Yield a module and, if it is a package, all modules in it; for those that fail, the error."""
    top = imported(name)
    yield name, top
    if hasattr(top, "__path__"):
        yield from _submodules(top.__path__, name)


def _submodules(path: Any, name: str) -> Iterator[tuple[str, types.ModuleType | TargetError]]:
    for info in pkgutil.iter_modules(path):
        if info.name in _LEFT_OUT or info.name.endswith("_test") or info.name.startswith("test_"):
            continue
        inner = f"{name}.{info.name}"
        try:
            module = imported(inner)
        except TargetError as error:
            yield inner, error
            continue
        yield inner, module
        if info.ispkg:
            yield from _submodules(module.__path__, inner)
