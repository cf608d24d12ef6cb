"""A run that cannot be lost: answers go into a DuckDB database, a transaction for each chunk.

The database holds three tables and a view:

- ``_run``: one row of JSON: the settings, the columns, and the input's identity;
- ``_groups``: the keys, numbered in their order;
- ``_fits``: the answers, by the group's number;
- ``fits``: what a person wants to see, keys and answers.

Rows reach the fitter in the order of the groups' numbers, and chunks are cut by the groups alone.
So the number of answers says where to go on, and what follows is bit for bit what an uninterrupted
run gives.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pyarrow.compute

from mog_jax.tables.answers import ANSWERS
from mog_jax.tables.database import database_of, discard, export, opened
from mog_jax.tables.errors import TableError, reading, writing
from mog_jax.tables.fixed import check_fixed, columns_of
from mog_jax.tables.identity import describe, refuse_other
from mog_jax.tables.paths import identifier, literal
from mog_jax.tables.progress import Report
from mog_jax.tables.readoptions import ReadOptions
from mog_jax.tables.results import Results, read_run
from mog_jax.tables.rows import Rows, choose
from mog_jax.tables.sources import Source, open_source
from mog_jax.tables.stream import fit_batches
from mog_jax.tables.survey import survey

_BATCH_ROWS = 1 << 18


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
    report: Report,
    fixed: Mapping[str, float | str] | None = None,
    reading_as: ReadOptions | None = None,
) -> Iterator[Results]:
    """Fit every group of `source`, or take up such a run; see `fit_table` for the arguments.

    Yields
    ------
    Results
        To be read until the context ends. An export is then complete, and its database goes.
    """
    database = None if out is None else database_of(Path(out))
    held = check_fixed(fixed)
    if options.get("equal_variances") and not {"sd_1", "sd_2"}.isdisjoint(held):
        raise TableError("a fixed sd and equal variances exclude each other.")
    with opened(database) as (connection, scratch):
        readable = open_source(connection, source, scratch, reading_as or ReadOptions())
        rows = choose(
            readable, by=by, value=value, count=count, columns=columns, fixed=columns_of(held)
        )
        report("reading", 0, 0, 0)
        survey(connection, readable, rows)
        run = describe(connection, readable, rows, options, held)
        with writing(str(database)):
            earlier = read_run(connection)
            if earlier is None:
                _begin(connection, readable, rows, run)
            else:
                refuse_other(str(database), earlier, run)
            connection.execute("DROP TABLE survey")
        _fit_the_rest(connection, readable, rows, run, report)
        results = Results(connection, run)
        if out is not None and database != Path(out):
            report("exporting", 0, 0, 0)
            export(connection, Path(out), run)
        yield results
    if out is not None and database is not None and database != Path(out):
        discard(database)


def _begin(
    connection: duckdb.DuckDBPyConnection, source: Source, rows: Rows, run: dict[str, Any]
) -> None:
    """Lay the tables down, in one transaction: there is a whole run or none."""
    keys = [f"k{index}" for index in range(len(rows.keys))]
    # A CSV knows only text; keys that are all written like whole numbers are meant as such.
    shown = [_as_number(connection, key) if source.is_text else key for key in keys]
    order = ", ".join(f"{key} NULLS LAST" for key in shown)
    named = ", ".join(
        f"{key} AS {identifier(name)}" for key, name in zip(shown, rows.keys, strict=True)
    )
    answers = ", ".join(f"{identifier(name)}" for name in ANSWERS.names)
    connection.register("answers_before", ANSWERS.empty_table())
    connection.begin()
    connection.execute(
        f"CREATE TABLE _groups AS SELECT row_number() OVER (ORDER BY {order}) - 1 AS id, "
        f"{', '.join([*keys, 'n_rows', *_fixed_columns(rows)])} FROM survey ORDER BY id"
    )
    connection.execute("CREATE TABLE _fits AS SELECT 0::BIGINT AS id, * FROM answers_before")
    connection.execute(
        f"CREATE VIEW fits AS SELECT {named}, {answers} "
        "FROM _groups JOIN _fits USING (id) ORDER BY id"
    )
    connection.execute(f"CREATE TABLE _run AS SELECT {literal(json.dumps(run))} AS run")
    connection.commit()
    connection.unregister("answers_before")


def _fixed_columns(rows: Rows) -> list[str]:
    return [f"fixed_{name}" for name in rows.fixed]


def _as_number(connection: duckdb.DuckDBPyConnection, key: str) -> str:
    odd = connection.execute(
        f"SELECT 1 FROM survey WHERE {key} IS NOT NULL "
        f"AND TRY_CAST({key} AS BIGINT)::VARCHAR IS DISTINCT FROM {key} LIMIT 1"
    ).fetchall()
    return key if odd else f"{key}::BIGINT"


def _fit_the_rest(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    rows: Rows,
    run: dict[str, Any],
    report: Report,
) -> None:
    # Reading and writing overlap; a connection does one thing at a time.
    writer = connection.cursor()
    done, points = writer.execute(
        "SELECT count(*), coalesce(sum(n_rows), 0) FROM _groups JOIN _fits USING (id)"
    ).fetchall()[0]
    total = run["input"]["n_rows"]
    if done == run["input"]["n_groups"]:
        return
    report("sorting", 0, 0, 0)
    options = dict(run["options"])
    if rows.fixed:
        options["fixed"] = {**options["fixed"], **{name: f"fixed_{name}" for name in rows.fixed}}
    chunks = fit_batches(
        _sorted_rows(
            connection, source, rows, done, lambda: report("fitting", points, total, done)
        ),
        by=["id", "n_rows"],
        value="value",
        count="count" if rows.has_counts else None,
        **options,
    )
    for chunk in chunks:
        points += pyarrow.compute.sum(chunk["n_rows"]).as_py()
        fits = pyarrow.Table.from_batches([chunk]).drop_columns(["n_rows"])
        with writing("the answers"):
            writer.register("chunk", fits)
            writer.begin()
            writer.execute("INSERT INTO _fits SELECT * FROM chunk")
            writer.commit()
            writer.unregister("chunk")
        done += chunk.num_rows
        report("fitting", points, total, done)


def _sorted_rows(
    connection: duckdb.DuckDBPyConnection, source: Source, rows: Rows, first: int, begun: Any
) -> Iterator[pyarrow.RecordBatch]:
    same = " AND ".join(
        f"r.k{index} IS NOT DISTINCT FROM g.k{index}" for index in range(len(rows.keys))
    )
    # The number sorts twenty times sooner than the key; with the value it costs nothing more.
    fixed = "".join(f", g.{name} AS {name}" for name in _fixed_columns(rows))
    query = (
        f"SELECT g.id AS id, g.n_rows AS n_rows, r.value AS value, r.count AS count{fixed} "
        f"FROM ({rows.sql}) r JOIN _groups g ON {same} WHERE g.id >= {first} "
        "ORDER BY id, value, count"
    )
    with reading(source.name):
        for index, batch in enumerate(connection.sql(query).to_arrow_reader(_BATCH_ROWS)):
            if index == 0:
                begun()
            yield batch
