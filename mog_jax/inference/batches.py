"""The batch axes of inference: functions of one dataset, mapped over all of them."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

R = TypeVar("R")


def over_batch(core: Sequence[int]) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Decorate a function of one dataset, to take any number of batch axes in front.

    Parameters
    ----------
    core : sequence of int
        How many axes each argument's arrays have for one dataset. What an argument has more is
        the batch, the same for all; an argument may have none of it, and then serves them all.

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

    As :func:`over_batch`, for a function that itself says how its datasets go side by side.
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


def _batch(
    arguments: Sequence[Any], core: Sequence[int]
) -> tuple[tuple[int, ...], list[set[tuple[int, ...]]]]:
    """Give the batch, and of which shapes that of each argument is."""
    batches = [
        {leaf.shape[: leaf.ndim - axes] for leaf in jax.tree.leaves(argument)}
        for argument, axes in zip(arguments, core, strict=True)
    ]
    found = set().union(*batches) - {()}
    if len(found) > 1:
        got = " and ".join(str(shape) for shape in sorted(found))
        raise ValueError(f"the arguments must share one batch; got batches {got}.")
    return found.pop() if found else (), batches
