"""Arguments of ``mog-jax fit`` for values that are rounded, censored, binned or truncated."""

import argparse
from typing import Any

from mog_jax.cli import argument_types


def add_to(fit: Any) -> None:
    """Add the options to the parser of ``mog-jax fit``."""
    what = fit.add_argument_group("values that are not exact")
    what.add_argument(
        "--upper",
        metavar="COLUMN",
        help="upper ends of intervals, whose lower ends are in --value; an open end is inf",
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
        help="values outside were not recorded; one may be left out, as in --window 18,",
    )


def remark(
    options: argparse.Namespace, source: Any, row: dict[str, Any], run: dict[str, Any]
) -> None:
    """Print a remark if the values lie on a grid and no option says how they were recorded."""
    words = options.resolution, options.limits, options.window, options.upper
    # Standard input cannot be read again.
    if options.json or options.quiet or source == "-" or any(word is not None for word in words):
        return
    from mog_jax.fitting.data.grid import grid_step, most_levels
    from mog_jax.tables.group import group_levels

    # Distinct values only: all values may not fit into memory.
    total = row["n_points"]
    levels = group_levels(source, run, [row["column"]], most_levels(total))
    step = float("nan") if levels is None else grid_step(levels, total)
    if step == step:
        print(f"remark         the values lie on a grid of {step:g}: give --resolution {step:g}")
