r"""Ways uphill: each proposes a new mixture from the gradient at the old one.

All of them are :math:`P(\theta)\,\nabla\mathcal L` for a positive definite :math:`P`, so that a
small enough step gains. A direction is a function ``(mixture, x, counts, step) -> mixture``, where
`step` scales the move; 1 is the whole one.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from mog_jax.gradients import (
    log_variance_gradient,
    logit_gradient,
    mean_gradient,
    weight_gradient,
)
from mog_jax.likelihood import responsibilities
from mog_jax.mixture import Coordinates, Mixture

Direction = Callable[[Mixture, jax.Array, jax.Array, jax.Array], Mixture]


def gradient(mixture: Mixture, x: jax.Array, counts: jax.Array, step: jax.Array) -> Mixture:
    """Plain steepest ascent in logits, means and log-variances, per point.

    References
    ----------
    Equations (8), (14) and (15) of ``derivation.md``.
    """
    coordinates = mixture.to_coordinates()
    scale = step / jnp.sum(counts)
    return Coordinates(
        logits=coordinates.logits + scale * logit_gradient(mixture, x, counts),
        means=coordinates.means + scale * mean_gradient(mixture, x, counts),
        log_variances=coordinates.log_variances + scale * log_variance_gradient(mixture, x, counts),
    ).to_mixture()


def em(mixture: Mixture, x: jax.Array, counts: jax.Array, step: jax.Array) -> Mixture:
    """Xu and Jordan's preconditioned gradient; at step 1 it is the EM step.

    References
    ----------
    Equations (16) to (19) of ``derivation.md``. L. Xu and M. I. Jordan, Neural Computation 8
    (1996) 129-151.
    """
    weights, means, variances = mixture.weights, mixture.means, mixture.variances
    gamma = responsibilities(mixture, x) * counts[:, None]
    effective = jnp.sum(gamma, axis=0)
    slope = weight_gradient(mixture, x, counts)
    new_weights = weights + step * weights * (slope - jnp.sum(weights * slope)) / jnp.sum(counts)
    new_means = means + step * variances / effective * mean_gradient(mixture, x, counts)
    squares = jnp.square(x[:, None] - new_means[None, :])
    about_new_mean = 0.5 * jnp.sum(
        gamma * (squares / jnp.square(variances)[None, :] - 1 / variances[None, :]), axis=0
    )
    new_variances = variances + step * 2 * jnp.square(variances) / effective * about_new_mean
    return Mixture(weights=new_weights, means=new_means, variances=new_variances)


DIRECTIONS: dict[str, Direction] = {"gradient": gradient, "em": em}
