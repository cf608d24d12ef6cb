"""Measures whether the harness is right about the derivatives of JAX and its libraries.

    python benchmarks/world.py                          every part, one after the other
    python benchmarks/world.py jax.nn optax.losses      some
    python benchmarks/world.py jax.nn --only relu       functions whose name has that in it
    python benchmarks/world.py --json world.json        keep what comes out, and go on from there
    python benchmarks/world.py --json world.json --markdown world.md --no-run    the table alone

Each function's own derivative, in forward and in reverse mode, is checked against the function
without any custom rule, at suitable inputs (`benchmarks/public_functions`). A
finding is *true* or a *false alarm*: each was adjudicated by other means, mostly mpmath, and
`benchmarks/findings.md` has a heading for it with a snippet and the right value. The exit status is
1 if there is a finding without one, or a false alarm.
"""

import argparse
import collections
import dataclasses
import json
import re
import signal
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import hypothesis
import jax
from public_functions import PARTS
from public_functions.entry import Entry
from rich.console import Console
from rich.table import Table

from mog_jax.crosscheck import crosscheck_rule

HERE = Path(__file__).parent
# Processor seconds after which a function is given up, and of exact evaluation at one input.
_MOST_SECONDS, _DEADLINE = 90, 10.0
_ROWS = ("judged", "right", "true", "false alarm", "not adjudicated", "refused", "no derivative")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one function.

    Attributes
    ----------
    name : str
    status : str
        ``"right"``, ``"finding"``, ``"refused"``, or ``"no derivative"`` if JAX has none either.
    kinds : tuple of str
        Of the findings.
    text : str
        The report, or why there is none.
    seconds : float
    """

    name: str
    status: str
    kinds: tuple[str, ...] = ()
    text: str = ""
    seconds: float = 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    parts = options.parts or (["jnp.fft"] if options.quick else list(PARTS))
    found: dict[str, list[Outcome]] = _read(options.json)
    absent = []
    for part in () if options.no_run else parts:
        try:
            entries = [e for e in PARTS[part]() if options.only in e.name]
        except ImportError as error:
            absent.append(f"{part}: {error}")
            continue
        known = {outcome.name: outcome for outcome in found.get(part, [])}
        for entry in entries[: 4 if options.quick else None]:
            before = known.get(entry.name)
            if before is None or (options.retry and before.status != "right"):
                known[entry.name] = judged(entry, options.examples, options.order)
                print(_line(known[entry.name]), flush=True)
            found[part] = list(known.values())
            _write(options.json, found)
    shown = {part: found[part] for part in PARTS if part in found}
    _table(shown, absent)
    if options.markdown:
        Path(options.markdown).write_text(_markdown(shown))
    verdicts = _adjudicated()
    findings = [o for outcomes in shown.values() for o in outcomes if o.status == "finding"]
    return int(any(verdicts.get(outcome.name) != "true" for outcome in findings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="world", description=(__doc__ or "").splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART")
    parser.add_argument("--quick", action="store_true", help="four functions, for a smoke test")
    parser.add_argument("--only", default="", metavar="TEXT", help="functions with it in the name")
    parser.add_argument("--examples", type=int, default=40, help="inputs each (default: 40)")
    parser.add_argument("--order", type=int, default=1, choices=(1, 2), help="default: 1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep outcomes; go on from them")
    parser.add_argument(
        "--retry", action="store_true", help="judge again what was anything but right in FILE"
    )
    parser.add_argument("--markdown", metavar="FILE", help="write the long table")
    parser.add_argument("--no-run", action="store_true", help="only show what FILE has")
    return parser


def judged(entry: Entry, examples: int, order: int) -> Outcome:
    """Judge one function's own derivative."""
    began = time.process_time()
    try:
        with _at_most(_MOST_SECONDS):
            status, kinds, text = _judged(entry, examples, order)
    except Exception as error:
        status = "refused" if _can_be_differentiated(entry) else "no derivative"
        kinds, text = (), f"{type(error).__name__}: {error}"
    seconds = round(time.process_time() - began, 1)
    return Outcome(name=entry.name, status=status, kinds=kinds, text=text, seconds=seconds)


def _judged(entry: Entry, examples: int, order: int) -> tuple[str, tuple[str, ...], str]:
    report = crosscheck_rule(
        entry.function,
        entry.function,
        entry.inputs,
        wrt=entry.wrt or _differentiable(entry),
        examples=examples,
        order=order,
        agrees_to=entry.agrees_to,
        normwise=entry.normwise,
        deadline=_DEADLINE,
        name=entry.name,
    )
    kinds = tuple(dict.fromkeys(str(finding.kind) for finding in report.findings))
    if kinds == ("not_judged",):
        return "refused", (), str(report.findings[0].explanation)
    return ("right" if report.ok else "finding"), kinds, str(report)


class _Slow(Exception):  # noqa: N818, no error of the function's
    """A function took too long."""


class _at_most:  # noqa: N801, used like a function
    """Raise `_Slow` when the block has taken too many seconds of the processor."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        signal.signal(signal.SIGPROF, self._raise)
        signal.setitimer(signal.ITIMER_PROF, self.seconds)

    def _raise(self, *_: object) -> None:
        raise _Slow(f"took more than {self.seconds:g} processor seconds")

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _can_be_differentiated(entry: Entry) -> bool:
    """Return whether JAX itself has a derivative, in one of its modes."""
    try:
        return bool(_differentiable(entry))
    except Exception:
        return False


def _differentiable(entry: Entry) -> tuple[int, ...]:
    """Return the arguments by which JAX differentiates, in one of its modes."""
    quick = hypothesis.settings(database=None, max_examples=1)
    args = hypothesis.find(entry.inputs, lambda _: True, settings=quick)
    floats = [i for i, arg in enumerate(args) if arg.dtype.kind == "f"]
    return tuple(
        i for i in floats if entry.wrt is None or i in entry.wrt if _is_smooth(entry, args, i)
    )


def _is_smooth(entry: Entry, args: Any, position: int) -> bool:
    def of_one(moved: Any) -> Any:
        return entry.function(*args[:position], moved, *args[position + 1 :])

    def pulled(moved: Any) -> Any:
        output, pullback = jax.vjp(of_one, moved)
        return output, pullback(output)

    for mode in (pulled, lambda moved: jax.jvp(of_one, (moved,), (moved,))):
        try:
            with jax.enable_x64(True):
                output, _ = jax.eval_shape(mode, jax.numpy.asarray(args[position]))
        except Exception:
            continue
        leaves = jax.tree.leaves(output)
        return bool(leaves) and all(leaf.dtype.kind == "f" for leaf in leaves)
    return False


def _adjudicated() -> dict[str, str]:
    """Read the verdicts on findings: headings such as ``## jax.nn.relu: true``."""
    path = HERE / "findings.md"
    text = path.read_text() if path.exists() else ""
    return dict(re.findall(r"^## (.+): (true|false alarm)$", text, flags=re.MULTILINE))


def _counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    verdicts = _adjudicated()
    counts = collections.Counter(
        verdicts.get(o.name, "not adjudicated") if o.status == "finding" else o.status
        for o in outcomes
    )
    counts["judged"] = sum(o.status in ("right", "finding") for o in outcomes)
    return {row: counts[row] for row in _ROWS}


def _table(found: dict[str, list[Outcome]], absent: Sequence[str]) -> None:
    table = Table(title="The public surface, each function's own derivative")
    for column in ("part", "functions", *_ROWS):
        table.add_column(column, justify="left" if column == "part" else "right")
    for cells in _cells(found):
        table.add_row(*cells)
    console = Console(width=120)
    console.print(table)
    for line in absent:
        console.print(f"absent: {line}")
    for reason, names in _refusals(found).items():
        console.print(f"refused: {reason}: {', '.join(names)}", highlight=False)


def _cells(found: dict[str, list[Outcome]]) -> Iterator[tuple[str, ...]]:
    everything = [outcome for outcomes in found.values() for outcome in outcomes]
    for part, outcomes in [*found.items(), ("all", everything)]:
        counts = _counts(outcomes).values()
        yield part, str(len(outcomes)), *(str(count) for count in counts)


def _refusals(found: dict[str, list[Outcome]]) -> dict[str, list[str]]:
    """Group refused functions by the reason."""
    reasons: dict[str, list[str]] = {}
    for outcomes in found.values():
        for outcome in outcomes:
            if outcome.status == "refused":
                reasons.setdefault(_reason(outcome.text), []).append(outcome.name)
    return dict(sorted(reasons.items(), key=lambda item: -len(item[1])))


def _reason(text: str) -> str:
    primitive = re.search(r"no rule for the primitive `(\w+)`", text)
    return f"no rule for `{primitive[1]}`" if primitive else text.splitlines()[0][:150]


def _markdown(found: dict[str, list[Outcome]]) -> str:
    """Write the long table: each part, its findings and refusals."""
    header = ("part", "functions", *_ROWS)
    lines = [f"| {' | '.join(header)} |", "| --- |" + " ---: |" * (len(header) - 1)]
    lines += [f"| {' | '.join(cells)} |" for cells in _cells(found)]
    verdicts = _adjudicated()
    lines += ["", "| finding | verdict | |", "| --- | --- | --- |"]
    lines += [
        f"| `{o.name}` | {', '.join(f'`{kind}`' for kind in o.kinds)} | "
        f"{verdicts.get(o.name, 'not adjudicated')} |"
        for outcomes in found.values()
        for o in outcomes
        if o.status == "finding"
    ]
    lines += ["", "| refused because of | functions |", "| --- | --- |"]
    lines += [
        f"| {reason} | {', '.join(f'`{name}`' for name in names)} |"
        for reason, names in _refusals(found).items()
    ]
    packages = ("jax", "optax", "distrax", "numpyro", "tfp-nightly", "equinox", "lineax")
    versions = [f"{name} {_version(name)}" for name in (*packages, "optimistix", "diffrax")]
    return "\n".join([*lines, "", f"{', '.join(versions)}.", ""])


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"


def _line(outcome: Outcome) -> str:
    said = ", ".join(outcome.kinds) or (_reason(outcome.text) if outcome.status != "right" else "")
    return f"{outcome.name}: {outcome.status} {said} ({outcome.seconds} s)"


def _read(path: Path | None) -> dict[str, list[Outcome]]:
    if path is None or not path.exists():
        return {}
    return {
        part: [Outcome(**one | {"kinds": tuple(one["kinds"])}) for one in outcomes]
        for part, outcomes in json.loads(path.read_text()).items()
    }


def _write(path: Path | None, found: dict[str, list[Outcome]]) -> None:
    if path is not None:
        plain = {
            part: [dataclasses.asdict(one) for one in outcomes] for part, outcomes in found.items()
        }
        path.write_text(json.dumps(plain, indent=1) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
