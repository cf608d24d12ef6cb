"""Defines the parser of ``mog-jax``, and `main` with its exit codes.

0 for success; 1 if a check fails, or with ``--strict`` if a fit has not converged; 2 for input that
cannot be used, with one line on standard error that says what is wrong.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import mog_jax
from mog_jax.cli import check, completion, crosscheck, fit, label, plot, report

_EPILOG = """\
examples:
  mog-jax check                              check every hand-written gradient
  mog-jax crosscheck mypackage               check every derivative rule in it against autodiff
  mog-jax fit faithful                       fit the waiting times of Old Faithful
  mog-jax fit cells.csv --value intensity    fit a column of a CSV file
  mog-jax fit cells.parquet --by gene --value expression --out fits.parquet
                                             fit every gene; if killed, run it again to go on
  mog-jax label fits.parquet --out rows.csv  every row's posterior, label and uncertainty
  mog-jax plot fits.parquet --group CD4      draw the fit of one gene
  mog-jax completion bash                    a script that completes commands in the shell
  mog-jax report fits.parquet -o fits.html   a page with every fit, to sort, search and view

exit codes:
  0  done
  1  a check failed; or, with --strict, some groups did not converge
  2  input that cannot be used; one line on standard error says what is wrong
"""

# Errors that are printed without a traceback, by the module that defines them.
_FOR_PEOPLE = {
    "mog_jax.tables.errors": "TableError",
    "mog_jax.crosscheck.discovery.errors": "TargetError",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options = _parser().parse_args(arguments)
    if options.command.__module__ in ("mog_jax.cli.check", "mog_jax.cli.crosscheck"):
        # A fit has a cache of its own.
        _keep_compiled_programs()
    try:
        code: int = options.command(options)
        sys.stdout.flush()
    except (ValueError, ImportError) as error:
        if not _is_for_people(error):
            raise
        print(f"mog-jax: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mog-jax: stopped; what was kept with --out is kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader has closed the pipe (`| head`). Python would report that again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _keep_compiled_programs() -> None:
    """Set JAX's compilation cache to the user's cache folder, unless its variables are set."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mog_jax" / "jax"
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")


def _is_for_people(error: Exception) -> bool:
    """Return whether an error is one of the input, whose message suffices; others are bugs."""
    if isinstance(error, ImportError):
        return "pip install" in str(error)
    return any(
        (module := sys.modules.get(home)) is not None and isinstance(error, getattr(module, name))
        for home, name in _FOR_PEOPLE.items()
    )


class _Version(argparse.Action):
    """Prints the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(f"mog_jax {mog_jax.__version__}")
        raise SystemExit(0)


class _Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}; see {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mog-jax",
        description="Cross-checked gradients and maximum-likelihood fits of Gaussian mixtures.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (check, crosscheck, fit, label, plot, report):
        command.add_to(commands)
    for each in commands.choices.values():
        each.add_argument(
            "-q", "--quiet", action="store_true", help="print only the requested output"
        )
    completion.add_to(commands, parser)
    return parser
