"""Results of a run, read back from its database, from Parquet, or from CSV.

The file may come from anywhere. It is read as data alone: tables, never views; on a connection that
cannot open another file or load an extension; each column in its declared type.
"""

import contextlib
import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pyarrow.csv
import pyarrow.parquet

from mog_jax.tables.database import attach, connect, lock, plain_tables
from mog_jax.tables.errors import TableError, no_such, reading
from mog_jax.tables.outputs import refuse_name
from mog_jax.tables.paths import identifier, literal
from mog_jax.tables.record import read_record
from mog_jax.tables.schema import KNOWN

# These columns are required; the others may be missing from a file.
_NEEDED = (
    "weight_1",
    "weight_2",
    "mean_1",
    "mean_2",
    "sd_1",
    "sd_2",
    "delta_bic",
    "n_points",
    "status",
)
_INTEGER = r"U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?"
_NUMBER = rf"(?:{_INTEGER}|FLOAT|DOUBLE|DECIMAL\(.*\))"
_ABSENT = r"\"NULL\"|NULL"  # the type of a column without a value
_KINDS = {
    pyarrow.float64(): (rf"{_NUMBER}|{_ABSENT}", "DOUBLE", "numbers"),
    pyarrow.int64(): (rf"{_NUMBER}|{_ABSENT}", "BIGINT", "numbers"),
    pyarrow.string(): (rf"VARCHAR|ENUM\(.*\)|{_ABSENT}", "VARCHAR", "text"),
    pyarrow.list_(pyarrow.int16()): (
        rf"(?:{_INTEGER}|{_ABSENT})\[\]|{_INTEGER}|{_ABSENT}",
        "SMALLINT[]",
        "lists of whole numbers",
    ),
}
_NO_FITS = "holds no fits; give what `mog-jax fit --out` has written."


class Results:
    """The answers of a run: a row per group, keys first.

    Parameters
    ----------
    connection : duckdb connection
        Has a table or view ``fits``, made here.
    run : dict, optional
        From `mog_jax.tables.fingerprint.describe`; a CSV does not hold it.
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
        self.keys = [name for name in self.columns if name not in KNOWN]

    def table(self, condition: str = "true", order: str = "", limit: int = -1) -> pyarrow.Table:
        """Return the rows that meet an SQL condition as an Arrow table."""
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
        """Return the row of one group.

        Raises
        ------
        TableError
            If there is no such group (names the nearest), or `names` lacks an entry for a key.
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


def read_run(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, Any] | None:
    """Read the record of the run from the database ``kept``; None if it holds none."""
    if "_run" not in plain_tables(connection):
        return None
    found = connection.execute("SELECT * FROM kept.main._run LIMIT 2").fetchall()
    if len(found) != 1 or len(found[0]) != 1:
        raise TableError(f"{name} {_NO_FITS}")
    return read_record(found[0][0], name)


def all_whole(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> bool:
    """Return whether all texts of a column are written like whole numbers, as `str` writes them."""
    odd = connection.execute(
        f"SELECT 1 FROM {table} WHERE {column} IS NOT NULL "
        f"AND TRY_CAST({column} AS BIGINT)::VARCHAR IS DISTINCT FROM {column} LIMIT 1"
    ).fetchall()
    return not odd


@contextlib.contextmanager
def open_results(path: str | Path) -> Iterator[Results]:
    """Open what `fit_table` or ``mog-jax fit`` has written.

    Raises
    ------
    TableError
        If there is no such file, or it holds no fits.
    """
    name = str(path)
    refuse_name(path)
    try:
        is_there = Path(path).is_file()
    except OSError as error:
        raise TableError(f"cannot read {name}: {error.strerror}.") from None
    if not is_there:
        raise TableError(f"cannot read {name}: no such file.")
    with contextlib.closing(connect()) as connection, reading(name):
        run = _load(connection, Path(path), name)
        yield Results(connection, run, name)


def _load(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> dict[str, Any] | None:
    """Make the view ``fits`` of what the file holds, lock the connection, and give the record."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise TableError(f"cannot read {name}: {error.strerror}.") from None
    run, is_text = None, False
    if head[8:12] == b"DUCK":
        attach(connection, path, read_only=True)
        lock(connection)
        run = read_run(connection, name)
        if run is None or "fits" not in plain_tables(connection):
            raise TableError(f"{name} {_NO_FITS}")
        table = "kept.main.fits"
    else:
        lock(connection)
        table = "answers"
        if head.startswith(b"PAR1"):
            content, run = _parquet(path, name)
        else:
            content, is_text = _csv(path, name), True
        connection.register(table, content)
    _make_view(connection, table, name, is_text=is_text)
    return run


def _parquet(path: Path, name: str) -> tuple[Any, dict[str, Any] | None]:
    # It imports pandas where that is installed, and only answers in Parquet need it.
    import pyarrow.dataset

    try:
        # An absolute path is no network address; escaped, it is no pattern.
        content = pyarrow.dataset.dataset(str(path.absolute()), format="parquet")
        record = (pyarrow.parquet.read_metadata(path).metadata or {}).get(b"mog_jax")
    except (pyarrow.ArrowException, OSError, ValueError):
        raise TableError(
            f"cannot read {name}: it is not a whole Parquet file; was it truncated?"
        ) from None
    return content, None if record is None else read_record(record, name)


def _csv(path: Path, name: str) -> pyarrow.Table:
    try:
        with pyarrow.input_stream(str(path)) as file:
            text = file.read(1 << 20).decode("utf-8-sig", errors="replace")
        separator, header = _header(text)
        if not separator:
            raise TableError(f"{name} {_NO_FITS}")
        for index, column in enumerate(header):
            if column.lower() in (other.lower() for other in header[:index]):
                raise TableError(f"{name} has two columns called {column!r} (case aside).")
        header = [column for column in header if column != "histogram"]  # no lists in a CSV
        return pyarrow.csv.read_csv(
            str(path),
            parse_options=pyarrow.csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=header,
                column_types={column: KNOWN.get(column, pyarrow.string()) for column in header},
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=["", "NULL"],
            ),
        )
    except (pyarrow.ArrowException, OSError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise TableError(f"cannot read {name}: {first}.") from None


def _header(text: str) -> tuple[str, list[str]]:
    """Find the separator and the names of the columns; the required ones must be among them."""
    for separator in ",;\t":
        with contextlib.suppress(csv.Error):
            header = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
            if {*_NEEDED} <= {*header}:
                return separator, header
    return "", []


def _make_view(
    connection: duckdb.DuckDBPyConnection, table: str, name: str, *, is_text: bool
) -> None:
    described = connection.execute(f"DESCRIBE {table}").fetchall()
    types = {row[0]: row[1] for row in described}
    if not {*_NEEDED} <= {*types}:
        raise TableError(f"{name} {_NO_FITS}")
    selected = []
    for column, kind in types.items():
        cell = identifier(column)
        if column in KNOWN:
            accepted, wanted, words = _KINDS[KNOWN[column]]
            if not re.fullmatch(accepted, kind):
                raise TableError(f"{name}: column {column!r} should hold {words}; it holds {kind}.")
            cell = f"{cell}::{wanted}"
            if column == "status":
                cell = f"coalesce({cell}, 'unknown')"
        elif is_text and all_whole(connection, table, cell):
            cell = f"{cell}::BIGINT"
        selected.append(f"{cell} AS {identifier(column)}")
    connection.execute(f"CREATE TEMP VIEW fits AS SELECT {', '.join(selected)} FROM {table}")
