"""Points under each component of a mixture, one array for each component.

What the textbook (:mod:`mog_jax.likelihood`) keeps on a trailing axis is here a list, which XLA
turns into one loop over the points: a trailing axis of 2 costs it three to ten times as much.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.inference.batches import Points, answer, over_batch
from mog_jax.likelihood import component_log_density, points
from mog_jax.mixture import Mixture
from mog_jax.precision import compiled, hand_back, is_traced


def scaled_joint_densities(mixture: Mixture, x: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
    r"""Return :math:`\pi_k\,\mathcal N(x_i\mid\mu_k,\sigma_k^2)`, divided by the largest of them.

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


def on_last_axis(
    function: Callable[[Mixture, jax.Array], list[jax.Array]],
) -> Callable[[Mixture, ArrayLike], jax.Array]:
    """Decorate a function that gives k arrays of shape (n,), to give one of shape (..., n, k).

    It takes mixtures of shape (..., k) and points of shape (..., n), as they are.
    """
    as_they_are = compiled(
        over_batch(core=(1, 1))(lambda *given: jnp.stack(function(*given), axis=-1))
    )

    # To XLA a pair is two arrays that are woven, which takes three times as long as to compute
    # them; but a complex number is one number.
    @answer(core=(1, 1), points=Points(at=(1,), length=64, filling=(np.nan,)))
    @functools.wraps(function)
    def as_complex(mixture: Mixture, x: jax.Array) -> jax.Array:
        return jax.lax.complex(*function(mixture, x))

    @functools.wraps(function)
    def woven(mixture: Mixture, x: ArrayLike) -> jax.Array:
        if mixture.n_components != 2 or is_traced((mixture, x)):
            return as_they_are(mixture, x)
        pairs = np.asarray(as_complex(mixture, x))
        answer: jax.Array = hand_back(pairs.view(pairs.real.dtype).reshape(*pairs.shape, 2))
        return answer

    return woven


def responsibilities_of_each(mixture: Mixture, x: jax.Array) -> list[jax.Array]:
    """Posterior probability of each component, a list of k arrays of shape (n,)."""
    if mixture.n_components == 2:
        return list(probabilities(Pair.of(mixture).log_odds(points(mixture, x))))
    _, scaled = scaled_joint_densities(mixture, x)
    total = sum(scaled[1:], scaled[0])
    return [each / total for each in scaled]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Pair:
    """Two components, in the form in which points ask for them.

    Parameters
    ----------
    weights, means, per_deviation : pair of arrays, shape (*lanes)
        The last is one over the standard deviation: to multiply takes less than to divide.
    constant : array, shape (*lanes)
        Log-odds of the first component, but for the z-scores.
    """

    weights: tuple[jax.Array, ...]
    means: tuple[jax.Array, ...]
    per_deviation: tuple[jax.Array, ...]
    constant: jax.Array

    @classmethod
    def of(cls, mixture: Mixture) -> "Pair":
        """Take a mixture with components on the leading axis, shape (2, *lanes)."""
        log_weights, log_variances = jnp.log(mixture.weights), jnp.log(mixture.variances)
        return cls(
            weights=tuple(mixture.weights),
            means=tuple(mixture.means),
            per_deviation=tuple(1 / jnp.sqrt(mixture.variances)),
            constant=(log_weights[0] - log_weights[1])
            - 0.5 * (log_variances[0] - log_variances[1]),
        )

    def z_scores(self, x: jax.Array) -> list[jax.Array]:
        """Distance of points, shape (n, *lanes), from each mean, in its standard deviations."""
        return [
            (x - mean[None]) * per_deviation[None]
            for mean, per_deviation in zip(self.means, self.per_deviation, strict=True)
        ]

    def log_odds(self, x: jax.Array) -> jax.Array:
        r"""Return :math:`\log\gamma_{i1}/\gamma_{i2}` of points, shape (n, *lanes)."""
        first, second = self.z_scores(x)
        # Not a difference of squares: those may leave the range of a double.
        return self.constant[None] + 0.5 * (second - first) * (second + first)


@jax.custom_jvp
def probabilities(log_odds: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the probabilities of two cases, each to its last digits, by a single exponential."""
    e = jnp.exp(-jnp.abs(log_odds))
    larger = 1 / (1 + e)
    smaller = e * larger
    is_first = log_odds >= 0
    return jnp.where(is_first, larger, smaller), jnp.where(is_first, smaller, larger)


@probabilities.defjvp
def _probabilities_jvp(
    primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    # They are smooth where the odds are even, though |log-odds| is not.
    first, second = probabilities(*primals)
    slope = first * second * tangents[0]
    return (first, second), (slope, -slope)
