"""``mog-jax fit``: fits a column, or every group of a table."""

import argparse
import sys
from typing import Any

from mog_jax.cli import fit_arguments, intervals, show


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    fit_arguments.add_to(commands).set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Fit, and print or write the answers; return the exit code."""
    from mog_jax.progress import bar
    from mog_jax.tables.errors import TableError
    from mog_jax.tables.run import fit_source

    columns = [name.strip() for name in options.columns.split(",")] if options.columns else None
    is_single = not options.by and not columns
    if options.plot and not is_single:
        raise TableError("--plot draws a single fit; use `mog-jax plot` for one of many.")
    choice = {
        "by": options.by,
        "value": options.value,
        "count": options.count,
        "columns": columns,
    }
    source = _faithful() if options.source == "faithful" else options.source
    if options.plot:
        from mog_jax.cli.plot import refuse_lost

        refuse_lost(options.plot, [source], overwrite=options.overwrite)
    with (
        bar(show=sys.stderr.isatty() and not options.quiet) as report,
        fit_source(
            source,
            out=options.out,
            overwrite=options.overwrite,
            options=fit_arguments.settings(options),
            fixed=fit_arguments.fixed(options.fixed),
            bootstrap=options.bootstrap,
            bootstrap_seed=options.bootstrap_seed,
            report=report,
            reading_as=fit_arguments.reading(options),
            **choice,
        ) as results,
    ):
        statuses = results.statuses()
        table = None if options.out else results.table()
        run = results.run or {}
    # By default each feature of an AnnData file is fitted.
    if is_single and run["columns"]["by"]:
        is_single = False
        if options.plot:
            raise TableError("--plot draws a single fit; use `mog-jax plot` for one of many.")

    for key, rows in run["null_rows"].items():
        if rows and not options.quiet:
            show.say(f"{rows:,} rows have no {key}; they are fitted as a group of their own.")
    if table is None:
        show.summarise(options, statuses)
    elif is_single:
        row = table.to_pylist()[0]
        _refuse_unusable(options.source, row, source, run)
        show.show_one(options, row)
        intervals.remark(options, source, row, run)
        if options.plot:
            _draw(options, source, row, run)
    else:
        show.show_all(table.drop_columns(["histogram"]), as_json=options.json)
        if not options.quiet:
            show.say_unconverged(statuses)
    unconverged = sum(statuses.values()) - sum(statuses.get(name, 0) for name in show.AT_MAXIMUM)
    return 1 if options.strict and unconverged else 0


def _faithful() -> str:
    import importlib.resources

    return str(importlib.resources.files("mog_jax.datasets") / "faithful.csv")


def _refuse_unusable(name: str, row: dict[str, Any], source: Any, run: dict[str, Any]) -> None:
    """Raise `TableError` if a single column cannot be fitted, saying why."""
    from mog_jax.tables.errors import TableError
    from mog_jax.tables.group import group_values

    if row["status"] == "not_finite":
        import numpy as np

        values = np.zeros(0)
        if source != "-":
            values = group_values(source, run, [row["column"]]).values
        infinite = int(np.isinf(values).sum())
        number = f"{infinite} of {len(values)}" if infinite else "some"
        raise TableError(f"{name}: {number} values are infinite; remove or replace them.")
    if row["n_points"] == 1:
        raise TableError(f"{name}: a mixture of two needs more than one value.")
    if row["status"] == "constant" and row["n_below"] + row["n_above"] == row["n_points"]:
        raise TableError(
            f"{name}: all {row['n_points']:.10g} values lie beyond a limit; nothing is known of "
            "them."
        )
    if row["status"] == "constant":
        raise TableError(
            f"{name}: all {row['n_points']:.10g} values are {row['lowest']:g}; there is nothing to "
            "separate."
        )
    if row["mean_1"] is None:
        raise TableError(f"{name}: {show.meaning(row['status'])}.")


def _draw(
    options: argparse.Namespace, source: Any, row: dict[str, Any], run: dict[str, Any]
) -> None:
    from mog_jax.cli.plot import draw
    from mog_jax.tables.errors import TableError

    if source == "-":
        raise TableError(
            "--plot reads the values a second time, and standard input only once; give a file."
        )
    draw(options.plot, source, run, [row["column"]], label=row["column"])
    if not (options.json or options.quiet):
        print(f"picture        {options.plot}")
