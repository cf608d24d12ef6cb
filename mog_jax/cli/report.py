"""``mog-jax report``: one page with every fit, to sort, search and look at."""

import argparse
from typing import Any

from mog_jax.cli import argument_types


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    report = commands.add_parser(
        "report",
        help="make a page of all fits, to sort, search and look at",
        description="Make one HTML page of all fits: a summary, a table to sort and search, and "
        "the fit of the chosen group drawn. It needs no network and no server.",
        epilog="example: mog-jax report fits.parquet -o fits.html",
    )
    report.add_argument("fits", metavar="FITS", help="what `mog-jax fit --out` has written")
    report.add_argument("-o", "--output", metavar="FILE.html", default="report.html")
    report.add_argument(
        "--limit",
        type=argument_types.count,
        default=50_000,
        metavar="N",
        help="most groups on the page: those with the highest ΔBIC (default: 50000)",
    )
    report.add_argument(
        "--overwrite",
        action="store_true",
        help="replace FILE.html even if it is no page of ours",
    )
    report.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Write the page."""
    from mog_jax.report import write_report
    from mog_jax.tables.results import open_results

    with open_results(options.fits) as results:
        write_report(results, options.output, limit=options.limit, overwrite=options.overwrite)
    if not options.quiet:
        print(options.output)
    return 0
