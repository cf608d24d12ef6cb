"""Prints the answers of ``mog-jax fit``: one fit as text, or a row for each group."""

import argparse
import json
import sys
from typing import Any

# Statuses of an accepted maximum above the variance floor.
AT_MAXIMUM = ("converged", "few_points")


def say(text: str) -> None:
    """Print a line on standard error."""
    print(f"mog-jax: {text}", file=sys.stderr)


def say_unconverged(statuses: dict[str, int]) -> None:
    """Print how many groups did not converge, by status."""
    others = {status: groups for status, groups in statuses.items() if status not in AT_MAXIMUM}
    if others:
        listed = ", ".join(f"{groups:,} {status}" for status, groups in others.items())
        total = sum(statuses.values())
        say(f"{sum(others.values()):,} of {total:,} groups did not converge: {listed}.")


def summarise(options: argparse.Namespace, statuses: dict[str, int]) -> None:
    """Print how many groups were fitted, and where the answers are."""
    if options.json:
        summary = {"out": options.out, "groups": sum(statuses.values()), "statuses": statuses}
        print(json.dumps(summary))
    elif not options.quiet:
        say(f"{sum(statuses.values()):,} groups fitted; the answers are in {options.out}.")
    if not options.quiet:
        say_unconverged(statuses)


def show_one(options: argparse.Namespace, row: dict[str, Any]) -> None:
    """Print one fit as text, or as a line of JSON."""
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
    print(f"status         {row['status']}: {meaning(row['status'])}")
    if row.get("higher_by"):
        from mog_jax.fitting.results.remarks import higher

        for remark in higher(row["higher_by"], row["higher_points"]):
            print(f"remark         {remark}")


def meaning(status: str) -> str:
    """Return the message of a status."""
    from mog_jax.fitting import Status

    return Status[status.upper()].message


def _why_none(reason: str) -> str:
    from mog_jax.inference import Crossing

    return Crossing[reason.upper()].message


def show_all(table: Any, *, as_json: bool) -> None:
    """Print a row for each group: a table on a terminal, otherwise CSV or JSON lines."""
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
