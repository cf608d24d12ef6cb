"""Runs every benchmark, in quick sizes unless ``--full`` is given.

Each benchmark is a file beside this one; its first line says what it measures. It can also be
run alone; its ``--help`` lists its sizes and options.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent


def benchmarks() -> list[str]:
    """Name the benchmarks, in alphabetical order."""
    return sorted(
        path.stem
        for path in HERE.glob("*.py")
        if path.stem != "run" and not path.stem.startswith("_")
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"from {', '.join(benchmarks())}")
    parser.add_argument("--full", action="store_true", help="full sizes: takes hours")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(benchmarks())
    if unknown:
        parser.error(f"no benchmark called {', '.join(sorted(unknown))}")
    # Beside this file lie the helpers; above it the package `benchmarks` that some are parts of.
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    failed = []
    for name in options.names or benchmarks():
        module = importlib.import_module(name)
        print(f"\n{name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        start = time.perf_counter()
        if module.main([] if options.full else ["--quick"]) != 0:
            failed.append(name)
        print(f"({time.perf_counter() - start:.0f} s)", flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
