"""The batch axes of inference: functions of one dataset, mapped over all of them."""

import functools
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
            batches = [
                {leaf.shape[: leaf.ndim - axes] for leaf in jax.tree.leaves(argument)}
                for argument, axes in zip(arguments, core, strict=True)
            ]
            found = set().union(*batches) - {()}
            if len(found) > 1:
                got = " and ".join(str(shape) for shape in sorted(found))
                raise ValueError(f"the arguments must share one batch; got batches {got}.")
            batch = found.pop() if found else ()
            axes = tuple(0 if batch in shapes else None for shapes in batches)
            each = function
            for _ in batch:
                each = jax.vmap(each, in_axes=axes)
            return each(*arguments)

        return mapped

    return decorate
