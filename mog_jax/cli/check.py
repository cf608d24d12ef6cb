"""``mog-jax check``: every hand-written gradient against automatic differentiation."""

import argparse
import sys
from typing import Any


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    check = commands.add_parser(
        "check",
        help="hold every hand-written gradient against automatic differentiation",
        description="Hold every hand-written gradient against forward and reverse automatic "
        "differentiation of the log-likelihood, on mixtures and data drawn at random.",
    )
    check.add_argument(
        "--examples", type=_positive, default=200, metavar="N", help="inputs each (default: 200)"
    )
    check.add_argument("--seed", type=int, default=0, help="which inputs are drawn (default: 0)")
    check.set_defaults(command=_check)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1; got {number}")
    return number


def _check(options: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from mog_jax.checks import check

    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(title="Hand-written derivatives against autodiff, forward and reverse")
    for name in (
        "function",
        "examples",
        "informative",
        "worst, in roundings",
        "allowed",
        "verdict",
    ):
        table.add_column(name, justify="left" if name in ("function", "verdict") else "right")
    table.add_column("where it was worst", overflow="fold")
    failed = 0
    with Console(stderr=True).status("drawing mixtures") as status:
        for finding in check(examples=options.examples, random_seed=options.seed):
            status.update(f"checked {finding.name}")
            failed += not finding.ok
            table.add_row(
                finding.name,
                str(finding.examples),
                str(finding.informative),
                f"{finding.worst_roundings:.3g}",
                f"{finding.budget:.0f}",
                "agrees" if finding.ok else "DISAGREES",
                finding.where,
            )
    console.print(table)
    if failed:
        print(f"{failed} of the hand-written derivatives disagree with autodiff.")
    else:
        print("Every hand-written derivative agrees with autodiff to within rounding.")
    return 1 if failed else 0
