"""Computes value, gradient and information of many climbs at once, by one program of fixed shape.

The intervals of a climb are cut into pieces of at most `ROWS`; a piece is a lane of the program. No
shape depends on the data, and the result of a climb does not depend on the climbs beside it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.intervals.observations import Intervals
from mog_jax.fuse import fuse
from mog_jax.intervals.derivatives import UPPER, interval_terms
from mog_jax.precision import COMPILER
from mog_jax.program_cache import keep_compiled

ROWS = 64
_LANES = 64
_SUMS = 7 + len(UPPER)


class Sums(NamedTuple):
    """Sums over the intervals of each of A climbs.

    Attributes
    ----------
    log_likelihood : array, shape (A,)
        In nats.
    gradient : array, shape (A, 5)
    information : array, shape (A, 5, 5)
        Minus the Hessian.
    first_width : array, shape (A,)
        Sum of the widths of finite intervals, each times the responsibility of the first component
        less its weight.
    """

    log_likelihood: Array
    gradient: Array
    information: Array
    first_width: Array


def piece_sums(
    theta: Array, centre: Array, half_width: Array, counts: Array, rows: int
) -> jax.Array:
    """Sum the terms of the first `rows` intervals of each lane.

    Parameters
    ----------
    theta : array, shape (5, lanes)
    centre, half_width, counts : array, shape (ROWS, lanes)
    rows : int
        Number of rows in use.

    Returns
    -------
    array, shape (22, lanes)
        Log-likelihood, gradient, the upper triangle of the information, and widths, as in `Sums`.
    """
    middles, halves, times = jnp.asarray(centre), jnp.asarray(half_width), jnp.asarray(counts)
    coordinates = tuple(jnp.asarray(theta))

    def add_row(row: jax.Array, totals: list[jax.Array]) -> list[jax.Array]:
        terms = interval_terms(coordinates, middles[row], halves[row], unrolled=True)
        seen = [
            times[row] * term
            for term in (terms.log_probability, *terms.gradient, *terms.information)
        ]
        is_wide = (times[row] > 0) & ~jnp.isinf(halves[row])
        seen.append(jnp.where(is_wide, 2 * halves[row], 0) * seen[1])
        return [total + term for total, term in zip(totals, fuse(seen), strict=True)]

    begun = [jnp.zeros(middles.shape[1], middles.dtype)] * _SUMS
    return jnp.stack(jax.lax.fori_loop(0, rows, add_row, begun))


_program = keep_compiled(piece_sums, compiler_options=COMPILER)


def evaluate(theta: Array, dataset: Array, data: Intervals) -> Sums:
    """Compute the sums of each climb in one pass over its data.

    Parameters
    ----------
    theta : array, shape (A, 5)
        Coordinates of each climb, on the standard scale.
    dataset : array of int, shape (A,)
        Dataset of each climb.
    data : Intervals
    """
    begin, end = data.offsets[dataset], data.offsets[dataset + 1]
    pieces = np.maximum(-(-(end - begin) // ROWS), 1)
    first = np.cumsum(pieces) - pieces
    climb = np.repeat(np.arange(len(dataset)), pieces)
    start = begin[climb] + ROWS * (np.arange(climb.size) - first[climb])
    length = np.minimum(end[climb] - start, ROWS)
    found = np.empty((_SUMS, climb.size))
    # Pieces of one length side by side.
    order = np.argsort(-length, kind="stable")
    with jax.enable_x64(True):
        for lo in range(0, order.size, _LANES):
            some = order[lo : lo + _LANES]
            found[:, some] = _tile(theta[climb[some]], start[some], length[some], data)
    sums = np.add.reduceat(found, first, axis=1) if first.size else found
    return Sums(sums[0], sums[1:6].T, _dense(sums[6:-1].T), sums[-1])


def _tile(theta: Array, start: Array, length: Array, data: Intervals) -> Array:
    row = np.arange(ROWS)[:, None]
    inside = row < length
    at = np.where(inside, start + row, start)
    return np.asarray(
        _program(
            _filled(theta.T),
            _filled(data.centre[at]),
            _filled(data.half_width[at]),
            _filled(np.where(inside, data.counts[at], 0)),
            int(length.max()),
        )
    )[:, : len(start)]


def _filled(rows: Array) -> Array:
    whole = np.zeros((len(rows), _LANES))
    whole[:, : rows.shape[1]] = rows
    return whole


def _dense(upper: Array) -> Array:
    """Return symmetric matrices, shape (A, 5, 5), from their upper triangles."""
    matrices = np.empty((len(upper), 5, 5))
    for place, (i, j) in enumerate(UPPER):
        matrices[:, i, j] = matrices[:, j, i] = upper[:, place]
    return matrices
