"""Points under each component of a mixture, one array for each component.

What the textbook (:mod:`mog_jax.likelihood`) keeps on a trailing axis is here a list, which XLA
turns into one loop over the points: a trailing axis of 2 costs it three to ten times as much.
"""

import functools

import jax
import jax.numpy as jnp

from mog_jax.likelihood import component_log_density, points
from mog_jax.mixture import Mixture


def scaled_joint_densities(mixture: Mixture, x: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
    r"""Give :math:`\pi_k\,\mathcal N(x_i\mid\mu_k,\sigma_k^2)`, divided by the largest of them.

    Parameters
    ----------
    mixture : Mixture, shape (k,)
    x : array, shape (n,)
        The points, in the unit of the means.

    Returns
    -------
    largest : array, shape (n,)
        Logarithm of what they were divided by.
    scaled : list of k arrays, shape (n,)
        Between 0 and 1, and 1 for the largest.
    """
    x = points(mixture, x)
    joint = []
    for k in range(mixture.n_components):
        alone: Mixture = jax.tree.map(lambda field, k=k: field[k : k + 1], mixture)
        joint.append(component_log_density(alone, x)[:, 0] + jnp.log(mixture.weights[k]))
    largest = functools.reduce(jnp.maximum, joint)
    # Every density underflows: -inf must not meet itself in a subtraction.
    largest = jnp.where(jnp.isneginf(largest), jnp.zeros_like(largest), largest)
    return largest, [jnp.exp(each - largest) for each in joint]


def responsibilities_of_each(mixture: Mixture, x: jax.Array) -> list[jax.Array]:
    """Posterior probability of each component, a list of k arrays of shape (n,)."""
    _, scaled = scaled_joint_densities(mixture, x)
    total = sum(scaled[1:], scaled[0])
    return [each / total for each in scaled]
