r"""How many components: information criteria. Lower is better, in all of them.

They weigh the log-likelihood :math:`\mathcal L`, in nats, against the number of free parameters.
"""

import jax
import jax.numpy as jnp
from numpy.typing import ArrayLike

from mog_jax.array_like import seen_points
from mog_jax.inference.batches import over_batch
from mog_jax.inference.two_components import Pair
from mog_jax.likelihood import multiplicities, points
from mog_jax.mixture import Mixture
from mog_jax.precision import compiled


@compiled
def aic(log_likelihood: ArrayLike, n_parameters: ArrayLike) -> jax.Array:
    r"""Akaike's criterion, :math:`2p-2\mathcal L`.

    Parameters
    ----------
    log_likelihood : array-like, shape (...,)
        At the maximum.
    n_parameters : array-like, shape (...,)
        Free parameters: 5 for two components, 4 where their variances are equal, 2 for one.

    Returns
    -------
    array, shape (...,)

    References
    ----------
    H. Akaike, IEEE Trans. Automatic Control 19 (1974) 716-723.
    """
    return 2 * (jnp.asarray(n_parameters) - jnp.asarray(log_likelihood))


@compiled
def bic(log_likelihood: ArrayLike, n_parameters: ArrayLike, n_points: ArrayLike) -> jax.Array:
    r"""Schwarz's criterion, :math:`p\log m-2\mathcal L`, with :math:`m` points.

    Its usual proof does not hold for the number of components, because the smaller model lies on
    the boundary of the larger one; that it still finds that number in the end is Keribin's.

    Parameters
    ----------
    log_likelihood : array-like, shape (...,)
        At the maximum.
    n_parameters : array-like, shape (...,)
        Free parameters: 5 for two components, 4 where their variances are equal, 2 for one.
    n_points : array-like, shape (...,)
        Points, or the sum of their counts.

    Returns
    -------
    array, shape (...,)

    References
    ----------
    G. Schwarz, Ann. Statist. 6 (1978) 461-464. C. Keribin, Sankhya A 62 (2000) 49-66.
    """
    penalty = jnp.asarray(n_parameters) * jnp.log(jnp.asarray(n_points))
    return penalty - 2 * jnp.asarray(log_likelihood)


def icl(
    bic: ArrayLike, mixture: Mixture, x: ArrayLike, counts: ArrayLike | None = None
) -> jax.Array:
    r"""Integrated completed likelihood: BIC, and a penalty for components that overlap.

    .. math:: \mathrm{ICL}=\mathrm{BIC}-2\sum_ic_i\log\max_k\gamma_{ik}

    With each point given to its more probable component, as mclust does.

    Parameters
    ----------
    bic : array-like, shape (...,)
        Of the mixture.
    mixture : Mixture, shape (..., 2)
        The maximum.
    x, counts : array-like, shape (..., n)
        The data, and how often each point was seen; 1 where not given.

    Returns
    -------
    array, shape (...,)

    References
    ----------
    C. Biernacki, G. Celeux and G. Govaert, IEEE Trans. PAMI 22 (2000) 719-725.
    """
    return _icl(bic, mixture, *seen_points(x, counts))


@compiled
@over_batch(core=(0, 1, 1, 1))
def _icl(bic: jax.Array, mixture: Mixture, x: jax.Array, counts: jax.Array | None) -> jax.Array:
    # Minus the logarithm of the larger responsibility.
    doubt = jnp.log(1 + jnp.exp(-jnp.abs(Pair.of(mixture).log_odds(points(mixture, x)))))
    return bic + 2 * jnp.sum(doubt if counts is None else multiplicities(doubt, counts) * doubt)


def n_parameters(*, equal_variances: bool, n_fixed: ArrayLike = 0) -> jax.Array:
    """Count the free parameters of two components: 5, or 4 where the variances are equal.

    Parameters
    ----------
    equal_variances : bool
        Whether the two variances were one parameter.
    n_fixed : array-like of int, shape (...,)
        How many of them were fixed.

    Returns
    -------
    array, shape (...,)
    """
    free: jax.Array = (4 if equal_variances else 5) - jnp.asarray(n_fixed)
    return free
