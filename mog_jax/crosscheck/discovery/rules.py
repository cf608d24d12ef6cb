"""The custom derivative rules of a module: where they are found, and what is judged for each.

A rule may be a function of the module itself, lie beneath a ``jit`` or another wrapper, be a static
method of a class, or a high-level primitive of JAX that a function makes. What is judged is the
outermost function that leads to it, as the signature that its users know is that function's.
"""

import types
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.experimental import hijax

from mog_jax.crosscheck.discovery.targets import Target

# Wrappers within wrappers that are looked through.
_DEEPEST = 4


def find_rules(module: types.ModuleType, package: str) -> Iterator[Target]:
    """Yield the functions of a module that have a rule of their own.

    Those that it has from outside `package`, by an import, are another's to check.
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
    """Find the object that holds the rule of a function, beneath its wrappers; None without."""
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
    """Yield what a wrapper may wrap; what a plain function merely calls is not wrapped in it."""
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
    """Whether a function names a high-level primitive that it calls."""
    if not isinstance(value, types.FunctionType):
        return False
    named = (value.__globals__.get(name) for name in value.__code__.co_names)
    return any(isinstance(one, type) and issubclass(one, hijax.VJPHiPrimitive) for one in named)


def _modules_of(value: Any) -> Iterator[str]:
    """Yield the modules that a function comes from: a wrapper's, and that of what it wraps."""
    rule = rule_in(value)
    wrapped = [one for one in _wrapped_in(value) if isinstance(one, types.FunctionType)]
    for one in (value, *wrapped, rule, getattr(rule, "fun", None)):
        module = getattr(one, "__module__", None)
        if isinstance(module, str):
            yield module


def _is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def identity(function: Callable[..., Any]) -> int:
    """Identify the rule that a function leads to, which may have several names."""
    return id(rule_in(function) or function)


def static_arguments(function: Callable[..., Any]) -> frozenset[int]:
    """Give the positions of arguments that a rule takes as they are, as no arrays."""
    rule = rule_in(function)
    return frozenset(getattr(rule, "nondiff_argnums", ()) or ())
