"""float64 in, float64 out, without touching JAX's global flag.

JAX computes in float32 unless ``jax_enable_x64`` is set, and setting it is the user's decision, for
the whole process. A maximum that is to be found to ten digits cannot be found in float32. So each
public function looks at what it was given, and works in float64 if anything in it is.

Where the flag is off, float64 answers are handed back as NumPy arrays: a float64 ``jax.Array``
outside the flag decays to float32 at the first ``+ 1``, silently.

Inside a user's own ``jit``, ``grad`` or ``vmap`` the arguments are tracers whose precision is
already settled: there the surrounding precision holds.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np

P = ParamSpec("P")
R = TypeVar("R")

# XLA uses vectors of half the width that the machine has, unless told otherwise.
COMPILER = {"xla_cpu_prefer_vector_width": 512}


def is_traced(tree: Any) -> bool:
    """Whether any leaf of `tree` is being traced by ``jit``, ``grad`` or ``vmap``."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))


def working_dtype(tree: Any) -> np.dtype[Any]:
    """Give the precision in which to compute with `tree`: float64 or float32.

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
    """Cast every leaf of `tree` to `dtype`, on the host where it lies on the host."""
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
        if leaf.dtype == np.float64 and not holds_doubles:
            return np.asarray(leaf)[()]
        return leaf if isinstance(leaf, jax.Array) else jax.numpy.asarray(leaf)

    return jax.tree.map(outside, tree)


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function of arrays: jitted, and computed in the precision of its arguments."""
    jitted = jax.jit(function, compiler_options=COMPILER)
    # Options are for whole programs, and not for a part of another one.
    inner = jax.jit(function)

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if is_traced((args, kwargs)):
            return inner(*args, **kwargs)  # type: ignore[no-any-return]
        dtype = working_dtype((args, kwargs))
        with jax.enable_x64(dtype == np.float64):
            arguments, keywords = cast((args, kwargs), dtype)
            result = jitted(*arguments, **keywords)
        return hand_back(result)  # type: ignore[no-any-return]

    return wrapper


def _is_list(node: Any) -> bool:
    # To JAX a list is a tree of numbers; to the caller of a numerical function it is an array.
    return isinstance(node, list)


def _leaves(tree: Any) -> list[Any]:
    return jax.tree.leaves(tree, is_leaf=_is_list)
