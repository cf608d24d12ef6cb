"""``mog-jax plot``: the fit of one group, drawn with its values."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# By this a picture of ours is known; these formats have a field for it.
_MARK = "drawn by mog_jax"
_FIELDS = {"png": "Software", "svg": "Creator", "pdf": "Creator", "ps": "Creator", "eps": "Creator"}


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
    plot.add_argument(
        "--overwrite",
        action="store_true",
        help="replace FILE.png even if it is no picture of ours",
    )
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
    refuse_lost(path, [options.fits, source], overwrite=options.overwrite)
    draw(path, source, run, key, label=run["columns"]["value"] or name, title=name)
    print(path)
    return 0


def refuse_lost(path: str, sources: Any, *, overwrite: bool) -> None:
    """Raise `TableError` if a picture at `path` would replace an input, or a file of another's.

    Of ours are known those formats that can say it: PNG, SVG, PDF and PostScript.
    """
    from mog_jax.tables.outputs import refuse_foreign, refuse_input

    refuse_input(path, sources)
    refuse_foreign(path, _is_picture, overwrite=overwrite)


def _is_picture(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(1 << 16)
        file.seek(max(0, path.stat().st_size - (1 << 16)))
        return _MARK.encode() in head + file.read()


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
    from mog_jax.tables.outputs import written_whole

    values, counts, fixed = group_values(source, run, key)
    try:
        one = fit(values, counts=counts, **{**run["options"], "fixed": fixed})
    except (TypeError, ValueError) as error:  # the record is a file's, and may say anything
        raise TableError(f"cannot fit {title or label} as it was: {error}") from None
    figure = plot_fit(one, values, counts=counts, label=_plain(label))[0].figure
    if title:
        figure.suptitle(_plain(title))
    kind = Path(path).suffix[1:].lower() or "png"
    about = {"metadata": {_FIELDS[kind]: _MARK}} if kind in _FIELDS else {}
    with written_whole(path) as aside:
        try:
            figure.savefig(aside, dpi=150, format=kind, **about)
        except ValueError as error:
            raise TableError(f"cannot write {path}: {error}.") from None


def _plain(name: str) -> str:
    """Escape what Matplotlib would take for the beginning of a formula."""
    return name.replace("$", r"\$")
