"""p-values and q-values beside the answers of a run, by the parametric bootstrap.

Of points the statistic needs no data: it follows from the answers. Its distribution depends on a
group's number of points alone, so that each number that occurs is simulated once. Of intervals
each group has a distribution of its own, and its values are read again.
"""

import math
from typing import Any

import duckdb
import numpy as np
import pyarrow

from mog_jax.arrays import HostArray
from mog_jax.fitting.data.inputs import Ragged
from mog_jax.tables.errors import TableError
from mog_jax.tables.groups_in_order import GroupsInOrder
from mog_jax.tables.schema import TESTS


def check_bootstrap(replicates: Any, seed: Any, *, fixed: bool) -> None:
    """Refuse an impossible bootstrap before any work.

    Raises
    ------
    TableError
        If the number of replicates or the seed is invalid, or parameters are fixed.
    """
    from mog_jax.fitting.options import whole_number
    from mog_jax.mixture import read_key

    if replicates is None:
        return
    try:
        whole_number("bootstrap", replicates)
        read_key(seed)
    except ValueError as error:
        raise TableError(str(error).replace("`key`", "`bootstrap_seed`")) from None
    if fixed:
        raise TableError(
            "`bootstrap` and `fixed` exclude each other: a fixed parameter of two components is "
            "not defined under one."
        )


def add_p_values(
    connection: duckdb.DuckDBPyConnection, options: dict[str, Any], replicates: int, seed: int
) -> None:
    """Add the columns of `TESTS` to the answers of a complete run, in one transaction.

    Raises
    ------
    TableError
        If the counts of a group do not add up to a whole number, or to more points than can be
        drawn.
    """
    from mog_jax.bootstrap import compare_with_null

    found = connection.sql(
        "SELECT delta_bic, n_points, status FROM kept.main.fits ORDER BY rowid"
    ).to_arrow_table()
    sizes = found["n_points"].to_numpy()
    statistic = _statistics(found, equal_variances=bool(options["equal_variances"]))
    try:
        test = compare_with_null(
            statistic, sizes, key=seed, replicates=replicates, stop_after=50, options=options
        )
    except ValueError as error:
        raise TableError(str(error)) from None
    _keep(connection, np.asarray(test.p_value))


def add_recorded_p_values(
    connection: duckdb.DuckDBPyConnection, groups: GroupsInOrder, replicates: int, seed: int
) -> None:
    """Add the columns of `TESTS` where values are intervals, by replicates of each group's own.

    Raises
    ------
    TableError
        As `add_p_values`; or if nobody knows how replicates would be recorded.
    """
    import jax

    from mog_jax.bootstrap import bootstrap_test

    key = jax.random.key(seed)
    p_values = np.full(groups.run["input"]["n_groups"], np.nan)
    for numbers, values, lengths, counts, options in groups.levels():
        own = {name: value for name, value in options.items() if name != "fixed"}
        try:
            test = bootstrap_test(
                Ragged(values, lengths),
                counts=Ragged(counts, lengths),
                key=jax.random.fold_in(key, int(numbers[0])),
                replicates=replicates,
                **own,
            )
        except ValueError as error:
            raise TableError(str(error)) from None
        p_values[numbers] = test.p_value
    _keep(connection, p_values)


def _keep(connection: duckdb.DuckDBPyConnection, p_values: HostArray) -> None:
    """Put p-values, in the order of the groups, beside the answers, and q-values."""
    from mog_jax.bootstrap import q_values

    rows = connection.sql("SELECT rowid FROM kept.main.fits ORDER BY rowid").to_arrow_table()
    columns = {"p_value": p_values, "q_value": q_values(p_values)}
    arrays = {
        name: pyarrow.array(column, mask=np.isnan(column)) for name, column in columns.items()
    }
    connection.register("tests", pyarrow.table({"id": rows["rowid"], **arrays}))
    held = [row[0] for row in connection.execute("DESCRIBE kept.main.fits").fetchall()]
    earlier = [name for name in TESTS.names if name in held]
    kept = f"f.* EXCLUDE ({', '.join(earlier)})" if earlier else "f.*"
    added = ", ".join(f"t.{name}" for name in TESTS.names)
    connection.begin()
    connection.execute(
        f"CREATE TABLE kept.main.tested AS SELECT {kept}, {added} "
        "FROM kept.main.fits AS f JOIN tests AS t ON f.rowid = t.id ORDER BY t.id"
    )
    connection.execute("DROP TABLE kept.main.fits")
    connection.execute("ALTER TABLE kept.main.tested RENAME TO fits")
    connection.commit()
    connection.unregister("tests")


def _statistics(found: pyarrow.Table, *, equal_variances: bool) -> HostArray:
    """Twice the log-likelihood ratio of each group, from its delta BIC; NaN where nothing is known.

    0 where two components have no regular maximum.
    """
    evidence = found["delta_bic"].to_numpy().astype(np.float64)
    sizes = np.maximum(found["n_points"].to_numpy(), 1)
    status = np.array(found["status"].to_pylist(), dtype=object)
    # The variance of an atom is no parameter.
    parameters_more = np.where(status == "atom", 2, 2 if equal_variances else 3)
    ratio = np.maximum(evidence + parameters_more * np.log(sizes), 0)
    on_boundary = (status == "spurious") | (status == "variance_floor")
    return np.where(on_boundary, 0.0, np.where(np.isnan(evidence), math.nan, ratio))
