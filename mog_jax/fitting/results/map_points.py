"""Evaluates functions of fits and points: reads points in any form, and works in blocks of fits."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from mog_jax import inference
from mog_jax.fitting.data.inputs import Array, Datasets, read
from mog_jax.mixture import Mixture
from mog_jax.precision import hand_back
from mog_jax.threads import in_threads

# Points of a block, which a thread works on at a time: enough that the cost of a call is small
# beside their own, and few enough that the results stay in the cache.
_BLOCK_POINTS = 2**18


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Points:
    """Points in rows, one for each fit of a batch, or one for all.

    Parameters
    ----------
    source : Datasets
        The points, as they were read.
    batch : () or (b,)
        Shape of the batch of fits.
    as_list : bool
        Whether they came as a list of arrays.
    """

    source: Datasets
    batch: tuple[int, ...]
    as_list: bool

    def rows(self, index: Array) -> tuple[Array, Array | None]:
        """Return the points of some fits and their counts, in rows or one row for all."""
        some: Any = np.zeros(1, int) if self.source.is_single else index
        if self.source.offsets is None and some.size and (np.diff(some) == 1).all():
            # A slice makes no copy.
            some = slice(some[0], some[0] + some.size)
        values, counts = self.source.rows(some)
        if self.source.is_single and self.batch:
            return values[0], None if counts is None else counts[0]
        return values, counts

    def icl(self, bic: Any, mixture: Mixture) -> Any:
        """Integrated completed likelihood of each fit."""
        return self.map_fits(inference.icl, bic, mixture)

    def sandwich(self, covariance: Any, mixture: Mixture) -> Any:
        """Robust covariance of each fit, shape (*batch, 5, 5)."""
        return self.map_fits(inference.sandwich, covariance, mixture)

    def kolmogorov_distance(self, mixture: Mixture) -> Any:
        """Distance between the distribution functions of the points and of each fit."""
        return self.map_fits(inference.kolmogorov_distance, mixture)

    def exact(self, i: int) -> tuple[Array, float]:
        """Return the distinct values of a dataset, and the number of points."""
        values, counts = self.source.rows(np.array([0 if self.source.is_single else i]))
        times = np.ones(values.shape) if counts is None else counts
        there = ~np.isnan(values[0]) & (times[0] > 0)
        return np.unique(values[0][there]), float(times[0][there].sum())

    def map_fits(self, function: Callable[..., Any], *of_fits: Any) -> Any:
        """Evaluate a function of each fit and all its points.

        Parameters
        ----------
        function : callable
            From `of_fits`, points and counts of some fits to an array with an entry for each fit.
            The counts are None if every point counts once; a missing point has count 0.
        *of_fits : pytrees of arrays, shape (*batch, ...)

        Returns
        -------
        array, shape (*batch, ...)
        """

        def ask(fits: Any, values: Array, counts: Array | None) -> Any:
            return function(*fits, *_present(values, counts))

        def put(answers: Array, block: Array, answer: Array) -> None:
            answers[block] = answer

        return hand_back(self._ask(ask, of_fits, 1, put))

    def map_points(self, function: Callable[..., Any], *of_fits: Any) -> Any:
        """Evaluate a function of each fit at each of its points.

        Parameters
        ----------
        function : callable
            From `of_fits` and points of some fits to an array with an entry for each point.
        *of_fits : pytrees of arrays, shape (*batch, ...)

        Returns
        -------
        array or list of arrays, in the form in which the points were given
        """
        offsets = self.source.offsets

        def ask(fits: Any, values: Array, counts: Array | None) -> Any:
            return function(*fits, values)

        def put(answers: Array, block: Array, answer: Array) -> None:
            if offsets is None:
                answers[block] = answer
                return
            column = np.arange(answer.shape[1])
            inside = column < self.source.lengths(block)[:, None]
            answers[(offsets[block][:, None] + column)[inside]] = answer[inside]

        answers = self._ask(ask, of_fits, 2, put)
        return np.split(answers, offsets[1:-1]) if self.as_list and offsets is not None else answers

    def _ask(
        self,
        ask: Callable[[Any, Array, Array | None], Any],
        of_fits: Any,
        axes: int,
        put: Callable[[Array, Array, Array], None],
    ) -> Array:
        """Evaluate block by block; an answer's first `axes` axes are fits, or fits and points."""
        fits = jax.tree.map(
            np.asarray if self.batch else lambda leaf: np.asarray(leaf)[None], of_fits
        )

        def answer(block: Array) -> Array:
            some = jax.tree.map(lambda leaf: leaf[block], fits)
            return np.asarray(ask(some, *self.rows(block)))

        first, *others = _blocks(self)
        # The first call compiles the programs, which the others share.
        found = answer(first)
        n_fits, offsets = self.batch[0] if self.batch else 1, self.source.offsets
        if offsets is None:
            shape = (n_fits, self.source.values.shape[1])[:axes]
        else:
            shape = (n_fits,) if axes == 1 else (offsets[-1],)
        answers = np.empty((*shape, *found.shape[axes:]), found.dtype)
        put(answers, first, found)
        in_threads(answer, others, lambda block, found: put(answers, block, found))
        return answers if self.batch else answers[0]


def read_points(data: Any, batch: tuple[int, ...], counts: Any = None) -> Points:
    """Read points in any of the forms that :func:`mog_jax.fit` takes.

    Parameters
    ----------
    data, counts : as for `fit`
        One row for each fit, or one for all.
    batch : () or (b,)
        Shape of the batch of fits.

    Returns
    -------
    Points

    Raises
    ------
    ValueError
        If the number of rows is not that of the fits, or the points are not real numbers.
    """
    source = read(data, counts)
    if not source.is_single and (len(source),) != batch:
        wanted = f"(n,) or ({batch[0]}, n)" if batch else "(n,)"
        raise ValueError(
            f"`data` must have shape {wanted}, as there {'are' if batch else 'is'} "
            f"{batch[0] if batch else 'one'} fit{'s' if batch else ''}; got {len(source)} rows"
            + ("." if batch or np.ndim(data) != 2 else "; one dataset is `data.ravel()`.")
        )
    return Points(source=source, batch=batch, as_list=isinstance(data, list | tuple))


def _blocks(points: Points) -> Iterator[Array]:
    """Yield blocks of fits, at least one, whose numbers of points are within a factor of two."""
    n_fits = points.batch[0] if points.batch else 1
    source, every = points.source, np.arange(n_fits)
    if source.offsets is None or not n_fits:
        yield from _parts(every, max(1, source.values.shape[-1]))
        return
    lengths = source.lengths(every)
    octaves = np.ceil(np.log2(np.maximum(lengths, 1)))
    for octave in np.unique(octaves):
        members = np.flatnonzero(octaves == octave)
        yield from _parts(members, max(1, int(lengths[members].max())))


def _parts(members: Array, length: int) -> Iterator[Array]:
    """Yield blocks of fits whose rows have one length."""
    at_once = max(1, _BLOCK_POINTS // length)
    yield from np.array_split(members, max(1, -(-members.size // at_once)))


def _present(values: Array, counts: Array | None) -> tuple[Array, Array | None]:
    """Return points and counts; a missing point becomes 0, with count 0."""
    missing = np.isnan(values)
    if not missing.any():
        return values, counts
    times = ~missing if counts is None else np.where(missing, 0, counts)
    # NaN times a count of 0 would still be NaN.
    return np.where(missing, 0, values), times.astype(values.dtype)
