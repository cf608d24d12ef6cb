"""``mog-jax label``: writes every fitted row with its posterior, label and uncertainty."""

import argparse
import json
import sys
from typing import Any

_DESCRIPTION = """\
Label every row that was fitted with its more probable component. The rows are read again from the
file that was fitted; all of their columns stay, and three are added:

  posterior    probability of the upper component
  label        1 for the upper component, 0 for the lower
  uncertainty  probability that the label is wrong

They are empty where a value is missing or its group has no fit. Of a value that was rounded,
censored or given by its ends they are those of its interval.
"""


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    label = commands.add_parser(
        "label",
        help="give every row its posterior, label and uncertainty",
        description=_DESCRIPTION,
        epilog="examples:\n"
        "  mog-jax label fits.parquet --out labels.parquet\n"
        "  mog-jax label fits.duckdb --source moved.csv > labels.csv",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    label.add_argument("fits", metavar="FITS", help="answers of `mog-jax fit --out`")
    label.add_argument("--source", metavar="SOURCE", help="the file of the rows, if it moved")
    label.add_argument("--out", metavar="FILE", help=".parquet or .csv; default: standard output")
    label.add_argument(
        "--overwrite", action="store_true", help="replace any FILE, not only earlier labels"
    )
    label.add_argument("--json", action="store_true", help="on standard output as JSON lines")
    label.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Write the labels; return the exit code."""
    from mog_jax.tables.labels import label_table, labelled_rows

    if options.out:
        label_table(
            options.fits, source=options.source, out=options.out, overwrite=options.overwrite
        )
        if not options.quiet:
            print(options.out)
        return 0
    with labelled_rows(options.fits, options.source) as (connection, query, _):
        reader = connection.sql(query).to_arrow_reader(1 << 16)
        if not options.json:
            _print_csv(reader.schema.empty_table(), with_header=True)
        for batch in reader:
            if options.json:
                for row in batch.to_pylist():
                    print(json.dumps(row, default=str))
            else:
                _print_csv(batch, with_header=False)
    return 0


def _print_csv(rows: Any, *, with_header: bool) -> None:
    import pyarrow
    import pyarrow.csv

    sink = pyarrow.BufferOutputStream()
    pyarrow.csv.write_csv(rows, sink, pyarrow.csv.WriteOptions(include_header=with_header))
    sys.stdout.write(sink.getvalue().to_pybytes().decode())
