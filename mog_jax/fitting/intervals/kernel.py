"""Computes value, gradient and information of many climbs at once, by one program of fixed shape.

The intervals of a climb are cut into pieces of at most `ROWS`; a piece is a lane of the program. No
shape depends on the data, and the result of a climb does not depend on the climbs beside it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.intervals.observations import ROWS, Intervals, Pieces
from mog_jax.fuse import fuse
from mog_jax.intervals.derivatives import UPPER, any_terms, constants, narrow_terms
from mog_jax.intervals.moments import SERIES_HALF_WIDTH, SERIES_PRODUCT
from mog_jax.precision import COMPILER
from mog_jax.program_cache import keep_compiled

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
    theta: Array, centre: Array, half_width: Array, counts: Array, rows: int, *, narrow: bool
) -> jax.Array:
    """Sum the terms of the first `rows` intervals of each lane.

    Parameters
    ----------
    theta : array, shape (5, lanes)
    centre, half_width, counts : array, shape (ROWS, lanes)
    rows : int
    narrow : bool
        Whether all intervals are narrow to both components of their lanes.

    Returns
    -------
    array, shape (22, lanes)
        Log-likelihood, gradient, the upper triangle of the information, and widths, as in `Sums`.
    """
    middles, halves, times = jnp.asarray(centre), jnp.asarray(half_width), jnp.asarray(counts)
    common = fuse(constants(tuple(jnp.asarray(theta))))
    terms_of = narrow_terms if narrow else any_terms

    def add_row(row: jax.Array, totals: list[jax.Array]) -> list[jax.Array]:
        terms = terms_of(common, middles[row], halves[row])
        seen = [
            times[row] * term
            for term in (terms.log_probability, *terms.gradient, *terms.information)
        ]
        is_wide = (times[row] > 0) & ~jnp.isinf(halves[row])
        seen.append(jnp.where(is_wide, 2 * halves[row], 0) * seen[1])
        return [total + term for total, term in zip(totals, fuse(seen), strict=True)]

    begun = [jnp.zeros(middles.shape[1], middles.dtype)] * _SUMS
    return jnp.stack(jax.lax.fori_loop(0, rows, add_row, begun))


_program = keep_compiled(piece_sums, static_argnames=("narrow",), compiler_options=COMPILER)


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
    pieces = data.pieces
    first, number = pieces.first[dataset], pieces.number[dataset]
    before = np.cumsum(number) - number
    climb = np.repeat(np.arange(len(dataset)), number)
    piece = first[climb] + np.arange(climb.size) - before[climb]
    is_narrow = _are_narrow(theta[climb], pieces, piece)
    found = np.empty((_SUMS, climb.size))
    # Pieces of one kind and length side by side: what is found of one depends on no other.
    order = np.lexsort((-pieces.length[piece], is_narrow))
    edge = climb.size - int(is_narrow.sum())
    with jax.enable_x64(True):
        for some in (*_split(order[:edge]), *_split(order[edge:])):
            own = piece[some]
            found[:, some] = _tile(
                theta[climb[some]],
                pieces.start[own],
                pieces.length[own],
                data,
                narrow=bool(is_narrow[some[0]]),
            )
    sums = np.add.reduceat(found, before, axis=1) if before.size else found
    return Sums(sums[0], sums[1:6].T, _dense(sums[6:-1].T), sums[-1])


def _split(order: Array) -> list[Array]:
    return [order[lo : lo + _LANES] for lo in range(0, order.size, _LANES)]


# Of what is open, no product is asked for.
@np.errstate(over="ignore", invalid="ignore")
def _are_narrow(theta: Array, pieces: Pieces, piece: Array) -> Array:
    """Whether all intervals of pieces are narrow to both components."""
    precision = np.exp(-0.5 * theta[:, 3:])
    half = pieces.widest[piece, None] * precision
    farthest = np.maximum(
        np.abs(pieces.low[piece, None] - theta[:, 1:3]),
        np.abs(pieces.high[piece, None] - theta[:, 1:3]),
    )
    fits = (half <= SERIES_HALF_WIDTH) & (half * farthest * precision <= SERIES_PRODUCT)
    found: Array = fits[:, 0] & fits[:, 1]
    return found


def _tile(theta: Array, start: Array, length: Array, data: Intervals, *, narrow: bool) -> Array:
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
            narrow=narrow,
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
