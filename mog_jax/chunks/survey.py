"""Makes the first pass: size, mean, variance and range of a stream, and a sample of its points.

The search for the maximum begins in the sample. Points are drawn by a hash of their place in the
stream: the same stream gives the same sample, however it is divided into chunks. The sample always
holds the lowest and the highest points, most of which a random sample of a long stream would miss.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mog_jax.arrays import HostArray
from mog_jax.chunks import blocks
from mog_jax.chunks.blocks import Block
from mog_jax.chunks.passes import Passes, Seen
from mog_jax.fitting.multistart.choice import most_frequent

# Number of points of the sample; a shorter stream is its own sample.
_SAMPLED = 2**17
# Number of points of the sample from either end.
_EXTREMES = 1024


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Survey:
    """Results of the first pass.

    Parameters
    ----------
    seen : Seen
        Summary of the points, to compare later passes with.
    total : float
        Sum of the counts.
    mean, scale : float
        Mean and standard deviation, with divisor `total`.
    low, high : float
        The lowest and the highest point.
    values : array, shape (m,)
        The sample: all points if those are few.
    counts : array, shape (m,), or None
        Number of points that each stands for: 1, if None.
    n_ends : int
        Number of points at the front of the sample that are the lowest and the highest of all; the
        others were drawn. 0 if the sample is all points.
    """

    seen: Seen
    total: float
    mean: float
    scale: float
    low: float
    high: float
    values: HostArray
    counts: HostArray | None
    n_ends: int

    @functools.cached_property
    def atom(self) -> float:
        """The atom of the sample, on the standard scale of the data; NaN if there is none."""
        order = np.argsort(self.values)
        counts = None if self.counts is None else self.counts[order][None]
        found = most_frequent(self.values[order][None], counts, np.array([order.size]))
        return float((found.value[0] - self.mean) / self.scale) if found.is_atom[0] else np.nan


def survey(passes: Passes) -> Survey:
    """Make the first pass."""
    moments, picks = _Moments(), _Picks()

    def look(block: Block) -> tuple[_Moments, _Points]:
        return _moments(block), picks.of(block)

    def take(_: Block, found: tuple[_Moments, _Points]) -> None:
        nonlocal moments
        moments = moments.joined(found[0])
        picks.add(found[1])

    seen = passes.fold(look, take)
    return Survey(seen=seen, **moments._asdict(), **picks.sample(seen.n_points))


class _Moments(NamedTuple):
    total: float = 0.0
    mean: float = 0.0
    scale: float = 0.0
    low: float = np.inf
    high: float = -np.inf

    # An overflow gives the status out_of_range.
    @np.errstate(over="ignore", under="ignore", invalid="ignore")
    def joined(self, other: "_Moments") -> "_Moments":
        """Return the moments of both parts, without squares that might overflow."""
        total = self.total + other.total
        ours, theirs = self.total / total, other.total / total
        apart = np.float64(other.mean) - self.mean
        within = np.hypot(np.sqrt(ours) * self.scale, np.sqrt(theirs) * other.scale)
        return _Moments(
            total=total,
            mean=float(self.mean + theirs * apart),
            scale=float(np.hypot(within, np.sqrt(ours * theirs) * apart)),
            low=min(self.low, other.low),
            high=max(self.high, other.high),
        )


@np.errstate(over="ignore", under="ignore", invalid="ignore")
def _moments(block: Block) -> _Moments:
    x, counts = block.values[: block.n], block.counts
    times = None if counts is None else counts[: block.n]
    total = float(block.n if times is None else times.sum())

    def average(values: HostArray) -> float:
        return float((values.sum() if times is None else times @ values) / total)

    # Centred, and in units of the range, before anything is squared.
    low, high = float(x.min()), float(x.max())
    middle = 0.5 * low + 0.5 * high
    reach = max(high - middle, middle - low) or 1.0
    u = (x - middle) / reach
    mean = average(u)
    u -= mean
    # The mean is corrected by the mean residual.
    rest = average(u)
    deviation = np.sqrt(max(average(u * u) - rest * rest, 0.0))
    return _Moments(total, middle + reach * (mean + rest), float(reach * deviation), low, high)


class _Points(NamedTuple):
    """Points of a stream: their places, ranks in the draw, values and counts."""

    place: HostArray
    rank: HostArray
    values: HostArray
    counts: HostArray

    def take(self, index: HostArray) -> "_Points":
        return _Points(*(field[index] for field in self))

    def joined(self, *others: "_Points") -> "_Points":
        return _Points(*map(np.concatenate, zip(self, *others, strict=True)))


_NONE = _Points(np.empty(0, np.int64), np.empty(0, np.uint64), np.empty(0), np.empty(0))


class _Picks:
    """The points picked so far: those of lowest rank, and those at either end."""

    def __init__(self) -> None:
        self._drawn = self._low = self._high = _NONE
        self._waiting: list[_Points] = []
        # Bounds beyond which points can no longer be picked: rank, lowest and highest value.
        self._last, self._below, self._above = np.uint64(2**64 - 1), np.inf, -np.inf
        self._ranks = _scrambled(np.arange(blocks.BLOCK, dtype=np.uint64))

    def of(self, block: Block) -> _Points:
        """Return the points of a block that may be picked; called on any thread."""
        x = block.values[: block.n]
        # Another order in each block.
        rank = self._ranks[: block.n] ^ _scrambled(np.array([block.number + 2**32], np.uint64))
        at = np.flatnonzero((rank <= self._last) | (x <= self._below) | (x >= self._above))
        counts = np.ones(at.size) if block.counts is None else block.counts[at]
        return _Points(block.number * blocks.BLOCK + at, rank[at], x[at], counts)

    def add(self, found: _Points) -> None:
        """Add the points of the next block."""
        self._waiting.append(found)
        if sum(each.place.size for each in self._waiting) >= _SAMPLED:
            self._settle()

    def _settle(self) -> None:
        new, self._waiting = _NONE.joined(*self._waiting), []
        self._drawn = _first(self._drawn.joined(new), lambda p: p.rank, _SAMPLED)
        self._low = _first(self._low.joined(new), lambda p: p.values, _EXTREMES)
        self._high = _first(self._high.joined(new), lambda p: -p.values, _EXTREMES)
        if self._drawn.place.size == _SAMPLED:
            self._last = self._drawn.rank.max()
            self._below, self._above = self._low.values.max(), self._high.values.min()

    def sample(self, n_points: int) -> dict[str, Any]:
        """Return the fields of `Survey` for the sample."""
        self._settle()
        if n_points <= _SAMPLED:
            whole = self._drawn.take(np.argsort(self._drawn.place))
            counts = None if (whole.counts == 1).all() else whole.counts
            return {"values": whole.values, "counts": counts, "n_ends": 0}
        ends = self._low.joined(self._high)
        middle = self._drawn.take(~np.isin(self._drawn.place, ends.place))
        share = (n_points - ends.place.size) / middle.place.size
        picked = ends.joined(middle)
        counts = picked.counts * np.repeat([1.0, share], [ends.place.size, middle.place.size])
        return {"values": picked.values, "counts": counts, "n_ends": ends.place.size}


def _first(points: _Points, key: Callable[[_Points], HostArray], number: int) -> _Points:
    """Return the points with the lowest key; of equal keys, those that came first."""
    return points.take(np.argsort(key(points), kind="stable")[:number])


def _scrambled(numbers: HostArray) -> HostArray:
    """Scramble 64-bit numbers, one to one: the finaliser of SplitMix64."""
    mixed = numbers * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    scrambled: HostArray = mixed ^ (mixed >> np.uint64(31))
    return scrambled
