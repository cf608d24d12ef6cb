"""``mog-jax plot``: the fit of one group, drawn with its values."""

import argparse
import re
from collections.abc import Sequence
from typing import Any


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    plot = commands.add_parser(
        "plot",
        help="draw the fit of one group",
        description="Draw the fit of one group: histogram, components, density, responsibilities.\n"
        "The values are read again from the file that was fitted.",
        epilog="examples:\n"
        "  mog-jax plot fits.parquet --group CD4\n"
        "  mog-jax plot fits.duckdb --group CD4 treated    after --by gene --by arm",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    plot.add_argument("fits", metavar="FITS", help="what `mog-jax fit --out` has written")
    plot.add_argument(
        "--group",
        metavar="NAME",
        nargs="+",
        required=True,
        help="its value of --by; one for each, in their order",
    )
    plot.add_argument("-o", "--output", metavar="FILE.png", help="default: NAME.png")
    plot.add_argument("--source", metavar="SOURCE", help="where the values are now, if they moved")
    plot.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Draw one group."""
    from mog_jax.tables.errors import TableError
    from mog_jax.tables.group import recorded_source
    from mog_jax.tables.results import open_results

    with open_results(options.fits) as results:
        row = results.group(options.group)
        key, run = [row[name] for name in results.keys], results.run
    if row["mean_1"] is None:
        raise TableError(f"there is no fit to draw: {', '.join(options.group)} is {row['status']}.")
    source = options.source if options.source and run else recorded_source(run, options.fits)
    assert run is not None
    name = " ".join("null" if part is None else str(part) for part in key)
    path = options.output or re.sub(r"[^\w.+-]+", "_", name) + ".png"
    chosen = run["columns"]
    draw(path, source, run, key, label=chosen["value"] or name, title=name)
    print(path)
    return 0


def draw(
    path: str, source: Any, run: dict[str, Any], key: Sequence[Any], *, label: str, title: str = ""
) -> None:
    """Fit the values of one group once more and draw them.

    Raises
    ------
    TableError
        If the values cannot be read, or the picture cannot be written.
    """
    from mog_jax.fitting import fit
    from mog_jax.plots import plot_fit
    from mog_jax.tables.errors import TableError
    from mog_jax.tables.group import group_values

    values, counts, fixed = group_values(source, run, key)
    one = fit(values, counts=counts, **{**run["options"], "fixed": fixed})
    figure = plot_fit(one, values, counts=counts, label=label)[0].figure
    if title:
        figure.suptitle(title)
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise TableError(f"cannot write {path}: {error.strerror}.") from None
    except ValueError as error:
        raise TableError(f"cannot write {path}: {error}.") from None
