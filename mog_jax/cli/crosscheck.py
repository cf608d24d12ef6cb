"""``mog-jax crosscheck``: checks the derivative rules of any module against autodiff."""

import argparse
import json
import sys
from typing import Any

from mog_jax.cli import argument_types

_EPILOG = """\
examples:
  mog-jax crosscheck mypackage                     every custom_jvp, custom_vjp and hijax rule in it
  mog-jax crosscheck mypackage.losses:huber        one function, with inputs from its signature
  mog-jax crosscheck mypackage.losses:huber --inputs 'tuples(reals(3), positives())'
  mog-jax crosscheck mypackage:loss --derivative mypackage:slope --inputs mypackage.tests:inputs

inputs:
  package.module:name is a Hypothesis strategy that yields tuples of arguments, a list of such
  tuples, a function that returns either, or, for a module, a dict of them by function. Anything
  else is evaluated as an expression, which may use the strategies of Hypothesis and those of
  mog_jax.crosscheck.strategies.
"""


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    command = commands.add_parser(
        "crosscheck",
        help="check the derivative rules of a module against autodiff",
        description="Find the custom derivative rules of a module (or take one function) and check "
        "each against the same function without it: formulas in exact arithmetic, programs by the "
        "digits that they keep, at inputs that are drawn from its signature or from a strategy.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("target", metavar="MODULE[:FUNCTION]", help="a module, or one function")
    command.add_argument("--inputs", metavar="INPUTS", help="the inputs to try; see below")
    command.add_argument(
        "--derivative", metavar="MODULE:FUNCTION", help="a hand-written derivative to check"
    )
    command.add_argument(
        "--skip", metavar="NAME", action="append", default=[], help="a function to leave out"
    )
    command.add_argument(
        "--wrt",
        type=argument_types.indices,
        metavar="I,J",
        help="arguments that are differentiated, from 0 (default: all of floating point)",
    )
    command.add_argument("--order", type=int, choices=(0, 1, 2), default=2, help="default: 2")
    command.add_argument(
        "--examples", type=argument_types.count, default=100, metavar="N", help="default: 100"
    )
    command.add_argument("--seed", type=int, default=0, help="seed of the inputs (default: 0)")
    command.add_argument(
        "--min-digits",
        type=argument_types.non_negative,
        default=0.0,
        metavar="D",
        help="digits that each result must keep if conditioning allows three more",
    )
    command.add_argument(
        "--agrees-to",
        type=argument_types.non_negative,
        default=0.0,
        metavar="E",
        help="relative difference up to which derivatives are meant to agree",
    )
    command.add_argument(
        "--normwise", action="store_true", help="errors relative to each array's largest entry"
    )
    command.add_argument(
        "--deadline",
        type=argument_types.positive,
        default=20.0,
        metavar="S",
        help="seconds that exact evaluation may take for one input (default: 20)",
    )
    command.add_argument("--json", action="store_true", help="print the reports as JSON")
    command.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run the checks and print their reports; return the exit code."""
    from rich.console import Console

    from mog_jax.crosscheck.discovery.checks import check

    # As for `python -m`, modules in the current folder can be named.
    if "" not in sys.path:
        sys.path.insert(0, "")
    targets, given, failed = _chosen(options)
    if not options.quiet:
        for error in failed:
            print(f"left out: {error}", file=sys.stderr)
    derivative = _derivative(options)
    checked = []
    with Console(stderr=True, quiet=options.quiet).status("") as status:
        for number, target in enumerate(targets, 1):
            status.update(f"cross-checking {target.name}, {number} of {len(targets)}")
            checked.append(
                check(
                    target,
                    inputs=given.get(target.short_name),
                    derivative=derivative,
                    options=_for_harness(options),
                )
            )
    if options.json:
        print(json.dumps({one.name: one.to_dict() for one in checked}, indent=2))
    else:
        _print(checked)
    return 0 if all(one.ok for one in checked) else 1


def _chosen(options: argparse.Namespace) -> tuple[list[Any], dict[str, Any], list[Any]]:
    """Return the targets, the inputs that were given by name, and errors of imports."""
    from mog_jax.crosscheck.discovery.checks import inputs_by_name, inputs_named, rules_of
    from mog_jax.crosscheck.discovery.errors import TargetError
    from mog_jax.crosscheck.discovery.targets import function_named

    inputs = None if options.inputs is None else inputs_named(options.inputs)
    if ":" in options.target:
        target = function_named(options.target)
        return [target], {} if inputs is None else {target.short_name: inputs}, []
    if options.derivative:
        raise TargetError("--derivative is that of one function: name it, MODULE:FUNCTION.")
    targets, failed = rules_of(options.target)
    left = [target for target in targets if target.short_name not in options.skip]
    if not left:
        raise TargetError(
            f"{options.target} has no function with a custom derivative rule"
            f"{' but those that --skip leaves out' if targets else ''}; name a function, "
            f"{options.target}:FUNCTION, to check its derivative as JAX makes it."
        )
    return left, {} if inputs is None else inputs_by_name(inputs, left), failed


def _derivative(options: argparse.Namespace) -> Any:
    from mog_jax.crosscheck.discovery.targets import function_named

    return function_named(options.derivative).function if options.derivative else None


def _for_harness(options: argparse.Namespace) -> dict[str, Any]:
    names = ("examples", "seed", "order", "min_digits", "agrees_to", "normwise", "deadline")
    chosen = {name: getattr(options, name) for name in names}
    return chosen if options.wrt is None else {"wrt": options.wrt, **chosen}


def _print(checked: list[Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for column in ("function", "inputs", "judged", "verdict"):
        table.add_column(column, overflow="fold")
    for one in checked:
        count = "" if one.report is None else str(one.report.examples)
        table.add_row(*map(Text, (one.name, one.inputs, count, one.verdict)))
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    for one in checked:
        if one.report is not None and not one.report.ok:
            print(f"\n{one.report}")
        elif one.refused:
            print(f"\n{one.name} was not checked: {one.refused}")
    if any(one.guessed and not one.ok for one in checked):
        print(
            "\nInputs were guessed from signatures. Where they are not what a function is made\n"
            "for, give others with --inputs, or leave it out with --skip."
        )
