r"""The sandwich: a covariance that is valid even if the model is wrong.

It needs the sum of :math:`s_is_i^\top` over the points, with the score :math:`s_i`: fifteen sums in
one pass. As in :mod:`mog_jax.kernel`, points are on the leading axis and datasets, the lanes,
behind it, so that SIMD instructions work across datasets; tiles of lanes fit into the cache.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.array_like import seen_points
from mog_jax.fuse import fuse
from mog_jax.inference.batches import Points, answer, over_rows
from mog_jax.inference.information import N_COORDINATES
from mog_jax.inference.scores import scores_of
from mog_jax.inference.two_components import Pair
from mog_jax.lane_shapes import pad_rows, row_bytes
from mog_jax.manual_axes import varying_as
from mog_jax.mixture import Mixture
from mog_jax.precision import is_traced

# As in the kernel: points that are added up in one reduction, and in one turn of the loop.
_BLOCK = 4
_TURN = 16

# The entries of a symmetric matrix that are summed, and which of them stands where.
_ENTRIES = [(i, j) for i in range(N_COORDINATES) for j in range(i, N_COORDINATES)]
_PLACES = np.array(
    [
        [_ENTRIES.index((min(i, j), max(i, j))) for j in range(N_COORDINATES)]
        for i in range(N_COORDINATES)
    ],
    np.int32,
)


def sandwich(
    covariance: ArrayLike, mixture: Mixture, x: ArrayLike, counts: ArrayLike | None = None
) -> jax.Array:
    r"""Covariance that is valid even if the data do not come from a mixture of two Gaussians.

    .. math:: C\,\Big(\sum_i c_i\,s_is_i^\top\Big)\,C,\qquad s_i=\nabla_\theta\log p(x_i)

    Where the model is true, :math:`\sum_i c_is_is_i^\top` estimates the information too, and this
    is :math:`C` but for noise.

    Parameters
    ----------
    covariance : array-like, shape (..., 5, 5)
        From the observed information.
    mixture : Mixture, shape (..., 2)
        The maximum.
    x, counts : array-like, shape (..., n)
        The data, and how often each point was seen; 1 where not given.

    Returns
    -------
    array, shape (..., 5, 5)

    Raises
    ------
    ValueError
        If the shapes of `mixture`, `x` and `counts` do not agree.

    Accuracy
    --------
    The matrices that its definition gives, to nine digits. Measured by
    ``tests/inference/test_errors.py`` and ``tests/inference/test_sandwich.py``.

    References
    ----------
    Equation (28) of ``derivation.md``.
    P. J. Huber, Proc. Fifth Berkeley Symp. 1 (1967) 221-233.
    """
    seen, counts = seen_points(x, counts)
    if is_traced((covariance, mixture, seen, counts)):
        return _sandwich(covariance, mixture, seen, counts)
    if counts is None:
        counts = np.ones(np.shape(seen), seen.dtype)
    return _around(covariance, _meat(mixture, seen, counts))


@over_rows(core=(2, 1, 1, 1))
def _sandwich(
    covariance: jax.Array, mixture: Mixture, x: jax.Array, counts: jax.Array | None
) -> jax.Array:
    meat = jnp.moveaxis(_sums_of_products(mixture, x, counts), 0, -1)
    return jax.vmap(_surrounded)(covariance, meat)


@answer(
    core=(1, 1, 1),
    points=Points(at=(1, 2), length=64, filling=(0.0, 0.0), are_summed=True),
    by_rows=True,
)
def _meat(mixture: Mixture, x: jax.Array, counts: jax.Array) -> jax.Array:
    return jnp.moveaxis(_sums_of_products(mixture, x, counts), 0, -1)


@answer(core=(2, 1))
def _around(covariance: jax.Array, meat: jax.Array) -> jax.Array:
    return _surrounded(covariance, meat)


def _surrounded(covariance: jax.Array, meat: jax.Array) -> jax.Array:
    both: jax.Array = covariance @ meat[_PLACES] @ covariance
    return both


def _sums_of_products(mixture: Mixture, x: jax.Array, counts: jax.Array | None) -> jax.Array:
    """Add up the products of two scores, shape (15, b), over the points of b datasets (b, n)."""
    (b, n), lanes = x.shape, row_bytes() // x.dtype.itemsize
    if not x.size:
        return jnp.zeros((len(_ENTRIES), b), x.dtype)
    # Where the datasets are fewer than the lanes, each is cut into strips.
    strips = 1
    while 2 * strips * b <= lanes and n >= 8 * strips * _TURN:
        strips *= 2
    length = pad_rows(-(-n // strips))
    filling = strips * length - n
    more = [(0, 0), (0, filling)]
    by_lane = jax.tree.map(lambda field: jnp.repeat(field, strips, axis=0), mixture)
    rows = jnp.pad(x, more, mode="edge").reshape(b * strips, length)
    times = None if counts is None else jnp.pad(counts, more).reshape(b * strips, length)
    by_strip = _in_tiles(by_lane, rows, times, lanes)
    sums = jnp.sum(by_strip.reshape(len(_ENTRIES), b, strips), axis=-1)
    if filling and counts is None:
        # The padding repeats the last point, whose products are subtracted again.
        scores_of_last = fuse(scores_of(_pair(mixture), x[:, -1:].T))
        sums = sums - filling * jnp.concatenate(_products(scores_of_last, None))
    return sums


def _pair(mixture: Mixture) -> Pair:
    return Pair.of(jax.tree.map(jnp.transpose, mixture))


def _in_tiles(mixture: Mixture, x: jax.Array, counts: jax.Array | None, lanes: int) -> jax.Array:
    """Add up, for rows of points, as many at a time as there are lanes."""
    b = len(x)
    n_tiles = -(-b // lanes)
    width = -(-b // n_tiles)

    def tiles(rows: jax.Array) -> jax.Array:
        filled = jnp.pad(rows, [(0, n_tiles * width - b), (0, 0)], mode="edge")
        return filled.reshape(n_tiles, width, rows.shape[1])

    sums = jax.lax.map(lambda tile: _one_tile(*tile), jax.tree.map(tiles, (mixture, x, counts)))
    return jnp.moveaxis(sums, 1, 0).reshape(len(_ENTRIES), n_tiles * width)[:, :b]


def _one_tile(mixture: Mixture, x: jax.Array, counts: jax.Array | None) -> jax.Array:
    width, n = x.shape
    turn = math.gcd(n, _TURN)
    pair = fuse(_pair(mixture))

    def add_turn(i: jax.Array, sums: jax.Array) -> jax.Array:
        # Transposed a few points at a time: XLA does not transpose the whole tile in memory.
        points = jax.tree.map(
            lambda rows: jax.lax.dynamic_slice_in_dim(rows, i * turn, turn, axis=1).T, (x, counts)
        )
        return jnp.stack(_add(tuple(sums), _add_up(pair, *points)))

    # One array, not fifteen, which XLA would distribute over its threads in every turn.
    nothing = varying_as(jnp.zeros((len(_ENTRIES), width), x.dtype), (mixture, x, counts))
    sums: jax.Array = jax.lax.fori_loop(0, n // turn, add_turn, nothing)
    return sums


def _add_up(pair: Pair, x: jax.Array, counts: jax.Array | None) -> Any:
    """Add up the products of a turn's points, in reductions that XLA vectorises."""
    zeros = (np.zeros((), x.dtype),) * len(_ENTRIES)
    parts = []
    for lo in range(0, len(x), _BLOCK):
        block = slice(lo, lo + _BLOCK)
        times = None if counts is None else counts[block]
        # All in one reduction: separate ones would each compute the exponentials again.
        products = _products(scores_of(pair, x[block]), times)
        parts.append(jax.lax.reduce(products, zeros, _add, (0,)))
    return functools.reduce(_add, parts)


def _products(by_point: list[jax.Array], counts: jax.Array | None) -> tuple[jax.Array, ...]:
    weighted = by_point if counts is None else [counts * score for score in by_point]
    return tuple(weighted[i] * by_point[j] for i, j in _ENTRIES)


def _add(one: Any, other: Any) -> tuple[Any, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))
