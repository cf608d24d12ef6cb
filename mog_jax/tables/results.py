"""What a run left behind, read back: from its database, from Parquet, or from CSV."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow

from mog_jax.tables.answers import ANSWERS
from mog_jax.tables.errors import TableError, no_such, reading
from mog_jax.tables.paths import identifier, literal, path_literal


class Results:
    """The answers of a run: a row per group, keys first.

    Parameters
    ----------
    connection : duckdb connection
        Has a table or view ``fits``.
    run : dict, optional
        What `mog_jax.tables.identity.describe` said of it; a CSV does not hold it.
    name : str
        What to call it in messages.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        run: dict[str, Any] | None,
        name: str = "the answers",
    ) -> None:
        self.connection = connection
        self.run = run
        self.name = name
        described = connection.execute("DESCRIBE fits").fetchall()
        self.columns = [row[0] for row in described]
        self.keys = [name for name in self.columns if name not in ANSWERS.names]

    def table(self, condition: str = "true", order: str = "", limit: int = -1) -> pyarrow.Table:
        """Give the rows that meet an SQL condition as an Arrow table."""
        query = f"SELECT * FROM fits WHERE {condition}"
        query += f" ORDER BY {order}" if order else ""
        query += f" LIMIT {limit}" if limit >= 0 else ""
        return self.connection.sql(query).to_arrow_table()

    def statuses(self) -> dict[str, int]:
        """Count the groups by status, most frequent first."""
        return dict(
            self.connection.execute(
                "SELECT status, count(*) FROM fits GROUP BY status ORDER BY count(*) DESC, status"
            ).fetchall()
        )

    def group(self, names: Sequence[str]) -> dict[str, Any]:
        """Give the row of one group.

        Raises
        ------
        TableError
            If there is no such group (says the nearest), or `names` has not one for each key.
        """
        if len(names) != len(self.keys):
            raise TableError(
                f"a group of {self.name} is named by {len(self.keys)} "
                f"({', '.join(self.keys)}); got {len(names)}."
            )
        condition = " AND ".join(
            f"{identifier(key)} IS NULL"
            if name == "" or name.lower() == "null"
            else f"{identifier(key)}::VARCHAR = {literal(name)}"
            for key, name in zip(self.keys, names, strict=True)
        )
        found: list[dict[str, Any]] = self.table(condition, limit=1).to_pylist()
        if not found:
            text = " || ', ' || ".join(f"{identifier(key)}::VARCHAR" for key in self.keys)
            wanted = ", ".join(names)
            near = self.connection.execute(
                f"SELECT name FROM (SELECT {text} AS name FROM fits) "
                f"ORDER BY jaro_winkler_similarity(name, {literal(wanted)}) DESC, name LIMIT 12"
            ).fetchall()
            raise no_such("group", wanted, [str(row[0]) for row in near], source=self.name)
        return found[0]


def read_run(connection: duckdb.DuckDBPyConnection) -> dict[str, Any] | None:
    """Read what the database says of its run; None if it holds none."""
    tables = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
    if "_run" not in tables:
        return None
    run: dict[str, Any] = json.loads(connection.execute("SELECT run FROM _run").fetchall()[0][0])
    return run


@contextlib.contextmanager
def open_results(path: str | Path) -> Iterator[Results]:
    """Open what `fit_table` or ``mog-jax fit`` has written.

    Raises
    ------
    TableError
        If there is no such file, or it holds no fits.
    """
    name = str(path)
    if not Path(path).is_file():
        raise TableError(f"cannot read {name}: no such file.")
    with _connected(name) as (connection, run), reading(name):
        there = {row[0] for row in connection.execute("DESCRIBE fits").fetchall()}
        if not {"mean_1", "mean_2", "status"} <= there:
            raise TableError(f"{name} holds no fits; give what `mog-jax fit --out` has written.")
        yield Results(connection, run, name)


@contextlib.contextmanager
def _connected(name: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, Any] | None]]:
    run: dict[str, Any] | None = None
    with reading(name):
        if name.endswith(".duckdb"):
            connection = duckdb.connect(name, read_only=True)
            run = read_run(connection)
            if run is None:
                connection.close()
                raise TableError(
                    f"{name} holds no fits; give what `mog-jax fit --out` has written."
                )
        else:
            connection = duckdb.connect(":memory:")
            if name.endswith(".parquet"):
                source = f"read_parquet({path_literal(name)})"
                found = connection.execute(
                    f"SELECT value FROM parquet_kv_metadata({path_literal(name)}) "
                    "WHERE key = 'mog_jax'::BLOB"
                ).fetchall()
                run = json.loads(bytes(found[0][0])) if found else None
            else:
                source = f"read_csv({path_literal(name)}, header = true, sample_size = -1)"
            connection.execute(f"CREATE VIEW fits AS SELECT * FROM {source}")
    try:
        yield connection, run
    finally:
        connection.close()
