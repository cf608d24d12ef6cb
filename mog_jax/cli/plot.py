"""``mog-jax plot``: draws the fit of one group with its values, or the fits of several."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Mark of the figures of this command, in the formats that have a field for it.
_MARK = "drawn by mog_jax"
_FIELDS = {"png": "Software", "svg": "Creator", "pdf": "Creator", "ps": "Creator", "eps": "Creator"}


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    plot = commands.add_parser(
        "plot",
        help="draw the fit of one group, or of several",
        description="Draw the fit of one group: histogram, components, density, responsibilities;\n"
        "or the fits of several, a panel each. The values are read again from the file that was\n"
        "fitted.",
        epilog="examples:\n"
        "  mog-jax plot fits.parquet --group CD4\n"
        "  mog-jax plot fits.parquet --group CD4 --group CD8 -o both.png\n"
        "  mog-jax plot fits.duckdb --group CD4 treated    after --by gene --by arm",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    plot.add_argument("fits", metavar="FITS", help="answers of `mog-jax fit --out`")
    plot.add_argument(
        "--group",
        metavar="NAME",
        nargs="+",
        action="append",
        required=True,
        help="the group's value of --by, one for each column of --by; repeat it for more groups",
    )
    plot.add_argument(
        "-o", "--output", metavar="FILE.png", help="default: NAME.png; for several, groups.png"
    )
    plot.add_argument("--source", metavar="SOURCE", help="the file of the values, if it moved")
    plot.add_argument(
        "--scale",
        choices=("density", "counts"),
        default="density",
        help="scale of the heights (default: density)",
    )
    plot.add_argument(
        "--components",
        metavar="LOWER,UPPER",
        default="lower,upper",
        help="names of the components, as in negative,positive",
    )
    plot.add_argument(
        "--overwrite",
        action="store_true",
        help="replace any FILE.png, not only an earlier figure",
    )
    plot.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Draw one group, or several; return the exit code."""
    from mog_jax.tables.errors import TableError
    from mog_jax.tables.group import recorded_source
    from mog_jax.tables.results import open_results

    components = [_plain(name.strip()) for name in options.components.split(",")]
    if len(components) != 2:
        raise TableError(
            f"--components takes two names, as in negative,positive; got {options.components!r}."
        )
    how = {"scale": options.scale, "components": components}
    with open_results(options.fits) as results:
        rows = [results.group(names) for names in options.group]
        keys, run = [[row[name] for name in results.keys] for row in rows], results.run
    for row, names in zip(rows, options.group, strict=True):
        if row["mean_1"] is None:
            raise TableError(f"there is no fit to draw: {', '.join(names)} is {row['status']}.")
    source = options.source if options.source and run else recorded_source(run, options.fits)
    assert run is not None
    titles = [" ".join("null" if part is None else str(part) for part in key) for key in keys]
    name = titles[0] if len(titles) == 1 else "groups"
    path = options.output or re.sub(r"[^\w.+-]+", "_", name) + ".png"
    refuse_lost(path, [options.fits, source], overwrite=options.overwrite)
    if len(keys) == 1:
        label = run["columns"]["value"] or titles[0]
        draw(path, source, run, keys[0], label=label, title=titles[0], **how)
    else:
        draw_several(path, source, run, keys, titles, **how)
    if not options.quiet:
        print(path)
    return 0


def refuse_lost(path: str, sources: Any, *, overwrite: bool) -> None:
    """Raise `TableError` if a figure at `path` would replace an input or a foreign file.

    Figures of this command are recognised in PNG, SVG, PDF and PostScript.
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
    path: str,
    source: Any,
    run: dict[str, Any],
    key: Sequence[Any],
    *,
    label: str,
    title: str = "",
    **how: Any,
) -> None:
    """Fit the values of one group once more and draw them; `how` are options of `plot_fit`.

    Raises
    ------
    TableError
        If the values cannot be read, or the figure cannot be written.
    """
    from mog_jax.plots import plot_fit

    one, group = _fitted(source, run, key, title or label)
    figure = plot_fit(
        one, group.values, counts=group.counts, label=_plain(label), **group.interval_options, **how
    )[0].figure
    if title:
        figure.suptitle(_plain(title))
    _save(figure, path)


def draw_several(
    path: str,
    source: Any,
    run: dict[str, Any],
    keys: Sequence[Sequence[Any]],
    titles: list[str],
    **how: Any,
) -> None:
    """Fit the values of some groups once more and draw them, one panel each.

    Raises
    ------
    TableError
        If the values cannot be read, or the figure cannot be written.
    """
    import jax
    import numpy as np

    from mog_jax.plots import plot_fits

    fitted = [_fitted(source, run, key, title) for key, title in zip(keys, titles, strict=True)]
    fits, groups = zip(*fitted, strict=True)
    counts = [group.counts for group in groups]
    panels = plot_fits(
        jax.tree.map(lambda *leaves: np.stack(leaves), *fits),
        [group.values for group in groups],
        counts=None if counts[0] is None else counts,
        chosen=range(len(fits)),
        names=[*map(_plain, titles)],
        label=_plain(run["columns"]["value"] or "value"),
        **_of_several([group.interval_options for group in groups]),
        **how,
    )
    _save(panels[0].figure, path)


def _of_several(interval_options: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the interval options of several groups as those of a batch."""
    import numpy as np

    def together(parts: list[Any]) -> Any:
        return parts if np.ndim(parts[0]) else parts[0]

    found = {}
    for name in interval_options[0]:
        own = [each[name] for each in interval_options]
        if name in ("limits", "window"):
            found[name] = tuple(together(list(ends)) for ends in zip(*own, strict=True))
        else:
            found[name] = together(own)
    return found


def _fitted(source: Any, run: dict[str, Any], key: Sequence[Any], name: str) -> tuple[Any, Any]:
    """Fit the values of one group once more; give the fit, and the group's values."""
    from mog_jax.fitting import fit
    from mog_jax.tables.errors import TableError
    from mog_jax.tables.group import group_values

    group = group_values(source, run, key)
    own = {**run["options"], "fixed": group.fixed, **group.interval_options}
    try:
        one = fit(group.values, counts=group.counts, **own)
    except (TypeError, ValueError) as error:  # the record comes from a file, and may hold anything
        raise TableError(f"cannot fit {name} as it was: {error}") from None
    return one, group


def _save(figure: Any, path: str) -> None:
    from mog_jax.tables.errors import TableError
    from mog_jax.tables.outputs import written_whole

    kind = Path(path).suffix[1:].lower() or "png"
    about = {"metadata": {_FIELDS[kind]: _MARK}} if kind in _FIELDS else {}
    with written_whole(path) as aside:
        try:
            figure.savefig(aside, dpi=150, format=kind, **about)
        except ValueError as error:
            raise TableError(f"cannot write {path}: {error}.") from None


def _plain(name: str) -> str:
    """Return a name with dollar signs escaped, which begin a formula in Matplotlib."""
    return name.replace("$", r"\$")
