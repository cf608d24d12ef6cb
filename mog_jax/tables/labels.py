"""Every row of the source with the posterior of its group's upper component, beside its columns.

The posterior is computed as DuckDB goes through the rows, so that neither the rows nor the answer
need fit into memory.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow
import pyarrow.parquet
from duckdb.func import FunctionNullHandling, PythonUDFType

from mog_jax.arrays import HostArray
from mog_jax.fitting.data.interval_options import IntervalOptions
from mog_jax.fitting.data.intervals import read_recorded
from mog_jax.fitting.options import true_or_false
from mog_jax.inference.intervals import interval_statistics
from mog_jax.mixture import Mixture
from mog_jax.tables.columns import ChosenColumns, choose_again
from mog_jax.tables.database import opened
from mog_jax.tables.errors import TableError, reading
from mog_jax.tables.group import recorded_source
from mog_jax.tables.interval_options import TableIntervalOptions
from mog_jax.tables.outputs import refuse_foreign, refuse_input, written_whole
from mog_jax.tables.paths import identifier, literal
from mog_jax.tables.read_options import read_options
from mog_jax.tables.results import open_results
from mog_jax.tables.sources import TableSource, open_source

# The columns that are added.
LABELS = ("posterior", "label", "uncertainty")
_PARAMETERS = ("weight_1", "weight_2", "mean_1", "mean_2", "sd_1", "sd_2")
_FORMATS = {".parquet": "FORMAT parquet, COMPRESSION zstd", ".csv": "FORMAT csv, HEADER"}
_RECORD = "mog_jax_labels"
# Above this the exponential of log-odds overflows.
_MOST_ODDS = 700


def label_table(
    fits: str | Path,
    *,
    source: Any = None,
    out: str | Path | None = None,
    overwrite: bool = False,
) -> pyarrow.Table | None:
    """Label every row that was fitted with its more probable component.

    Parameters
    ----------
    fits : path
        What `fit_table` or ``mog-jax fit --out`` has written: ``.duckdb`` or ``.parquet``.
    source : path, glob, list of these, "-", or frame, optional
        Where the rows are, if not where they were when they were fitted.
    out : path, optional
        Write the rows there, ``.parquet`` or ``.csv``, instead of returning them.
    overwrite : bool
        Replace what is at `out`, whoever wrote it; an input is never replaced.

    Returns
    -------
    pyarrow.Table or None
        The rows of the source in their order, with all of its columns (of a wide table those that
        were not fitted, then ``column`` and ``value``), and after them ``posterior``, the
        probability of the upper component; ``label``, 1 for the upper component and 0 for the
        lower; ``uncertainty``, the probability that the label is wrong. Null where a value is
        missing or its group has no fit. A value that was rounded, censored or given by its ends
        has the posterior of its interval.

    Raises
    ------
    TableError
        A `ValueError`: if a file cannot be read or written, or a column of the source is called
        like one of these.

    Examples
    --------
    >>> import mog_jax, pandas, pathlib, tempfile
    >>> cells = pandas.DataFrame({"cell": range(272), "x": mog_jax.datasets.faithful()})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fits = pathlib.Path(folder) / "fits.parquet"
    ...     _ = mog_jax.fit_table(cells, value="x", out=fits)
    ...     labels = label_table(fits, source=cells)
    >>> labels.select(["cell", "value", "label"]).slice(0, 2).to_pylist()
    [{'cell': 0, 'value': 79.0, 'label': 1}, {'cell': 1, 'value': 54.0, 'label': 0}]
    """
    true_or_false("overwrite", overwrite)
    with labelled_rows(fits, source) as (connection, query, read_from):
        if out is None:
            return connection.sql(query).to_arrow_table()
        _write(connection, query, Path(out), [str(fits), read_from], overwrite=overwrite)
        return None


@contextlib.contextmanager
def labelled_rows(
    fits: str | Path, source: Any = None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, str, Any]]:
    """Return a connection, the query that labels the rows, and what they are read from."""
    with open_results(fits) as results:
        run, keys = results.run, results.keys
        if source is None or run is None:
            read_from: Any = recorded_source(run, str(fits))
        else:
            read_from = source
        assert run is not None
        found = results.table().select([*keys, *_PARAMETERS])
    places = [f"k{index}" for index in range(len(keys))]
    columns = run["columns"]
    with opened(None) as (connection, scratch):
        readable = open_source(connection, read_from, scratch, read_options(**run["reading"]))
        carried = [name for name in readable.types if name not in (columns["columns"] or ())]
        rows = choose_again(readable, columns, carried=carried)
        if len(rows.keys) != len(keys):
            raise TableError(f"{fits} does not hold the groups that its record names.")
        connection.register("found", found.rename_columns([*places, *_PARAMETERS]))
        with reading(readable.name):
            odds = _odds(connection, TableIntervalOptions.of_run(run))
            yield connection, _query(readable, rows, carried, odds), read_from


def _query(source: TableSource, rows: ChosenColumns, carried: list[str], odds: str) -> str:
    is_wide = bool(rows.chosen["columns"])
    added = [*(["value"] if is_wide else []), *LABELS]
    for name in carried:
        if name.lower() in [*added, *(["column"] if is_wide else [])]:
            raise TableError(
                f"{source.name}: a column cannot be called {name!r}, which is one that is added; "
                "rename it."
            )
    shown = [f"r{place} AS {identifier(name)}" for place, name in enumerate(carried)]
    last = f"k{len(rows.keys) - 1}"
    if is_wide:
        shown += [f"{last} AS column", "value"]
    keys = [f"k{index}" for index in range(len(rows.keys))]
    same = " AND ".join(f"r.{key}::VARCHAR IS NOT DISTINCT FROM f.{key}::VARCHAR" for key in keys)
    # Of equal keys, which a foreign file may hold, one is taken.
    fits = f"(SELECT DISTINCT ON ({', '.join(keys)}) * FROM found)"
    return (
        f"SELECT {', '.join(shown)}, 1 / (1 + exp(-odds)) AS posterior, "
        "CASE WHEN odds IS NULL THEN NULL ELSE (odds > 0)::TINYINT END AS label, "
        "1 / (1 + exp(abs(odds))) AS uncertainty "
        f"FROM (SELECT r.*, CASE WHEN value IS NULL OR mean_1 IS NULL THEN NULL "
        f"ELSE {odds} END "
        f"AS odds FROM ({rows.sql}) r LEFT JOIN {fits} f ON {same}) "
        f"ORDER BY row{', ' + last if is_wide else ''}"
    )


def _odds(connection: duckdb.DuckDBPyConnection, interval_options: TableIntervalOptions) -> str:
    """Write as SQL the logarithm of the odds of the upper component; NULL where there are none."""
    if interval_options.are_given:
        return _odds_of_intervals(connection, interval_options)
    near, far = (f"(value - mean_{k}) / nullif(sd_{k}, 0)" for k in (1, 2))
    odds = f"ln(weight_2 / weight_1) - ln(sd_2 / sd_1) + 0.5 * ({near} - {far}) * ({near} + {far})"
    # An empty component holds no point; DuckDB has no logarithm of 0.
    return (
        f"CASE WHEN isnan(mean_1) OR isinf(value) OR sd_1 <= 0 OR sd_2 <= 0 THEN NULL "
        f"WHEN weight_1 <= 0 THEN {_MOST_ODDS} WHEN weight_2 <= 0 THEN -{_MOST_ODDS} "
        f"ELSE greatest(-{_MOST_ODDS}, least({_MOST_ODDS}, {odds})) END"
    )


def _odds_of_intervals(
    connection: duckdb.DuckDBPyConnection, interval_options: TableIntervalOptions
) -> str:
    """Make a function that gives the odds of what is known of a value, and write its call."""
    roles = list(interval_options.columns)
    given = ["value", *roles, *_PARAMETERS]

    def odds(known_of_each: pyarrow.ChunkedArray) -> pyarrow.Array:
        rows = {
            name: _with_nan(column)
            for name, column in zip(given, known_of_each.combine_chunks().flatten(), strict=True)
        }
        pairs = (
            np.stack([rows[f"{name}_1"], rows[f"{name}_2"]], axis=1)
            for name in ("weight", "mean", "sd")
        )
        weights, means, deviations = pairs
        fields: dict[str, Any] = {
            "weights": weights,
            "means": means,
            "variances": np.square(deviations),
        }
        said = interval_options.for_fit(rows, lambda each: each)
        # A window changes no posterior.
        known = read_recorded(rows["value"], None, IntervalOptions.of({**said, "window": None}))
        found = interval_statistics(
            Mixture(**fields), np.arange(len(means)), known.centre, known.half_width
        ).log_odds
        found = np.clip(found, -_MOST_ODDS, _MOST_ODDS)
        return pyarrow.array(found, mask=known.unknown | np.isnan(found))

    number = duckdb.sqltypes.DOUBLE
    connection.create_function(
        "interval_odds",
        odds,
        [duckdb.struct_type(dict.fromkeys(given, number))],
        number,
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )
    return f"interval_odds({{{', '.join(f'{name!r}: {name}' for name in given)}}})"


def _with_nan(column: pyarrow.Array) -> HostArray:
    numbers: HostArray = column.fill_null(np.nan).to_numpy(zero_copy_only=False)
    return numbers


def _write(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    out: Path,
    inputs: list[Any],
    *,
    overwrite: bool,
) -> None:
    if out.suffix not in _FORMATS:
        raise TableError(f"cannot write {out}: the name must end in .parquet or .csv.")
    if not out.parent.is_dir():
        raise TableError(f"cannot write {out}: there is no folder {out.parent}.")
    for each in inputs:
        refuse_input(out, each)
    refuse_foreign(out, _is_labels, overwrite=overwrite)
    options = _FORMATS[out.suffix]
    if out.suffix == ".parquet":
        options += f", KV_METADATA {{{_RECORD}: 'yes'}}"
    with written_whole(out) as aside:
        connection.execute(f"COPY ({query}) TO {literal(str(aside.absolute()))} ({options})")


def _is_labels(path: Path) -> bool:
    """Return whether a file holds labels of rows, as they are written here."""
    try:
        if path.suffix == ".parquet":
            metadata = pyarrow.parquet.read_metadata(path).metadata or {}
            return _RECORD.encode() in metadata
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.readline(1 << 20).rstrip("\r\n").split(",")[-len(LABELS) :] == [*LABELS]
    except (OSError, ValueError):
        return False
