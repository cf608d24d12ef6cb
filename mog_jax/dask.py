"""Fit the groups of a Dask DataFrame. Needs Dask: ``pip install 'mog_jax[dask]'``.

Dask brings the rows of each group together, and repeats the work of a lost worker.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow

from mog_jax.fitting.options import whole_number
from mog_jax.tables.errors import TableError
from mog_jax.tables.stream import StreamFitter


def fit_groups(
    frame: Any,
    *,
    by: str | Sequence[str],
    value: str,
    count: str | None = None,
    fixed: Mapping[str, float | str] | None = None,
    partitions: int | None = None,
    **options: Any,
) -> Any:
    """Fit a two-component mixture to every group of a DataFrame.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
        A row for each point, in any order.
    by, value, count, fixed
        See `mog_jax.fit_table`.
    partitions : int, optional
        Number of partitions of the answer; by default that of `frame`.
    **options
        Passed on to `mog_jax.fit`.

    Returns
    -------
    dask.dataframe.DataFrame
        A row for each group, with the columns of `mog_jax.tables.output_schema`; the keys have
        the types that they have in `frame`. It is lazy.

    Raises
    ------
    TableError
        If an argument cannot be used, or a column; before any work.
    """
    try:
        import dask.dataframe
        import pandas
    except ImportError:
        raise ImportError(
            "mog_jax.dask needs Dask; install it with: pip install 'mog_jax[dask]'"
        ) from None
    fitter = StreamFitter.checked(
        by=by,
        value=value,
        count=count,
        fixed=fixed,
        options=options,
        function="mog_jax.dask.fit_groups",
    )
    if not isinstance(frame, dask.dataframe.DataFrame):
        raise TableError(f"`frame` must be a Dask DataFrame; got {type(frame).__name__}.")
    types = dict(frame.dtypes.items())
    empty = pandas.DataFrame({name: pandas.Series(dtype=kind) for name, kind in types.items()})
    fit_partition = _FitPartition(fitter)
    answers = fit_partition(empty)
    rows = frame[fitter.columns]
    # Dask's hash differs between 0.0 and -0.0, which are one key; adding 0.0 makes both 0.0.
    floats = [name for name in fitter.by if pandas.api.types.is_float_dtype(types[name])]
    rows = rows.assign(**{name: rows[name] + 0.0 for name in floats})
    number = None if partitions is None else whole_number("partitions", partitions)
    return rows.shuffle(fitter.by, npartitions=number).map_partitions(fit_partition, meta=answers)


@dataclasses.dataclass(frozen=True)
class _FitPartition:
    """A fitter for pandas frames; it sorts their rows."""

    fitter: StreamFitter

    def __call__(self, rows: Any) -> Any:
        by = self.fitter.by
        if len(rows):
            group = rows.groupby(by, dropna=False, sort=True, observed=True).ngroup()
            rows = rows.iloc[np.argsort(group.to_numpy(), kind="stable")]
        fits = self.fitter(pyarrow.Table.from_pandas(rows, preserve_index=False))
        answers = pyarrow.Table.from_batches(fits).to_pandas()
        return answers.astype({name: rows.dtypes[name] for name in by})
