"""Shapes for the kernel: how many lanes are side by side, and how many points one turn adds."""

import jax

# Points are added up four at a time. With fewer, loading and storing the sums takes longest; with
# more, XLA's compiler for CPUs no longer vectorises across the lanes. Up to four such blocks make
# one turn of the loop, because each turn has a fixed cost.
BLOCK = 4
TURN = 16

# Bytes of one row of points on a CPU: wide enough that the fixed cost of a step is small. In wider
# rows XLA distributes each of the small loops over threads, which takes longer than the loop. Other
# devices have thousands of threads, which need wide rows.
_ROW_BYTES = 512
_WIDE_ROW_BYTES = 2**17


def pad_rows(n: int) -> int:
    """Length to which `n` points are padded: the next of 4, 8, 12, 16, 20, 24, 28, 32, 40, ...

    At most a quarter more. There are few such values: datasets of many lengths share a program.

    Examples
    --------
    >>> [pad_rows(n) for n in (1, 33, 500, 1_000_000)]
    [4, 40, 512, 1048576]
    """
    step = BLOCK
    while n > 8 * step:
        step *= 2
    return max(BLOCK, -(-n // step) * step)


def pad_to_turn(n: int) -> int:
    """Length to which `n` points are padded where programs do not depend on it: whole turns."""
    return max(1, -(-n // TURN)) * TURN


def pad_to_power(n: int) -> int:
    """Length to which `n` points are padded where compiling takes longer: a power of two.

    Examples
    --------
    >>> [pad_to_power(n) for n in (1, 64, 65, 1_000_000)]
    [64, 64, 128, 1048576]
    """
    return 1 << max(n - 1, 63).bit_length()


def row_bytes() -> int:
    """Bytes of one row of points that suit the device: fewer lanes are cut into strips."""
    return _ROW_BYTES if jax.default_backend() == "cpu" else _WIDE_ROW_BYTES
