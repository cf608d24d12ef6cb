"""``mog-jax completion``: prints a script by which a shell completes commands and options."""

import argparse
import functools
from collections.abc import Iterator
from typing import Any

_SHELLS = ("bash", "zsh", "tcsh")
# Names in the help of arguments that are files.
_FILES = ("FILE", "FITS", "SOURCE")


def add_to(commands: Any, parser: argparse.ArgumentParser) -> None:
    """Add the command to the parser's; the script completes the commands of `parser`."""
    completion = commands.add_parser(
        "completion",
        help="print a script that completes commands in the shell",
        description="Print a script that completes commands, options and files in the shell.",
        epilog="examples:\n"
        "  mog-jax completion bash > ~/.local/share/bash-completion/completions/mog-jax\n"
        "  mog-jax completion zsh > ~/.zfunc/_mog-jax\n"
        "It needs shtab: pip install 'mog_jax[completion]'.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    completion.add_argument("shell", choices=_SHELLS)
    completion.set_defaults(command=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Print the script."""
    try:
        import shtab
    except ImportError:
        raise ImportError(
            "completion needs shtab; install it with: pip install 'mog_jax[completion]'"
        ) from None
    for action in _actions(parser):
        if str(action.metavar).startswith(_FILES):
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, shell=options.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser, and those of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
