"""The groups of a run, fitted in the order of their numbers, from any of them on.

Groups of ordinary size are sorted and streamed together; each large one is fitted by passes of its
own, between the groups before it and those after it.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pyarrow

from mog_jax.arrays import HostArray
from mog_jax.tables import large_groups
from mog_jax.tables.columns import ChosenColumns
from mog_jax.tables.errors import reading
from mog_jax.tables.interval_options import TableIntervalOptions
from mog_jax.tables.options import plain
from mog_jax.tables.sources import TableSource
from mog_jax.tables.stream import StreamFitter, fit_batches

_BATCH_ROWS = 1 << 18


@dataclasses.dataclass(frozen=True, kw_only=True)
class GroupsInOrder:
    """The groups to be fitted, and the options of the fit.

    Attributes
    ----------
    connection : duckdb.DuckDBPyConnection
        The table ``kept.main._groups`` has the groups' numbers.
    source : TableSource
    rows : ChosenColumns
    run : dict
        See `mog_jax.tables.fingerprint.describe`.
    """

    connection: duckdb.DuckDBPyConnection
    source: TableSource
    rows: ChosenColumns
    run: dict[str, Any]

    def fits(self, first: int, begun: Callable[[], None]) -> Iterator[pyarrow.RecordBatch]:
        """Fit the groups from number `first` on; `begun` is called when the rows are sorted.

        Yields
        ------
        pyarrow.RecordBatch
            Some groups' ``id``, ``n_rows`` and the columns of the answer.
        """
        n_groups = self.run["input"]["n_groups"]
        for group in [*self._large(first), n_groups]:
            if first < group:
                yield from self._ordinary_fits(first, group, begun)
            if group < n_groups:
                begun()
                yield self._large_fit(group)
            first = group + 1

    def levels(self) -> Iterator[tuple[HostArray, HostArray, HostArray, HostArray, dict[str, Any]]]:
        """Read all groups once more, each value that differs once, where more is said of them.

        Yields
        ------
        numbers : array of int, shape (b,)
            Of the groups.
        values, lengths, counts : array
            As `mog_jax.tables.group_fits.fit_groups` takes them.
        options : dict
            Of the fit, interval_options among them.
        """
        fitter = StreamFitter.checked(
            by="id",
            value="value",
            count="count",
            fixed=None,
            options=plain(self.run["options"]) | TableIntervalOptions.of_run(self.run).as_options(),
            function="fit_table",
        )
        keys = ", ".join(["g.id", "r.value", *(f"r.{role}" for role in self.rows.roles)])
        number = "sum(r.count)" if self.rows.has_counts else "count(*)"
        query = (
            f"SELECT {keys}, {number}::DOUBLE AS count FROM {_rows_with_groups(self.rows)} "
            f"GROUP BY {keys} ORDER BY {keys}"
        )
        with reading(self.source.name):
            batches = self.connection.sql(query).to_arrow_reader(_BATCH_ROWS)
            for chunk in fitter.chunks(batches):
                values, lengths, counts, _, options = fitter.prepared(chunk)
                assert counts is not None
                yield chunk.keys["id"].to_numpy(), values, lengths, counts, options

    def _large(self, first: int) -> list[int]:
        most = large_groups.most_rows_in_memory(self.run["options"])
        if most is None:
            return []
        found = self.connection.execute(
            f"SELECT id FROM kept.main._groups WHERE id >= {first} AND n_rows > {most} ORDER BY id"
        ).fetchall()
        return [row[0] for row in found]

    def _ordinary_fits(
        self, first: int, end: int, begun: Callable[[], None]
    ) -> Iterator[pyarrow.RecordBatch]:
        options = plain(self.run["options"]) | TableIntervalOptions.of_run(self.run).as_options()
        if self.rows.fixed:
            own = {name: f"fixed_{name}" for name in self.rows.fixed}
            options["fixed"] = {**options["fixed"], **own}
        return fit_batches(
            self._sorted_rows(first, end, begun),
            by=["id", "n_rows"],
            value="value",
            count="count" if self.rows.has_counts else None,
            **options,
        )

    def _sorted_rows(
        self, first: int, end: int, begun: Callable[[], None]
    ) -> Iterator[pyarrow.RecordBatch]:
        # The number sorts twenty times sooner than the key; with the value it costs nothing more.
        fixed = "".join(f", g.{name} AS {name}" for name in fixed_columns(self.rows))
        said = "".join(f", r.{role} AS {role}" for role in self.rows.roles)
        query = (
            "SELECT g.id AS id, g.n_rows AS n_rows, r.value AS value, r.count AS count"
            f"{said}{fixed} "
            f"FROM {_rows_with_groups(self.rows)} WHERE g.id >= {first} AND g.id < {end} "
            f"ORDER BY {', '.join(['id', 'value', 'count', *self.rows.roles])}"
        )
        with reading(self.source.name):
            batches = self.connection.sql(query).to_arrow_reader(_BATCH_ROWS)
            for index, batch in enumerate(batches):
                if index == 0:
                    begun()
                yield batch

    def _large_fit(self, group: int) -> pyarrow.RecordBatch:
        n_rows, *own = self.connection.execute(
            f"SELECT {', '.join(['n_rows', *fixed_columns(self.rows)])} "
            f"FROM kept.main._groups WHERE id = {group}"
        ).fetchall()[0]
        options = self.run["options"]
        known = {**options.get("fixed", {}), **dict(zip(self.rows.fixed, own, strict=True))}
        said = "".join(f", r.{role}" for role in self.rows.roles)
        with reading(self.source.name):
            return large_groups.fit_large_group(
                self.connection,
                f"SELECT r.value, r.count{said} FROM {_rows_with_groups(self.rows)} "
                f"WHERE g.id = {group}",
                group,
                n_rows,
                has_counts=self.rows.has_counts,
                options=plain(options),
                interval_options=TableIntervalOptions.of_run(self.run),
                fixed={name: value for name, value in known.items() if value is not None},
            )


def fixed_columns(rows: ChosenColumns) -> list[str]:
    """Name the columns of ``_groups`` that hold what each group has fixed."""
    return [f"fixed_{name}" for name in rows.fixed]


def _rows_with_groups(rows: ChosenColumns) -> str:
    """Write as SQL the rows ``r`` of the source, each with its group ``g``."""
    same = " AND ".join(
        f"r.k{index} IS NOT DISTINCT FROM g.k{index}" for index in range(len(rows.keys))
    )
    return f"({rows.sql}) r JOIN kept.main._groups g ON {same}"
