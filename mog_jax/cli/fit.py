"""``mog-jax fit``: from a file to a row per group."""

import argparse
import json
import sys
from typing import Any

from mog_jax.cli import argument_types, intervals

_EPILOG = """\
examples:
  mog-jax fit faithful
  mog-jax fit cells.csv --value intensity --plot fit.png
  mog-jax fit cells.parquet --by gene --value expression --out fits.parquet
  mog-jax fit 'runs/*.parquet' --by gene --by guide --value count --out fits.duckdb
  mog-jax fit wide.csv --columns CD3,CD4,CD8 --json | jq .threshold
  mog-jax fit cells.h5ad --layer counts --zeros drop --by feature --by donor --out fits.parquet
  zcat latencies.csv.gz | mog-jax fit - --by endpoint --value ms > fits.csv

columns of the answer, after those of --by:
  weight_1 weight_2 mean_1 mean_2 sd_1 sd_2   the components, by ascending mean
  weight_se mean_1_se ... sd_2_se             their standard errors
  log_likelihood                              in nats
  delta_bic                                   BIC of one component minus that of two: positive
                                              favours two, above 10 strongly
  threshold threshold_se                      where to cut between the components
  threshold_reason                            why there is no threshold
  gain_left                                   nats that the climb has left, by its own estimate
  n_points n_missing lowest highest           of the values
  status                                      converged, or why not; what has no meaning is empty
  p_value q_value                             with --bootstrap: of one component against two

Without --by, one column is fitted and the answer is for reading. With --by or --columns there is a
row for each group: on standard output as CSV (a table on a terminal, JSON lines with --json), or in
--out. A group with a missing key is a group of its own; missing values are left out and counted.

--out FILE.duckdb keeps the answers in a database (table `fits`), chunk by chunk. FILE.parquet and
FILE.csv are written from such a database beside them, FILE.parquet.duckdb, which goes when they are
complete. If a run is killed, the same command takes it up where it was. Earlier answers at FILE are
replaced; a file of any other kind only with --overwrite, and the input never.
Names of groups stand in a CSV as they are: a spreadsheet may take one that begins with = + - or @
for a formula. Let it import that column as text, or give it the Parquet file.

exit codes: 0 done; 1 with --strict, some groups did not converge; 2 input that cannot be used.
"""


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    fit = commands.add_parser(
        "fit",
        help="fit a two-component mixture to a column, or to every group of a table",
        description="Fit a two-component Gaussian mixture by maximum likelihood to a column of\n"
        "numbers, or to every group of a table.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    fit.add_argument(
        "source",
        metavar="SOURCE",
        help="CSV, TSV, JSON lines, plain or compressed; Parquet, Feather, ORC, .npy, .npz, .h5ad, "
        "a DuckDB database of one table; a quoted pattern for several files; - for standard "
        "input; 'faithful' for Old Faithful",
    )
    what = fit.add_argument_group("what to fit")
    what.add_argument(
        "--by", metavar="COLUMN", action="append", default=[], help="fit each of its groups apart"
    )
    what.add_argument("--value", metavar="COLUMN", help="the column to fit")
    what.add_argument("--count", metavar="COLUMN", help="how often each value occurs")
    what.add_argument(
        "--columns",
        metavar="A,B,...",
        help="for a wide table: fit each of these columns; patterns will do, as in 'CD*'",
    )
    what.add_argument(
        "--fixed",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="hold weight_1, mean_1, sd_1, ... at a number, or at each group's value in a column: "
        "a component known from controls is --fixed mean_1=0 --fixed sd_1=control_sd",
    )
    what.add_argument(
        "--bootstrap",
        type=argument_types.count,
        metavar="N",
        help="test one component against two with at most N replicates: columns p_value, q_value",
    )
    what.add_argument(
        "--bootstrap-seed", type=int, default=0, metavar="SEED", help="of these (default: 0)"
    )
    intervals.add_to(fit)
    _add_reading(fit)
    where = fit.add_argument_group("output")
    where.add_argument("--out", metavar="FILE", help="keep the answers: .duckdb, .parquet or .csv")
    where.add_argument(
        "--overwrite",
        action="store_true",
        help="replace what is at --out or --plot, whoever wrote it",
    )
    where.add_argument(
        "--json", action="store_true", help="answers on standard output as JSON lines"
    )
    where.add_argument("--strict", action="store_true", help="exit code 1 if any did not converge")
    where.add_argument("--plot", metavar="FILE.png", help="also draw the fit (without --by)")
    how = fit.add_argument_group("how the maximum is searched for")
    how.add_argument("--direction", choices=("newton", "em", "gradient"), help="default: newton")
    how.add_argument("--starts", choices=("thorough", "quick"), help="default: thorough")
    how.add_argument(
        "--equal-variances", action="store_true", default=None, help="one variance for both"
    )
    how.add_argument(
        "--choose",
        choices=("penalised", "regular"),
        help="which maximum is the answer: the best one by the penalised likelihood, or the "
        "highest regular one (default: penalised)",
    )
    how.add_argument(
        "--min-points",
        type=argument_types.non_negative,
        metavar="N",
        help="least that a component holds (default: 5)",
    )
    how.add_argument(
        "--tolerance",
        type=argument_types.positive,
        metavar="NATS",
        help="what may be left to gain (default: 1e-9)",
    )
    how.add_argument(
        "--max-steps",
        type=argument_types.count,
        metavar="N",
        help="when to give up (default: 200 of Newton's steps, 10000 of others)",
    )
    how.add_argument(
        "--variance-floor",
        type=argument_types.share,
        metavar="SHARE",
        help="least variance of a component, as a share of the data's (default: 1e-6)",
    )
    fit.set_defaults(command=run)


def _add_reading(fit: Any) -> None:
    text = fit.add_argument_group("how the source is written, where that is ambiguous")
    text.add_argument(
        "--separator", metavar="CHARACTER", help="of cells: ',', ';', tab, blank, ..."
    )
    text.add_argument("--decimal", choices=(".", ","), help="the decimal mark")
    text.add_argument(
        "--missing",
        metavar="WORD",
        action="append",
        default=[],
        help="a word or number for a missing value, as in --missing - --missing=-999",
    )
    text.add_argument("--comment", metavar="MARK", help="skip lines that begin with it")
    text.add_argument("--encoding", metavar="NAME", help="of a text that is not Unicode: latin-1")
    text.add_argument(
        "--layer", metavar="NAME", help="of an .h5ad file: the layer to fit in place of X"
    )
    text.add_argument(
        "--zeros",
        choices=("keep", "drop"),
        help="of an .h5ad file: whether a zero is a value (default) or none, as for guides",
    )
    text.add_argument(
        "--header", choices=("yes", "no"), help="whether the first line holds the columns' names"
    )


# What is a maximum above the variance floor.
_AT_MAXIMUM = ("converged", "few_points")


def run(options: argparse.Namespace) -> int:
    """Fit, and show or keep the answers."""
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
        "upper": options.upper,
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
            options=_settings(options),
            fixed=_fixed(options.fixed),
            bootstrap=options.bootstrap,
            bootstrap_seed=options.bootstrap_seed,
            report=report,
            reading_as=_reading(options),
            **choice,
        ) as results,
    ):
        statuses = results.statuses()
        table = None if options.out else results.table()
        run = results.run or {}
    # Of AnnData each feature is fitted where nothing else is asked for.
    if is_single and run["columns"]["by"]:
        is_single = False
        if options.plot:
            raise TableError("--plot draws a single fit; use `mog-jax plot` for one of many.")

    for key, rows in run["null_rows"].items():
        if rows and not options.quiet:
            _say(f"{rows:,} rows have no {key}; they are fitted as a group of their own.")
    if table is None:
        _summarise(options, statuses)
    elif is_single:
        row = table.to_pylist()[0]
        _refuse_unusable(options.source, row, source, run)
        _show_one(options, row)
        intervals.remark(options, source, row, run)
        if options.plot:
            _draw(options, source, row, run)
    else:
        _show_all(table.drop_columns(["histogram"]), as_json=options.json)
        if not options.quiet:
            _say_unconverged(statuses)
    unconverged = sum(statuses.values()) - sum(statuses.get(name, 0) for name in _AT_MAXIMUM)
    return 1 if options.strict and unconverged else 0


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    names = (
        "direction",
        "starts",
        "equal_variances",
        "choose",
        "min_points",
        "tolerance",
        "max_steps",
        "variance_floor",
        "resolution",
        "limits",
        "window",
    )
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def _reading(options: argparse.Namespace) -> Any:
    from mog_jax.tables.read_options import read_options

    return read_options(
        separator=options.separator,
        decimal=options.decimal,
        missing=options.missing,
        comment=options.comment,
        encoding=options.encoding,
        header=None if options.header is None else options.header == "yes",
        layer=options.layer,
        zeros=options.zeros,
    )


def _fixed(given: list[str]) -> dict[str, float | str]:
    from mog_jax.tables.errors import TableError

    fixed: dict[str, float | str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise TableError(f"--fixed takes NAME=VALUE, as in mean_1=0; got {text!r}.")
        try:
            fixed[name] = float(value)
        except ValueError:
            fixed[name] = value  # the name of a column
    return fixed


def _faithful() -> str:
    import importlib.resources

    return str(importlib.resources.files("mog_jax.datasets") / "faithful.csv")


def _say(text: str) -> None:
    print(f"mog-jax: {text}", file=sys.stderr)


def _say_unconverged(statuses: dict[str, int]) -> None:
    others = {status: groups for status, groups in statuses.items() if status not in _AT_MAXIMUM}
    if others:
        listed = ", ".join(f"{groups:,} {status}" for status, groups in others.items())
        total = sum(statuses.values())
        _say(f"{sum(others.values()):,} of {total:,} groups did not converge: {listed}.")


def _summarise(options: argparse.Namespace, statuses: dict[str, int]) -> None:
    if options.json:
        summary = {"out": options.out, "groups": sum(statuses.values()), "statuses": statuses}
        print(json.dumps(summary))
    elif not options.quiet:
        _say(f"{sum(statuses.values()):,} groups fitted; the answers are in {options.out}.")
    if not options.quiet:
        _say_unconverged(statuses)


def _show_one(options: argparse.Namespace, row: dict[str, Any]) -> None:
    if options.json:
        print(json.dumps({name: row[name] for name in row if name != "histogram"}))
        return
    missing = f", {row['n_missing']} missing" if row["n_missing"] else ""
    name = "standard input" if options.source == "-" else options.source
    print(f"{name}: {row['n_points']:.10g} values{missing}")
    print(f"{'component':>12} {'weight':>10} {'mean':>12} {'sd':>12}")
    for k in (1, 2):
        print(
            f"{k:>12} {row[f'weight_{k}']:>10.6f} {row[f'mean_{k}']:>12.6g} {row[f'sd_{k}']:>12.6g}"
        )
        errors = [row["weight_se"], row[f"mean_{k}_se"], row[f"sd_{k}_se"]]
        if None not in errors:
            weight, mean, deviation = (f"± {error:.2g}" for error in errors)
            print(f"{'':>12} {weight:>10} {mean:>12} {deviation:>12}")
    print(f"log-likelihood {row['log_likelihood']:.6f} nats")
    if row["delta_bic"] is not None:
        favoured = "two components" if row["delta_bic"] > 0 else "one component"
        print(f"delta BIC      {row['delta_bic']:.2f}, in favour of {favoured}")
    if row.get("p_value") is not None:
        print(f"p-value        {row['p_value']:.3g}, of one component by bootstrap")
    if row["threshold"] is not None:
        error = row["threshold_se"]
        known = "" if error is None else f", standard error {error:.3g}"
        print(f"threshold      {row['threshold']:.6g}{known}")
    else:
        print(f"threshold      none: {_why_none(row['threshold_reason'])}")
    print(f"status         {row['status']}: {_meaning(row['status'])}")
    if row.get("higher_by"):
        from mog_jax.fitting.results.remarks import higher

        for remark in higher(row["higher_by"], row["higher_points"]):
            print(f"remark         {remark}")


def _meaning(status: str) -> str:
    from mog_jax.fitting import Status

    return Status[status.upper()].message


def _why_none(reason: str) -> str:
    from mog_jax.inference import Crossing

    return Crossing[reason.upper()].message


def _show_all(table: Any, *, as_json: bool) -> None:
    if as_json:
        for batch in table.to_batches():
            for row in batch.to_pylist():
                print(json.dumps(row, default=str))
    elif sys.stdout.isatty():
        _show_table(table)
    else:
        import pyarrow.csv

        sys.stdout.flush()
        if hasattr(sys.stdout, "buffer"):
            pyarrow.csv.write_csv(table, sys.stdout.buffer)
        else:
            sink = pyarrow.BufferOutputStream()
            pyarrow.csv.write_csv(table, sink)
            print(sink.getvalue().to_pybytes().decode(), end="")


def _show_table(table: Any, most: int = 50) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mog_jax.fitting.results.columns import COLUMNS
    from mog_jax.tables.schema import KNOWN

    hidden = {column.name for column in COLUMNS if not column.is_on_terminal}
    shown = [name for name in table.column_names if name not in hidden]
    display = Table()
    for name in shown:
        display.add_column(Text(name), justify="left" if name not in KNOWN else "right")
    for row in table.select(shown).slice(0, most).to_pylist():
        cells = (f"{x:.4g}" if isinstance(x, float) else x for x in row.values())
        display.add_row(*(Text("" if cell is None else str(cell)) for cell in cells))
    Console().print(display)
    if table.num_rows > most:
        print(f"{table.num_rows - most:,} more; keep all with --out, or pipe to see them as CSV.")


def _refuse_unusable(name: str, row: dict[str, Any], source: Any, run: dict[str, Any]) -> None:
    """One column of numbers and no fit: then the data are at fault, and that is an error."""
    from mog_jax.tables.errors import TableError
    from mog_jax.tables.group import group_values

    if row["status"] == "not_finite":
        import numpy as np

        values = np.zeros(0)
        if source != "-":
            values, _, _ = group_values(source, run, [row["column"]])
        infinite = int(np.isinf(values).sum())
        number = f"{infinite} of {len(values)}" if infinite else "some"
        raise TableError(f"{name}: {number} values are infinite; remove or replace them.")
    if row["n_points"] == 1:
        raise TableError(f"{name}: a mixture of two needs more than one value.")
    if row["status"] == "constant":
        raise TableError(
            f"{name}: all {row['n_points']:.10g} values are {row['lowest']:g}; there is nothing to "
            "separate."
        )
    if row["mean_1"] is None:
        raise TableError(f"{name}: {_meaning(row['status'])}.")


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
