"""Collects the imports and definitions that a snippet needs to name a function or a class.

An object that another program can import is imported. Others, such as a function of a script, of a
notebook or of a test, are copied with the names that they use, if their source can be found.
"""

import ast
import builtins
import dataclasses
import inspect
import sys
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mog_jax.crosscheck.inputs.static import is_key

_JAX = Path(jax.__file__).parent
# Transformations of JAX that a snippet can apply again.
_TRANSFORMATIONS = ("grad", "value_and_grad", "jacfwd", "jacrev")


class Unwritable(Exception):  # noqa: N818, no error: a snippet says what it leaves to the reader
    """A value that cannot be written as source."""


@dataclasses.dataclass
class Preamble:
    """The imports and definitions of a snippet.

    Attributes
    ----------
    modules : dict from str to str
        From the name to use to the module's own name.
    members : dict from str to tuple of str
        From the name to use to the module and the name in it.
    definitions : dict from str to str
        From the name to use to source, in the order in which they depend on each other.
    """

    modules: dict[str, str] = dataclasses.field(default_factory=lambda: {"np": "numpy"})
    members: dict[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    definitions: dict[str, str] = dataclasses.field(default_factory=dict)

    def include(self, name: str, value: Any) -> str:
        """Make a value available, and return its name: `name` or one that suits it better.

        Raises
        ------
        Unwritable
            If that cannot be done.
        """
        before = dataclasses.replace(
            self,
            modules=dict(self.modules),
            members=dict(self.members),
            definitions=dict(self.definitions),
        )
        try:
            return self._include(name, value, {})
        except Unwritable:
            self.__dict__.update(before.__dict__)
            raise

    def import_from(self, module: str, name: str) -> None:
        """Add an import of `name` from `module`."""
        self.members[name] = module, name

    def lines(self) -> list[str]:
        """Return the lines of source."""
        plain = {module for name, module in self.modules.items() if name == module}
        text = [f"import {module}" for module in sorted(plain)]
        text += [
            f"import {module} as {name}"
            for name, module in sorted(self.modules.items())
            if name != module
        ]
        homes: dict[str, list[str]] = {}
        for name, (module, own) in sorted(self.members.items()):
            homes.setdefault(module, []).append(own if own == name else f"{own} as {name}")
        text += [f"from {module} import {', '.join(names)}" for module, names in homes.items()]
        for definition in self.definitions.values():
            text += ["", *definition.splitlines()]
        return text

    def _include(self, name: str, value: Any, known: dict[int, str]) -> str:
        if id(value) in known:
            return known[id(value)]
        if isinstance(value, types.ModuleType):
            # `import a.b` binds `a`.
            return self._claim(self.modules, name, value.__name__)
        home = importable(value)
        if home is not None and not _is_of_a_test(home[0]):
            return self._claim(self.members, name if name.isidentifier() else home[1], home)
        try:
            return self._define(name, value, known)
        except Unwritable:
            if home is None:
                raise
            return self._claim(self.members, home[1], home)

    def key(self, value: Any) -> str:
        """Return the source of a typed random key."""
        data = array(np.asarray(jax.random.key_data(value)))
        implementation = str(jax.random.key_impl(value))
        return f"{self.include('jax', jax)}.random.wrap_key_data({data}, impl={implementation!r})"

    def _define(self, name: str, value: Any, known: dict[int, str]) -> str:
        if is_key(value):
            return self._claim(self.definitions, name, f"{name} = {self.key(value)}")
        if isinstance(value, np.ndarray | np.generic | jax.Array):
            return self._claim(self.definitions, name, f"{name} = {array(np.asarray(value))}")
        if isinstance(value, bool | int | float | str | None):
            return self._claim(self.definitions, name, f"{name} = {_nested(value)}")
        transformed = _transformed(value)
        if transformed is not None:
            return self._define_transformed(name, value, transformed, known)
        node, text = _source(value)
        name = name if isinstance(node, ast.Lambda) else node.name
        known[id(value)] = name
        for used, meant in _names(node, inspect.unwrap(value)):
            if self._include(used, meant, known) != used:
                raise Unwritable(used)
        defined = f"{name} = ({text})" if isinstance(node, ast.Lambda) else text
        return self._claim(self.definitions, name, defined)

    def _define_transformed(
        self, name: str, value: Any, transformed: tuple[str, Any, Any], known: dict[int, str]
    ) -> str:
        transformation, inner, argnums = transformed
        own = getattr(inner, "__name__", "")
        own = self._include(own if own.isidentifier() else f"{name}_inner", inner, known)
        self._include("jax", jax, known)
        name = name if name != own else f"{transformation}_of_{own}"
        argument = "" if argnums == 0 else f", argnums={argnums!r}"
        known[id(value)] = name
        definition = f"{name} = jax.{transformation}({own}{argument})"
        return self._claim(self.definitions, name, definition)

    def _claim(self, table: dict[str, Any], name: str, value: Any) -> str:
        tables: list[dict[str, Any]] = [self.modules, self.members, self.definitions]
        if not name.isidentifier() or any(
            t.get(name, value) != value or (t is not table and name in t) for t in tables
        ):
            raise Unwritable(name)
        table[name] = value
        return name


def importable(value: Any) -> tuple[str, str] | None:
    """Return the module and name under which an object can be imported; None if it cannot."""
    module = getattr(value, "__module__", None)
    name = str(getattr(value, "__qualname__", None) or getattr(value, "__name__", ""))
    if module in (None, "__main__") or not name.isidentifier():
        return None
    if getattr(sys.modules.get(module), name, None) is not value:
        return None
    # The shorter path, if the top package exports it.
    package = module.split(".")[0]
    if getattr(sys.modules.get(package), name, None) is value:
        return package, name
    return module, name


def called(function: Any) -> str:
    """Return a function's name; for a derivative that JAX makes, such as ``jax.grad(loss)``."""
    try:
        transformed = _transformed(function)
    except (Unwritable, AttributeError, ValueError):
        transformed = None
    if transformed is not None:
        return f"jax.{transformed[0]}({called(transformed[1]) or 'function'})"
    kind = type(function).__name__
    name = str(getattr(function, "__name__", kind))
    if name == "<lambda>":
        return ""
    # A library's wrapper has the name of the wrapped function, but is another function.
    own = isinstance(function, types.FunctionType) or type(function).__module__.startswith("jax")
    return name if own or not hasattr(function, "__wrapped__") else f"{kind}({name})"


def array(value: np.ndarray[Any, Any]) -> str:
    """Return Python source that makes an array again, to the last bit."""
    if not value.size:
        return f"np.zeros({value.shape}, np.{value.dtype.name})"
    usual = value.dtype in (np.float64, np.int64, np.bool_)
    return f"np.array({_nested(value.tolist())}{'' if usual else f', np.{value.dtype.name}'})"


def _nested(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_nested, value)) + "]"
    if isinstance(value, float) and not np.isfinite(value):
        return "np.nan" if np.isnan(value) else ("np.inf" if value > 0 else "-np.inf")
    return repr(value)


def _is_of_a_test(module: str) -> bool:
    # pytest imports test modules in its own way: other programs may not be able to import them.
    loader = getattr(sys.modules.get(module), "__loader__", None)
    return type(loader).__module__.startswith("_pytest.")


def _transformed(value: Any) -> tuple[str, Any, Any] | None:
    """Return the transformation, function and `argnums` of a derivative by JAX; None for others."""
    code = getattr(value, "__code__", None)
    module = str(getattr(code, "co_filename", ""))
    if not isinstance(value, types.FunctionType) or not module.startswith(str(_JAX)):
        return None
    value = _within_boundary(value)
    transformation = value.__code__.co_qualname.split(".")[0]
    held = _held(value)
    if transformation not in _TRANSFORMATIONS or not {"fun", "argnums"} <= held.keys():
        raise Unwritable("it is a function that another one made")
    if held.get("has_aux"):
        raise Unwritable("it has an auxiliary output")
    return transformation, held["fun"], held["argnums"]


def _held(function: Any) -> dict[str, Any]:
    """Return the values in the closures of a function and of the functions in it, by name."""
    found: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        value = cell.cell_contents
        found.setdefault(name, value)
        if isinstance(value, types.FunctionType) and name.endswith("_f"):
            found |= _held(_within_boundary(value))
    return found


def _within_boundary(function: Any) -> Any:
    """Return the function without the wrapper that JAX uses to shorten tracebacks."""
    while function.__code__.co_qualname.startswith("api_boundary"):
        (cell,) = function.__closure__
        function = cell.cell_contents
    return function


def _source(value: Any) -> tuple[Any, str]:
    """Return the source of a function or class: its syntax tree, and its text."""
    if hasattr(value, "defjvp") or hasattr(value, "defvjp"):
        raise Unwritable("its rule is defined elsewhere")
    try:
        plain = inspect.unwrap(value)
        lines, start = inspect.findsource(plain)
        if getattr(plain, "__name__", "") == "<lambda>":
            return _lambda(plain, "".join(lines))
        text = textwrap.dedent("".join(inspect.getblock(lines[start:])))
        (node,) = ast.parse(text).body
    except (OSError, TypeError, ValueError, SyntaxError):
        raise Unwritable("its source cannot be found") from None
    if not isinstance(node, ast.FunctionDef | ast.ClassDef):
        raise Unwritable("it is no definition")
    return node, text.rstrip()


def _lambda(function: Any, text: str) -> tuple[ast.Lambda, str]:
    """Return a lambda expression's syntax tree and text, found by the positions of its code."""
    code = function.__code__
    places = [(a, c) for a, _, c, _ in code.co_positions() if a is not None and c is not None]
    found = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Lambda)
        and node.lineno == code.co_firstlineno
        and [a.arg for a in node.args.args] == list(code.co_varnames[: code.co_argcount])
        and (node.body.lineno, node.body.col_offset) in places
    ]
    # Nested lambdas may begin on one line; the position of the body tells them apart.
    segment = ast.get_source_segment(text, found[0]) if len(found) == 1 else None
    if segment is None:
        raise Unwritable("there are several like it")
    return found[0], segment


def _names(node: Any, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the names from outside that a definition uses, with their values."""
    used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    outside = dict(vars(sys.modules[value.__module__])) if isinstance(value, type) else {}
    if isinstance(value, types.FunctionType):
        outside = dict(value.__globals__)
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        for name, cell in cells:
            try:
                outside[name] = cell.cell_contents
            except ValueError:
                raise Unwritable(name) from None
        outside |= _defaults(node, value)
        missing = _outer(node) - set(outside) - set(vars(builtins))
        if missing:
            raise Unwritable(min(missing))
    for name in sorted(used & set(outside)):
        if outside[name] is not getattr(builtins, name, object()):
            yield name, outside[name]


def _defaults(node: Any, function: types.FunctionType) -> dict[str, Any]:
    """Return the values of defaults that are a name: they are bound where the function is made."""
    parameters = inspect.signature(function).parameters
    positional = [*node.args.posonlyargs, *node.args.args]
    first = len(positional) - len(node.args.defaults)
    given = [*zip(positional[first:], node.args.defaults, strict=True)]
    given += zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return {
        default.id: parameters[argument.arg].default
        for argument, default in given
        if isinstance(default, ast.Name)
    }


def _outer(node: Any) -> set[str]:
    """Return the names in defaults, annotations and decorators, which no scope of its own binds."""
    parts = [node.args, getattr(node, "returns", None), *getattr(node, "decorator_list", [])]
    names = [n for part in parts if part is not None for n in ast.walk(part)]
    return {n.id for n in names if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
