"""The command line: ``mog-jax check`` and ``mog-jax fit``.

Exit codes: 0 for success; 1 when a check fails or a fit has not converged; 2 for input that
cannot be used, with one line on standard error that says what is wrong.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

_EXAMPLES = """\
examples:
  mog-jax check                              hold every hand-written gradient against autodiff
  mog-jax fit faithful                       fit the waiting times of Old Faithful
  mog-jax fit cells.csv --value intensity    fit a column of a CSV file
  mog-jax fit cells.csv --value intensity --plot fit.png
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code."""
    options = _parser().parse_args(arguments)
    command: int = options.command(options)
    return command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mog-jax",
        description="Cross-checked gradients and maximum-likelihood fits of Gaussian mixtures.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

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

    fit = commands.add_parser(
        "fit",
        help="fit a two-component mixture to a column of numbers",
        description="Fit a two-component Gaussian mixture to a column of numbers by maximum "
        "likelihood. Empty cells and NaN are left out, and counted.",
    )
    fit.add_argument("source", metavar="SOURCE", help="a CSV file, or 'faithful' for Old Faithful")
    fit.add_argument("--value", metavar="COLUMN", help="the column to fit")
    fit.add_argument(
        "--direction",
        choices=("newton", "em", "gradient"),
        default="newton",
        help="how to climb (default: newton)",
    )
    fit.add_argument("--plot", metavar="FILE.png", help="also draw the fit")
    fit.set_defaults(command=_fit)
    return parser


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


def _fit(options: argparse.Namespace) -> int:
    from mog_jax.tables import TableError

    try:
        return _fit_source(options)
    except (TableError, ImportError) as error:
        print(f"mog-jax: {error}", file=sys.stderr)
        return 2


def _fit_source(options: argparse.Namespace) -> int:
    from mog_jax import datasets
    from mog_jax.fitting import Status, fit
    from mog_jax.tables import TableError, read_column

    if options.source == "faithful":
        values, label = datasets.faithful(), "waiting"
        if options.value not in (None, label):
            raise TableError(f"faithful has one column, {label!r}; got --value {options.value!r}.")
    else:
        values = read_column(options.source, options.value)
        label = options.value or "value"
    _refuse_unusable(options.source, values)

    result = fit(values, direction=options.direction)
    status = Status(int(result.status))
    mixture = result.mixture
    missing = f", {int(result.n_missing)} missing" if result.n_missing else ""
    print(f"{options.source}: {int(result.n_points)} values{missing}")
    print(f"{'component':>12} {'weight':>10} {'mean':>12} {'sd':>12}")
    for k in range(2):
        print(
            f"{k + 1:>12} {mixture.weights[k]:>10.6f} {mixture.means[k]:>12.6g} "
            f"{mixture.standard_deviations[k]:>12.6g}"
        )
    print(f"log-likelihood {float(result.log_likelihood):.6f} nats")
    print(f"status         {status.name.lower()}: {status.message}")
    if options.plot:
        _draw(result, values, label, options.plot)
    return 0 if status == Status.CONVERGED else 1


def _refuse_unusable(source: str, values: Any) -> None:
    import numpy as np

    from mog_jax.tables import TableError

    present = values[~np.isnan(values)]
    if present.size == 0:
        raise TableError(f"{source}: no usable value; all {values.size} cells are missing.")
    if not np.isfinite(present).all():
        number = int((~np.isfinite(present)).sum())
        raise TableError(
            f"{source}: {number} of {present.size} values are infinite; remove or replace them."
        )
    if present.size == 1:
        raise TableError(f"{source}: a mixture of two needs more than one value.")
    if present.min() == present.max():
        raise TableError(
            f"{source}: all {present.size} values are {present[0]:g}; there is nothing to separate."
        )


def _draw(result: Any, values: Any, label: str, path: str) -> None:
    from mog_jax.plots import plot_fit
    from mog_jax.tables import TableError

    figure = plot_fit(result, values, label=label)
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise TableError(f"cannot write {path}: {error}.") from None
    print(f"picture        {path}")


if __name__ == "__main__":
    sys.exit(main())
