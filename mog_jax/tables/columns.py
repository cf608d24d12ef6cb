"""Which columns hold the groups, the values and the counts; and whether they can be used."""

import dataclasses
import fnmatch
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from mog_jax.tables.cells import MISSING, is_number
from mog_jax.tables.errors import TableError, no_such, reading
from mog_jax.tables.h5ad import FEATURE, VALUE
from mog_jax.tables.interval_options import ROLES
from mog_jax.tables.keys import refuse_clashes
from mog_jax.tables.paths import literal
from mog_jax.tables.sources import TableSource

_NUMERIC = re.compile(
    r"^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|BOOLEAN|DECIMAL.*|BIGNUM|\"NULL\"|NULL)$"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChosenColumns:
    """The rows of a source as SQL: keys ``k0, k1, ...``, ``value``, ``count`` and ``unreadable``.

    And ``upper``, ``resolution``, ``lower_limit`` and ``upper_limit``, as far as columns say them;
    ``fixed_mean_1`` and the like for parameters that each group has fixed in a column; and
    ``row``, the row's number, with ``r0, r1, ...``, if columns are carried along.

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

    @property
    def roles(self) -> list[str]:
        """The interval options that columns hold; the query has a column for each."""
        return [role for role in ROLES if self.chosen.get(role)]


def choose_again(
    source: TableSource,
    chosen: Mapping[str, Any],
    *,
    fixed: Mapping[str, str] | None = None,
    carried: Sequence[str] | None = None,
) -> ChosenColumns:
    """Choose the columns of an earlier run, as its record has them; see `choose`."""
    return choose(
        source,
        by=chosen["by"],
        value=chosen["value"],
        count=chosen["count"],
        columns=chosen["columns"] or None,
        interval_options={role: chosen[role] for role in ROLES if chosen.get(role)},
        fixed=fixed,
        carried=carried,
    )


def choose(
    source: TableSource,
    *,
    by: Sequence[str],
    value: str | None,
    count: str | None,
    columns: Sequence[str] | None,
    interval_options: Mapping[str, str] | None = None,
    fixed: Mapping[str, str] | None = None,
    carried: Sequence[str] | None = None,
) -> ChosenColumns:
    """Check the choice of columns against what there is, and write it as a query.

    Columns of the source that are `carried` along stand beside what is fitted, as they are.

    Raises
    ------
    TableError
        If a column is not there, holds no numbers, or the choice is ambiguous.
    """
    if source.is_long:
        by, value = _of_each_feature(source, by, value, columns)
    fixed, interval_options = dict(fixed or {}), dict(interval_options or {})
    used = {*by, *fixed.values(), count, *interval_options.values()}
    columns = _spelt_out(columns, source, used)
    if columns is not None and len(columns) > 1 and "upper" in interval_options:
        raise TableError("`upper` goes with `value`, the lower ends; not with `columns`.")
    if columns is not None and value is not None:
        raise TableError("give `value` (one column) or `columns` (several), not both.")
    if columns is None and value is None:
        rest = [name for name in source.types if name not in used]
        # The index that pandas and R write has no name, nor has what follows a trailing comma.
        rest = [name for name in rest if name not in source.unnamed] or rest
        if len(rest) != 1:
            shown = ", ".join(rest[:12]) + (" ..." if len(rest) > 12 else "")
            raise TableError(
                f"{source.name} has several columns ({shown}); choose one with `value` (--value), "
                "or several with `columns` (--columns)."
            )
        value = rest[0]
    # Without groups a single column is a wide table of one.
    wide = list(dict.fromkeys(columns or ([value] if value is not None and not by else [])))
    beside = [*([count] if count else []), *interval_options.values(), *fixed.values()]
    for name in [*by, *wide, *([value] if value else []), *beside]:
        if name not in source.types:
            raise no_such("column", name, source.types, source=source.name)
    keys = [*by, *(["column"] if wide else [])]
    refuse_clashes(source.name, keys)
    for name in [*wide, *([value] if value else []), *beside]:
        kind = source.types[name]
        if not (_is_text(kind) or holds_numbers(kind)):
            raise TableError(
                f"{source.name}: column {name!r} should hold numbers; it holds {kind}."
            )

    cells = _Cells(source)
    selected = [f"{source.columns[name]} AS k{index}" for index, name in enumerate(by)]
    counted = cells.number(count) if count else "NULL::DOUBLE"
    bad = ", ".join(["NULL::VARCHAR", *map(cells.unreadable, beside)])
    selected += [f"{counted} AS count", f"coalesce({bad}, NULL) AS bad_number"]
    selected += [f"{cells.number(column)} AS {role}" for role, column in interval_options.items()]
    selected += [f"{cells.number(column)} AS fixed_{name}" for name, column in fixed.items()]
    if carried is not None:
        selected += [f"{source.columns[name]} AS r{place}" for place, name in enumerate(carried)]
        selected.append("row_number() OVER () AS row")
    if not wide:
        assert value is not None
        selected += [
            f"{cells.number(value)} AS value",
            f"coalesce({cells.unreadable(value)}, bad_number) AS unreadable",
        ]
        sql = f"SELECT {', '.join(selected)} FROM {source.sql}"
    else:
        # All in one type: as text if one of them is, so that what is no number can be shown.
        kind = "VARCHAR" if any(_is_text(source.types[name]) for name in wide) else "DOUBLE"
        places = [f"w{index}" for index in range(len(wide))]
        pieces = [
            f"{source.columns[name]}::{kind} AS {place}"
            for name, place in zip(wide, places, strict=True)
        ]
        names = ", ".join(map(literal, wide))
        sql = (
            f"SELECT * EXCLUDE (cell, place), [{names}][substr(place, 2)::INTEGER + 1] "
            f"AS k{len(by)}, {cells.number_in('cell', kind)} AS value, "
            f"coalesce({cells.unreadable_in('cell', kind)}, bad_number) AS unreadable "
            f"FROM (SELECT {', '.join(selected + pieces)} FROM {source.sql}) UNPIVOT INCLUDE NULLS "
            f"(cell FOR place IN ({', '.join(places)}))"
        )
    return ChosenColumns(
        sql=sql,
        keys=keys,
        numbers=[*(wide or [str(value)]), *beside],
        chosen={
            "by": list(by),
            "value": None if wide else value,
            "columns": wide,
            "count": count,
            **interval_options,
        },
        fixed=fixed,
    )


def _of_each_feature(
    source: TableSource, by: Sequence[str], value: str | None, columns: Sequence[str] | None
) -> tuple[Sequence[str], str]:
    """Choose the values of AnnData, by variable where nothing else is asked for.

    A column of obs stands beside each variable of a cell, and would be fitted as often.
    """
    if columns is not None or value not in (None, VALUE):
        raise TableError(
            f"{source.name} is of AnnData, with a row for each cell and feature: what is fitted is "
            f"{VALUE!r}, by {FEATURE!r} and columns of obs; write obs itself to Parquet to fit one "
            "of its columns."
        )
    return by or [FEATURE], VALUE


def refuse_unreadable(
    connection: duckdb.DuckDBPyConnection, source: TableSource, names: Sequence[str]
) -> None:
    """Find the first cell that should be a number and is not, and say where it stands."""
    for name in names:
        if not _is_text(source.types[name]):
            continue
        with reading(source.name):
            found = connection.execute(
                f"SELECT row, cell FROM (SELECT row_number() OVER () AS row, "
                f"{source.columns[name]} AS cell FROM {source.sql}) "
                f"WHERE {_Cells(source).unreadable_in('cell', 'VARCHAR')} IS NOT NULL LIMIT 1"
            ).fetchall()
        if found:
            row, cell = found[0]
            header = " (the header not counted)" if source.is_text else ""
            raise TableError(
                f"{source.name}, row {row}{header}: column {name!r} should hold numbers; "
                f"got {cell!r}{_way_out(cell, source)}."
            )


def _way_out(cell: str, source: TableSource) -> str:
    if is_number(cell.strip()) and source.decimal != (mark := "," if "," in cell else "."):
        return f"; if {mark!r} is the decimal mark, say so with `decimal` (--decimal {mark})"
    if len(source.types) == 1 and re.search(r"\S\s+\S", cell):
        return "; if a line holds several cells, say what is between with `separator` (--separator)"
    if len(cell) > 20:
        return ""
    return f"; if that means a missing value, say so with `missing` (--missing={shlex.quote(cell)})"


def _spelt_out(
    columns: Sequence[str] | None, source: TableSource, used: set[str | None]
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


def holds_numbers(kind: str) -> bool:
    """Return whether a type of DuckDB's is one of numbers."""
    return bool(_NUMERIC.match(kind))


def _is_text(kind: str) -> bool:
    # JSON that is sometimes a number and sometimes a text has a type of its own.
    return kind in ("VARCHAR", "JSON") or kind.startswith("ENUM")


@dataclasses.dataclass(frozen=True)
class _Cells:
    """The cells of a source, as SQL expressions."""

    source: TableSource

    def number(self, name: str) -> str:
        """Return the number in a column; NULL where it is missing or no number."""
        return self.number_in(self.source.columns[name], self.source.types[name])

    def unreadable(self, name: str) -> str:
        """Return the text in a column where it is neither a number nor a missing value."""
        return self.unreadable_in(self.source.columns[name], self.source.types[name])

    def number_in(self, cell: str, kind: str) -> str:
        """Return the number in an expression of this type."""
        number = self._cast(cell) if _is_text(kind) else f"{cell}::DOUBLE"
        absent = [f"isnan({number})"]
        if codes := [word for word in self.source.options.missing if is_number(word)]:
            absent.append(f"{number} IN ({', '.join(map(_as_double, codes))})")
        # Not a number is a missing value; and 0.0 makes one zero of the two.
        return f"CASE WHEN {' OR '.join(absent)} THEN NULL ELSE {number} + 0.0 END"

    def unreadable_in(self, cell: str, kind: str) -> str:
        """Return the text in an expression of this type, where it is neither."""
        if not _is_text(kind):
            return "NULL::VARCHAR"
        missing = ", ".join(map(literal, [*MISSING, *self.source.options.missing]))
        return (
            f"CASE WHEN {self._cast(cell)} IS NULL "
            f"AND lower({_trimmed(cell)}) NOT IN ({missing}) THEN {cell}::VARCHAR END"
        )

    def _cast(self, cell: str) -> str:
        text = _trimmed(cell)
        foreign = ["_"]  # DuckDB reads 1_000 as 1000
        if self.source.decimal == ",":
            foreign.append(".")
            text = f"replace({text}, ',', '.')"
        odd = " OR ".join(f"contains({cell}::VARCHAR, '{mark}')" for mark in foreign)
        # A bare cast DuckDB leaves to its reader of CSV, for which one that fails is a broken file.
        return f"CASE WHEN {odd} THEN NULL ELSE TRY_CAST({text} AS DOUBLE) END"


def _trimmed(cell: str) -> str:
    return f"trim({cell}::VARCHAR, ' \t')"


def _as_double(word: str) -> str:
    return f"{literal(word.replace(',', '.'))}::DOUBLE"
