"""Counts the wrong derivatives that a gradient checker catches, and the right ones it fails.

    python -m benchmarks.mutants --json mutants.json            every case, every checker
    python -m benchmarks.mutants --json mutants.json --resume   those that the file lacks
    python -m benchmarks.mutants --quick                        one bug for each verdict
    python -m benchmarks.mutants --case mixture.raw_moments     everything said about one case

Planted bugs of every kind, in functions of several kinds, stand beside right derivatives that are
written another way (`benchmarks/planted`). A third of them, and whole functions, were held back
from the author of the harness, and more were written when it was finished; they are reported
apart. A bug counts as caught when a checker finds fault with it, whatever it says; for the harness,
what it says must be right as well. The exit status is 1 if the harness misses a bug, misnames one,
or fails a right derivative.
"""

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks._checkers import PEERS, Outcome, checkers, missing, timed
from benchmarks.planted import CASES, KINDS, Case
from benchmarks.planted.case import Group

OURS = "crosscheck"
# Cases that a process judges before another one takes its place.
_BATCH = 25

GROUPS: dict[Group, str] = {
    "known": "Bugs caught: cases known to the author of the harness",
    "held back": "Bugs caught: cases held back",
    "fresh": "Bugs caught: cases written after the harness",
    "reported": "Bugs caught: cases rebuilt from public bug reports",
}

# One bug for each verdict, where it is quickly told, and two right ones.
QUICK = (
    "mixture.denominator_plus_1e_14",
    "mixture.one_exponential",
    "logistic.by_row",
    "logistic.datasets_added_under_vmap",
    "logistic.shortcut_when_eager",
    "log_cosh.ratio_of_exponentials",
    "log_cosh.one_minus_exponential",
    "log_cosh.by_expm1",
    "softplus_rule.slope_frozen",
    "solve_rule.transpose_forgotten",
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to run on each case."""

    names: tuple[str, ...]
    examples: int
    wide: bool


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A case with what each checker said about it."""

    case: Case
    outcomes: dict[str, Outcome]

    def grade(self, checker: str) -> str:
        """Return `caught`, `missed`, `misnamed`, `passed`, `false alarm` or `broke down`."""
        outcome = self.outcomes[checker]
        if outcome.broke_down:
            return "broke down"
        if not self.case.is_bug:
            return "false alarm" if outcome.found else "passed"
        if not outcome.found:
            return "missed"
        misnamed = checker == OURS and not set(self.case.expected) & set(outcome.kinds)
        return "misnamed" if misnamed else "caught"


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    console = Console(stderr=True)
    absent = missing(arguments.checkers)
    if absent:
        console.print(
            f"Not installed, left out: {', '.join(absent)} (pip install mog_jax[benchmark])."
        )
    names = tuple(name for name in arguments.checkers if name not in absent)
    examples = min(arguments.examples, 60) if arguments.quick else arguments.examples
    options = Options(names=names, examples=examples, wide=arguments.wide)

    if arguments.case is not None:
        return _show_one(arguments.case, options)
    cases = [case for case in CASES if case.name in QUICK or not arguments.quick]
    if arguments.subjects:
        cases = [case for case in cases if case.subject.name in arguments.subjects]
    if arguments.kinds:
        cases = [case for case in cases if case.kind in arguments.kinds]
    known: dict[str, Judged] = {}
    if arguments.resume:
        if arguments.json is None:
            print("--resume goes on with what --json FILE holds", file=sys.stderr)
            return 2
        known = _read(arguments.json, options)

    def keep(found: dict[str, Judged]) -> None:
        if arguments.json is not None:
            _write(arguments.json, _as_json(list(found.values()), options))

    judged = _judge_all(cases, options, known, keep, jobs=arguments.jobs, console=console)
    _print(judged, Console(width=max(console.width, 100)))
    return int(any(_is_failure(one) for one in judged))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mutants", description=(__doc__ or "").splitlines()[0], allow_abbrev=False
    )
    parser.add_argument(
        "--quick", action="store_true", help="one bug for each verdict, few examples"
    )
    parser.add_argument("--case", metavar="NAME", help="show everything said about one case")
    parser.add_argument(
        "--subjects",
        nargs="+",
        choices=sorted({c.subject.name for c in CASES}),
        metavar="SUBJECT",
        help="only the cases of these functions",
    )
    parser.add_argument(
        "--kinds", nargs="+", choices=KINDS, metavar="KIND", help="only the cases of these kinds"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write every outcome to FILE, as it comes"
    )
    parser.add_argument(
        "--resume", action="store_true", help="leave out the cases that are in FILE already"
    )
    parser.add_argument("--examples", type=int, default=200, help="examples a case (default: 200)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument(
        "--wide", action="store_true", help="try the peers on inputs like the harness's too"
    )
    parser.add_argument(
        "--checkers",
        nargs="+",
        choices=[OURS, *PEERS],
        default=[OURS, *PEERS],
        help="which to run (default: all)",
    )
    return parser


def _judge(name: str, options: Options) -> Judged:
    case = next(case for case in CASES if case.name == name)
    runs = checkers(list(options.names), examples=options.examples, wide=options.wide)
    return Judged(case=case, outcomes={checker: timed(check, case) for checker, check in runs})


def _judge_all(
    cases: Iterable[Case],
    options: Options,
    known: dict[str, Judged],
    keep: Callable[[dict[str, Judged]], None],
    *,
    jobs: int,
    console: Console,
) -> list[Judged]:
    names = [case.name for case in cases]
    columns = (
        TextColumn("{task.description:<48}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    found = {name: known[name] for name in names if name in known}
    left = [name for name in names if name not in found]
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("planted cases", total=len(names), completed=len(found))
        for judged in _results(left, options, jobs):
            found[judged.case.name] = judged
            keep(found)
            progress.update(task, advance=1, description=judged.case.name)
            # Without a progress bar, as in a log, each case prints a line.
            if _is_failure(judged) or not console.is_terminal:
                progress.console.print(_line(judged), highlight=False, soft_wrap=True)
    return [found[name] for name in names]


def _line(judged: Judged) -> str:
    said = (
        f"{name} {judged.grade(name)} {outcome.processor_seconds:.1f} s"
        for name, outcome in judged.outcomes.items()
    )
    return f"{judged.case.name} ({judged.case.kind}): {', '.join(said)}"


def _results(names: list[str], options: Options, jobs: int) -> Iterator[Judged]:
    if jobs == 1:
        yield from (_judge(name, options) for name in names)
        return
    # A process that has run JAX must not be forked. One that has compiled much is large, so that
    # processes are replaced from time to time; a pool that does so itself may wait forever for
    # processes that have all left at once (`max_tasks_per_child`, seen in Python 3.11).
    context = get_context("spawn")
    for start in range(0, len(names), _BATCH * jobs):
        with ProcessPoolExecutor(jobs, mp_context=context) as pool:
            futures = [
                pool.submit(_judge_outcomes, name, options)
                for name in names[start : start + _BATCH * jobs]
            ]
            for future in as_completed(futures):
                name, outcomes = future.result()
                case = next(case for case in CASES if case.name == name)
                yield Judged(case=case, outcomes=outcomes)


def _judge_outcomes(name: str, options: Options) -> tuple[str, dict[str, Outcome]]:
    # The case holds functions made on the spot, which do not travel between processes.
    return name, _judge(name, options).outcomes


def _is_failure(judged: Judged) -> bool:
    return OURS in judged.outcomes and judged.grade(OURS) not in ("caught", "passed")


def _print(judged: list[Judged], console: Console) -> None:
    for group, title in GROUPS.items():
        part = [one for one in judged if one.case.group == group]
        if part:
            console.print(_table(part, title))
    failures = [one for one in judged if _is_failure(one)]
    for one in failures:
        expected = " or ".join(one.case.expected) or "nothing to be found"
        outcome = one.outcomes[OURS]
        got = ", ".join(outcome.kinds) or (outcome.message if outcome.broke_down else "nothing")
        console.print(f"{one.grade(OURS)}: {one.case.name}: expected {expected}, got {got}")


def _table(judged: list[Judged], title: str) -> Table:
    names = list(judged[0].outcomes)
    table = Table(title=title, title_justify="left")
    table.add_column("kind of bug")
    table.add_column("cases", justify="right")
    for name in names:
        table.add_column(name, justify="right")

    bugs = [one for one in judged if one.case.is_bug]
    right = [one for one in judged if not one.case.is_bug]
    for kind in KINDS:
        of_kind = [one for one in bugs if one.case.kind == kind]
        if of_kind:
            table.add_row(kind, str(len(of_kind)), *(_count(of_kind, n) for n in names))
    table.add_section()
    table.add_row("all bugs caught", str(len(bugs)), *(_count(bugs, n) for n in names))
    alarms = (str(sum(one.grade(n) != "passed" for one in right)) for n in names)
    table.add_row("right ones failed", str(len(right)), *alarms)
    table.add_section()
    # Processor time, which depends less on other load of the machine.
    for label, summary in (("median", statistics.median), ("most", max)):
        seconds = (summary([one.outcomes[n].processor_seconds for one in judged]) for n in names)
        table.add_row(f"processor seconds, {label}", "", *(f"{s:.1f}" for s in seconds))
    return table


def _count(judged: list[Judged], checker: str) -> str:
    caught = sum(one.grade(checker) in ("caught", "misnamed") for one in judged)
    misnamed = sum(one.grade(checker) == "misnamed" for one in judged)
    return f"{caught}" + (f" ({misnamed} misnamed)" if misnamed else "")


def _show_one(name: str, options: Options) -> int:
    console = Console()
    matching = [case for case in CASES if case.name == name]
    if not matching:
        near = [case.name for case in CASES if name.split(".")[-1] in case.name]
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        print(f"no case is called {name!r}{hint}", file=sys.stderr)
        return 2
    case = matching[0]
    judged = _judge(name, options)
    expected = " or ".join(case.expected) or "nothing to be found"
    print(f"{case.name} ({case.kind}): {case.what}\nexpected: {expected}\n")
    for checker, outcome in judged.outcomes.items():
        took = f"{outcome.processor_seconds:.1f} s of processor time"
        console.rule(f"{checker}: {judged.grade(checker)}, {took}", align="left")
        print(outcome.message or "no fault found")
    return int(_is_failure(judged))


def _read(path: Path, options: Options) -> dict[str, Judged]:
    """Return the results in a file, without those of other options or packages."""
    if not path.exists():
        return {}
    read = json.loads(path.read_text())
    for key, wanted in json.loads(json.dumps(_provenance(options))).items():
        if read[key] != wanted:
            raise SystemExit(f"{path} was made with other {key}: {read[key]}, not {wanted}")
    cases = {case.name: case for case in CASES}
    known = {}
    for one in read["cases"]:
        outcomes = {}
        for checker, outcome in one["outcomes"].items():
            fields = {key: value for key, value in outcome.items() if key != "grade"}
            outcomes[checker] = Outcome(**fields | {"kinds": tuple(fields["kinds"])})
        if one["name"] in cases:
            known[one["name"]] = Judged(case=cases[one["name"]], outcomes=outcomes)
    return known


def _write(path: Path, content: dict[str, object]) -> None:
    """Replace a file atomically: if the process is killed, it is the old one or the new one."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(content, indent=1) + "\n")
    beside.replace(path)


def _provenance(options: Options) -> dict[str, object]:
    packages = ("mog_jax", "jax", "jaxlib", "numpy", "hypothesis", "python-flint", "chex", "scipy")
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "packages": {name: _version(name) for name in packages},
        "options": asdict(options),
    }


def _as_json(judged: list[Judged], options: Options) -> dict[str, object]:
    return _provenance(options) | {
        "cases": [
            {
                "name": one.case.name,
                "kind": one.case.kind,
                "group": one.case.group,
                "expected": list(one.case.expected),
                "what": one.case.what,
                "outcomes": {
                    name: {"grade": one.grade(name), **asdict(outcome)}
                    for name, outcome in one.outcomes.items()
                },
            }
            for one in judged
        ],
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
