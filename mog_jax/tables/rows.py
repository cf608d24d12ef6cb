"""Which columns hold the groups, the values and the counts; and whether they can be used."""

import dataclasses
import fnmatch
import re
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from mog_jax.tables.answers import ANSWERS
from mog_jax.tables.errors import TableError, no_such, reading
from mog_jax.tables.sources import Source, identifier, literal

# What people write for "no value"; compared without case or surrounding blanks.
_MISSING = ("", "na", "n/a", "nan", "null", "none", ".")
_NUMERIC = re.compile(
    r"^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|BOOLEAN|DECIMAL.*|BIGNUM|\"NULL\"|NULL)$"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of a source as SQL: keys ``k0, k1, ...``, ``value``, ``count`` and ``unreadable``.

    And ``fixed_mean_1`` and the like for parameters that each group has fixed in a column.

    Parameters
    ----------
    sql : str
        A query. `value` and `count` are DOUBLE; a missing one is NULL. `unreadable` is the text
        that stands where a number should, or NULL.
    keys : list of str
        The keys' own names.
    numbers : list of str
        The columns that must hold numbers.
    chosen : dict
        The choice of columns, for the record.
    fixed : dict
        The parameters that a column fixes for each group, and its name.
    """

    sql: str
    keys: list[str]
    numbers: list[str]
    chosen: dict[str, Any]
    fixed: dict[str, str]

    @property
    def has_counts(self) -> bool:
        """Whether a column of counts was given."""
        return self.chosen["count"] is not None


def choose(
    source: Source,
    *,
    by: Sequence[str],
    value: str | None,
    count: str | None,
    columns: Sequence[str] | None,
    fixed: Mapping[str, str] | None = None,
) -> Rows:
    """Check the choice of columns against what there is, and write it as a query.

    Raises
    ------
    TableError
        If a column is not there, holds no numbers, or the choice is ambiguous.
    """
    fixed = dict(fixed or {})
    columns = _spelt_out(columns, source, {*by, *fixed.values(), count})
    if columns is not None and value is not None:
        raise TableError("give `value` (one column) or `columns` (several), not both.")
    if columns is None and value is None:
        used = {*by, *fixed.values(), count}
        rest = [name for name in source.types if name not in used]
        if len(rest) != 1:
            shown = ", ".join(rest[:12]) + (" ..." if len(rest) > 12 else "")
            raise TableError(
                f"{source.name} has several columns ({shown}); choose one with `value` (--value), "
                "or several with `columns` (--columns)."
            )
        value = rest[0]
    # Without groups a single column is a wide table of one.
    wide = list(dict.fromkeys(columns or ([value] if value is not None and not by else [])))
    beside = [*([count] if count else []), *fixed.values()]
    for name in [*by, *wide, *([value] if value else []), *beside]:
        if name not in source.types:
            raise no_such("column", name, source.types, source=source.name)
    keys = [*by, *(["column"] if wide else [])]
    _refuse_clashes(source, keys)
    for name in [*wide, *([value] if value else []), *beside]:
        kind = source.types[name]
        if not (_is_text(kind) or holds_numbers(kind)):
            raise TableError(
                f"{source.name}: column {name!r} should hold numbers; it holds {kind}."
            )

    selected = [f"{identifier(name)} AS k{index}" for index, name in enumerate(by)]
    counted = _number(identifier(count), source.types[count]) if count else "NULL::DOUBLE"
    bad = ", ".join(["NULL::VARCHAR", *(_unreadable(name, source) for name in beside)])
    selected += [f"{counted} AS count", f"coalesce({bad}, NULL) AS bad_number"]
    selected += [
        f"{_number(identifier(column), source.types[column])} AS fixed_{name}"
        for name, column in fixed.items()
    ]
    if not wide:
        assert value is not None
        selected += [
            f"{_number(identifier(value), source.types[value])} AS value",
            f"coalesce({_unreadable(value, source)}, bad_number) AS unreadable",
        ]
        sql = f"SELECT {', '.join(selected)} FROM {source.sql}"
    else:
        # All in one type: as text if one of them is, so that what is no number can be shown.
        kind = "VARCHAR" if any(_is_text(source.types[name]) for name in wide) else "DOUBLE"
        cells = [f"{identifier(name)}::{kind} AS {identifier('c_' + name)}" for name in wide]
        key = f"k{len(by)}"
        sql = (
            f"SELECT * EXCLUDE (cell, {key}), substr({key}, 3) AS {key}, "
            f"{_number('cell', kind)} AS value, "
            f"coalesce({_cell_unreadable('cell', kind)}, bad_number) AS unreadable "
            f"FROM (SELECT {', '.join(selected + cells)} FROM {source.sql}) UNPIVOT INCLUDE NULLS "
            f"(cell FOR {key} IN ({', '.join(identifier('c_' + name) for name in wide)}))"
        )
    return Rows(
        sql=sql,
        keys=keys,
        numbers=[*(wide or [str(value)]), *beside],
        chosen={"by": list(by), "value": None if wide else value, "columns": wide, "count": count},
        fixed=fixed,
    )


def refuse_unreadable(
    connection: duckdb.DuckDBPyConnection, source: Source, names: Sequence[str]
) -> None:
    """Find the first cell that should be a number and is not, and say where it stands."""
    for name in names:
        if not _is_text(source.types[name]):
            continue
        with reading(source.name):
            found = connection.execute(
                f"SELECT row, cell FROM (SELECT row_number() OVER () AS row, {identifier(name)} "
                f"AS cell FROM {source.sql}) WHERE {_cell_unreadable('cell', 'VARCHAR')} "
                "IS NOT NULL LIMIT 1"
            ).fetchall()
        if found:
            header = " (the header not counted)" if source.is_text else ""
            raise TableError(
                f"{source.name}, row {found[0][0]}{header}: column {name!r} should hold numbers; "
                f"got {found[0][1]!r}."
            )


def _spelt_out(
    columns: Sequence[str] | None, source: Source, used: set[str | None]
) -> list[str] | None:
    """Put in the place of a pattern the columns that it matches, and that serve nothing else."""
    if columns is None:
        return None
    rest = [name for name in source.types if name not in used]
    found = []
    for name in columns:
        # A column may be called like a pattern; what matches nothing is refused as a name.
        matches = [] if name in source.types else fnmatch.filter(rest, name)
        found += matches or [name]
    return found


def _refuse_clashes(source: Source, keys: Sequence[str]) -> None:
    taken = {name.lower() for name in ANSWERS.names}
    for index, key in enumerate(keys):
        if key.lower() in taken or key in keys[:index]:
            raise TableError(
                f"{source.name}: a group column cannot be called {key!r}, which is a column of the "
                "answer; rename it."
            )


def holds_numbers(kind: str) -> bool:
    """Whether a type of DuckDB's is one of numbers."""
    return bool(_NUMERIC.match(kind))


def _is_text(kind: str) -> bool:
    # JSON that is sometimes a number and sometimes a text has a type of its own.
    return kind in ("VARCHAR", "JSON") or kind.startswith("ENUM")


def _number(cell: str, kind: str) -> str:
    # A bare cast DuckDB leaves to its reader of CSV, for which one that fails is a broken file.
    number = f"TRY_CAST(trim({cell}::VARCHAR) AS DOUBLE)" if _is_text(kind) else f"{cell}::DOUBLE"
    # Not a number is a missing value; and 0.0 makes one zero of the two.
    return f"CASE WHEN isnan({number}) THEN NULL ELSE {number} + 0.0 END"


def _unreadable(name: str | None, source: Source) -> str:
    return "NULL::VARCHAR" if not name else _cell_unreadable(identifier(name), source.types[name])


def _cell_unreadable(cell: str, kind: str) -> str:
    if not _is_text(kind):
        return "NULL::VARCHAR"
    missing = ", ".join(map(literal, _MISSING))
    return (
        f"CASE WHEN TRY_CAST({cell}::VARCHAR AS DOUBLE) IS NULL "
        f"AND lower(trim({cell}::VARCHAR)) NOT IN ({missing}) THEN {cell}::VARCHAR END"
    )
