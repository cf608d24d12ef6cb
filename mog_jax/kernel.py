r"""The nine sums: one pass over the data, with one exponential a point, gives all derivatives.

For two components the log-odds :math:`d(x)=\log f_1(x)-\log f_2(x)`, with
:math:`f_k=\pi_k\,\mathcal N(\cdot\mid\mu_k,\sigma_k^2)`, is a quadratic in :math:`x`. From
:math:`e=\exp(-|d|)` follow both responsibilities, by one division, and the point's log-likelihood:
the larger of the two log-terms plus :math:`\log(1+e)`. As :math:`1<1+e\le2`, many of those
logarithms are one logarithm of a product. So nine sums are carried along,

.. math:: \mathcal L,\qquad \sum_i\gamma_iu_i^p\ (p=0,1,2),\qquad
          \sum_i\gamma_i(1-\gamma_i)u_i^p\ (p=0,\dots,4),

and the gradient, the EM step and the exact observed information are read off them. The sums are
additive: over points, strips of a dataset, chunks of a file, devices.

Digits are kept because :math:`u=x-\mu` is measured from the mean of the *narrower* component and
:math:`\gamma` is the narrower component's responsibility: nothing cancels in its moments, however
narrow it is. The moments of the wider component are those of the data minus these.

Points are on the leading axis and any number of datasets, the *lanes*, behind it: `(n, *lanes)`.
SIMD instructions then work across datasets, which makes it fast. A number for each dataset has the
shape `(*lanes)`, a number for each component `(2, *lanes)`. One dataset has no lanes.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from mog_jax.fuse import fuse
from mog_jax.lane_shapes import BLOCK, TURN, row_bytes
from mog_jax.manual_axes import varying_as
from mog_jax.mixture import Coordinates

_LOG_TWO_PI = math.log(2 * math.pi)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Totals:
    """The data's own part in the sums: its size, mean and variance. They depend on no mixture.

    Parameters
    ----------
    count : array, shape (*lanes)
        Sum of the counts.
    mean, variance : array, shape (*lanes)
        Of the data, the variance with divisor `count`; 0 where there are none.
    """

    count: jax.Array
    mean: jax.Array
    variance: jax.Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Sums:
    r"""The sums that one pass over a dataset computes at one mixture.

    Parameters
    ----------
    log_likelihood : array, shape (*lanes)
        In nats.
    effective_counts : array, shape (2, *lanes)
        :math:`N_k=\sum_ic_i\gamma_{ik}`, how many points each component holds.
    first, second : array, shape (2, *lanes)
        :math:`\sum_ic_i\gamma_{ik}(x_i-\mu_k)` and :math:`\sum_ic_i\gamma_{ik}(x_i-\mu_k)^2`.
    cross : array, shape (5, *lanes)
        :math:`\sum_ic_i\gamma_{i1}\gamma_{i2}u_i^p` for :math:`p=0,\dots,4`.
    centre : array, shape (*lanes)
        Where :math:`u=x-\text{centre}` is measured from: the mean of the narrower component.

    Notes
    -----
    Inside loops the leading axis is a tuple of arrays: XLA's compiler for CPUs does not vectorise
    a loop into which it fuses the stacking of arrays.

    References
    ----------
    Equation (23) of ``derivation.md``.
    """

    log_likelihood: jax.Array
    effective_counts: jax.Array
    first: jax.Array
    second: jax.Array
    cross: jax.Array
    centre: jax.Array

    def stacked(self) -> "Sums":
        """Return the same with arrays in place of tuples of arrays."""
        return self._with_leading_axis(jnp.stack)

    def unstacked(self) -> "Sums":
        """Return the same with tuples of arrays in place of arrays."""
        return self._with_leading_axis(tuple)

    def _with_leading_axis(self, form: Callable[[Any], Any]) -> "Sums":
        return dataclasses.replace(
            self,
            effective_counts=form(self.effective_counts),
            first=form(self.first),
            second=form(self.second),
            cross=form(self.cross),
        )


def totals(
    x: jax.Array, counts: jax.Array | None = None, padding: jax.Array | None = None
) -> Totals:
    """Size, mean and variance of each lane of points, shape `(n, *lanes)`.

    Parameters
    ----------
    x : array, shape (n, *lanes)
    counts : array, shape (n, *lanes), optional
        How often each point was seen; 1 where not given.
    padding : array, shape (*lanes), optional
        How many of the last points of each lane are not there (where `counts` is not given).

    Returns
    -------
    Totals

    Accuracy
    --------
    The mean is corrected by what its rounding left over, so that an offset of the data does not
    matter. Measured by ``tests/fitting/test_laws.py`` through the fits of shifted data.
    """
    counts = _mask(x, padding) if counts is None else counts
    count = jnp.sum(counts, axis=0)
    per_count = 1 / jnp.maximum(count, 1e-30)
    mean = jnp.sum(counts * x, axis=0) * per_count
    # The mean is corrected by the mean residual, so that large offsets lose no digits.
    mean = mean + jnp.sum(counts * (x - mean[None]), axis=0) * per_count
    variance = jnp.sum(counts * jnp.square(x - mean[None]), axis=0) * per_count
    return Totals(count=count, mean=mean, variance=variance)


def _mask(x: jax.Array, padding: jax.Array | None) -> jax.Array:
    """Ones for the points that are there, zeros for the padding."""
    if padding is None:
        return jnp.ones_like(x)
    row = jax.lax.broadcasted_iota(x.dtype, x.shape, 0)
    return (row < (x.shape[0] - padding)[None]).astype(x.dtype)


@jax.custom_jvp
def lane_sums(
    coordinates: Coordinates,
    x: jax.Array,
    totals: Totals,
    counts: jax.Array | None = None,
    padding: jax.Array | None = None,
) -> Sums:
    """Nine sums of every lane, in one pass over its points.

    Parameters
    ----------
    coordinates : Coordinates, fields of shape (2, *lanes), or pairs of arrays
        The logits are the logarithms of the weights.
    x : array, shape (n, *lanes)
        The points; `n` is a value of :func:`mog_jax.lane_shapes.pad_rows`.
    totals : Totals, shape (*lanes)
        Of these points.
    counts : array, shape (n, *lanes), optional
        How often each point was seen; 1 where not given.
    padding : array, shape (*lanes), optional
        Number of padding points at the end of each lane, where `counts` is not given. They repeat
        the lane's last row, and the contribution of that row is subtracted again: that costs one
        point, whereas a mask would cost something at every point.

    Returns
    -------
    Sums
        Unstacked.

    Accuracy
    --------
    Each sum to 1000 roundings a point, times one plus the squared distance of the means in
    standard deviations of the wider component. Measured by ``tests/test_statistics.py``, where
    `statistics.sums` calls `lane_sums`.

    References
    ----------
    Equations (21) to (23) of ``derivation.md``.
    """
    odds = log_odds(coordinates)
    whole = _scan(odds, x, counts)
    if counts is None and padding is not None:
        whole = without(whole, padding, odds, x[-1])
    return assemble(odds, whole, coordinates, totals)


@lane_sums.defjvp
def _lane_sums_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Sums, Sums]:
    # |d| has a kink where a point belongs to both components equally, and the sums have none. The
    # same sums in smooth functions of d are differentiated instead.
    _, tangent = jax.jvp(_smooth_lane_sums, primals, tangents)
    return lane_sums(*primals), tangent


def _smooth_lane_sums(
    coordinates: Coordinates,
    x: jax.Array,
    totals: Totals,
    counts: jax.Array | None,
    padding: jax.Array | None,
) -> Sums:
    odds = log_odds(coordinates)
    u = x - odds.centre[None]
    d = (odds.square[None] * u + odds.slope[None]) * u + odds.constant[None]
    gamma, other = jax.nn.sigmoid(d), jax.nn.sigmoid(-d)
    counts = _mask(x, padding) if counts is None else counts
    terms = (jax.nn.softplus(d), *_moments(gamma, u, 2), *_moments(gamma * other, u, 4))
    whole = tuple(jnp.sum(counts * term, axis=0) for term in terms)
    return assemble(odds, whole, coordinates, totals)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class LogOdds:
    """Log-odds of the narrower component: constant + slope u + square u², u from its mean."""

    centre: jax.Array
    constant: jax.Array
    slope: jax.Array
    square: jax.Array
    # Which component is the wider one, and how far from its mean the narrower one's lies.
    second_is_wide: jax.Array
    offset: jax.Array


def log_odds(coordinates: Coordinates) -> LogOdds:
    """Return the log-odds of lanes of mixtures; the logits are the logarithms of the weights."""
    second = coordinates.log_variances[0] <= coordinates.log_variances[1]
    log_weight, wide_log_weight = _narrow_first(second, coordinates.logits)
    mean, wide_mean = _narrow_first(second, coordinates.means)
    log_variance, wide_log_variance = _narrow_first(second, coordinates.log_variances)
    offset = mean - wide_mean
    half_precision = 0.5 * jnp.exp(-wide_log_variance)
    return LogOdds(
        centre=mean,
        constant=(
            (log_weight - wide_log_weight)
            - 0.5 * (log_variance - wide_log_variance)
            + half_precision * jnp.square(offset)
        ),
        slope=2 * half_precision * offset,
        square=half_precision - 0.5 * jnp.exp(-log_variance),
        second_is_wide=second,
        offset=offset,
    )


def _narrow_first(second_is_wide: jax.Array, pair: jax.Array) -> tuple[jax.Array, jax.Array]:
    return (
        jnp.where(second_is_wide, pair[0], pair[1]),
        jnp.where(second_is_wide, pair[1], pair[0]),
    )


def _scan(odds: LogOdds, x: jax.Array, counts: jax.Array | None) -> tuple[jax.Array, ...]:
    """Add up, over all points, log(1 + exp(d)) and the eight moments."""
    n, *lanes = x.shape
    strips = _strips(n, math.prod(lanes) * x.dtype.itemsize)
    width = strips * math.prod(lanes)

    def across(value: jax.Array) -> jax.Array:
        return jnp.broadcast_to(value[None], (strips, *lanes)).reshape(width)

    odds = jax.tree.map(across, odds)
    rows = n // strips
    turn = math.gcd(rows, TURN)

    def in_turns(points: jax.Array) -> jax.Array:
        return points.reshape(rows // turn, turn, width)

    def add_next(whole: jax.Array, points: Any) -> tuple[jax.Array, None]:
        return add_turn(odds, whole, *points), None

    points = jax.tree.map(in_turns, (x, counts))
    odds = fuse(odds)
    nothing = varying_as(nothing_added(width, x.dtype), (odds, points))
    whole = sums_so_far(jax.lax.scan(add_next, nothing, points)[0])
    return tuple(jnp.sum(total.reshape(strips, *lanes), axis=0) for total in whole)


def _strips(n: int, given_bytes: int) -> int:
    """Into how many strips a row of lanes is cut, each of several turns."""
    strips = 1
    while 2 * strips * given_bytes <= row_bytes() and n % (4 * strips * TURN) == 0:
        strips *= 2
    return strips


# The sums are carried as one array: XLA runs a loop of more than eight arrays as a graph, whose
# nodes are distributed over threads.
def nothing_added(width: int, dtype: Any) -> jax.Array:
    """Return the product of no factors and the nine sums of no points, shape (10, width)."""
    return jnp.concatenate([jnp.ones((1, width), dtype), jnp.zeros((9, width), dtype)])


def sums_so_far(whole: jax.Array) -> tuple[jax.Array, ...]:
    """Return the nine sums of all turns that were added."""
    factor, excess, *moments = whole
    return (excess + jnp.log(factor), *moments)


def add_turn(
    odds: LogOdds,
    whole: jax.Array,
    x: jax.Array,
    counts: jax.Array | None = None,
    weight: jax.Array | None = None,
) -> jax.Array:
    """Add a turn's points to the product of the factors 1 + exp(-|d|) and the nine sums.

    Parameters
    ----------
    odds : LogOdds, shape (lanes,)
    whole : array, shape (10, lanes)
        From :func:`nothing_added`, or from here.
    x : array, shape (n, lanes)
        At most `TURN` points.
    counts : array, shape (n, lanes), optional
        How often each was seen.
    weight : array, shape (lanes,), optional
        How often all of them were seen, where `counts` is not given; 0 for points that are not
        there.
    """
    u = x - odds.centre[None]
    d = (odds.square[None] * u + odds.slope[None]) * u + odds.constant[None]
    # For all blocks at once, so that the exponential is not in the unrolled code below.
    e = jnp.exp(-jnp.abs(d))
    parts = []
    for lo in range(0, x.shape[0], BLOCK):
        block = slice(lo, lo + BLOCK)
        times = None if counts is None else counts[block]
        parts.append(_add_points(_point_terms(u[block], d[block], e[block], times)))
    part = functools.reduce(_join, parts)
    before = tuple(whole)
    # One logarithm for each turn, whose product cannot overflow: of the product so far, or, as a
    # weight is for the turn's own points, of theirs.
    if weight is None:
        before = _with_log_of_product(before)
    else:
        factor, *sums = _with_log_of_product(part)
        part = (factor, *(weight * total for total in sums))
    return jnp.stack(fuse(_join(before, part)))


def _with_log_of_product(whole: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    """Replace the product by 1, and add its logarithm to the first sum."""
    factor, excess, *moments = whole
    return (jnp.ones_like(factor), excess + jnp.log(factor), *moments)


def without(
    whole: tuple[jax.Array, ...], padding: jax.Array, odds: LogOdds, last: jax.Array
) -> tuple[jax.Array, ...]:
    """Subtract the last point's terms as often as it was repeated as padding."""
    one = _terms(odds, last - odds.centre)
    return tuple(total - padding * term for total, term in zip(whole, one, strict=True))


def _point_terms(
    u: jax.Array, d: jax.Array, e: jax.Array, counts: jax.Array | None
) -> tuple[jax.Array, ...]:
    """Factor of each point, and its nine terms."""
    larger = 1 / (1 + e)
    smaller = e * larger
    gamma = jnp.where(d >= 0, larger, smaller)
    both = smaller * larger
    excess = jnp.maximum(d, 0)
    if counts is None:
        return (1 + e, excess, *_moments(gamma, u, 2), *_moments(both, u, 4))
    excess = counts * (excess + jnp.log(1 + e))
    terms = (excess, *_moments(counts * gamma, u, 2), *_moments(counts * both, u, 4))
    return (jnp.ones_like(e), *terms)


def _add_points(terms: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    """Multiply up the first of the terms, and add up the others, over the leading axis.

    In one reduction of all ten: ten reductions would each compute the terms anew.
    """
    dtype = terms[0].dtype.type
    initial = (dtype(1), *(dtype(0) for _ in terms[1:]))
    reduced: tuple[jax.Array, ...] = tuple(jax.lax.reduce(terms, initial, _join, (0,)))
    return reduced


def _join(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    return (one[0] * other[0], *(a + b for a, b in zip(one[1:], other[1:], strict=True)))


def _terms(odds: LogOdds, u: jax.Array) -> tuple[jax.Array, ...]:
    d = (odds.square * u + odds.slope) * u + odds.constant
    e = jnp.exp(-jnp.abs(d))
    larger = 1 / (1 + e)
    gamma = jnp.where(d >= 0, larger, e * larger)
    excess = jnp.maximum(d, 0) + jnp.log(1 + e)
    return (excess, *_moments(gamma, u, 2), *_moments(e * larger * larger, u, 4))


def _moments(weight: jax.Array, u: jax.Array, degree: int) -> tuple[jax.Array, ...]:
    square = u * u
    powers = (u, square, square * u, square * square)
    return (weight, *(weight * power for power in powers[:degree]))


def assemble(
    odds: LogOdds, whole: tuple[jax.Array, ...], coordinates: Coordinates, totals: Totals
) -> Sums:
    """Return both components' sums, unstacked, from those of the narrower one."""
    excess, narrow_0, narrow_1, narrow_2, *cross = whole
    # What the narrower component leaves of the data's moments is the wider one's share, ...
    shift = totals.mean - odds.centre
    wide_0 = totals.count - narrow_0
    rest_1 = totals.count * shift - narrow_1
    rest_2 = totals.count * (totals.variance + jnp.square(shift)) - narrow_2
    # ... moved from the narrower mean to its own.
    wide_1 = rest_1 + odds.offset * wide_0
    wide_2 = rest_2 + odds.offset * (2 * rest_1 + odds.offset * wide_0)
    second = odds.second_is_wide
    _, wide_log_weight = _narrow_first(second, coordinates.logits)
    _, wide_mean = _narrow_first(second, coordinates.means)
    _, wide_log_variance = _narrow_first(second, coordinates.log_variances)
    squares = totals.count * (totals.variance + jnp.square(totals.mean - wide_mean))
    under_wide = (
        totals.count * (wide_log_weight - 0.5 * (_LOG_TWO_PI + wide_log_variance))
        - 0.5 * jnp.exp(-wide_log_variance) * squares
    )

    def by_component(narrow: jax.Array, wide: jax.Array) -> Any:
        return jnp.where(second, narrow, wide), jnp.where(second, wide, narrow)

    cross_sums: Any = tuple(cross)
    return Sums(
        log_likelihood=under_wide + excess,
        effective_counts=by_component(narrow_0, wide_0),
        first=by_component(narrow_1, wide_1),
        second=by_component(narrow_2, wide_2),
        cross=cross_sums,
        centre=odds.centre,
    )
