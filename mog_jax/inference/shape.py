r"""The shape of a fitted density: how many modes, where, and how far apart the components are.

Two components need not make two modes. Every mode and antimode of a mixture of two lies between the
means, on Ray and Lindsay's ridgeline. With :math:`s=(x-\mu_1)/(\mu_2-\mu_1)` and
:math:`y=\log\frac s{1-s}` the derivative of the density has the sign of minus

.. math:: h(y)=y+\log\frac{\pi_1}{\pi_2}+\tfrac32\log\frac{\sigma_2^2}{\sigma_1^2}
               -\tfrac12As^2+\tfrac12B(1-s)^2,\qquad
          A=\frac{(\mu_2-\mu_1)^2}{\sigma_1^2},\quad B=\frac{(\mu_2-\mu_1)^2}{\sigma_2^2},

whose slope is the cubic :math:`1-s(1-s)[As+B(1-s)]`. Either the cubic has no zero between 0 and 1,
and :math:`h` has one; or it has two, which divide the line into three intervals, on each of which
:math:`h` is monotone and has at most one zero. No grid is searched, and no mode is missed.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.inference.batches import answer
from mog_jax.inference.root_finding import monotone_zero
from mog_jax.mixture import Mixture


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Modes:
    """The modes of a density, and the antimode between them.

    Parameters
    ----------
    count : array of int, shape (...,)
        1 or 2; 0 where there is no fit.
    places : array, shape (..., 2)
        Where, in ascending order, in the unit of the data. The second is NaN where there is one.
    antimode : array, shape (...,)
        The lowest point between two modes, NaN where there is one.
    """

    count: jax.Array
    places: jax.Array
    antimode: jax.Array


@answer(core=(1,))
def modes(mixture: Mixture) -> Modes:
    """Count and place the modes of a mixture of two, exactly.

    Parameters
    ----------
    mixture : Mixture, shape (..., 2)
        Components by ascending mean.

    Returns
    -------
    Modes

    Accuracy
    --------
    The number is proved by the signs of the derivative in 60 digits, and each place is within 1e-9
    of the scale of the means. Measured by ``tests/inference/test_shape.py``.

    References
    ----------
    Equations (35) and (36) of ``derivation.md``.
    S. Ray and B. G. Lindsay, Ann. Statist. 33 (2005) 2042-2065.

    Examples
    --------
    >>> mixture = Mixture.from_arrays(weights=[0.5, 0.5], means=[-1.1, 1.1], variances=[1, 1])
    >>> modes(mixture).places.round(6)
    array([-0.736922,  0.736922])
    """
    weights, means, variances = mixture.weights, mixture.means, mixture.variances
    distance = means[..., 1] - means[..., 0]
    low, high = (jnp.square(distance / jnp.sqrt(variances[..., k])) for k in (0, 1))
    level = (
        jnp.log(weights[..., 0])
        - jnp.log(weights[..., 1])
        + 1.5 * (jnp.log(variances[..., 1]) - jnp.log(variances[..., 0]))
    )

    def slope(y: jax.Array) -> jax.Array:
        s, rest = jax.nn.sigmoid(y), jax.nn.sigmoid(-y)
        return 1 - s * rest * (low * s + high * rest)

    def height(y: jax.Array) -> jax.Array:
        s, rest = jax.nn.sigmoid(y), jax.nn.sigmoid(-y)
        return y + level - 0.5 * low * jnp.square(s) + 0.5 * high * jnp.square(rest)

    steepest = _steepest(low, high)
    is_wavy = slope(steepest) < 0
    # s(1-s)max(A, B) < 1 outside of these, so that the cubic is positive there.
    reach = jnp.log(jnp.maximum(jnp.maximum(low, high), 1)) + 1
    first_turn = monotone_zero(slope, jnp.minimum(-reach, steepest), steepest)
    second_turn = monotone_zero(slope, steepest, jnp.maximum(reach, steepest))
    # Between the turns h falls: it has three zeros, or only one before the first or after the last.
    starts_low = is_wavy & (height(first_turn) <= 0)
    ends_high = is_wavy & (height(second_turn) >= 0)
    is_double = is_wavy & ~starts_low & ~ends_high

    bottom, top = -(level + 0.5 * high), -(level - 0.5 * low)
    lower = monotone_zero(
        height,
        jnp.where(starts_low, second_turn, bottom),
        jnp.where(is_double | ends_high, first_turn, top),
    )
    between = monotone_zero(height, first_turn, second_turn)
    upper = monotone_zero(height, second_turn, top)

    def place(y: jax.Array) -> jax.Array:
        # From the nearer mean, so that a mode close to it keeps the digits of its distance.
        from_low = means[..., 0] + distance * jax.nn.sigmoid(y)
        from_high = means[..., 1] - distance * jax.nn.sigmoid(-y)
        return jnp.where(y < 0, from_low, from_high)

    fitted = ~jnp.isnan(distance + level)
    second = jnp.where(is_double, place(upper), jnp.nan)
    return Modes(
        count=jnp.where(fitted, jnp.where(is_double, 2, 1), 0).astype(jnp.int32),
        places=jnp.stack([place(lower), second], axis=-1),
        antimode=jnp.where(is_double, place(between), jnp.nan),
    )


@answer(core=(1,))
def ashman_d(mixture: Mixture) -> jax.Array:
    r"""Ashman's D, :math:`\sqrt2\,|\mu_1-\mu_2|/\sqrt{\sigma_1^2+\sigma_2^2}`.

    Above 2 the components are called clearly separated.

    Parameters
    ----------
    mixture : Mixture, shape (..., 2)

    Returns
    -------
    array, shape (...,)

    Accuracy
    --------
    To 12 digits. Measured by ``tests/inference/test_shape.py``.

    References
    ----------
    K. M. Ashman, C. M. Bird and S. E. Zepf, Astron. J. 108 (1994) 2348-2361.

    Examples
    --------
    >>> ashman_d(Mixture.from_arrays(weights=[0.2, 0.8], means=[0, 4], variances=[2, 6]))
    np.float64(2.0)
    """
    distance = jnp.abs(mixture.means[..., 1] - mixture.means[..., 0])
    return distance / jnp.sqrt(jnp.mean(mixture.variances, axis=-1))


@answer(core=(1,))
def bimodality_index(mixture: Mixture) -> jax.Array:
    r"""Bimodality index, :math:`\sqrt{\pi_1\pi_2}\,|\mu_1-\mu_2|/\sigma`, of equal variances.

    It is defined on the fit with equal variances. Wang and others call a gene bimodal above 1.1 to
    1.5.

    Parameters
    ----------
    mixture : Mixture, shape (..., 2)
        With equal variances: of others the index is NaN.

    Returns
    -------
    array, shape (...,)

    Accuracy
    --------
    Published indices to six digits. Measured by ``tests/inference/test_shape.py``.

    References
    ----------
    J. Wang, S. Wen, W. F. Symmans, L. Pusztai and K. R. Coombes, Cancer Informatics 7 (2009)
    199-216.

    Examples
    --------
    >>> bimodality_index(Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 6], variances=[4, 4]))
    np.float64(1.5)
    """
    low, high = mixture.variances[..., 0], mixture.variances[..., 1]
    distance = jnp.abs(mixture.means[..., 1] - mixture.means[..., 0]) / jnp.sqrt(low)
    # Computed in two ways, the variances may still differ by rounding.
    close = jnp.abs(high - low) <= 8 * np.finfo(low.dtype).eps * low
    index = jnp.sqrt(mixture.weights[..., 0] * mixture.weights[..., 1]) * distance
    return jnp.where(close, index, jnp.nan)


def _steepest(low: jax.Array, high: jax.Array) -> jax.Array:
    """Logit of the s at which s(1-s)[As + B(1-s)] is largest, between 1/3 and 2/3."""
    larger, smaller = jnp.maximum(low, high), jnp.minimum(low, high)
    ratio = jnp.where(larger > 0, smaller / jnp.where(larger > 0, larger, 1), 1)
    # A quadratic's root, from the side on which nothing cancels: 1 - s where A is the larger.
    share = 1 / (2 - ratio + jnp.sqrt(1 - ratio * (1 - ratio)))
    away = jnp.log(share) - jnp.log1p(-share)
    return jnp.where(low > high, -away, away)
