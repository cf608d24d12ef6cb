"""``mog-jax check``: checks every hand-written gradient against the likelihood."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from mog_jax.cli import argument_types


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    check = commands.add_parser(
        "check",
        help="check every hand-written gradient against the likelihood",
        description="Check every hand-written gradient against the log-likelihood's own "
        "derivative: the formula in exact arithmetic, the program by the digits that it keeps, on "
        "mixtures and data drawn at random.",
    )
    check.add_argument(
        "--examples",
        type=argument_types.count,
        default=200,
        metavar="N",
        help="inputs for each function (default: 200)",
    )
    check.add_argument("--seed", type=int, default=0, help="seed of the inputs (default: 0)")
    check.add_argument(
        "--jobs",
        type=argument_types.count,
        default=min(_cores(), 4),
        metavar="N",
        help="processes (default: %(default)s, one for each core, at most 4)",
    )
    check.add_argument("--json", action="store_true", help="print the reports as JSON")
    check.add_argument(
        "--plot", metavar="FILE.png", help="also draw the digits kept over a plane of mixtures"
    )
    check.set_defaults(command=run)


def _cores() -> int:
    # The processors that this process may use, if the system tells.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(options: argparse.Namespace) -> int:
    """Run the checks and print their reports; return the exit code."""
    import json

    from rich.console import Console

    from mog_jax.self_check import check, self_checks

    if options.plot and not Path(options.plot).absolute().parent.is_dir():
        # Tested before the checks, which take a minute, not after them.
        print(f"mog-jax: --plot: no folder {Path(options.plot).parent}", file=sys.stderr)
        return 2
    names = [claim.name for claim in self_checks()]
    found = {}
    with Console(stderr=True, quiet=options.quiet).status(
        f"cross-checking {len(names)} functions"
    ) as status:
        for name, report in check(
            examples=options.examples, random_seed=options.seed, jobs=options.jobs
        ):
            found[name] = report
            status.update(f"cross-checked {name}, {len(found)} of {len(names)}")
    reports = {name: found[name] for name in names}
    failed = sum(not report.ok for report in reports.values())
    if options.json:
        print(json.dumps({name: report.to_dict() for name, report in reports.items()}, indent=2))
    else:
        _print_reports(reports)
    if options.plot:
        _draw_check(options.plot)
        if not options.quiet:
            # Not on standard output, which may hold JSON.
            print(f"picture        {options.plot}", file=sys.stderr)
    return 1 if failed else 0


def _print_reports(reports: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Hand-written derivatives against the textbook likelihood")
    columns = "function", "inputs", "digits kept", "of", "in float32", "of", "beyond", "verdict"
    for column in columns:
        table.add_column(column, justify="left" if column in ("function", "verdict") else "right")
    for name, report in reports.items():
        (claim, *_) = report.claims.values()
        cells = [
            f"{value:.1f}" if value == value else "-"
            for execution in (claim.executions.get("jit"), claim.executions.get("float32"))
            for value in (
                (execution.digits_kept, execution.digits_allowed)
                if execution
                else (float("nan"),) * 2
            )
        ]
        verdict = "right" if report.ok else ", ".join(f.kind for f in report.findings)
        beyond = str(report.beyond_float32 or "-")
        table.add_row(name, str(report.examples), *cells, beyond, verdict)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    print(
        "Digits: at the input where the program loses most of those that conditioning allows.\n"
        "Beyond: inputs at which no program, automatic differentiation included, stays within the\n"
        "range of float32; digits that are lost there are left out.\n"
        "Right: the formula agrees with the likelihood's own derivative in exact arithmetic."
    )
    for report in reports.values():
        if not report.ok:
            print(f"\n{report}")


def _draw_check(path: str) -> None:
    import numpy as np

    from mog_jax.plots import plot_digits
    from mog_jax.self_check import plane

    separations, ratios = np.linspace(0, 40, 17), np.linspace(-6, 6, 17)
    _, kept = plane(separations, ratios)
    plot_digits(separations, ratios, kept)[0].figure.savefig(path, dpi=150)
