"""Where a climb begins: a deterministic start, computed from the data."""

import jax
import jax.numpy as jnp

from mog_jax.mixture import Mixture


def best_split(x: jax.Array, counts: jax.Array, variance_floor: float) -> Mixture:
    """Cut the sorted points in two where the two halves are most likely, each a Gaussian.

    Parameters
    ----------
    x, counts : arrays, shape (n,)
        Standardised points and their multiplicities; a count of 0 is padding.
    variance_floor : float
        Lowest variance of a half.

    Returns
    -------
    Mixture, shape (2,)
    """
    # Padding goes to the end, where it adds nothing to any cumulative sum.
    order = jnp.lexsort((x, counts == 0))
    x, counts = x[order], counts[order]
    moments = jnp.cumsum(jnp.stack([counts, counts * x, counts * x * x]), axis=1)
    below, above = moments, moments[:, -1:] - moments

    def describe(moments: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        number = jnp.maximum(moments[0], 1)
        mean = moments[1] / number
        variance = jnp.maximum(moments[2] / number - mean * mean, variance_floor)
        return number, mean, variance

    def hard_likelihood(moments: jax.Array) -> jax.Array:
        number, _, variance = describe(moments)
        return number * (jnp.log(number) - 0.5 * jnp.log(variance))

    # A half of one value would be infinitely likely: both must have some width.
    gap = jnp.diff(x, append=x[-1:])
    total = moments[0, -1]
    splits = (gap > 0) & (below[0] >= 2) & (above[0] >= 2)
    splits = jnp.where(jnp.any(splits), splits, (gap > 0) & (below[0] < total))
    score = jnp.where(splits, hard_likelihood(below) + hard_likelihood(above), -jnp.inf)
    at = jnp.argmax(score)
    low, high = describe(below[:, at]), describe(above[:, at])
    number, means, variances = (jnp.stack(pair) for pair in zip(low, high, strict=True))
    return Mixture(weights=number / jnp.sum(number), means=means, variances=variances)
