"""Regroups chunks of any length to blocks of one length, without missing and infinite values.

The blocks depend on the order of the points only, not on how they are divided into chunks; so do
the sums. Blocks of one length need one compiled program.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from mog_jax.arrays import HostArray

# Points of a block: enough that the fixed cost of a call is small, and few enough for the caches.
BLOCK = 2**18


class Chunk(NamedTuple):
    """Some points, NaN where missing, and how often each was seen, or None; shape (n,) each."""

    values: HostArray
    counts: HostArray | None


# Returns an iterator of the chunks, from the first, each time it is called.
Chunks = Callable[[], Iterator[Chunk]]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Block:
    """Finite points with a positive count, in float64.

    Parameters
    ----------
    number : int
        Number of the block in the stream.
    values : array, shape (BLOCK,)
        Padded with the last point.
    counts : array, shape (BLOCK,), or None
        How often each was seen, 0 for padding; None if all were seen once.
    n : int
        Number of points, at least one.
    """

    number: int
    values: HostArray
    counts: HostArray | None
    n: int


@dataclasses.dataclass(eq=False)
class LeftOut:
    """Numbers of missing and infinite values of a stream so far."""

    n_missing: int = 0
    n_infinite: int = 0


def in_blocks(chunks: Iterable[Chunk], left_out: LeftOut) -> Iterator[Block]:
    """Yield blocks of the finite points of chunks with a positive count.

    Parameters
    ----------
    chunks : iterable of Chunk
    left_out : LeftOut
        Its numbers are increased for each value that is left out.
    """
    number = filled = 0
    values, counts = np.empty(BLOCK), None
    for some, times in _points(chunks, left_out):
        if times is not None and counts is None:
            counts = np.zeros(BLOCK)
        taken = 0
        while taken < some.size:
            here = slice(taken, taken + BLOCK - filled)
            there = slice(filled, filled + some[here].size)
            values[there] = some[here]
            if counts is not None and times is not None:
                counts[there] = times[here]
            taken, filled = here.start + some[here].size, there.stop
            if filled == BLOCK:
                yield Block(number=number, values=values, counts=counts, n=filled)
                number, filled = number + 1, 0
                values, counts = np.empty(BLOCK), None if times is None else np.zeros(BLOCK)
    if filled:
        values[filled:] = values[filled - 1]
        counts = (np.arange(BLOCK) < filled).astype(np.float64) if counts is None else counts
        yield Block(number=number, values=values, counts=counts, n=filled)


def _points(
    chunks: Iterable[Chunk], left_out: LeftOut
) -> Iterator[tuple[HostArray, HostArray | None]]:
    """Yield the points of chunks in pieces that fit into memory; a chunk may be a mapped file."""
    for chunk in chunks:
        for lo in range(0, chunk.values.size, BLOCK):
            values = chunk.values[lo : lo + BLOCK].astype(np.float64, copy=False)
            there = np.isfinite(values)
            if not there.all():
                missing = int(np.count_nonzero(np.isnan(values)))
                left_out.n_missing += missing
                left_out.n_infinite += values.size - int(np.count_nonzero(there)) - missing
            counts = None
            if chunk.counts is not None:
                counts = chunk.counts[lo : lo + BLOCK].astype(np.float64, copy=False)
                there &= counts > 0
            if not there.all():
                values, counts = values[there], None if counts is None else counts[there]
            yield values, counts
