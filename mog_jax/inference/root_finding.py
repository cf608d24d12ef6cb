"""Zeros of monotone functions, for all lanes of a batch at once and to the last digits."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.manual_axes import varying_as


def monotone_zero(
    function: Callable[[jax.Array], jax.Array], low: jax.Array, high: jax.Array
) -> jax.Array:
    """Find where an elementwise monotone function changes its sign between `low` and `high`.

    Bisection, with Newton's step instead where that stays inside the bracket; it ends after as many
    halvings as the format has digits.

    Parameters
    ----------
    function : callable
        From an array to an array of its shape, rising or falling.
    low, high : arrays of one shape
        Where the function has different signs. If the signs are equal, the answer is an end.

    Returns
    -------
    array, of the shape of `low`
    """
    rises = function(high) >= function(low)

    def refine(
        _: int, bracket: tuple[jax.Array, jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        below, above, guess = bracket
        value, along = jax.jvp(function, (guess,), (jnp.ones_like(guess),))
        is_above = (value > 0) == rises
        below, above = jnp.where(is_above, below, guess), jnp.where(is_above, guess, above)
        newton = guess - value / along
        inside = (newton > below) & (newton < above)
        return below, above, jnp.where(inside, newton, 0.5 * (below + above))

    start = varying_as((low, high, 0.5 * (low + high)), rises)
    found: jax.Array = jax.lax.fori_loop(0, np.finfo(low.dtype).nmant, refine, start)[2]
    return found
