r"""What the nine sums say about the ascent: gradient, observed information, EM step.

The ascent's coordinates are :math:`(\log\pi_1/\pi_2,\ \mu_1,\ \mu_2,\ \log\sigma_1^2,\
\log\sigma_2^2)`: five numbers, each free to take any value, on the leading axis of arrays of shape
`(5, *lanes)`.
"""

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.kernel import Sums
from mog_jax.mixture import Coordinates


def unpack(theta: jax.Array) -> Coordinates:
    """Give the log-weights, means and log-variances, each `(2, *lanes)`, of `theta`."""
    # log(1/(1 + exp(-a))) keeps its digits where the weight is nearly 0 or nearly 1.
    log_weights = jnp.stack([jax.nn.log_sigmoid(theta[0]), jax.nn.log_sigmoid(-theta[0])])
    return Coordinates(logits=log_weights, means=theta[1:3], log_variances=theta[3:5])


def pack(coordinates: Coordinates) -> jax.Array:
    """Give the five coordinates of log-weights, means and log-variances, each `(2, *lanes)`."""
    logit = coordinates.logits[0] - coordinates.logits[1]
    return jnp.concatenate([logit[None], coordinates.means, coordinates.log_variances])


def gradient(at: Coordinates, sums: Sums) -> jax.Array:
    r"""Gradient of the log-likelihood in the ascent's coordinates.

    .. math:: \Big(\pi_2N_1-\pi_1N_2,\quad\frac1{\sigma_k^2}\sum_i\gamma_{ik}(x_i-\mu_k),\quad
              \tfrac12\Big[\frac1{\sigma_k^2}\sum_i\gamma_{ik}(x_i-\mu_k)^2-N_k\Big]\Big)

    Parameters
    ----------
    at : Coordinates, fields of shape (2, *lanes)
    sums : Sums, shape (*lanes)
        Taken there.

    Returns
    -------
    array, shape (5, *lanes)

    References
    ----------
    Equation (24) of ``derivation.md``.
    """
    weights, precisions = jnp.exp(at.logits), jnp.exp(-at.log_variances)
    counts = sums.effective_counts
    logit = weights[1] * counts[0] - weights[0] * counts[1]
    log_variances = 0.5 * (precisions * sums.second - counts)
    return jnp.concatenate([logit[None], precisions * sums.first, log_variances])


def information(at: Coordinates, sums: Sums) -> jax.Array:
    r"""Observed information, minus the Hessian, in the ascent's coordinates.

    What would be known if each point told its component, less the covariance of what the two
    components would say. For two components that is :math:`\gamma_1\gamma_2\,qq^\top` at each
    point, where the difference of the scores :math:`q=s_1-s_2` is a polynomial of degree 2 in
    :math:`u`: five cross sums suffice.

    Parameters
    ----------
    at : Coordinates, fields of shape (2, *lanes)
    sums : Sums, shape (*lanes)
        Taken there.

    Returns
    -------
    array, shape (5, 5, *lanes)

    References
    ----------
    Equation (25) of ``derivation.md``.
    """
    precisions = jnp.exp(-at.log_variances)
    one = jnp.ones_like(sums.centre)
    # The coefficients of 1, u, u² in each entry of q.
    scores = [[one], *([one] * 2 for _ in range(2)), *([one] * 3 for _ in range(2))]
    complete = _complete(at, sums)
    for k, sign in enumerate((1, -1)):
        precision, offset = precisions[k], sums.centre - at.means[k]
        scores[1 + k] = [sign * precision * offset, sign * precision]
        scores[3 + k] = [
            0.5 * sign * (precision * offset * offset - 1),
            sign * precision * offset,
            0.5 * sign * precision,
        ]
    rows = [[one] * 5 for _ in range(5)]
    for i in range(5):
        # Sums of γ₁γ₂ qᵢ uᵖ, shared by the whole row.
        moments = [_dot(scores[i], sums.cross[p:]) for p in range(3)]
        for j in range(i, 5):
            lost = _dot(scores[j], moments)
            rows[i][j] = rows[j][i] = complete[i, j] - lost if (i, j) in complete else -lost
    return jnp.stack([jnp.stack(row) for row in rows])


def complete_information(at: Coordinates, sums: Sums) -> jax.Array:
    """Information that the data would hold if each point told its component.

    Parameters
    ----------
    at : Coordinates, fields of shape (2, *lanes)
    sums : Sums, shape (*lanes)
        Taken there.

    Returns
    -------
    array, shape (5, 5, *lanes)
        The matrix D of equation (25): positive definite, and block-diagonal by component.
    """
    entries = _complete(at, sums)
    zero = jnp.zeros_like(sums.centre)
    rows = [[entries.get((min(i, j), max(i, j)), zero) for j in range(5)] for i in range(5)]
    return jnp.stack([jnp.stack(row) for row in rows])


def _complete(at: Coordinates, sums: Sums) -> dict[tuple[int, int], jax.Array]:
    weights, precisions = jnp.exp(at.logits), jnp.exp(-at.log_variances)
    entries = {(0, 0): jnp.sum(sums.effective_counts, axis=0) * weights[0] * weights[1]}
    for k in range(2):
        entries[1 + k, 1 + k] = precisions[k] * sums.effective_counts[k]
        entries[1 + k, 3 + k] = precisions[k] * sums.first[k]
        entries[3 + k, 3 + k] = 0.5 * precisions[k] * sums.second[k]
    return entries


def em_step(
    at: Coordinates, sums: Sums, free: jax.Array, equal_variances: bool = False
) -> Coordinates:
    """One EM step: what the data say of each component, shared out by responsibility.

    Parameters
    ----------
    at : Coordinates, fields of shape (2, *lanes)
    sums : Sums, shape (*lanes)
        Taken there.
    free : array of bool, shape (5, *lanes)
        The coordinates that may move; the variances of means that may not are about those means.
    equal_variances : bool
        Whether the components share one variance.

    Returns
    -------
    Coordinates
        A component that holds nothing keeps its mean and variance.

    References
    ----------
    Equations (17), (18) and (19) of ``derivation.md``.
    """
    tiny = float(np.finfo(at.means.dtype).tiny)
    counts = jnp.maximum(sums.effective_counts, tiny)
    empty = sums.effective_counts <= tiny
    step = jnp.where(free[1:3] & ~empty, sums.first / counts, 0)
    squares = sums.second - step * (2 * sums.first - step * counts)
    if equal_variances:
        squares = jnp.broadcast_to(jnp.sum(squares, axis=0)[None], squares.shape)
        counts_of_squares = jnp.broadcast_to(jnp.sum(counts, axis=0)[None], squares.shape)
    else:
        counts_of_squares = counts
    variances = jnp.maximum(squares / counts_of_squares, tiny)
    return Coordinates(
        logits=jnp.log(counts / jnp.sum(counts, axis=0)[None]),
        means=at.means + step,
        log_variances=jnp.where(empty, at.log_variances, jnp.log(variances)),
    )


def solve(matrix: jax.Array, right: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Solve small symmetric systems, all lanes at once, and say which are positive definite.

    Parameters
    ----------
    matrix : array, shape (m, m, *lanes)
    right : array, shape (m, *lanes)

    Returns
    -------
    array, shape (m, *lanes)
        The solution: meaningless where the matrix is not positive definite.
    array of bool, shape (*lanes)
        Whether it is: a symmetric matrix is if and only if elimination without exchanges meets
        positive pivots only.
    """
    size = right.shape[0]
    # A pivot that rounding alone has left over is not positive.
    rounding = 8 * float(np.finfo(right.dtype).eps)
    factor: list[list[jax.Array]] = [[] for _ in range(size)]
    pivots: list[jax.Array] = []
    definite = jnp.ones(right.shape[1:], bool)
    # Unrolled LDLᵀ: for matrices this small anything else costs more than it computes.
    for j in range(size):
        scaled = [factor[j][k] * pivots[k] for k in range(j)]
        pivot = matrix[j, j]
        for k in range(j):
            pivot = pivot - factor[j][k] * scaled[k]
        definite = definite & (pivot > rounding * matrix[j, j])
        pivots.append(jnp.where(pivot == 0, 1, pivot))
        inverse = 1 / pivots[j]
        for i in range(j + 1, size):
            entry = matrix[i, j]
            for k in range(j):
                entry = entry - factor[i][k] * scaled[k]
            factor[i].append(entry * inverse)
    solution = [right[i] for i in range(size)]
    for i in range(size):
        for k in range(i):
            solution[i] = solution[i] - factor[i][k] * solution[k]
    solution = [entry / pivot for entry, pivot in zip(solution, pivots, strict=True)]
    for i in reversed(range(size)):
        for k in range(i + 1, size):
            solution[i] = solution[i] - factor[k][i] * solution[k]
    stacked = jnp.stack(solution)
    return stacked, definite & jnp.all(jnp.isfinite(stacked), axis=0)


def _dot(left: list[jax.Array], right: list[jax.Array] | jax.Array) -> jax.Array:
    total = left[0] * right[0]
    for a, b in zip(left[1:], right[1:], strict=False):
        total = total + a * b
    return total
