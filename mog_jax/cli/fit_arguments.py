"""Defines the arguments of ``mog-jax fit``, and converts them to arguments of functions."""

import argparse
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
  gain_left                                   estimate of the nats still to be gained
  n_points n_missing lowest highest           of the values
  n_below n_above                             values below and above a limit
  histogram                                   of 32 bins between these; not in a CSV
  higher_by higher_points                     another maximum that lies higher: by how many nats,
                                              and the points in its smaller component
  status                                      converged, or why not; what has no meaning is empty
  p_value q_value                             with --bootstrap: of one component against two

Without --by, one column is fitted and the answer is printed as text. With --by or --columns there
is a row for each group: on standard output as CSV (a table on a terminal, JSON lines with --json),
or in --out. Rows with a missing key are a group of their own; missing values are left out and
counted.

--out FILE.duckdb writes the answers to a database (table `fits`), chunk by chunk. FILE.parquet and
FILE.csv are written from such a database beside them, FILE.parquet.duckdb, which is removed when
they are complete. If a run is killed, the same command continues it. Earlier answers at FILE are
replaced; a file of any other kind only with --overwrite, and the input never.
Names of groups are written to a CSV unchanged: a spreadsheet may take a name that begins with
= + - or @ for a formula. Import that column as text, or use the Parquet file.

exit codes: 0 done; 1 with --strict, some groups did not converge; 2 input that cannot be used.
"""


def add_to(commands: Any) -> Any:
    """Add the command to the parser's, and return its own parser."""
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
        "--by", metavar="COLUMN", action="append", default=[], help="fit each of its groups"
    )
    what.add_argument("--value", metavar="COLUMN", help="the column to fit")
    what.add_argument("--count", metavar="COLUMN", help="how often each value occurs")
    what.add_argument(
        "--columns",
        metavar="A,B,...",
        help="for a wide table: fit each of these columns; patterns are allowed, as in 'CD*'",
    )
    what.add_argument(
        "--fixed",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="fix weight_1, mean_1, sd_1, ... at a number, or at each group's value in a column: "
        "a component known from controls is --fixed mean_1=0 --fixed sd_1=control_sd",
    )
    what.add_argument(
        "--bootstrap",
        type=argument_types.count,
        metavar="N",
        help="test one component against two with at most N replicates: columns p_value, q_value",
    )
    what.add_argument(
        "--bootstrap-seed",
        type=int,
        default=0,
        metavar="SEED",
        help="seed of the replicates (default: 0)",
    )
    intervals.add_to(fit)
    _add_reading(fit)
    where = fit.add_argument_group("output")
    where.add_argument("--out", metavar="FILE", help="write the answers: .duckdb, .parquet or .csv")
    where.add_argument(
        "--overwrite",
        action="store_true",
        help="replace any file at --out or --plot, not only earlier answers or figures",
    )
    where.add_argument(
        "--json", action="store_true", help="answers on standard output as JSON lines"
    )
    where.add_argument("--strict", action="store_true", help="exit code 1 if any did not converge")
    where.add_argument("--plot", metavar="FILE.png", help="also draw the fit (without --by)")
    how = fit.add_argument_group("search for the maximum")
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
        help="least number of points of a component (default: 5)",
    )
    how.add_argument(
        "--tolerance",
        type=argument_types.positive,
        metavar="NATS",
        help="log-likelihood that may be left to gain (default: 1e-9)",
    )
    how.add_argument(
        "--max-steps",
        type=argument_types.count,
        metavar="N",
        help="largest number of steps (default: 200 for newton, 10000 for others)",
    )
    how.add_argument(
        "--variance-floor",
        type=argument_types.share,
        metavar="SHARE",
        help="least variance of a component, as a share of the data's (default: 1e-6)",
    )
    return fit


def _add_reading(fit: Any) -> None:
    text = fit.add_argument_group("format of the source, where it is ambiguous")
    text.add_argument(
        "--separator", metavar="CHARACTER", help="separator of cells: ',', ';', tab, blank, ..."
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
    text.add_argument(
        "--encoding", metavar="NAME", help="encoding of a text that is not Unicode, as latin-1"
    )
    text.add_argument(
        "--layer", metavar="NAME", help="for an .h5ad file: the layer to fit instead of X"
    )
    text.add_argument(
        "--zeros",
        choices=("keep", "drop"),
        help="for an .h5ad file: whether a zero is a value (default) or left out, as for guides",
    )
    text.add_argument(
        "--header", choices=("yes", "no"), help="whether the first line holds the columns' names"
    )


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the fit that were set."""
    names = (
        "direction",
        "starts",
        "equal_variances",
        "choose",
        "min_points",
        "tolerance",
        "max_steps",
        "variance_floor",
        "upper",
        "resolution",
        "limits",
        "window",
    )
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def reading(options: argparse.Namespace) -> Any:
    """Return the options for reading the source."""
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


def fixed(given: list[str]) -> dict[str, float | str]:
    """Read ``NAME=VALUE`` pairs.

    Raises
    ------
    TableError
        If one is not such a pair.
    """
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
