"""A run that cannot be lost: answers go into a DuckDB database, a transaction for each chunk.

The database holds three tables:

- ``_run``: one row of JSON: the settings, the columns, and the input's identity;
- ``_groups``: the keys, numbered in their order;
- ``fits``: keys and answers, a row for each group that is done, in the same order.

Rows reach the fitter in the order of the groups' numbers, and chunks are cut by the groups alone.
So the number of answers says where to go on, and what follows is bit for bit what an uninterrupted
run gives.
"""

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pyarrow.compute

from mog_jax.progress import ReportProgress
from mog_jax.tables.columns import ChosenColumns, choose
from mog_jax.tables.database import database_of, discard, export, opened
from mog_jax.tables.errors import TableError, writing
from mog_jax.tables.fingerprint import describe, refuse_other
from mog_jax.tables.fixed import check_fixed, columns_of
from mog_jax.tables.groups_in_order import GroupsInOrder, fixed_columns
from mog_jax.tables.interval_options import TableIntervalOptions
from mog_jax.tables.large_groups import most_rows_in_memory
from mog_jax.tables.memory import refuse_too_large
from mog_jax.tables.options import plain, table_options
from mog_jax.tables.outputs import is_answers, refuse_foreign, refuse_input
from mog_jax.tables.paths import identifier, literal
from mog_jax.tables.read_options import ReadOptions
from mog_jax.tables.results import Results, all_whole, read_run
from mog_jax.tables.schema import ANSWERS
from mog_jax.tables.significance import add_p_values, add_recorded_p_values, check_bootstrap
from mog_jax.tables.sources import TableSource, open_source
from mog_jax.tables.validate import survey

_ARGUMENTS = (
    *("by", "value", "count", "columns", "fixed", "bootstrap", "bootstrap_seed"),
    *("out", "overwrite", "progress"),
    *(field.name for field in dataclasses.fields(ReadOptions)),
)


@contextlib.contextmanager
def fit_source(
    source: Any,
    *,
    by: Sequence[str],
    value: str | None,
    count: str | None,
    columns: Sequence[str] | None,
    out: str | Path | None,
    options: dict[str, Any],
    report: ReportProgress,
    fixed: Mapping[str, float | str] | None = None,
    bootstrap: int | None = None,
    bootstrap_seed: int = 0,
    overwrite: bool = False,
    reading_as: ReadOptions | None = None,
) -> Iterator[Results]:
    """Fit every group of `source`, or take up such a run; see `fit_table` for the arguments.

    Yields
    ------
    Results
        To be read until the context ends. An export is then complete, and its database goes.
    """
    table_options("fit_table", options, _ARGUMENTS)
    check_bootstrap(bootstrap, bootstrap_seed, fixed=bool(fixed))
    interval_options = TableIntervalOptions.checked(options)
    options = plain(options) | interval_options.numbers
    path = None if out is None else Path(out)
    database = None if path is None else _refuse_loss(path, source, overwrite=overwrite)
    is_exported = path is not None and path != database
    held = check_fixed(fixed)
    if options.get("equal_variances") and not {"sd_1", "sd_2"}.isdisjoint(held):
        raise TableError("a fixed sd and equal variances exclude each other.")
    # What lies beside an export was not named: leave to overwrite is not for that.
    with opened(database, overwrite=overwrite and not is_exported) as (connection, scratch):
        readable = open_source(connection, source, scratch, reading_as or ReadOptions())
        rows = choose(
            readable,
            by=by,
            value=value,
            count=count,
            columns=columns,
            interval_options=interval_options.columns,
            fixed=columns_of(held),
        )
        report("reading", 0, 0, 0)
        survey(connection, readable, rows, interval_options.numbers.get("window"))
        run = describe(connection, readable, rows, options, held)
        largest = most_rows_in_memory(run["options"])
        refuse_too_large(connection, readable, rows, largest)
        with writing(str(database)):
            _begin_or_go_on(connection, readable, rows, run, str(database), overwrite=overwrite)
            connection.execute("DROP TABLE survey")
        _fit_the_rest(connection, readable, rows, run, report)
        if bootstrap is not None:
            report("testing", 0, 0, 0)
            groups = GroupsInOrder(connection=connection, source=readable, rows=rows, run=run)
            with writing(str(database)):
                if interval_options.are_given:
                    add_recorded_p_values(connection, groups, bootstrap, bootstrap_seed)
                else:
                    add_p_values(connection, run["options"], bootstrap, bootstrap_seed)
        connection.execute("CREATE TEMP VIEW fits AS FROM kept.main.fits")
        results = Results(connection, run)
        if path is not None and is_exported:
            report("exporting", 0, 0, 0)
            export(connection, path, run, scratch, overwrite=overwrite)
        yield results
    if database is not None and is_exported:
        discard(database)


def _refuse_loss(out: Path, source: Any, *, overwrite: bool) -> Path:
    """Return the path of the database, unless something would be lost by writing there."""
    refuse_input(out, source)
    database = database_of(out)
    refuse_input(database, source)
    if out != database:
        refuse_foreign(out, is_answers, overwrite=overwrite)
    return database


def _begin_or_go_on(
    connection: duckdb.DuckDBPyConnection,
    source: TableSource,
    rows: ChosenColumns,
    run: dict[str, Any],
    database: str,
    *,
    overwrite: bool,
) -> None:
    earlier = read_run(connection, database)
    if earlier is not None:
        try:
            refuse_other(database, earlier, run)
        except TableError:
            if not overwrite:
                raise
        else:
            return  # what is there is taken up, or is all
    _begin(connection, source, rows, run)


def _begin(
    connection: duckdb.DuckDBPyConnection,
    source: TableSource,
    rows: ChosenColumns,
    run: dict[str, Any],
) -> None:
    """Lay the tables down, in one transaction: there is a whole run or none."""
    keys = [f"k{index}" for index in range(len(rows.keys))]
    # A CSV knows only text; keys that are all written like whole numbers are meant as such.
    is_number = [source.is_text and all_whole(connection, "survey", key) for key in keys]
    shown = [f"{key}::BIGINT" if whole else key for key, whole in zip(keys, is_number, strict=True)]
    order = ", ".join(f"{key} NULLS LAST" for key in shown)
    named = ", ".join(
        f"{key} AS {identifier(name)}" for key, name in zip(shown, rows.keys, strict=True)
    )
    connection.register("no_answers", ANSWERS.empty_table())
    connection.begin()
    connection.execute(
        f"CREATE OR REPLACE TABLE kept.main._groups AS SELECT row_number() OVER (ORDER BY {order}) "
        f"- 1 AS id, {', '.join([*keys, 'n_rows', *fixed_columns(rows)])} FROM survey ORDER BY id"
    )
    connection.execute(
        f"CREATE OR REPLACE TABLE kept.main.fits AS SELECT {named}, a.* "
        "FROM (FROM kept.main._groups LIMIT 0), no_answers AS a"
    )
    record = literal(json.dumps(run))
    connection.execute(f"CREATE OR REPLACE TABLE kept.main._run AS SELECT {record} AS run")
    connection.commit()
    connection.unregister("no_answers")


def _fit_the_rest(
    connection: duckdb.DuckDBPyConnection,
    source: TableSource,
    rows: ChosenColumns,
    run: dict[str, Any],
    report: ReportProgress,
) -> None:
    # Reading and writing overlap; a connection does one thing at a time.
    writer = connection.cursor()
    done = writer.execute("SELECT count(*) FROM kept.main.fits").fetchall()[0][0]
    points = writer.execute(
        f"SELECT coalesce(sum(n_rows), 0) FROM kept.main._groups WHERE id < {done}"
    ).fetchall()[0][0]
    total = run["input"]["n_rows"]
    if done == run["input"]["n_groups"]:
        return
    report("sorting", 0, 0, 0)
    groups = GroupsInOrder(connection=connection, source=source, rows=rows, run=run)
    chunks = groups.fits(done, lambda: report("fitting", points, total, done))
    for chunk in chunks:
        points += pyarrow.compute.sum(chunk["n_rows"]).as_py()
        with writing("the answers"):
            _keep(writer, rows, chunk, done)
        done += chunk.num_rows
        report("fitting", points, total, done)


def _keep(
    writer: duckdb.DuckDBPyConnection, rows: ChosenColumns, chunk: pyarrow.RecordBatch, first: int
) -> None:
    """Add the answers of the groups from `first` on, with their keys, in one transaction."""
    keys = ", ".join(f"g.k{index}" for index in range(len(rows.keys)))
    writer.register("chunk", pyarrow.Table.from_batches([chunk]))
    writer.begin()
    writer.execute(
        f"INSERT INTO kept.main.fits SELECT {keys}, c.* EXCLUDE (id, n_rows) "
        "FROM chunk AS c JOIN kept.main._groups AS g ON c.id = g.id "
        f"WHERE g.id BETWEEN {first} AND {first + chunk.num_rows - 1} ORDER BY c.id"
    )
    writer.commit()
    writer.unregister("chunk")
