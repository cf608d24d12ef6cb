r"""Computes information criteria for the number of components; lower is better in all of them.

They compare the log-likelihood :math:`\mathcal L`, in nats, with the number of free parameters.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.array_like import seen_points
from mog_jax.inference.batches import Points, answer
from mog_jax.inference.two_components import Pair
from mog_jax.likelihood import multiplicities, points
from mog_jax.mixture import Mixture
from mog_jax.precision import hand_back, is_traced


@answer(core=(0, 0))
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

    Raises
    ------
    ValueError
        If the arguments have different batches.

    Accuracy
    --------
    One rounding of each operation. ``tests/inference/test_criteria.py`` compares `aic` with `bic`.

    References
    ----------
    H. Akaike, IEEE Trans. Automatic Control 19 (1974) 716-723.
    """
    return 2 * (jnp.asarray(n_parameters) - jnp.asarray(log_likelihood))


@answer(core=(0, 0, 0))
def bic(log_likelihood: ArrayLike, n_parameters: ArrayLike, n_points: ArrayLike) -> jax.Array:
    r"""Schwarz's criterion, :math:`p\log m-2\mathcal L`, with :math:`m` points.

    Its usual proof does not hold for the number of components, because the smaller model lies on
    the boundary of the larger one. Keribin proved that it is still consistent for that number.

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

    Raises
    ------
    ValueError
        If the arguments have different batches.

    Accuracy
    --------
    That of published fits to 12 digits. Measured by ``tests/inference/test_criteria.py``.

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

    Raises
    ------
    ValueError
        If the shapes of `mixture`, `x` and `counts` do not agree.

    Accuracy
    --------
    To 13 digits of its definition by responsibilities. Measured by
    ``tests/inference/test_criteria.py``.

    References
    ----------
    C. Biernacki, G. Celeux and G. Govaert, IEEE Trans. PAMI 22 (2000) 719-725.
    """
    seen, counts = seen_points(x, counts)
    if counts is None:
        counts = jnp.ones_like(seen) if is_traced(seen) else np.ones(np.shape(seen), seen.dtype)
    doubt = _doubt(mixture, seen, counts)
    if is_traced((bic, doubt)):
        return jnp.asarray(bic) + 2 * doubt
    criterion: jax.Array = hand_back(np.asarray(bic) + 2 * np.asarray(doubt))
    return criterion


@answer(core=(1, 1, 1), points=Points(at=(1, 2), length=64, filling=(0.0, 0.0), are_summed=True))
def _doubt(mixture: Mixture, x: jax.Array, counts: jax.Array) -> jax.Array:
    # Minus the logarithm of the larger responsibility.
    doubt = jnp.log(1 + jnp.exp(-jnp.abs(Pair.of(mixture).log_odds(points(mixture, x)))))
    return jnp.sum(multiplicities(doubt, counts) * doubt)


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

    Accuracy
    --------
    Exact: a whole number. Tested by ``tests/inference/test_criteria.py``.
    """
    fixed: Any = n_fixed if is_traced(n_fixed) else np.asarray(n_fixed, np.int32)
    free: jax.Array = hand_back((4 if equal_variances else 5) - fixed)
    return free
