"""Scores: the gradient of each point's log-density, and the score's derivative by the point.

The coordinates are those of :mod:`mog_jax.inference.information`.
"""

import jax
import jax.numpy as jnp

from mog_jax.inference.two_components import Pair, probabilities
from mog_jax.likelihood import points, responsibilities
from mog_jax.mixture import Mixture


def scores(mixture: Mixture, x: jax.Array) -> jax.Array:
    """Gradient of each point's log-density in the coordinates of the information.

    Parameters
    ----------
    mixture : Mixture, shape (2,)
    x : array, shape (n,)

    Returns
    -------
    array, shape (n, 5)

    References
    ----------
    Equation (27) of ``derivation.md``.
    """
    return jnp.stack(scores_of(Pair.of(mixture), points(mixture, x)), axis=-1)


def scores_of(pair: Pair, x: jax.Array) -> list[jax.Array]:
    """Return the five scores of points, shape (n, *lanes)."""
    gamma = probabilities(pair.log_odds(x))
    # Half of one difference, so that neither component's excess loses its digits.
    logit = gamma[0] * pair.weights[1][None] - gamma[1] * pair.weights[0][None]
    # In this order: z * z may overflow where gamma is 0, and 0 x inf would be NaN.
    z = pair.z_scores(x)
    shares = [gamma[k] * z[k] for k in range(2)]
    means = [shares[k] * pair.per_deviation[k][None] for k in range(2)]
    log_variances = [0.5 * (shares[k] * z[k] - gamma[k]) for k in range(2)]
    return [logit, *means, *log_variances]


def score_slopes(mixture: Mixture, x: jax.Array) -> jax.Array:
    r"""Derivative of each point's score, in those coordinates, with respect to the point.

    .. math:: \frac{\partial s_i}{\partial x}=\Big(\gamma_{i1}',\quad
              \gamma_{ik}'\frac{z_{ik}}{\sigma_k}+\frac{\gamma_{ik}}{\sigma_k^2},\quad
              \tfrac12\gamma_{ik}'(z_{ik}^2-1)+\gamma_{ik}\frac{z_{ik}}{\sigma_k}\Big),\qquad
              \gamma_{i1}'=\gamma_{i1}\gamma_{i2}
              \Big(\frac{z_{i2}}{\sigma_2}-\frac{z_{i1}}{\sigma_1}\Big)=-\gamma_{i2}'

    Parameters
    ----------
    mixture : Mixture, shape (2,)
    x : array, shape (n,)

    Returns
    -------
    array, shape (n, 5)

    References
    ----------
    Equation (41) of ``derivation.md``.
    """
    x = points(mixture, x)
    gamma = responsibilities(mixture, x)
    deviations = jnp.sqrt(mixture.variances)[None, :]
    z = (x[:, None] - mixture.means[None, :]) / deviations
    pull = z / deviations
    # In this order: nothing overflows where the product of the responsibilities is 0.
    first = gamma[:, 0] * (gamma[:, 1] * pull[:, 1]) - gamma[:, 1] * (gamma[:, 0] * pull[:, 0])
    slope = jnp.stack([first, -first], axis=-1)
    return jnp.concatenate(
        [
            first[:, None],
            slope * pull + gamma / jnp.square(deviations),
            0.5 * (slope * z * z - slope) + gamma * pull,
        ],
        axis=-1,
    )
