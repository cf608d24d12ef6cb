"""``mog-jax report``: writes one page with every fit, to sort, search and view."""

import argparse
from typing import Any

from mog_jax.cli import argument_types


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    report = commands.add_parser(
        "report",
        help="write a page of all fits, to sort, search and view",
        description="Write one HTML page of all fits: a summary, a table to sort and search, and a "
        "drawing of the selected group's fit. It needs no network and no server.",
        epilog="example: mog-jax report fits.parquet -o fits.html",
    )
    report.add_argument("fits", metavar="FITS", help="answers of `mog-jax fit --out`")
    report.add_argument("-o", "--output", metavar="FILE.html", default="report.html")
    report.add_argument(
        "--limit",
        type=argument_types.count,
        default=50_000,
        metavar="N",
        help="largest number of groups: those with the highest ΔBIC (default: 50000)",
    )
    report.add_argument(
        "--overwrite",
        action="store_true",
        help="replace any FILE.html, not only an earlier page",
    )
    report.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Write the page; return the exit code."""
    from mog_jax.report import write_report
    from mog_jax.tables.results import open_results

    with open_results(options.fits) as results:
        write_report(results, options.output, limit=options.limit, overwrite=options.overwrite)
    if not options.quiet:
        print(options.output)
    return 0
