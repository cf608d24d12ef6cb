r"""Computes gradient, observed information and EM step from the nine sums.

The ascent's coordinates are :math:`(\log\pi_1/\pi_2,\ \mu_1,\ \mu_2,\ \log\sigma_1^2,\
\log\sigma_2^2)`: five numbers for each lane, each free to take any value, in five arrays of shape
`(*lanes)`. The information is computed by NumPy as well, with ``xp=numpy``.

A penalty on the variances (:mod:`mog_jax.penalty`) acts on standardised data as if each component
held :math:`2a` *pseudo-points* more, at a distance of 1 from its mean. They enter the entries of
the variances only.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.fitting.climb.symmetric import Symmetric, Vector
from mog_jax.kernel import Sums
from mog_jax.mixture import Coordinates


def unpack(theta: Vector) -> Coordinates:
    """Return the log-weights, means and log-variances, two arrays each, of the five coordinates."""
    # log(1/(1 + exp(-a))) keeps its digits where the weight is nearly 0 or nearly 1.
    log_weights = (jax.nn.log_sigmoid(theta[0]), jax.nn.log_sigmoid(-theta[0]))
    return Coordinates(
        logits=log_weights,  # type: ignore[arg-type]  # pairs of arrays, for arrays of pairs
        means=(theta[1], theta[2]),  # type: ignore[arg-type]
        log_variances=(theta[3], theta[4]),  # type: ignore[arg-type]
    )


def gradient(theta: Vector, sums: Sums, pseudo_points: jax.Array | None = None) -> Vector:
    r"""Gradient of the log-likelihood in the ascent's coordinates.

    .. math:: \Big(\pi_2N_1-\pi_1N_2,\quad\frac1{\sigma_k^2}\sum_i\gamma_{ik}(x_i-\mu_k),\quad
              \tfrac12\Big[\frac1{\sigma_k^2}\sum_i\gamma_{ik}(x_i-\mu_k)^2-N_k\Big]\Big)

    Parameters
    ----------
    theta : five arrays, shape (*lanes)
    sums : Sums, shape (*lanes)
        The nine sums at `theta`.
    pseudo_points : array, shape (*lanes), or None
        Pseudo-points of the penalty in each component; None for no penalty.

    Returns
    -------
    five arrays, shape (*lanes)

    References
    ----------
    Equations (24) and (44) of ``derivation.md``.
    """
    weights, precisions = _weights(theta), _precisions(theta)
    counts, first = sums.effective_counts, sums.first
    held, second = (_with(each, pseudo_points) for each in (counts, sums.second))
    return (
        weights[1] * counts[0] - weights[0] * counts[1],
        *(precisions[k] * first[k] for k in range(2)),
        *(0.5 * (precisions[k] * second[k] - held[k]) for k in range(2)),
    )


def information(
    theta: Vector, sums: Sums, xp: Any = jnp, pseudo_points: jax.Array | None = None
) -> Symmetric:
    r"""Observed information, minus the Hessian, in the ascent's coordinates.

    It is the complete-data information less the covariance of the components' scores over the
    responsibilities. For two components that covariance is :math:`\gamma_1\gamma_2\,qq^\top` at
    each point, where the difference of the scores :math:`q=s_1-s_2` is a polynomial of degree 2 in
    :math:`u`: five cross sums suffice.

    Parameters
    ----------
    theta : five arrays, shape (*lanes)
    sums : Sums, shape (*lanes)
        The nine sums at `theta`.
    xp : module
        `jax.numpy` or `numpy`.
    pseudo_points : array, shape (*lanes), or None
        Pseudo-points of the penalty in each component; None for no penalty.

    Returns
    -------
    Symmetric, 5 by 5

    References
    ----------
    Equations (25) and (45) of ``derivation.md``.
    """
    precisions = _precisions(theta, xp)
    # The coefficients of 1, u, u² in each entry of q.
    scores: list[list[jax.Array]] = [[xp.ones_like(theta[0])], [], [], [], []]
    for k, sign in enumerate((1, -1)):
        precision, offset = precisions[k], sums.centre - theta[1 + k]
        scores[1 + k] = [sign * precision * offset, sign * precision]
        scores[3 + k] = [
            0.5 * sign * (precision * offset * offset - 1),
            sign * precision * offset,
            0.5 * sign * precision,
        ]
    complete = complete_information(theta, sums, xp, pseudo_points).entries
    entries = {}
    cross = tuple(sums.cross)
    for i in range(5):
        # Sums of γ₁γ₂ qᵢ uᵖ, shared by the whole row.
        moments = [_dot(scores[i], cross[p:]) for p in range(3)]
        for j in range(i, 5):
            lost = _dot(scores[j], moments)
            entries[i, j] = complete[i, j] - lost if (i, j) in complete else -lost
    return Symmetric(entries, size=5)


def complete_information(
    theta: Vector, sums: Sums, xp: Any = jnp, pseudo_points: jax.Array | None = None
) -> Symmetric:
    """Complete-data information: that of the data if each point's component were known.

    Parameters
    ----------
    theta : five arrays, shape (*lanes)
    sums : Sums, shape (*lanes)
        The nine sums at `theta`.
    xp : module
        `jax.numpy` or `numpy`.
    pseudo_points : array, shape (*lanes), or None
        Pseudo-points of the penalty in each component; None for no penalty.

    Returns
    -------
    Symmetric, 5 by 5
        The matrix D of equation (25): positive definite, and block-diagonal by component.
    """
    weights, precisions = _weights(theta, xp), _precisions(theta, xp)
    counts, second = sums.effective_counts, _with(sums.second, pseudo_points)
    entries = {(0, 0): (counts[0] + counts[1]) * weights[0] * weights[1]}
    for k in range(2):
        entries[1 + k, 1 + k] = precisions[k] * counts[k]
        entries[1 + k, 3 + k] = precisions[k] * sums.first[k]
        entries[3 + k, 3 + k] = 0.5 * precisions[k] * second[k]
    return Symmetric(entries, size=5)


def em_step(
    theta: Vector,
    sums: Sums,
    free: Sequence[jax.Array | bool],
    equal_variances: bool = False,
    pseudo_points: jax.Array | None = None,
) -> Vector:
    """Coordinates after one EM step: the estimates weighted by the responsibilities.

    Parameters
    ----------
    theta : five arrays, shape (*lanes)
    sums : Sums, shape (*lanes)
        The nine sums at `theta`.
    free : five arrays of bool, shape (*lanes), or True
        The coordinates that may move; a variance is taken about its mean even if that is fixed.
    equal_variances : bool
        Whether the components share one variance.
    pseudo_points : array, shape (*lanes), or None
        Pseudo-points of the penalty in each component; None for no penalty.

    Returns
    -------
    five arrays, shape (*lanes)
        A component without points keeps its mean and variance.

    References
    ----------
    Equations (17), (18), (19) and (46) of ``derivation.md``.
    """
    tiny = float(np.finfo(theta[0].dtype).tiny)
    counts = [jnp.maximum(count, tiny) for count in sums.effective_counts]
    empty = [count <= tiny for count in sums.effective_counts]
    steps = [jnp.where(free[1 + k] & ~empty[k], sums.first[k] / counts[k], 0) for k in range(2)]
    squares = [
        sums.second[k] - steps[k] * (2 * sums.first[k] - steps[k] * counts[k]) for k in range(2)
    ]
    squares, shares = (list(_with(each, pseudo_points)) for each in (squares, counts))
    if equal_variances:
        squares, shares = [squares[0] + squares[1]] * 2, [shares[0] + shares[1]] * 2
    variances = [jnp.maximum(squares[k] / shares[k], tiny) for k in range(2)]
    return (
        jnp.log(counts[0]) - jnp.log(counts[1]),
        *(theta[1 + k] + steps[k] for k in range(2)),
        *(jnp.where(empty[k], theta[3 + k], jnp.log(variances[k])) for k in range(2)),
    )


def _with(sums: Any, pseudo_points: jax.Array | None) -> Any:
    """Add the pseudo-points to a sum of each component."""
    return sums if pseudo_points is None else (sums[0] + pseudo_points, sums[1] + pseudo_points)


def _weights(theta: Vector, xp: Any = jnp) -> Any:
    if xp is np:
        return 1 / (1 + np.exp(-theta[0])), 1 / (1 + np.exp(theta[0]))
    return jax.nn.sigmoid(theta[0]), jax.nn.sigmoid(-theta[0])


def _precisions(theta: Vector, xp: Any = jnp) -> Vector:
    return xp.exp(-theta[3]), xp.exp(-theta[4])


def _dot(left: Sequence[jax.Array], right: Sequence[jax.Array]) -> jax.Array:
    total = left[0] * right[0]
    for a, b in zip(left[1:], right[1:], strict=False):
        total = total + a * b
    return total
