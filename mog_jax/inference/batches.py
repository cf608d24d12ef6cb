"""Batch axes: decorators that map a function of one dataset over a batch."""

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.arrays import Array
from mog_jax.precision import COMPILER, cast, hand_back, is_traced, working_dtype
from mog_jax.program_cache import keep_compiled

R = TypeVar("R")

# Rows of one call. A program for another number of rows may differ in the last bits, so that every
# call has this number.
_ROWS = 256


def over_batch(core: Sequence[int]) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Decorate a function of one dataset, to take any number of batch axes in front.

    Parameters
    ----------
    core : sequence of int
        Number of axes of each argument's arrays for one dataset. Further axes in front are the
        batch, the same for all arguments; an argument without them is used for every dataset.

    Returns
    -------
    callable
        A decorator. An argument that is not given may be None.

    Raises
    ------
    ValueError
        When called, if two arguments have different batches.
    """

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(function)
        def mapped(*arguments: Any) -> R:
            arguments = jax.tree.map(jnp.asarray, arguments)
            batch, batches = _batch(arguments, core)
            axes = tuple(0 if batch in shapes else None for shapes in batches)
            each = function
            for _ in batch:
                each = jax.vmap(each, in_axes=axes)
            return each(*arguments)

        return mapped

    return decorate


def over_rows(
    core: Sequence[int],
) -> Callable[[Callable[..., jax.Array]], Callable[..., jax.Array]]:
    """Decorate a function of datasets in rows, one batch axis in front, to take any number.

    As :func:`over_batch`, for a function that takes datasets side by side itself.
    """

    def decorate(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        @functools.wraps(function)
        def flat(*arguments: Any) -> jax.Array:
            arguments = jax.tree.map(jnp.asarray, arguments)
            batch, _ = _batch(arguments, core)

            def rows(leaf: jax.Array, axes: int) -> jax.Array:
                own = leaf.shape[leaf.ndim - axes :]
                return jnp.broadcast_to(leaf, (*batch, *own)).reshape(math.prod(batch), *own)

            answer = function(
                *(
                    jax.tree.map(functools.partial(rows, axes=axes), argument)
                    for argument, axes in zip(arguments, core, strict=True)
                )
            )
            return answer.reshape(*batch, *answer.shape[1:])

        return flat

    return decorate


class Points(NamedTuple):
    """The arguments that hold the points of one fit, which are cut into parts of one length.

    Parameters
    ----------
    at : tuple of int
        The arguments that have an entry for each point.
    length : int
        Points of one part.
    filling : tuple of float
        Padding of the last part, for each of these arguments.
    are_summed : bool
        Whether the answer is a sum over the points, and not one for each of them.
    """

    at: tuple[int, ...]
    length: int
    filling: tuple[float, ...]
    are_summed: bool = False


def answer(
    core: Sequence[int], points: Points | None = None, *, by_rows: bool = False
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Decorate a function of one fit: for any batch, and any number of points, one program.

    Arrays are cut into rows, the last of which are padded, so that compiled shapes do not depend on
    the number of fits or points; the programs are kept on disk. The answer for a fit does not
    depend on the others. Inside ``jit``, ``grad`` and ``vmap`` it is
    :func:`over_batch`.

    Parameters
    ----------
    core : sequence of int
        As for :func:`over_batch`.
    points : Points, optional
        Which arguments may be of any length, if any may.
    by_rows : bool
        Whether the function takes fits in rows, and not a single one.

    Returns
    -------
    callable
        A decorator. It works in the precision of the arguments, as
        :func:`mog_jax.precision.compiled` does.
    """

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        over: Any = over_rows if by_rows else over_batch
        mapped: Any = jax.jit(over(core)(function))
        rows = function if by_rows else functools.wraps(function)(jax.vmap(function))
        program = keep_compiled(rows, compiler_options=COMPILER)
        signature = inspect.signature(function)

        def in_calls(arguments: Sequence[Any]) -> Any:
            batch, _ = _batch(arguments, core)
            if not math.prod(batch) or not _fits(arguments, core, points):
                return jax.tree.map(np.asarray, mapped(*arguments))
            given, parts = _as_rows(arguments, core, batch, points)
            return _joined(_call(program, given), batch, parts, points, arguments)

        @functools.wraps(function)
        def ask(*arguments: Any, **named: Any) -> Any:
            if named:
                arguments = signature.bind(*arguments, **named).args
            if is_traced(arguments):
                return mapped(*arguments)
            dtype = working_dtype(arguments)
            with jax.enable_x64(dtype == np.float64):
                # On the host: JAX would compile a conversion for each shape.
                host = jax.tree.map(_on_host, arguments)
                answered = in_calls(jax.tree.map(np.asarray, cast(host, dtype)))
            return hand_back(answered)

        return ask

    return decorate


def _on_host(leaf: Any) -> Any:
    return np.asarray(leaf) if isinstance(leaf, jax.Array) else leaf


def _fits(arguments: Sequence[Any], core: Sequence[int], points: Points | None) -> bool:
    """Return whether there are points, and each argument has the axes that it should have."""
    for argument, axes in zip(arguments, core, strict=True):
        if any(leaf.ndim < axes for leaf in jax.tree.leaves(argument)):
            return False
    if points is None:
        return True
    asked = [arguments[i] for i in points.at]
    if not all(isinstance(each, np.ndarray) for each in asked):
        return False
    return len({each.shape[-1] for each in asked}) == 1 and asked[0].shape[-1] > 0


def _length(arguments: Sequence[Any], points: Points) -> int:
    """Return the number of points."""
    return int(arguments[points.at[0]].shape[-1])


def _as_rows(
    arguments: Sequence[Any], core: Sequence[int], batch: tuple[int, ...], points: Points | None
) -> tuple[list[Any], int]:
    """Return each argument with one leading axis, and how many rows each fit takes up."""
    parts = 1 if points is None else -(-_length(arguments, points) // points.length)
    size = math.prod(batch)

    def rows(leaf: Array, axes: int) -> Array:
        own = leaf.shape[leaf.ndim - axes :]
        whole = np.broadcast_to(leaf, (*batch, *own)).reshape(size, *own)
        return np.repeat(whole, parts, axis=0) if parts > 1 else whole

    def cut(leaf: Array, filling: float) -> Array:
        length = leaf.shape[-1]
        whole = np.broadcast_to(leaf, (*batch, length)).reshape(size, length)
        missing = parts * points.length - length  # type: ignore[union-attr]
        filled = np.pad(whole, [(0, 0), (0, missing)], constant_values=filling)
        return filled.reshape(size * parts, -1)

    given = []
    for i, (argument, axes) in enumerate(zip(arguments, core, strict=True)):
        if points is not None and i in points.at:
            given.append(cut(argument, points.filling[points.at.index(i)]))
        else:
            given.append(jax.tree.map(functools.partial(rows, axes=axes), argument))
    return given, parts


def _call(program: Callable[..., Any], given: list[Any]) -> Any:
    """Call the program with `_ROWS` rows at a time."""
    number = len(jax.tree.leaves(given)[0])
    found = []
    for lo in range(0, number, _ROWS):
        some = np.minimum(np.arange(lo, lo + _ROWS), number - 1)
        taken = slice(lo, lo + _ROWS) if lo + _ROWS <= number else some
        part = program(*jax.tree.map(lambda leaf, taken=taken: leaf[taken], given))
        found.append(jax.tree.map(np.asarray, part))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:number], *found)


def _joined(
    found: Any, batch: tuple[int, ...], parts: int, points: Points | None, arguments: Sequence[Any]
) -> Any:
    """Put the parts of each fit together."""

    def join(leaf: Array) -> Array:
        if points is None:
            return leaf.reshape((*batch, *leaf.shape[1:]))
        if points.are_summed:
            # In sequence: parts without points then change nothing, not even by rounding.
            by_fit = leaf.reshape(-1, parts, *leaf.shape[1:])
            return np.cumsum(by_fit, axis=1)[:, -1].reshape((*batch, *leaf.shape[1:]))
        whole = leaf.reshape(*batch, parts * points.length, *leaf.shape[2:])
        return whole[(slice(None),) * len(batch) + (slice(_length(arguments, points)),)]

    return jax.tree.map(join, found)


def _batch(
    arguments: Sequence[Any], core: Sequence[int]
) -> tuple[tuple[int, ...], list[set[tuple[int, ...]]]]:
    """Return the batch, and the batch shapes of each argument."""
    batches = [
        {leaf.shape[: leaf.ndim - axes] for leaf in jax.tree.leaves(argument)}
        for argument, axes in zip(arguments, core, strict=True)
    ]
    found = set().union(*batches) - {()}
    if len(found) > 1:
        got = " and ".join(str(shape) for shape in sorted(found))
        raise ValueError(f"the arguments must share one batch; got batches {got}.")
    return found.pop() if found else (), batches
