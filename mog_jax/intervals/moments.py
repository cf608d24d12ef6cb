r"""Computes probability and moments of a standard normal on intervals, from points to half-lines.

An interval is given by its centre and half its width, not by its ends: the difference of the ends
of a narrow interval has few correct digits. A half-width of 0 is a point, an infinite one the
half-line above `centre`, minus infinity the half-line below it.

Narrow intervals are computed by Gauss's quadrature with 16 nodes: it takes no difference of two
distribution functions, so nothing cancels in the tails, and with a half-width of 0 the formulas are
those of a point. Other intervals are computed by :math:`\operatorname{erfc}` at the ends, mirrored
so that both probabilities are those of a tail.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
# Largest half-width, and largest product of it with the centre, at which 16 nodes give 15 digits.
_NARROW, _NARROW_PRODUCT = 2.0, 8.0
# To here the terms of a series that are left out are below the last digit.
SERIES_HALF_WIDTH, SERIES_PRODUCT = 0.25, 1.0
_SERIES_TERMS = 9
# Standard deviations beyond which a tail is taken from its asymptotic series, to full precision;
# erfc itself leaves the numbers at 37.
_FAR = 25.0
_TERMS = 10


class Moments(NamedTuple):
    r"""Log-probability of an interval, and the moments from which its derivatives are computed.

    Attributes
    ----------
    exponent, factor : array
        The probability :math:`\int\varphi` of the interval is ``factor * exp(exponent)``; for a
        point it is :math:`\varphi`.
    m1, m2, m3, m4 : array
        :math:`\mathrm E[z^j]` of a standard normal given that it lies in the interval.
    """

    exponent: jax.Array
    factor: jax.Array
    m1: jax.Array
    m2: jax.Array
    m3: jax.Array
    m4: jax.Array

    @property
    def log_mass(self) -> jax.Array:
        """Logarithm of the probability."""
        return self.exponent + jnp.log(self.factor)


def truncated_moments(
    centre: jax.Array, half_width: jax.Array, *, unrolled: bool = False
) -> Moments:
    r"""Log-probability and the first four moments of a standard normal on intervals.

    Parameters
    ----------
    centre, half_width : array, of one shape
        The intervals, in standard deviations, in the form that the module defines.
    unrolled : bool
        Whether to unroll the sum over the 16 nodes: a longer program, which XLA fuses to one loop
        over the intervals.

    Returns
    -------
    Moments

    Accuracy
    --------
    Absolute error of `log_mass` 1e-15 of its size, relative error of the moments 2e-13, out to
    half-lines 37 standard deviations away: ``tests/intervals/test_moments.py``.

    References
    ----------
    Equations (47), (49) and (50) of ``derivation.md``.

    Examples
    --------
    >>> import numpy as np
    >>> with jax.enable_x64(True):
    ...     found = truncated_moments(np.array([0.0, 1.0]), np.array([np.inf, 0.0]))
    >>> np.asarray(found.m1).round(6)
    array([0.797885, 1.      ])
    """
    centre, half_width = jnp.asarray(centre), jnp.asarray(half_width)
    is_narrow = (half_width >= 0) & (half_width <= _NARROW)
    # An infinite half-width is left out of the product.
    product = jnp.abs(centre) * jnp.where(is_narrow, half_width, 0)
    is_narrow = is_narrow & (product <= _NARROW_PRODUCT)
    # Each branch gets intervals that it can compute: NaN in one would reach the other's derivative.
    quadrature = _by_unrolled_quadrature if unrolled else _by_quadrature
    narrow = quadrature(jnp.where(is_narrow, centre, 0), jnp.where(is_narrow, half_width, 0))
    wide = _by_tails(jnp.where(is_narrow, 0, centre), jnp.where(is_narrow, _NARROW, half_width))
    return Moments(*(jnp.where(is_narrow, a, b) for a, b in zip(narrow, wide, strict=True)))


def narrow_moments(centre: jax.Array, half_width: jax.Array) -> Moments:
    r"""Moments on narrow intervals by a series, a fraction of the work of `truncated_moments`.

    With Hermite's polynomials, :math:`\mathrm{He}_j\varphi=(-1)^j\varphi^{(j)}`, Taylor's series of
    :math:`\int_{c-d}^{c+d}\mathrm{He}_j\varphi` about the centre is
    :math:`2d\,\varphi(c)\,S_j`,

    .. math:: S_j=\sum_{k\ge0}\frac{d^{2k}}{(2k+1)!}\mathrm{He}_{2k+j}(c),

    and the moments follow from :math:`\mathrm E[\mathrm{He}_j]=S_j/S_0`.

    Parameters
    ----------
    centre, half_width : array, of one shape
        In standard deviations: a half-width of at most `SERIES_HALF_WIDTH`, its product with the
        centre of at most `SERIES_PRODUCT`.

    Accuracy
    --------
    Absolute error of `log_mass` 1e-15 of its size, that of :math:`m_j` 1e-14 of
    :math:`(1+|c|)^j`: ``tests/intervals/test_moments.py``.
    """
    hermite = [jnp.ones_like(centre), centre]
    for n in range(1, 2 * _SERIES_TERMS + 3):
        hermite.append(centre * hermite[n] - n * hermite[n - 1])
    square = jnp.square(half_width)
    sums = []
    for j in range(5):
        total = hermite[2 * _SERIES_TERMS - 2 + j] / math.factorial(2 * _SERIES_TERMS - 1)
        for k in range(_SERIES_TERMS - 2, -1, -1):
            total = total * square + hermite[2 * k + j] / math.factorial(2 * k + 1)
        sums.append(total)
    share = 1 / sums[0]
    h1, h2, h3, h4 = (each * share for each in sums[1:])
    return Moments(
        -_HALF_LOG_TWO_PI - 0.5 * jnp.square(centre),
        sums[0] * jnp.where(half_width > 0, 2 * half_width, 1),
        h1,
        h2 + 1,
        h3 + 3 * h1,
        h4 + 6 * h2 + 3,
    )


def is_half_line(half_width: jax.Array) -> jax.Array:
    """Return whether a half-width is infinite; by comparison, which exact arithmetic can decide."""
    return jnp.abs(half_width) > float(np.finfo(half_width.dtype).max)


def _by_quadrature(c: jax.Array, d: jax.Array) -> Moments:
    nodes = np.expand_dims(_NODES, list(range(1, 1 + c.ndim))).astype(c.dtype)
    weights = np.expand_dims(0.5 * _WEIGHTS, list(range(1, 1 + c.ndim))).astype(c.dtype)
    step = d[None] * nodes
    z = c[None] + step
    term = weights * jnp.exp(-step * (c[None] + 0.5 * step))
    return _moments_from(c, d, [jnp.sum(term * z**power, axis=0) for power in range(5)])


def _by_unrolled_quadrature(c: jax.Array, d: jax.Array) -> Moments:
    sums = [jnp.zeros_like(c) for _ in range(5)]
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        step = d * node
        term = (0.5 * weight) * jnp.exp(-step * (c + 0.5 * step))
        z = c + step
        for power in range(5):
            sums[power] = sums[power] + term
            term = term * z
    return _moments_from(c, d, sums)


def _moments_from(c: jax.Array, d: jax.Array, sums: list[jax.Array]) -> Moments:
    total, *powers = sums
    width = jnp.where(d > 0, 2 * d, 1)
    exponent = -_HALF_LOG_TWO_PI - 0.5 * jnp.square(c)
    share = 1 / total
    return Moments(exponent, total * width, *(power * share for power in powers))


def _by_tails(c: jax.Array, d: jax.Array) -> Moments:
    is_open = is_half_line(d)
    # Mirrored so that the interval's middle, or its open end, is below 0.
    is_mirrored = jnp.where(is_open, d > 0, c > 0)
    c = jnp.where(is_mirrored, -c, c)
    finite = jnp.where(is_open, 1, d)
    high = jnp.where(is_open, c, c + finite)
    low = c - finite
    log_high, rate_high = _tail(high)
    log_low, rate_low = _tail(low)
    # Ratio of the tail below the interval to the tail below its upper end.
    share = jnp.where(is_open, 0, jnp.exp(log_low - log_high))
    log_mass = log_high + jnp.log1p(-share)
    at_high = rate_high / (1 - share)
    at_low = rate_low * share / (1 - share)
    # Where the density underflows to 0, so do its products with powers of the end.
    differences = []
    for _ in range(4):
        differences.append(at_high - at_low)
        at_high, at_low = at_high * high, at_low * low
    m1 = -differences[0]
    m2 = 1 - differences[1]
    m3 = 2 * m1 - differences[2]
    m4 = 3 * m2 - differences[3]
    sign = jnp.where(is_mirrored, -1, 1).astype(c.dtype)
    return Moments(log_mass, jnp.ones_like(c), sign * m1, m2, sign * m3, m4)


def _tail(z: jax.Array) -> tuple[jax.Array, jax.Array]:
    r"""Return :math:`\log\Phi(z)` and :math:`\varphi(z)/\Phi(z)`."""
    is_far = z < -_FAR
    near = jnp.where(is_far, 0, z)
    # The root is rounded, and far out its error counts a thousandfold in each of the two; in the
    # ratio of both at one place it does not.
    scaled = math.sqrt(0.5) * near
    twice = jax.lax.erfc(-scaled)
    log_near = jnp.log(0.5 * twice)
    rate_near = math.sqrt(2 / math.pi) * jnp.exp(-jnp.square(scaled)) / twice
    far = jnp.where(is_far, z, -_FAR)
    series = _asymptotic(1 / jnp.square(far))
    log_far = jnp.log(series / -far) - _HALF_LOG_TWO_PI - 0.5 * jnp.square(far)
    return jnp.where(is_far, log_far, log_near), jnp.where(is_far, -far / series, rate_near)


def _asymptotic(t: jax.Array) -> jax.Array:
    """Return the sum 1 - t + 3 t² - 15 t³ + ...; its error is below the first term left out."""
    series = jnp.ones_like(t)
    for k in range(_TERMS, 0, -1):
        series = 1 - (2 * k - 1) * t * series
    return series
