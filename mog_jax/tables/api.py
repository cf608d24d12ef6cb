"""`fit_table`: the whole way from a table to a row per group, in one call."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow

from mog_jax.fitting.options import true_or_false
from mog_jax.progress import bar
from mog_jax.tables.keys import column_name, column_names
from mog_jax.tables.read_options import read_options
from mog_jax.tables.run import fit_source


def fit_table(
    source: Any,
    *,
    by: str | Sequence[str] = (),
    value: str | None = None,
    count: str | None = None,
    upper: str | None = None,
    columns: str | Sequence[str] | None = None,
    fixed: Mapping[str, float | str] | None = None,
    bootstrap: int | None = None,
    bootstrap_seed: int = 0,
    out: str | Path | None = None,
    overwrite: bool = False,
    progress: bool = False,
    separator: str | None = None,
    decimal: str | None = None,
    missing: str | float | Sequence[str | float] = (),
    comment: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    layer: str | None = None,
    zeros: str | None = None,
    **options: Any,
) -> pyarrow.Table:
    """Fit a two-component mixture to every group of a table.

    Parameters
    ----------
    source : path, glob, list of these, "-", or frame
        CSV, TSV or JSON lines, plain or compressed (gzip, zstd, bz2, xz, zip); Parquet, Feather,
        ORC, ``.npy``, ``.npz``, or a DuckDB database of one table; "-" is standard input. Of an
        ``.h5ad`` file each feature is fitted, or by columns of ``obs``: it has a row for each cell
        and feature, with the columns ``cell``, ``feature``, ``value`` and those of ``obs``. Or any
        frame that converts to Arrow: pandas, polars, pyarrow, a DuckDB relation. It may be larger
        than memory, and so may its groups: those of more than 4,194,304 rows are fitted by passes
        over them, as :func:`mog_jax.fit_chunks` does. The name of an existing file is never a
        pattern; any other name is one. Columns without a name are called ``column0``,
        ``column1``, ... by their place, and columns of one name are numbered: ``x_1``, ``x_2``.
    by : str or sequence of str
        The columns that name the group. Null is a group of its own.
    value : str, optional
        The column to fit. May be left out if there is only one.
    count : str, optional
        A column that says how often each value occurs.
    upper : str, optional
        The column of upper ends, where `value` holds the lower ends of intervals; an open end is
        infinite, ``-inf`` or ``inf``.
    columns : str or sequence of str, optional
        In place of `value`, for a wide table: each of these columns is fitted (within each group
        of `by`), and the answer's column ``column`` holds its name. Patterns will do: ``"CD*"``.
    fixed : mapping, optional
        What is known beforehand, such as a component from controls: from ``weight_1``, ``mean_1``,
        ``sd_1`` and so on to a number for all groups, or to the name of a column that holds each
        group's (null where it is free). As components of the answer are in the order of their
        means, one that was fixed as the first may come out as the second; its standard errors
        are 0.
    bootstrap : int, optional
        Test each group for one component against two with at most so many replicates, as
        `mog_jax.bootstrap_test` does: the answer has the columns ``p_value`` and ``q_value`` then.
        Replicates are fitted anew for each number of points that occurs; for each group where
        `resolution` or the like is said, for then they are recorded as its values were. Not with
        `fixed`.
    bootstrap_seed : int
        The same seed gives the same p-values.
    out : path, optional
        Keep the answers there as well, chunk by chunk: ``.duckdb``, ``.parquet`` or ``.csv``. If
        the run is killed, the same call takes it up where it was. It may not be an input, nor a
        file of another's. Names of groups stand in a CSV as they are: a spreadsheet may take one
        that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, unless it imports the column as
        text.
    overwrite : bool
        Replace what is at `out`, whoever wrote it; the same run is still taken up. An input is
        never replaced.
    progress : bool
        Show a bar on standard error.
    separator : str, optional
        What separates the cells of a CSV: one character, "tab", or "blank" for any run of blanks.
        This and what follows is found out where the file leaves no doubt, and asked for otherwise.
    decimal : {".", ","}, optional
        The decimal mark.
    missing : str, float or sequence of these, optional
        What stands for a missing value, beside an empty cell, NA, N/A, #N/A, NaN, null, None, "."
        and "missing" in any case: a word such as "-", or a number such as -999.
    comment : str, optional
        Lines of a CSV that begin with it are skipped. Those with ``#`` above the header are anyhow.
    encoding : str, optional
        Of a CSV that is not in Unicode, such as "latin-1".
    header : bool, optional
        Whether the first line of a CSV holds the names of the columns. A line of numbers does not,
        if it can be nothing else.
    layer : str, optional
        Of an ``.h5ad`` file, a layer to fit in place of ``X``.
    zeros : {"keep", "drop"}, optional
        Whether a zero there is a value like any other, which is the default, or none.
    **options
        Passed on to `mog_jax.fit`. Of those that say what the values are, `resolution` and each of
        `limits` is a number for all, or the name of a column that has one in each row (null where
        a value is exact, or has no limit): ``limits=("lod", None)``. `window` is a pair of numbers.

    Returns
    -------
    pyarrow.Table
        One row per group, sorted by the keys: these, then parameters, their standard errors,
        delta_bic, threshold, status and more, as `mog_jax.tables.schema` lists them.

    Raises
    ------
    TableError
        A `ValueError`: if the source cannot be read, has no such column, or holds text where
        numbers are expected; if `out` holds another run or cannot be written.

    Examples
    --------
    >>> import pandas
    >>> x = [*range(10), *range(30, 40), *[5] * 20]
    >>> cells = pandas.DataFrame({"gene": ["a"] * 20 + ["b"] * 20, "x": x})
    >>> fit_table(cells, by="gene", value="x").select(["gene", "status"]).to_pylist()
    [{'gene': 'a', 'status': 'converged'}, {'gene': 'b', 'status': 'constant'}]
    """
    with (
        bar(show=true_or_false("progress", progress)) as report,
        fit_source(
            source,
            by=column_names("by", by),
            value=None if value is None else column_name("value", value),
            count=None if count is None else column_name("count", count),
            columns=None if columns is None else column_names("columns", columns),
            fixed=fixed,
            bootstrap=bootstrap,
            bootstrap_seed=bootstrap_seed,
            out=out,
            overwrite=true_or_false("overwrite", overwrite),
            options={**options, "upper": upper},
            report=report,
            reading_as=read_options(
                separator=separator,
                decimal=decimal,
                missing=missing,
                comment=comment,
                encoding=encoding,
                header=header,
                layer=layer,
                zeros=zeros,
            ),
        ) as results,
    ):
        return results.table()
