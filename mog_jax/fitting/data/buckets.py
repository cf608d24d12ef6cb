"""Buckets: datasets of similar length share compiled programs, and blocks share them too."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from mog_jax.kernel import pad_rows

# A NumPy array. The type checker takes it for any, as fields annotated for JAX hold it here.
Array = Any

# Datasets of one block at most; and of short ones, up to so many points, where there are many.
_WIDTH = 1024
_WIDER = 4096
_SHORT = 128

# Points that are fitted in the time it takes to compile the programs for another length.
_POINTS_OF_A_PROGRAM = 10_000_000


def padded_lengths(lengths: Array) -> Array:
    """Give the length to which each dataset is padded: :func:`mog_jax.kernel.pad_rows` of many."""
    distinct, position = np.unique(lengths, return_inverse=True)
    return np.array([pad_rows(int(length)) for length in distinct], np.int64)[position]


def padded_width(b: int) -> int:
    """Give the datasets to which `b` are filled up: few widths, so that there are few programs."""
    return next((width for width in (8, 128, _WIDTH, _WIDER) if width >= b), -(-b // 1024) * 1024)


def size_classes(widths: Array, largest: int, workers: int) -> Iterator[tuple[Array, int]]:
    """Divide datasets into blocks of similar length, so that few programs are compiled for them.

    Parameters
    ----------
    widths : array of int, shape (b,)
        Of the datasets.
    largest : int
        Points of one block at most.
    workers : int
        How many blocks are worked on at a time.

    Yields
    ------
    array of int
        The datasets of a block.
    int
        The length to which they are padded at least.
    """
    rows = padded_lengths(widths)
    # Lengths within a factor of two share a program, unless they are so many that compiling their
    # own takes less time than the points that fill them up.
    octave = np.exp2(np.ceil(np.log2(rows))).astype(np.int64)
    for top in np.unique(octave):
        members = np.flatnonzero(octave == top)
        own, of_each = np.unique(rows[members], return_counts=True)
        filling = np.sum((top - own) * of_each)
        shared = own.size > 1 and filling < _POINTS_OF_A_PROGRAM * (own.size - 1)
        for size in [top] if shared else own:
            block = members if shared else members[rows[members] == size]
            number = _number_of_blocks(block.size, int(size), largest, workers)
            for part in np.array_split(block, number):
                yield part, int(size) if shared else 0


def _number_of_blocks(b: int, size: int, largest: int, workers: int) -> int:
    """Into how many blocks `b` datasets of a size are divided: alike, as they share programs."""
    # What a round costs besides its points counts where those are few; but no worker may idle.
    wide = size <= _SHORT and b >= 4 * _WIDER * workers
    at_once = min(max(largest // size, 1), _WIDER if wide else _WIDTH)
    return -(-b // at_once)
