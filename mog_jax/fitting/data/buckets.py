"""Divides datasets into blocks of similar length, which a thread fits side by side."""

from collections.abc import Iterator

import numpy as np

from mog_jax.arrays import Array
from mog_jax.lane_shapes import pad_rows

# Largest number of datasets of a block, and of points, including padding; about 200 bytes are
# needed for each point.
_WIDTH = 4096
_POINTS = 1024 * 2048
# Largest ratio of the lengths of the datasets of a block.
_LONGER = 4
# A block has at least this many datasets if there are so many: fewer are not worth a thread.
_FEW = 64


def padded_lengths(lengths: Array) -> Array:
    """Return the length to which each dataset is padded: a value of `pad_rows`."""
    distinct, position = np.unique(lengths, return_inverse=True)
    return np.array([pad_rows(int(length)) for length in distinct], np.int64)[position]


def blocks(lengths: Array, is_fixed: Array, workers: int) -> Iterator[Array]:
    """Divide datasets into blocks.

    The fit of a dataset does not depend on its block.

    Parameters
    ----------
    lengths : array of int, shape (b,)
        Number of points of each dataset.
    is_fixed : array of bool, shape (b,)
        Whether a parameter is fixed: such datasets have blocks of their own.
    workers : int
        Number of blocks that are fitted at a time.

    Yields
    ------
    array of int
        The datasets of a block.
    """
    order = np.lexsort((lengths, is_fixed))
    if not order.size:
        return
    # A multiple of the number of workers, so that all have the same number of blocks.
    number = workers * -(-order.size // (workers * _WIDTH))
    share = max(-(-order.size // number), _FEW)
    begin = 0
    while begin < order.size:
        width = min(share, order.size - begin)
        some = order[begin : begin + width]
        longest = np.maximum.accumulate(np.maximum(lengths[some], 1))
        fits = longest <= max(_LONGER * longest[0], _FEW)
        fits &= longest * np.arange(1, width + 1) <= _POINTS
        fits &= is_fixed[some] == is_fixed[some[0]]
        fits[0] = True
        end = begin + int(np.argmin(fits)) if not fits.all() else begin + width
        yield np.sort(order[begin:end])
        begin = end
