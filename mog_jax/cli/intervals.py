"""What the command line says of values besides themselves: rounded, censored, binned, cut off."""

import argparse
from typing import Any

from mog_jax.cli import argument_types


def add_to(fit: Any) -> None:
    """Add the options to the parser of ``mog-jax fit``."""
    what = fit.add_argument_group("what the values are, where they are not exact")
    what.add_argument(
        "--upper",
        metavar="COLUMN",
        help="the upper ends of intervals, of which --value holds the lower ones; open is inf",
    )
    what.add_argument(
        "--resolution",
        type=argument_types.positive_or_column,
        metavar="STEP",
        help="the step to which the values were rounded, or the column that has it in each row",
    )
    what.add_argument(
        "--limits",
        type=argument_types.limits,
        metavar="LOW,HIGH",
        help="limits of detection: of a value there or beyond only that is known; leave out one, "
        "as in --limits ,50 (a negative one: --limits=-1,50), or name the column that has it in "
        "each row, as in --limits lod,",
    )
    what.add_argument(
        "--window",
        type=argument_types.pair,
        metavar="LOW,HIGH",
        help="values outside were never recorded; leave out one, as in --window 18,",
    )


def remark(
    options: argparse.Namespace, source: Any, row: dict[str, Any], run: dict[str, Any]
) -> None:
    """Say that the values lie on a grid, where nothing is said of how they were recorded."""
    words = options.resolution, options.limits, options.window, options.upper
    # What came from standard input is gone.
    if options.json or options.quiet or source == "-" or any(word is not None for word in words):
        return
    from mog_jax.fitting.data.grid import grid_step, most_levels
    from mog_jax.tables.group import group_levels

    # The values themselves may be more than memory holds.
    total = row["n_points"]
    levels = group_levels(source, run, [row["column"]], most_levels(total))
    step = float("nan") if levels is None else grid_step(levels, total)
    if step == step:
        print(f"remark         the values lie on a grid of {step:g}: give --resolution {step:g}")
