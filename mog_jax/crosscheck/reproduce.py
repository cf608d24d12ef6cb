"""Inputs and functions as Python source, so that a finding can be pasted and run."""

import dataclasses
import keyword
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

_HEADER = ["import numpy as np"]


def snippet(
    entry: str, functions: list[tuple[str, Callable[..., Any]]], args: Any, options: dict[str, Any]
) -> str:
    """Write a program that judges one input again.

    Parameters
    ----------
    entry : ``"crosscheck"`` or ``"crosscheck_rule"``
    functions : what was passed, each with the name to call it by if it cannot be imported
    args : the input
    options : keyword arguments to repeat
    """
    imports = {("mog_jax.crosscheck", entry)}
    names, own = [], []
    for fallback, function in functions:
        home = importable(function)
        if home is not None:
            imports.add(home)
            names.append(home[1])
        else:
            name = getattr(function, "__name__", "")
            usable = name.isidentifier() and not keyword.iskeyword(name)
            names.append(name if usable else fallback)
            own.append(names[-1])
    text = source(args, imports)
    lines = [*_HEADER]
    lines += [f"from {module} import {name}" for module, name in sorted(imports)]
    if own:
        lines += ["", f"# Yours, to be defined first: {', '.join(dict.fromkeys(own))}"]
    keywords = "".join(f", {key}={value!r}" for key, value in options.items())
    lines += ["", f"args = {text}", f"print({entry}({', '.join(names)}, [args]{keywords}))"]
    return "\n".join(lines) + "\n"


def importable(value: Any) -> tuple[str, str] | None:
    """Give the module and name under which something can be imported, if it can."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if module in (None, "__main__") or not name.isidentifier():
        return None
    if getattr(sys.modules.get(module), name, None) is not value:
        return None
    # A shorter path, if the package's front door has it.
    package = module.split(".")[0]
    if getattr(sys.modules.get(package), name, None) is value:
        return package, name
    return module, name


def source(value: Any, imports: set[tuple[str, str]]) -> str:
    """Write a pytree of arrays as Python that makes it again, to the last bit."""
    if value is None:
        return "None"
    if isinstance(value, np.ndarray | np.generic):
        return _array(np.asarray(value))
    if isinstance(value, dict):
        items = (f"{key!r}: {source(item, imports)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        inside = ", ".join(source(item, imports) for item in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, list):
        return "[" + ", ".join(source(item, imports) for item in value) + "]"
    fields = _fields(value)
    if fields is None:
        return repr(value)
    home = importable(type(value))
    if home is not None:
        imports.add(home)
    inside = ", ".join(f"{name}={source(item, imports)}" for name, item in fields)
    return f"{type(value).__name__}({inside})"


def _fields(value: Any) -> list[tuple[str, Any]] | None:
    if dataclasses.is_dataclass(value):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, tuple):
        return [(name, getattr(value, name)) for name in value._fields]  # type: ignore[attr-defined]
    return None


def _array(array: np.ndarray[Any, Any]) -> str:
    text = _nested(array.tolist())
    dtype = (
        ""
        if array.dtype in (np.float64, np.int64, np.bool_) and array.size
        else (f", np.{array.dtype.name}")
    )
    return f"np.array({text}{dtype})"


def _nested(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_nested, value)) + "]"
    if isinstance(value, float) and not np.isfinite(value):
        return "np.nan" if np.isnan(value) else ("np.inf" if value > 0 else "-np.inf")
    return repr(value)
