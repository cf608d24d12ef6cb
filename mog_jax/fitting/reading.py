"""Reading what was given: many forms in, blocks of sorted and standardised datasets out."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mog_jax.kernel import pad_rows

# A NumPy array. The type checker takes it for any, as fields annotated for JAX hold it here.
Array = Any

# Up to here the search sees every point; beyond, a sample of means of neighbours.
SEARCHED = 2048
_SAMPLE = 1024

# Points that are fitted in the time it takes to compile the programs for another length.
_POINTS_OF_A_PROGRAM = 10_000_000

# Points that a core's cache holds with room to spare, and those that one line of it does.
_CACHED = 2**16
_LINE = 8


@dataclasses.dataclass(frozen=True, eq=False)
class Ragged:
    """Datasets of different lengths, one after the other.

    Parameters
    ----------
    values : array-like, shape (total,)
        The points of the first dataset, then those of the second, and so on.
    lengths : array-like of int, shape (b,)
        How many points each has; they sum to `total`.

    Examples
    --------
    >>> import mog_jax
    >>> x = mog_jax.datasets.faithful()
    >>> len(mog_jax.fit(mog_jax.Ragged([*x, *x[:100]], [272, 100])))
    2
    """

    values: ArrayLike
    lengths: ArrayLike


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Source:
    """All datasets, as they were given.

    Parameters
    ----------
    values : array, shape (b, n) or (total,)
        A row each, or one after the other.
    counts : array of the same shape, or None
    offsets : array of int, shape (b + 1,), or None
        Where each dataset begins in `values`, if they are one after the other.
    is_single : bool
        Whether one dataset was given, and no batch of one.
    """

    values: Array
    counts: Array | None
    offsets: Array | None
    is_single: bool

    def __len__(self) -> int:
        return len(self.values) if self.offsets is None else len(self.offsets) - 1

    def rows(self, index: Array) -> tuple[Array, Array | None]:
        """Give some datasets as rows of a matrix, filled up with NaN, and their counts."""
        if self.offsets is None:
            return self.values[index], None if self.counts is None else self.counts[index]
        begin, end = self.offsets[index], self.offsets[index + 1]
        column = np.arange(max(1, int((end - begin).max(initial=0))))
        inside = begin[:, None] + column < end[:, None]
        at = np.where(inside, begin[:, None] + column, 0)
        if self.values.size == 0:
            return np.full(at.shape, np.nan), None
        values = np.where(inside, self.values[at], np.nan)
        return values, None if self.counts is None else np.where(inside, self.counts[at], 0)

    def widths(self) -> Array:
        """Give each dataset's length, missing values left out, to sort them into size classes."""
        if self.offsets is not None:
            return np.diff(self.offsets)
        widths = np.empty(len(self), np.int64)
        for lo in range(0, len(self), 4096):
            widths[lo : lo + 4096] = np.sum(~np.isnan(self.values[lo : lo + 4096]), axis=1)
        return widths


def read(data: Any, counts: Any) -> Source:
    """Validate `data` and `counts`, whatever form they have.

    Raises
    ------
    ValueError
        If they are no real numbers, or of a wrong shape; or if a count is negative or not finite.
    """
    offsets = None
    if isinstance(data, Ragged):
        values, offsets = _read_ragged(data)
    elif isinstance(data, list | tuple) and any(
        isinstance(row, list | tuple) or np.ndim(row) for row in data
    ):
        values, offsets = _read_list(data)
    else:
        values = _real(data, "data")
        if values.ndim not in (1, 2):
            raise ValueError(
                f"`data` must have shape (n,) or (b, n), one dataset or one in each row; got "
                f"{values.shape}."
            )
    if counts is not None:
        counts = _read_counts(counts, data, values, offsets)
    is_single = values.ndim == 1 and offsets is None
    if is_single:
        values = values[None]
        counts = None if counts is None else counts[None]
    return Source(values=values, counts=counts, offsets=offsets, is_single=is_single)


def _read_ragged(data: Ragged) -> tuple[Array, Array]:
    values, lengths = _real(data.values, "values"), np.asarray(data.lengths)
    if values.ndim != 1 or lengths.ndim != 1:
        raise ValueError(
            "`Ragged` takes values of shape (total,) and lengths of shape (b,); got "
            f"{values.shape} and {lengths.shape}."
        )
    if lengths.size and (lengths.dtype.kind not in "iu" or lengths.min() < 0):
        raise ValueError("`lengths` must be non-negative whole numbers.")
    if lengths.sum() != values.size:
        raise ValueError(
            f"`lengths` must sum to the number of values, {values.size}; got {lengths.sum()}."
        )
    return values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _read_list(data: Any) -> tuple[Array, Array]:
    rows = [_real(row, f"data[{i}]") for i, row in enumerate(data)]
    for i, row in enumerate(rows):
        if row.ndim != 1:
            raise ValueError(
                f"`data`, a list of datasets, must hold arrays of shape (n,); got data[{i}] of "
                f"shape {row.shape}."
            )
    offsets = np.concatenate([[0], np.cumsum([row.size for row in rows])]).astype(np.int64)
    return np.concatenate(rows), offsets


def _read_counts(counts: Any, data: Any, values: Array, offsets: Array | None) -> Array:
    lengths = None if offsets is None else np.diff(offsets).tolist()
    if isinstance(counts, Ragged):
        if np.asarray(counts.lengths).tolist() != lengths:
            raise ValueError("`counts` must have the lengths of `data`, dataset by dataset.")
        counts = counts.values
    elif lengths is not None and not isinstance(data, Ragged):
        if not isinstance(counts, list | tuple) and np.ndim(counts) == 0:
            raise ValueError(
                f"`counts` must be a list of arrays, as `data` is; got {type(counts).__name__}."
            )
        rows = [_real(row, f"counts[{i}]") for i, row in enumerate(counts)]
        if [row.size for row in rows] != lengths:
            raise ValueError("`counts` must have the lengths of `data`, dataset by dataset.")
        counts = np.concatenate(rows)
    counts = _real(counts, "counts")
    if counts.shape != values.shape:
        raise ValueError(
            f"`counts` must have the shape of `data`, {values.shape}; got {counts.shape}."
        )
    wrong = ~((counts >= 0) & (counts < np.inf))
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = ", ".join(map(str, at))
        raise ValueError(
            f"`counts` must be non-negative and finite; got counts[{place}] = {counts[at]}."
        )
    return counts.astype(np.float64)


def _real(value: Any, name: str) -> Array:
    if isinstance(value, np.ma.MaskedArray):
        # NumPy would hand out what lies under the mask.
        value = np.ma.filled(value.astype(np.result_type(value.dtype, np.float32)), np.nan)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"`{name}` must be an array of real numbers; {error}.") from None
    if array.size == 0 and array.dtype == object:
        array = array.astype(np.float64)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"`{name}` must be real numbers; got dtype {array.dtype}.")
    if array.dtype.kind == "f" and array.dtype.itemsize in (4, 8):
        return array
    return array.astype(
        np.float32 if array.dtype.itemsize < 4 and array.dtype.kind == "f" else np.float64
    )


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Standardised:
    """Datasets on their standard scale, one in each column, sorted and filled up.

    Parameters
    ----------
    points : array, shape (n, b)
    counts : array, shape (n, b), or None
    n : array of int, shape (b,)
        Points with a positive count.
    total : array, shape (b,)
        Sum of the counts.
    n_missing : array of int, shape (b,)
        NaNs left out.
    mean, scale : array, shape (b,)
        Of the data: x = mean + scale * point.
    is_finite, is_constant : array of bool, shape (b,)
    """

    points: Array
    counts: Array | None
    n: Array
    total: Array
    n_missing: Array
    mean: Array
    scale: Array
    is_finite: Array
    is_constant: Array


def standardise(values: Array, counts: Array | None, given: Array, least: int = 0) -> Standardised:
    """Sort and standardise rows of data, NaN being missing.

    Parameters
    ----------
    values : array, shape (b, n)
    counts : array, shape (b, n), or None
    given : array of int, shape (b,)
        How many values each dataset had, before its row was filled up with NaN.
    least : int
        Length to which the datasets are padded at least.
    """
    b, width = values.shape
    length = max(pad_rows(max(width, 1)), least)
    points = np.empty((length, b))
    times = None if counts is None else np.empty((length, b))
    # So few datasets at a time that they stay in the cache.
    at_once = max(_LINE, _CACHED // length)
    parts = []
    for lo in range(0, max(b, 1), at_once):
        some = slice(lo, lo + at_once)
        own = None if counts is None else counts[some]
        rows, row_times, part = _standardised(values[some], own, given[some], length)
        _transpose(rows, points[:, some])
        if times is not None:
            _transpose(row_times, times[:, some])
        parts.append(part)
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    # Without what is missing the longest may be shorter.
    longest = max(pad_rows(int(found["n"].max(initial=1))), least)
    return Standardised(
        points=points[:longest], counts=None if times is None else times[:longest], **found
    )


def _standardised(
    values: Array, counts: Array | None, given: Array, length: int
) -> tuple[Array, Array | None, dict[str, Array]]:
    """Give points and counts as rows of a length, and the other fields of :class:`Standardised`."""
    n_missing = given - np.sum(~np.isnan(values), axis=1)
    is_finite = ~np.isinf(values).any(axis=1)
    rows, times = np.empty((len(values), length)), None
    sorted_rows = rows[:, : values.shape[1]]
    if counts is None:
        sorted_rows[:] = np.sort(values, axis=1)
        total = n = np.where(is_finite, given - n_missing, 0)
    else:
        seen = (counts > 0) & ~np.isnan(values) & is_finite[:, None]
        order = np.argsort(np.where(seen, values, np.nan), axis=1)
        sorted_rows[:] = np.take_along_axis(values, order, axis=1)
        times = np.zeros(rows.shape)
        times[:, : values.shape[1]] = np.take_along_axis(np.where(seen, counts, 0), order, axis=1)
        n, total = np.sum(seen, axis=1), times.sum(axis=1)
    rows[n == 0] = 0
    # What fills up a row lies beyond the end of the shortest.
    shortest = int(n.min(initial=length))
    fills, filling = np.arange(shortest, length) >= n[:, None], rows[:, shortest:]
    last = np.arange(len(rows)), np.maximum(n - 1, 0)

    def summed(rows: Array) -> Array:
        return np.sum(rows if times is None else times * rows, axis=1) / np.maximum(total, 1e-300)

    # Centred, and in units of the range, before anything is squared: neither a large offset nor an
    # extreme unit then costs digits or overflows.
    low, high = rows[:, 0].copy(), rows[last]
    middle = 0.5 * low + 0.5 * high
    np.copyto(filling, middle[:, None], where=fills)
    rows -= middle[:, None]
    farthest = np.maximum(np.abs(rows[:, 0]), np.abs(rows[last]))
    reach = np.maximum(farthest, np.finfo(np.float64).smallest_subnormal)
    rows /= reach[:, None]
    mean = summed(rows)
    rows -= mean[:, None]
    np.copyto(filling, 0, where=fills)
    deviation = np.sqrt(summed(rows**2))
    rows /= np.where(deviation > 0, deviation, 1)[:, None]
    np.copyto(filling, rows[last][:, None], where=fills)
    scale = reach * deviation
    with np.errstate(over="ignore", under="ignore"):
        square = scale**2
    normal = (square > np.finfo(np.float64).tiny) & (square < np.inf)
    is_constant = (low == high) | ~normal
    part = {
        "n": n,
        "total": total,
        "n_missing": n_missing,
        "mean": middle + reach * mean,
        "scale": np.where(is_constant, 1, scale),
        "is_finite": is_finite,
        "is_constant": is_constant,
    }
    return rows, times, part


def _transpose(rows: Array, columns: Array) -> None:
    """Write rows into columns, as many at a time as fill a cache line."""
    for lo in range(0, len(rows), _LINE):
        columns[:, lo : lo + _LINE] = rows[lo : lo + _LINE].T


def sample(data: Standardised) -> tuple[Array, Array]:
    """Points of equal count that stand for the data while the best maximum is sought.

    The data themselves, each as often as it was seen, where those are few; else the means of equal
    shares of the sorted data.

    Returns
    -------
    array, shape (m, b)
    array of int, shape (b,)
        How many there are.
    """
    if data.counts is None and data.points.shape[0] <= SEARCHED:
        return data.points, data.n
    if data.counts is None:
        return _shares(data.points, data.n)
    whole = (data.counts == np.rint(data.counts)).all(axis=0) & (data.total <= SEARCHED)
    sizes = np.where(whole, data.total, _SAMPLE).astype(np.int64)
    rows = pad_rows(int(sizes.max(initial=1)))
    points = np.zeros((rows, len(sizes)))
    for i, n in enumerate(sizes):
        if n == 0:
            continue
        if whole[i]:
            column = np.repeat(data.points[:, i], data.counts[:, i].astype(np.int64))
        else:
            edges = np.linspace(0, data.total[i], n + 1)
            mass = np.concatenate([[0], np.cumsum(data.counts[:, i])])
            moment = np.concatenate([[0], np.cumsum(data.counts[:, i] * data.points[:, i])])
            column = np.diff(np.interp(edges, mass, moment)) / np.diff(edges)
        points[:n, i] = column
        points[n:, i] = column[-1]
    return points, sizes


def _shares(points: Array, n: Array) -> tuple[Array, Array]:
    """Means of equal shares of the sorted points, in datasets that have many."""
    sizes = np.where(n > SEARCHED, _SAMPLE, n)
    rows = pad_rows(int(sizes.max(initial=1)))
    # The sum of the first t points, for a t that need not be whole.
    edges = n * np.minimum(np.arange(rows + 1)[:, None], sizes) / np.maximum(sizes, 1)
    below = np.minimum(edges.astype(np.int64), np.maximum(n - 1, 0))
    sums = np.concatenate([np.zeros((1, len(n))), np.cumsum(points, axis=0)])
    partial = np.take_along_axis(sums, below, axis=0)
    partial += (edges - below) * np.take_along_axis(points, below, axis=0)
    shares = np.diff(partial, axis=0) / (np.maximum(n, 1) / np.maximum(sizes, 1))
    last = np.minimum(np.arange(rows)[:, None], np.maximum(sizes - 1, 0))
    return np.take_along_axis(shares, last, axis=0), sizes


def padded_lengths(lengths: Array) -> Array:
    """Give the length to which each dataset is padded: :func:`mog_jax.kernel.pad_rows` of many."""
    distinct, position = np.unique(lengths, return_inverse=True)
    return np.array([pad_rows(int(length)) for length in distinct], np.int64)[position]


def padded_width(b: int) -> int:
    """Give the datasets to which `b` are filled up: few widths, so that there are few programs."""
    return next((width for width in (8, 128) if width >= b), -(-b // 1024) * 1024)


def size_classes(widths: Array, largest: int) -> Iterator[tuple[Array, int]]:
    """Divide datasets into blocks of similar length, so that few programs are compiled for them.

    Parameters
    ----------
    widths : array of int, shape (b,)
        Of the datasets.
    largest : int
        Points of one block at most; nor has it more than 1,024 datasets.

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
            at_once = int(np.clip(largest // size, 1, 1024))
            for lo in range(0, block.size, at_once):
                yield block[lo : lo + at_once], int(size) if shared else 0
