"""Points that a fit is asked about: put in the rows of its batch, and taken out again."""

import dataclasses
from typing import Any

import numpy as np

from mog_jax.fitting.reading import Array, Source, read
from mog_jax.kernel import pad_rows


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Points:
    """Points in rows, one for each fit of a batch, or one for all.

    Parameters
    ----------
    values : array, shape (n,) or (b, n)
        Rows of unequal length are filled up with NaN.
    counts : array of the same shape, or None
    source : Source
        Where they came from.
    as_list : bool
        Whether they came as a list of arrays.
    """

    values: Array
    counts: Array | None
    source: Source
    as_list: bool

    def taken_out(self, answer: Array) -> Any:
        """Give an answer, point by point, in the form in which the points came."""
        offsets = self.source.offsets
        if offsets is None:
            return answer
        rows = [row[:length] for row, length in zip(answer, np.diff(offsets), strict=True)]
        return rows if self.as_list or not rows else np.concatenate(rows)

    def present(self) -> tuple[Array, Array | None]:
        """Give points and counts, 0 for those that are missing, which are finite all the same."""
        is_present = ~np.isnan(self.values)
        if self.counts is None and is_present.all():
            return self.values, None
        times = is_present if self.counts is None else np.where(is_present, self.counts, 0)
        # NaN would poison sums even when multiplied by 0.
        return np.where(is_present, self.values, 0), times.astype(self.values.dtype)


def in_rows(data: Any, batch: tuple[int, ...], counts: Any = None) -> Points:
    """Put points in rows, in any of the forms that :func:`mog_jax.fit` takes.

    Parameters
    ----------
    data, counts : as for `fit`
        One row for each fit, or one for all.
    batch : () or (b,)
        Of the fits.

    Returns
    -------
    Points

    Raises
    ------
    ValueError
        If there are not as many rows as fits, or the points are not real numbers.
    """
    source = read(data, counts)
    if source.offsets is None:
        values, times = source.values, source.counts
    else:
        values, times = source.rows(np.arange(len(source)))
        # Few widths, so that there are few programs.
        more = [(0, 0), (0, pad_rows(values.shape[1]) - values.shape[1])]
        values = np.pad(values, more, constant_values=np.nan)
        times = None if times is None else np.pad(times, more)
    if source.is_single:
        values, times = values[0], None if times is None else times[0]
    if values.shape[:-1] not in ((), batch):
        wanted = f"(n,) or ({batch[0]}, n)" if batch else "(n,)"
        raise ValueError(
            f"`data` must have shape {wanted}, as there {'are' if batch else 'is'} "
            f"{batch[0] if batch else 'one'} fit{'s' if batch else ''}; got {values.shape}."
        )
    return Points(
        values=values, counts=times, source=source, as_list=isinstance(data, list | tuple)
    )
