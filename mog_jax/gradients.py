r"""The derivatives of the log-likelihood, written out by hand: one function per equation.

Every function cites the equation of ``derivation.md`` that it implements, and uses no automatic
differentiation. With the responsibilities :math:`\gamma_{ik}` and the standardised residuals
:math:`z_{ik}=(x_i-\mu_k)/\sigma_k`, everything below is a polynomial in :math:`z`, weighted by
:math:`\gamma`.

The weights appear in four forms, which are easily confused, so each has its own name:

=============================  =================================================================
`weight_gradient`              the partial derivative, each weight moving alone
`projected_weight_gradient`    the same along the simplex, where the weights keep summing to 1
`lagrangian_weight_condition`  what must vanish at a maximum under the constraint
`logit_gradient`               the derivative in logits, where the constraint is built in
=============================  =================================================================

Each function sees one dataset, of shape (n,), and one mixture, of shape (k,); batches go through
:func:`jax.vmap`.
"""

import jax
import jax.numpy as jnp
from numpy.typing import ArrayLike

from mog_jax.likelihood import (
    multiplicities,
    points,
    responsibilities,
    scaled_densities,
    sum_over_points,
)
from mog_jax.mixture import Mixture
from mog_jax.precision import compiled


@sum_over_points
@compiled
def mean_gradient(mixture: Mixture, x: ArrayLike, counts: ArrayLike | None = None) -> jax.Array:
    r"""Derivative with respect to each mean.

    .. math:: \frac{\partial\mathcal L}{\partial\mu_k}
              =\sum_i c_i\,\gamma_{ik}\,\frac{x_i-\mu_k}{\sigma_k^2}

    Parameters
    ----------
    mixture : Mixture, shape (k,)
    x : array-like, shape (n,)
        The points, in the unit of the means.
    counts : array-like, shape (n,), optional
        How often each point was seen; 1 where not given.

    Returns
    -------
    array, shape (k,)
        In nats per unit of the data.

    Raises
    ------
    ValueError
        If the shapes of `mixture`, `x` and `counts` do not agree, or `mixture` is no `Mixture`.

    Accuracy
    --------
    Within 64 roundings of the sum of its absolute terms, compared with autodiff of the textbook
    likelihood. Measured by ``tests/test_gradients.py``; ``mog-jax check`` compares the
    formula in exact arithmetic.

    References
    ----------
    Equation (8) of ``derivation.md``.

    Examples
    --------
    >>> mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[-1, 1], variances=[1, 1])
    >>> mean_gradient(mixture, [-3.0, 3.0]).round(3)
    array([-1.985,  1.985])
    """
    return _total(_terms(mixture, x).means, counts)


@sum_over_points
@compiled
def variance_gradient(mixture: Mixture, x: ArrayLike, counts: ArrayLike | None = None) -> jax.Array:
    r"""Derivative with respect to each variance (not standard deviation).

    .. math:: \frac{\partial\mathcal L}{\partial\sigma_k^2}
              =\frac12\sum_i c_i\,\gamma_{ik}
               \Big[\frac{(x_i-\mu_k)^2}{\sigma_k^4}-\frac1{\sigma_k^2}\Big]

    Parameters
    ----------
    mixture : Mixture, shape (k,)
    x : array-like, shape (n,)
        The points, in the unit of the means.
    counts : array-like, shape (n,), optional
        How often each point was seen; 1 where not given.

    Returns
    -------
    array, shape (k,)
        In nats per squared unit of the data.

    Raises
    ------
    ValueError
        If the shapes of `mixture`, `x` and `counts` do not agree, or `mixture` is no `Mixture`.

    Accuracy
    --------
    Within 64 roundings of the sum of its absolute terms, compared with autodiff of the textbook
    likelihood. Measured by ``tests/test_gradients.py``; ``mog-jax check`` compares the
    formula in exact arithmetic.

    References
    ----------
    Equation (9) of ``derivation.md``.
    """
    return _total(_terms(mixture, x).variances, counts)


@sum_over_points
@compiled
def weight_gradient(mixture: Mixture, x: ArrayLike, counts: ArrayLike | None = None) -> jax.Array:
    r"""Partial derivative with respect to each weight, with the others fixed.

    .. math:: \frac{\partial\mathcal L}{\partial\pi_k}
              =\sum_i c_i\,\frac{\gamma_{ik}}{\pi_k}
              =\sum_i c_i\,\frac{\mathcal N(x_i\mid\mu_k,\sigma_k^2)}{p(x_i)}

    The weights are treated as free: this is the slope of the likelihood off the simplex too, and
    it does not vanish at a maximum. The second form is the one computed: it is right at
    :math:`\pi_k=0` as well, where the first is 0/0.

    Parameters
    ----------
    mixture : Mixture, shape (k,)
    x : array-like, shape (n,)
        The points, in the unit of the means.
    counts : array-like, shape (n,), optional
        How often each point was seen; 1 where not given.

    Returns
    -------
    array, shape (k,)
        In nats.

    Raises
    ------
    ValueError
        If the shapes of `mixture`, `x` and `counts` do not agree, or `mixture` is no `Mixture`.

    Accuracy
    --------
    Within 64 roundings of the sum of its absolute terms, compared with autodiff of the textbook
    likelihood. Measured by ``tests/test_gradients.py``; ``mog-jax check`` compares the
    formula in exact arithmetic.

    References
    ----------
    Equation (10) of ``derivation.md``.

    Examples
    --------
    An absent component that would explain the data better has a steep slope, not NaN:

    >>> mixture = Mixture.from_arrays(weights=[0, 1], means=[3, 0], variances=[1, 1])
    >>> weight_gradient(mixture, [3.0]).round(3)
    array([90.017,  1.   ])
    """
    return _total(_terms(mixture, x).weights, counts)


@sum_over_points
@compiled
def lagrangian_weight_condition(
    mixture: Mixture, x: ArrayLike, counts: ArrayLike | None = None
) -> jax.Array:
    r"""The expressions that are zero at a maximum over the weights, with the multiplier inserted.

    .. math:: \sum_i c_i\,\frac{\gamma_{ik}}{\pi_k}-m,\qquad m=\sum_i c_i

    Its solution is the familiar :math:`\pi_k=\frac1m\sum_i c_i\gamma_{ik}`.

    Parameters
    ----------
    mixture : Mixture, shape (k,)
    x : array-like, shape (n,)
        The points, in the unit of the means.
    counts : array-like, shape (n,), optional
        How often each point was seen; 1 where not given.

    Returns
    -------
    array, shape (k,)
        In nats. Zero at a maximum for each component of positive weight.

    Raises
    ------
    ValueError
        If the shapes of `mixture`, `x` and `counts` do not agree, or `mixture` is no `Mixture`.

    Accuracy
    --------
    Within 64 roundings of the sum of its absolute terms, compared with autodiff of the textbook
    likelihood. Measured by ``tests/test_gradients.py``; ``mog-jax check`` compares the
    formula in exact arithmetic.

    References
    ----------
    Equation (12) of ``derivation.md``; the multiplier is m by (11).
    """
    by_point = _terms(mixture, x).weights
    # The 1 of each point is subtracted before the sum: at a maximum both nearly cancel.
    return _total(by_point - 1, counts)


@sum_over_points
@compiled
def projected_weight_gradient(
    mixture: Mixture, x: ArrayLike, counts: ArrayLike | None = None
) -> jax.Array:
    r"""The weights' gradient projected on the simplex's tangent space.

    .. math:: \frac{\partial\mathcal L}{\partial\pi_k}
              -\frac1K\sum_j\frac{\partial\mathcal L}{\partial\pi_j}

    The steepest ascent that keeps the weights' sum: its components sum to 0, and it vanishes at
    an interior maximum.

    Parameters
    ----------
    mixture : Mixture, shape (k,)
    x : array-like, shape (n,)
        The points, in the unit of the means.
    counts : array-like, shape (n,), optional
        How often each point was seen; 1 where not given.

    Returns
    -------
    array, shape (k,)
        In nats.

    Raises
    ------
    ValueError
        If the shapes of `mixture`, `x` and `counts` do not agree, or `mixture` is no `Mixture`.

    Accuracy
    --------
    Within 64 roundings of the sum of its absolute terms, compared with autodiff of the textbook
    likelihood. Measured by ``tests/test_gradients.py``; ``mog-jax check`` compares the
    formula in exact arithmetic.

    References
    ----------
    Equation (13) of ``derivation.md``.
    """
    partial = _total(_terms(mixture, x).weights, counts)
    return partial - jnp.mean(partial)


@sum_over_points
@compiled
def logit_gradient(mixture: Mixture, x: ArrayLike, counts: ArrayLike | None = None) -> jax.Array:
    r"""Derivative with respect to each logit, where the weights are their softmax.

    .. math:: \frac{\partial\mathcal L}{\partial\alpha_k}
              =\sum_i c_i\,(\gamma_{ik}-\pi_k),\qquad \pi=\operatorname{softmax}(\alpha)

    Parameters
    ----------
    mixture : Mixture, shape (k,)
        Its weights sum to 1, being a softmax.
    x : array-like, shape (n,)
        The points, in the unit of the means.
    counts : array-like, shape (n,), optional
        How often each point was seen; 1 where not given.

    Returns
    -------
    array, shape (k,)
        In nats.

    Raises
    ------
    ValueError
        If the shapes of `mixture`, `x` and `counts` do not agree, or `mixture` is no `Mixture`.

    Accuracy
    --------
    Within 64 roundings of the sum of its absolute terms, compared with autodiff of the textbook
    likelihood. Measured by ``tests/test_gradients.py``; ``mog-jax check`` compares the
    formula in exact arithmetic.

    References
    ----------
    Equation (14) of ``derivation.md``.
    """
    return _total(responsibilities(mixture, x) - mixture.weights[None, :], counts)


@sum_over_points
@compiled
def log_variance_gradient(
    mixture: Mixture, x: ArrayLike, counts: ArrayLike | None = None
) -> jax.Array:
    r"""Derivative with respect to the logarithm of each variance.

    .. math:: \frac{\partial\mathcal L}{\partial\log\sigma_k^2}
              =\frac12\sum_i c_i\,\gamma_{ik}\Big[\frac{(x_i-\mu_k)^2}{\sigma_k^2}-1\Big]

    Parameters
    ----------
    mixture : Mixture, shape (k,)
    x : array-like, shape (n,)
        The points, in the unit of the means.
    counts : array-like, shape (n,), optional
        How often each point was seen; 1 where not given.

    Returns
    -------
    array, shape (k,)
        In nats.

    Raises
    ------
    ValueError
        If the shapes of `mixture`, `x` and `counts` do not agree, or `mixture` is no `Mixture`.

    Accuracy
    --------
    Within 64 roundings of the sum of its absolute terms, compared with autodiff of the textbook
    likelihood. Measured by ``tests/test_gradients.py``; ``mog-jax check`` compares the
    formula in exact arithmetic.

    References
    ----------
    Equation (15) of ``derivation.md``.
    """
    _, gamma, z = _ratios_responsibilities_and_residuals(mixture, x)
    return _total(0.5 * (gamma * z * z - gamma), counts)


@sum_over_points
@compiled
def gradient(mixture: Mixture, x: ArrayLike, counts: ArrayLike | None = None) -> Mixture:
    """All partial derivatives of the log-likelihood, as ``jax.grad`` would give them.

    Parameters
    ----------
    mixture : Mixture, shape (k,)
    x : array-like, shape (n,)
        The points, in the unit of the means.
    counts : array-like, shape (n,), optional
        How often each point was seen; 1 where not given.

    Returns
    -------
    Mixture
        `weight_gradient`, `mean_gradient` and `variance_gradient`, each of shape (k,), in the
        fields of what they differentiate by.

    Raises
    ------
    ValueError
        If the shapes of `mixture`, `x` and `counts` do not agree, or `mixture` is no `Mixture`.

    Accuracy
    --------
    Within four roundings of the sum of its absolute terms, each enlarged by what rounding does to
    a far point, compared with difference quotients in 80 digits. Measured by
    ``tests/test_gradients.py``.

    References
    ----------
    Equations (8), (9) and (10) of ``derivation.md``.
    """
    total: Mixture = jax.tree.map(lambda terms: _total(terms, counts), _terms(mixture, x))
    return total


@compiled
def point_gradients(mixture: Mixture, x: ArrayLike) -> Mixture:
    r"""Derivatives of each point's log-density :math:`\log p(x_i)`: the scores.

    Parameters
    ----------
    mixture : Mixture, shape (k,)
    x : array-like, shape (n,)
        The points, in the unit of the means.

    Returns
    -------
    Mixture
        Each field of shape (n, k): the term of point i in the sum that gives the gradient.

    Raises
    ------
    ValueError
        If `x` is not one dataset of shape (n,), or `mixture` not one mixture of shape (k,).

    Accuracy
    --------
    The terms add up to `gradient` to 12 digits. Measured by ``tests/test_gradients.py``.

    References
    ----------
    Equation (7) of ``derivation.md``: Fisher's identity (5) of the scores (6) of one component.
    """
    return _terms(mixture, x)


@sum_over_points
@compiled
def observed_information(
    mixture: Mixture, x: ArrayLike, counts: ArrayLike | None = None
) -> jax.Array:
    r"""Minus the Hessian of the log-likelihood, by Louis's formula.

    The weights are free, as in `weight_gradient`. To take the constraint into account, look at the
    matrix on the tangent space of the simplex only.

    Parameters
    ----------
    mixture : Mixture, shape (k,)
    x : array-like, shape (n,)
        The points, in the unit of the means.
    counts : array-like, shape (n,), optional
        How often each point was seen; 1 where not given.

    Returns
    -------
    array, shape (3k, 3k)
        Symmetric; rows and columns are the weights, then the means, then the variances.

    Raises
    ------
    ValueError
        If the shapes of `mixture`, `x` and `counts` do not agree, or `mixture` is no `Mixture`.

    Accuracy
    --------
    Within 64 roundings of the sum of its absolute terms, compared with autodiff of the gradient.
    Measured by ``tests/test_gradients.py``.

    References
    ----------
    Equation (20) of ``derivation.md``. T. A. Louis, "Finding the observed information matrix when
    using the EM algorithm", J. R. Stat. Soc. B 44 (1982) 226-233.
    """
    ratio, gamma, z = _ratios_responsibilities_and_residuals(mixture, x)
    deviation = jnp.sqrt(mixture.variances)[None, :]
    variance = mixture.variances[None, :]
    c = _counts_or_ones(gamma[:, 0], counts)

    mean_score = z / deviation
    variance_score = 0.5 * (z * z - 1) / variance
    own = jnp.eye(mixture.n_components, dtype=gamma.dtype)
    # The responsibility of the others is a sum: 1 - gamma loses digits where gamma is nearly 1.
    others = gamma @ (1 - own)

    def between(left: jax.Array, right: jax.Array) -> jax.Array:
        """Off the diagonal blocks: minus the product of two components' scores."""
        return -jnp.einsum("i,ij,ik->jk", c, left, right)

    def within(scores: jax.Array, curvature: jax.Array) -> jax.Array:
        """On the diagonal: the component's own curvature and the spread of its scores."""
        terms = gamma * curvature + gamma * others * scores
        return jnp.diag(c @ terms)

    def block(left: jax.Array, right: jax.Array, curvature: jax.Array) -> jax.Array:
        off = between(gamma * left, gamma * right) * (1 - own)
        return off + within(left * right, curvature)

    def weight_block(score: jax.Array) -> jax.Array:
        off = between(ratio, gamma * score) * (1 - own)
        return off + jnp.diag(c @ (ratio * others * score))

    weights_weights = between(ratio, ratio)
    weights_means = weight_block(mean_score)
    weights_variances = weight_block(variance_score)
    means_means = block(mean_score, mean_score, jnp.broadcast_to(-1 / variance, z.shape))
    means_variances = block(mean_score, variance_score, -mean_score / variance)
    variances_variances = block(
        variance_score, variance_score, (0.5 - z * z) / jnp.square(variance)
    )
    return -jnp.block(
        [
            [weights_weights, weights_means, weights_variances],
            [weights_means.T, means_means, means_variances],
            [weights_variances.T, means_variances.T, variances_variances],
        ]
    )


def _ratios_responsibilities_and_residuals(
    mixture: Mixture, x: ArrayLike
) -> tuple[jax.Array, jax.Array, jax.Array]:
    r"""Return :math:`\mathcal N_k(x_i)/p(x_i)`, :math:`\gamma_{ik}` and :math:`z_{ik}`."""
    x = points(mixture, x)
    _, scaled = scaled_densities(mixture, x)
    weights = mixture.weights[None, :]
    ratio = scaled / jnp.sum(weights * scaled, axis=-1, keepdims=True)
    z = (x[:, None] - mixture.means[None, :]) / jnp.sqrt(mixture.variances)[None, :]
    return ratio, weights * ratio, z


def _terms(mixture: Mixture, x: ArrayLike) -> Mixture:
    """Derivatives of each point's log-density: the terms of the gradient's sums."""
    ratio, gamma, z = _ratios_responsibilities_and_residuals(mixture, x)
    return Mixture(
        weights=ratio,
        means=gamma * z / jnp.sqrt(mixture.variances)[None, :],
        # In this order: z * z may overflow where gamma is 0, and 0 x inf would be NaN.
        variances=0.5 * (gamma * z * z - gamma) / mixture.variances[None, :],
    )


def _counts_or_ones(by_point: jax.Array, counts: ArrayLike | None) -> jax.Array:
    return jnp.ones_like(by_point) if counts is None else multiplicities(by_point, counts)


def _total(terms: jax.Array, counts: ArrayLike | None) -> jax.Array:
    """Sum (n, k) terms over the points, each as often as it was seen."""
    if counts is None:
        return jnp.sum(terms, axis=0)
    counts = multiplicities(terms[:, 0], counts)[:, None]
    return jnp.sum(jnp.where(counts == 0, jnp.zeros_like(terms), counts * terms), axis=0)
