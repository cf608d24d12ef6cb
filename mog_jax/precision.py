"""float64 in, float64 out, without touching JAX's global flag.

JAX computes in float32 unless ``jax_enable_x64`` is set, and setting it is the user's decision, for
the whole process. A maximum cannot be found to ten digits in float32. Each public function
therefore works in float64 if one of its arguments is float64.

Where the flag is off, float64 answers are handed back as NumPy arrays: a float64 ``jax.Array``
outside the flag decays to float32 at the first ``+ 1``, silently.

Inside a user's own ``jit``, ``grad`` or ``vmap`` the arguments are tracers whose precision is
already known: there the surrounding precision holds.
"""

import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np

from mog_jax.array_like import real_array

P = ParamSpec("P")
R = TypeVar("R")

# By default XLA uses vectors of half the width that the machine has.
COMPILER = {"xla_cpu_prefer_vector_width": 512}


def is_traced(tree: Any) -> bool:
    """Return whether any leaf of `tree` is being traced by ``jit``, ``grad`` or ``vmap``."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))


def working_dtype(tree: Any) -> np.dtype[Any]:
    """Return the precision in which to compute with `tree`: float64 or float32.

    The widest of its floating-point arrays decides. Integer arrays say nothing about precision,
    and lists of numbers are NumPy's float64; where there is nothing else, it is float64.

    Examples
    --------
    >>> import numpy as np
    >>> working_dtype((np.ones(3, np.float32), 2.0, np.arange(3)))
    dtype('float32')
    >>> working_dtype((1, [2.0, 3.0]))
    dtype('float64')
    """
    leaves = [leaf for leaf in _leaves(tree) if not isinstance(leaf, bool | int | float)]
    dtypes = [
        leaf.dtype if isinstance(leaf, jax.Array) else np.asarray(leaf).dtype for leaf in leaves
    ]
    sizes = [dtype.itemsize for dtype in dtypes if jax.numpy.issubdtype(dtype, np.floating)]
    return np.dtype(np.float32 if sizes and max(sizes) < 8 else np.float64)


def cast(tree: Any, dtype: np.dtype[Any]) -> Any:
    """Cast every leaf of `tree` to `dtype`; a leaf on the host stays on the host."""
    return jax.tree.map(
        lambda leaf: (
            leaf.astype(dtype)
            if isinstance(leaf, jax.Array)
            else np.asarray(leaf).astype(dtype, copy=False)
        ),
        tree,
        is_leaf=_is_list,
    )


def hand_back(tree: Any) -> Any:
    """Make a result safe to compute with outside: NumPy arrays where the x64 flag is off."""
    holds_doubles = jax.dtypes.canonicalize_dtype(np.float64) == np.float64

    def outside(leaf: Any) -> Any:
        if leaf.dtype in (np.float64, np.complex128) and not holds_doubles:
            return np.asarray(leaf)[()]
        # Not `asarray`, which compiles a program for each shape.
        return leaf if isinstance(leaf, jax.Array) else jax.device_put(leaf)

    return jax.tree.map(outside, tree)


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function of arrays: jitted, and computed in the precision of its arguments.

    Its arguments are read by :func:`mog_jax.array_like.real_array`.
    """
    jitted = jax.jit(function, compiler_options=COMPILER)
    # Compiler options hold for whole programs, and not for a part of another one.
    inner = jax.jit(function)
    names = _names(function)

    @functools.wraps(function)
    def wrapper(*given: P.args, **by_name: P.kwargs) -> R:
        args: Any = tuple(map(_read, given, names))
        kwargs: Any = {name: _read(value, name) for name, value in by_name.items()}
        if is_traced((args, kwargs)):
            return inner(*args, **kwargs)  # type: ignore[no-any-return]
        dtype = working_dtype((args, kwargs))
        with jax.enable_x64(dtype == np.float64):
            arguments, keywords = cast((args, kwargs), dtype)
            result = jitted(*arguments, **keywords)
        return hand_back(result)  # type: ignore[no-any-return]

    return wrapper


def _names(function: Callable[..., Any]) -> Iterable[str]:
    parameters = inspect.signature(function).parameters.values()
    if any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters):
        return itertools.repeat("every argument")
    return [each.name for each in parameters]


def _read(argument: Any, name: str) -> Any:
    """Read an argument that is an array or has arrays as fields; Python numbers stay."""
    if argument is None or isinstance(argument, bool | int | float):
        return argument
    if type(argument) is np.ndarray:
        return real_array(argument, name)
    return jax.tree.map(
        lambda leaf: leaf if isinstance(leaf, bool | int | float) else real_array(leaf, name),
        argument,
        is_leaf=_is_array_like,
    )


def _is_array_like(node: Any) -> bool:
    # JAX takes these for trees of numbers; the caller of a numerical function means an array, or
    # has made a mistake.
    return isinstance(node, list | tuple | Mapping)


def _is_list(node: Any) -> bool:
    return isinstance(node, list)


def _leaves(tree: Any) -> list[Any]:
    return jax.tree.leaves(tree, is_leaf=_is_list)
