"""Finds the custom derivative rules of a module, and the function to check for each.

A rule may belong to a function of the module itself, lie beneath a ``jit`` or another wrapper,
belong to a static method of a class, or to a high-level primitive of JAX that a function makes. The
outermost function that leads to the rule is checked, as its signature is the one that users know.
"""

import types
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.experimental import hijax

from mog_jax.crosscheck.discovery.targets import Target

# Largest depth of wrappers within wrappers.
_DEEPEST = 4


def find_rules(module: types.ModuleType, package: str) -> Iterator[Target]:
    """Yield the functions of a module that have a rule of their own.

    Functions that are imported from outside `package` are left out.
    """
    for name, value in list(vars(module).items()):
        if isinstance(value, type):
            if value.__module__ == module.__name__:
                for inner, member in list(vars(value).items()):
                    if isinstance(member, staticmethod) and rule_in(member.__func__) is not None:
                        yield Target(f"{module.__name__}:{name}.{inner}", member.__func__)
        elif (
            callable(value)
            and any(_is_within(home, package) for home in _modules_of(value))
            and (rule_in(value) is not None or _makes_primitive(value))
        ):
            yield Target(f"{module.__name__}:{name}", value)


def rule_in(value: Any, deepest: int = _DEEPEST) -> Any:
    """Return the object that holds a function's rule, beneath its wrappers; None if it has none."""
    if isinstance(value, jax.custom_jvp | jax.custom_vjp | hijax.VJPHiPrimitive):
        return value
    if deepest == 0 or not callable(value) or isinstance(value, type):
        return None
    for inner in _wrapped_in(value):
        found = rule_in(inner, deepest - 1)
        if found is not None:
            return found
    return None


def _wrapped_in(value: Any) -> Iterator[Any]:
    """Yield the objects that a wrapper may wrap; functions that a plain function calls are not."""
    inner = getattr(value, "__wrapped__", getattr(value, "func", None))
    if inner is not None:
        yield inner
        for cell in getattr(value, "__closure__", None) or ():
            yield from _content(cell)
    elif not isinstance(value, types.FunctionType | types.BuiltinFunctionType | types.MethodType):
        held = getattr(value, "__dict__", None)
        yield from (list(held.values()) if isinstance(held, dict) else [])


def _content(cell: Any) -> Iterator[Any]:
    try:
        yield cell.cell_contents
    except ValueError:  # not yet assigned
        return


def _makes_primitive(value: Any) -> bool:
    """Return whether a function names a high-level primitive that it calls."""
    if not isinstance(value, types.FunctionType):
        return False
    named = (value.__globals__.get(name) for name in value.__code__.co_names)
    return any(isinstance(one, type) and issubclass(one, hijax.VJPHiPrimitive) for one in named)


def _modules_of(value: Any) -> Iterator[str]:
    """Yield the modules that a function comes from: those of a wrapper and of what it wraps."""
    rule = rule_in(value)
    wrapped = [one for one in _wrapped_in(value) if isinstance(one, types.FunctionType)]
    for one in (value, *wrapped, rule, getattr(rule, "fun", None)):
        module = getattr(one, "__module__", None)
        if isinstance(module, str):
            yield module


def _is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def identity(function: Callable[..., Any]) -> int:
    """Return a key for the rule that a function leads to, which may have several names."""
    return id(rule_in(function) or function)


def static_arguments(function: Callable[..., Any]) -> frozenset[int]:
    """Return the positions of arguments that a rule does not differentiate (nondiff_argnums)."""
    rule = rule_in(function)
    return frozenset(getattr(rule, "nondiff_argnums", ()) or ())
