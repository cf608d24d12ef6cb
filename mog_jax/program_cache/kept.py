"""``jax.jit`` whose executables outlive the process."""

import functools
import hashlib
import inspect
import operator
import pickle
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar

import jax
import numpy as np
from jax.experimental import serialize_executable

from mog_jax.program_cache import storage
from mog_jax.program_cache.circumstances import circumstances, describe_option

P = ParamSpec("P")
R = TypeVar("R")

_PACKAGE = Path(__file__).parent.parent
# Written into each executable that XLA has compiled itself. One that was loaded from JAX's own
# persistent cache lacks its machine code when it is written out again, and fails when it is run.
_MACHINE_CODE = b"\x7fELF"
_NUMBERS = (bool, int, float, complex)
_kept: "weakref.WeakSet[KeptProgram[Any, Any]]" = weakref.WeakSet()


def keep_compiled(
    function: Callable[P, R],
    *,
    static_argnames: Sequence[str] = (),
    compiler_options: dict[str, Any] | None = None,
    sources: Path = _PACKAGE,
) -> "KeptProgram[P, R]":
    """Wrap a function as ``jax.jit`` does, and keep its executables on disk.

    Parameters
    ----------
    function : callable
        Of arrays, numbers and trees of them; by name an attribute of its module. Its program may
        depend on nothing but its arguments and the sources.
    static_argnames : sequence of str
        Its keyword-only parameters that are options of the program: hashable, and compared by
        ``==``.
    compiler_options : dict, optional
        As for ``jax.jit``; they do not hold where the program is a part of another one.
    sources : Path
        The folder whose Python files define the program; a change in one of them compiles anew.

    Returns
    -------
    KeptProgram
        To be called as the function is.

    Raises
    ------
    ValueError
        If the function is not defined at the top level of a module in `sources` (two that are
        defined within others may share a name), or a static argument is not keyword-only.
    """
    return KeptProgram(function, tuple(static_argnames), compiler_options, sources)


def clear() -> None:
    """Remove all programs of this user from disk, and from the memory of this process."""
    storage.remove_all()
    for program in list(_kept):
        program.forget()


class KeptProgram(Generic[P, R]):
    """A function that is compiled once for each kind of arguments, and not in each process.

    Made by `keep_compiled`. It may be called from several threads: one compiles, the others wait.
    """

    __name__: str
    __qualname__: str

    def __init__(
        self,
        function: Callable[P, R],
        static_argnames: tuple[str, ...],
        compiler_options: dict[str, Any] | None,
        sources: Path,
    ) -> None:
        functools.update_wrapper(self, function)
        _validate(function, static_argnames, sources)
        self._static = static_argnames
        parameters = inspect.signature(function).parameters
        self._defaults = {
            name: parameters[name].default
            for name in static_argnames
            if parameters[name].default is not inspect.Parameter.empty
        }
        self._options = compiler_options
        self._sources = sources
        self._jitted: Any = jax.jit(
            function, static_argnames=static_argnames, compiler_options=compiler_options
        )
        # Compiler options hold for whole programs, and not for a part of another one.
        self._inner: Any = jax.jit(function, static_argnames=static_argnames)
        self._guard = threading.Lock()
        self.forget()
        _kept.add(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        program, arguments = self._find(args, kwargs)
        return program(*args, **arguments)  # type: ignore[no-any-return]

    def prepare(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Load or compile the program for such arguments, and do not run it.

        Called in a thread of its own, it lets two programs compile side by side. Where programs are
        not kept it does nothing: they are compiled when they are called.
        """
        self._find(args, kwargs)

    def _find(self, args: Any, kwargs: Any) -> tuple[Callable[..., Any], dict[str, Any]]:
        """Return the program for these arguments, and those to be given by name."""
        arguments = dict(kwargs)
        given = {name: arguments.pop(name) for name in self._static if name in arguments}
        static = self._defaults | given
        leaves, tree = jax.tree.flatten((args, arguments))
        kinds = tuple([_kind(leaf) for leaf in leaves])
        if _TRACED in kinds:
            return functools.partial(self._inner, **static), arguments
        # 1, 1.0 and True are equal, and make different programs.
        options = tuple([(name, type(value), value) for name, value in static.items()])
        key = (tree, kinds, options, _settings(jax.config))
        program = self._programs.get(key)
        if program is None:
            program = self._get(key, static, args, arguments)
        return program, arguments

    def forget(self) -> None:
        """Drop the programs from memory; those on disk remain."""
        self._jitted.clear_cache()
        self._inner.clear_cache()
        with self._guard:
            self._programs: dict[Any, Callable[..., Any]] = {}
            self._locks: dict[Any, threading.Lock] = {}

    def _get(self, key: Any, static: dict[str, Any], args: Any, arguments: Any) -> Any:
        with self._guard:
            programs, lock = self._programs, self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in programs:
                programs[key] = self._make(static, args, arguments)
            return programs[key]

    def _make(self, static: dict[str, Any], args: Any, arguments: Any) -> Callable[..., Any]:
        """Load the program or compile it; give plain ``jit`` where it could not be kept."""
        name = None
        if storage.directory() is not None and _can_be_kept((args, arguments)):
            name = self._file_name(static, args, arguments)
        if name is None:
            return functools.partial(self._jitted, **static)
        loaded = _load(name)
        if loaded is not None:
            return loaded
        compiled: jax.stages.Compiled = self._jitted.lower(*args, **static, **arguments).compile()
        _store(name, compiled)
        return compiled

    def _file_name(self, static: dict[str, Any], args: Any, arguments: Any) -> str | None:
        """Name the program by all that it depends on; None if a part of that is unknown."""
        options = [describe_option(value, self._sources) for value in static.values()]
        surroundings = circumstances(self._sources)
        if surroundings is None or None in options:
            return None
        leaves, tree = jax.tree.flatten((args, arguments))
        text = "\n".join(
            [
                surroundings,
                f"function: {self.__module__}.{self.__qualname__}",
                f"compiler options: {sorted((self._options or {}).items())}",
                f"static options: {list(zip(static, options, strict=True))}",
                f"structure: {tree}",
                *(_describe_leaf(leaf) for leaf in leaves),
            ]
        )
        # The address of an object differs between processes.
        if " at 0x" in text:
            return None
        return f"{self.__name__}-{hashlib.sha256(text.encode()).hexdigest()}"


_TRACED = object()
# Those of JAX's settings that a ``with`` block may change between two calls.
_settings = operator.attrgetter(
    "jax_enable_x64",
    "jax_disable_jit",
    "jax_debug_nans",
    "jax_debug_infs",
    "jax_default_device",
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
)
# Under these JAX runs functions in another way than as one program.
_debugging = operator.attrgetter("jax_disable_jit", "jax_debug_nans", "jax_debug_infs")
_default_device = operator.attrgetter("jax_default_device")


def _kind(leaf: Any) -> Any:
    """Describe all properties of an argument that the program depends on."""
    if type(leaf) is np.ndarray:
        return leaf.shape, leaf.dtype
    if type(leaf) in _NUMBERS:
        return type(leaf)
    if isinstance(leaf, jax.core.Tracer):
        return _TRACED
    if isinstance(leaf, jax.Array):
        # Results of committed arrays are committed to their device, too.
        return leaf.shape, leaf.dtype, leaf.weak_type, leaf.sharding, leaf.committed
    return type(leaf), np.shape(leaf), getattr(leaf, "dtype", None)


def _can_be_kept(tree: Any) -> bool:
    """Return whether the program is ordinary, for the one processor that is JAX's default."""
    if any(_debugging(jax.config)):
        return False
    if jax.default_backend() != "cpu" or jax.process_count() > 1:
        return False
    device = _device()
    if _default_device(jax.config) not in (None, device):
        return False
    return all(_is_ordinary(leaf, device) for leaf in jax.tree.leaves(tree))


def _device() -> jax.Device:
    return jax.local_devices(backend="cpu")[0]


def _is_ordinary(leaf: Any, device: jax.Device) -> bool:
    if isinstance(leaf, jax.Array):
        is_key = jax.numpy.issubdtype(leaf.dtype, jax.dtypes.extended)
        return leaf.sharding.device_set == {device} and not is_key
    return isinstance(leaf, np.ndarray | np.generic | bool | int | float | complex)


def _describe_leaf(leaf: Any) -> str:
    if type(leaf) in _NUMBERS:
        return type(leaf).__name__
    is_array = isinstance(leaf, jax.Array)
    facts = {"weak": leaf.weak_type, "committed": leaf.committed} if is_array else {}
    return (
        f"{np.dtype(leaf.dtype).str}{leaf.shape} {[name for name, holds in facts.items() if holds]}"
    )


def _load(name: str) -> Callable[..., Any] | None:
    content = storage.read(name)
    if content is None:
        return None
    try:
        serialized, in_tree, out_tree = pickle.loads(content)
        loaded: Callable[..., Any] = serialize_executable.deserialize_and_load(
            serialized, in_tree, out_tree, backend="cpu", execution_devices=[_device()]
        )
    except Exception:  # any error while reading: the program is compiled again
        return None
    return loaded


def _store(name: str, compiled: jax.stages.Compiled) -> None:
    # JAX registers the routines that a program calls, such as LAPACK's, when it compiles: a process
    # that only loads the program would call a missing routine and crash.
    if "custom-call" in (compiled.as_text() or "custom-call"):
        return
    try:
        serialized, in_tree, out_tree = serialize_executable.serialize(compiled)
        content = pickle.dumps((serialized, in_tree, out_tree))
    except Exception:  # constants, callbacks and results of local classes cannot be written out
        return
    if _MACHINE_CODE in serialized:
        storage.write(name, content)


def _validate(
    function: Callable[..., Any], static_argnames: tuple[str, ...], sources: Path
) -> None:
    name = function.__qualname__
    file = getattr(sys.modules.get(function.__module__), "__file__", None)
    if "<" in name or file is None or not Path(file).is_relative_to(sources):
        raise ValueError(
            "`function` must be defined at the top level of a module in `sources`; "
            f"got {function.__module__}.{name}, which is not in {sources}."
        )
    parameters = inspect.signature(function).parameters
    for argument in static_argnames:
        parameter = parameters.get(argument)
        if parameter is None or parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            raise ValueError(
                f"static_argnames must be keyword-only parameters of {name}; got {argument!r}."
            )
