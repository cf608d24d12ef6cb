"""Fit the groups of a Ray dataset. Needs Ray Data: ``pip install 'mog_jax[ray]'``.

Ray brings the rows of each group together, sorts them, and repeats a task that is lost.
`groupby(by).map_groups` would do so as well, and calls the fitter once for each group; here it is
called once for each block of groups, which is many times as fast.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow

from mog_jax.tables.errors import TableError, no_such
from mog_jax.tables.stream import StreamFitter


def fit_groups(
    dataset: Any,
    *,
    by: str | Sequence[str],
    value: str,
    count: str | None = None,
    fixed: Mapping[str, float | str] | None = None,
    **options: Any,
) -> Any:
    """Fit a two-component mixture to every group of a dataset.

    Parameters
    ----------
    dataset : ray.data.Dataset
        A row for each point, in any order.
    by, value, count, fixed
        See `mog_jax.fit_table`. Ray sorts by the columns of `by`: numbers, texts or times.
    **options
        Passed on to `mog_jax.fit`.

    Returns
    -------
    ray.data.Dataset
        A row for each group, with the columns of `mog_jax.tables.output_schema`. It is lazy.

    Raises
    ------
    TableError
        If an argument cannot be used, or a column; before any work.
    """
    try:
        import ray.data
    except ImportError:
        raise ImportError(
            "mog_jax.ray needs Ray Data; install it with: pip install 'mog_jax[ray]'"
        ) from None
    fitter = StreamFitter.checked(
        by=by,
        value=value,
        count=count,
        fixed=fixed,
        options=options,
        function="mog_jax.ray.fit_groups",
    )
    if not isinstance(dataset, ray.data.Dataset):
        raise TableError(f"`dataset` must be a ray.data.Dataset; got {type(dataset).__name__}.")
    _check_columns(fitter, dataset)
    # Rows with equal keys go to one block, and a batch without a size is a whole block.
    return (
        dataset.select_columns(fitter.columns)
        .sort(fitter.by)
        .map_batches(_FitBlock(fitter), batch_size=None, batch_format="pyarrow")
    )


def _check_columns(fitter: StreamFitter, dataset: Any) -> None:
    schema = dataset.schema()
    if schema is None:  # no rows
        return
    for name in fitter.columns:
        if name not in schema.names:
            raise no_such("column", name, schema.names, source="the table")
    if isinstance(schema.base_schema, pyarrow.Schema):
        fitter.output_schema(schema.base_schema)
    types = dict(zip(schema.names, schema.base_schema.types, strict=True))
    for name in fitter.by:
        if str(types[name]).startswith(("dictionary", "category")):
            raise TableError(f"Ray cannot sort by column {name!r}, a {types[name]}; decode it.")


@dataclasses.dataclass(frozen=True)
class _FitBlock:
    """A fitter that gives Arrow tables, which Ray takes."""

    fitter: StreamFitter

    def __call__(self, rows: pyarrow.Table) -> Iterator[pyarrow.Table]:
        for fits in self.fitter(rows):
            yield pyarrow.Table.from_batches([fits])
