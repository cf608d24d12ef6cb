"""Writes inputs and functions as Python source, for a program that reproduces a finding."""

import dataclasses
import keyword
from collections.abc import Callable
from typing import Any

import numpy as np

from mog_jax.crosscheck.inputs.static import is_key
from mog_jax.crosscheck.report.snippet_imports import Preamble, Unwritable, array


def snippet(
    entry: str, functions: list[tuple[str, Callable[..., Any]]], args: Any, options: dict[str, Any]
) -> str:
    """Return the source of a program that judges one input again.

    Parameters
    ----------
    entry : ``"crosscheck"`` or ``"crosscheck_rule"``
    functions : the functions that were passed, each with a name to use if it has none
    args : the input
    options : keyword arguments to repeat
    """
    preamble = Preamble()
    preamble.import_from("mog_jax.crosscheck", entry)
    names, missing = [], []
    for fallback, function in functions:
        name = getattr(function, "__name__", "")
        name = name if name.isidentifier() and not keyword.iskeyword(name) else fallback
        try:
            names.append(preamble.include(name, function))
        except Unwritable:
            names.append(name)
            missing.append(name)
    text = source(args, preamble, missing)
    lines = preamble.lines()
    if missing:
        lines += ["", f"# Yours, to be defined first: {', '.join(dict.fromkeys(missing))}"]
    keywords = "".join(f", {key}={value!r}" for key, value in options.items())
    lines += ["", f"args = {text}", f"print({entry}({', '.join(names)}, [args]{keywords}))"]
    return "\n".join(lines) + "\n"


def source(value: Any, preamble: Preamble, missing: list[str]) -> str:
    """Return Python source that makes a pytree of arrays again, to the last bit.

    The classes in it are included in `preamble`, or named in `missing`.
    """

    def written(item: Any) -> str:
        return source(item, preamble, missing)

    if value is None:
        return "None"
    if isinstance(value, np.ndarray | np.generic):
        return array(np.asarray(value))
    if is_key(value):
        return preamble.key(value)
    if callable(value) and not dataclasses.is_dataclass(value):
        return _function(value, preamble, missing)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        inside = ", ".join(map(written, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    fields = _fields(value)
    if fields is None:
        return repr(value)
    name = type(value).__name__
    try:
        name = preamble.include(name, type(value))
    except Unwritable:
        missing.append(name)
    inside = ", ".join(f"{field}={written(item)}" for field, item in fields)
    return f"{name}({inside})"


def _function(value: Any, preamble: Preamble, missing: list[str]) -> str:
    name = str(getattr(value, "__name__", ""))
    name = name if name.isidentifier() and not keyword.iskeyword(name) else "given"
    try:
        return preamble.include(name, value)
    except Unwritable:
        missing.append(name)
        return name


def _fields(value: Any) -> list[tuple[str, Any]] | None:
    if dataclasses.is_dataclass(value):
        return [
            (field.name, getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.init
        ]
    if isinstance(value, tuple):
        return [(name, getattr(value, name)) for name in value._fields]  # type: ignore[attr-defined]
    return None
