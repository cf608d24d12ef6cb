"""Makes passes over the blocks of a stream, for the nine sums of all points at a mixture."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.arrays import Array
from mog_jax.chunks.blocks import Block, Chunks, LeftOut, in_blocks
from mog_jax.fitting.climb.derivatives import unpack
from mog_jax.kernel import Sums, Totals, lane_sums
from mog_jax.lane_shapes import pad_rows, row_bytes
from mog_jax.precision import COMPILER
from mog_jax.threads import in_order

Answer = TypeVar("Answer")


class Seen(NamedTuple):
    """A summary of the points of a pass, which must be the same for every pass.

    Parameters
    ----------
    n_points, n_missing, n_infinite : int
        Numbers of finite, missing and infinite values.
    digest : int
        Sum of the bits of the points and of their counts.
    """

    n_points: int
    n_missing: int
    n_infinite: int
    digest: int


class Whole(NamedTuple):
    """Sum of the counts of all points, their mean and standard deviation."""

    total: float
    mean: float
    scale: float


class Passes:
    """A stream of points, and the number of passes over it, `n_passes`.

    Parameters
    ----------
    chunks : Chunks
    """

    def __init__(self, chunks: Chunks) -> None:
        self.n_passes = 0
        self._chunks = chunks
        self._seen: Seen | None = None

    def fold(
        self, function: Callable[[Block], Answer], take: Callable[[Block, Answer], object]
    ) -> Seen:
        """Make a pass.

        Parameters
        ----------
        function : callable
            Called with each block, on any thread, in float64.
        take : callable
            Called with each block and the result of `function`, in the order of the stream.

        Returns
        -------
        Seen

        Raises
        ------
        ValueError
            If the points differ from those of the pass before.
        """
        left_out, n_points, digest = LeftOut(), 0, 0

        def work(block: Block) -> tuple[Block, Answer, int]:
            # JAX's configuration holds for one thread only.
            with jax.enable_x64(True):
                return block, function(block), _digest(block)

        for block, answer, bits in in_order(work, in_blocks(self._chunks(), left_out)):
            take(block, answer)
            n_points += block.n
            digest = (digest + bits) % 2**64
        self.n_passes += 1
        seen = Seen(n_points, left_out.n_missing, left_out.n_infinite, digest)
        self._compare(seen)
        return seen

    def sums(self, thetas: Sequence[Array], whole: Whole) -> list[Sums]:
        """Make a pass for the nine sums at one mixture, or at several.

        Parameters
        ----------
        thetas : sequence of arrays, shape (5,)
            Coordinates of the mixtures, on the standard scale.
        whole : Whole

        Returns
        -------
        list of Sums
            NumPy arrays, without lanes.
        """
        with jax.enable_x64(True):
            total = np.float64(whole.total)
            added = [_on_host(_sums_of_moments(theta, total)) for theta in thetas]

        def take(_: Block, parts: list[Sums]) -> None:
            nonlocal added
            added = jax.tree.map(np.add, added, parts)

        self.fold(
            lambda block: [_on_host(_block_sums(theta, block, whole)) for theta in thetas], take
        )
        return added

    def _compare(self, seen: Seen) -> None:
        if self._seen is None:
            self._seen = seen
            return
        if seen == self._seen:
            return
        what = (
            f"{self._seen.n_points} points and {self._seen.n_missing} missing values, and then "
            f"{seen.n_points} and {seen.n_missing}"
        )
        if seen[:3] == self._seen[:3]:
            what = f"{seen.n_points} points each time, but not the same ones"
        raise ValueError(f"`chunks` must give the same points on every pass; got {what}.")


def _digest(block: Block) -> int:
    total = int(block.values[: block.n].view(np.uint64).sum())
    if block.counts is not None:
        # With a factor, so that an exchange of a value and a count changes the sum.
        total += 3 * int(block.counts[: block.n].view(np.uint64).sum())
    return total


def _on_host(sums: Sums) -> Sums:
    found: Sums = jax.tree.map(np.asarray, sums)
    return found


# Each of the nine sums is a sum over the blocks plus a term in the moments of all points. The term
# is computed once: moments of each block would cost half a pass more.
@jax.jit
def _sums_of_moments(theta: Any, total: Any) -> Sums:
    nothing = jnp.zeros(pad_rows(0), theta.dtype)
    # Standardised data have mean 0 and variance 1.
    whole = Totals(count=total, mean=jnp.zeros_like(total), variance=jnp.ones_like(total))
    return lane_sums(unpack(tuple(theta)), nothing, whole, nothing).stacked()


def _block_sums(theta: Any, block: Block, whole: Whole) -> Sums:
    part: Sums = _sums_of_points(theta, block.values, block.counts, whole.mean, 1 / whole.scale)
    return part


@functools.partial(jax.jit, compiler_options=COMPILER)
def _sums_of_points(theta: Any, x: Any, counts: Any, mean: Any, per_scale: Any) -> Sums:
    lanes = row_bytes() // x.dtype.itemsize
    z = ((x - mean) * per_scale).reshape(-1, lanes)
    counts = None if counts is None else counts.reshape(-1, lanes)
    at = unpack(tuple(jnp.broadcast_to(each, (lanes,)) for each in theta))
    zero = jnp.zeros((lanes,), x.dtype)
    none = Totals(count=zero, mean=zero, variance=zero)
    by_lane = lane_sums(at, z, none, counts).stacked()
    part: Sums = jax.tree.map(lambda leaf: jnp.sum(leaf, axis=-1), by_lane)
    # The centre is not a sum: it comes from the moments.
    return dataclasses.replace(part, centre=jnp.zeros_like(part.centre))
