"""Times the first answer of a new process: on a new machine, the next time, and once warm.

Whole processes: interpreter, imports, compilation and all. *New machine*: nothing has been compiled
before, and JAX's own cache is off. *Next process*: the same one again, which finds what the package
keeps on disk. *Warm*: the same calls once more in that process. Beside them scikit-learn, with a
loop over the datasets, on one thread. Processor seconds are of all threads together, and less
disturbed than wall time by other load on the machine. Programs are those that XLA has
compiled. Every answer is compared with the textbook likelihood.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import _problems
import _timing
import numpy as np
from rich.table import Table

Array = np.ndarray[Any, np.dtype[Any]]
Timed = tuple[float, float, int]  # seconds of the processor, by the clock; programs compiled

# Processes of the package, as sequences of calls.
PROCESSES = {
    "one dataset": ["one"],
    "ragged groups": ["ragged"],
    "all of these, in turn": [
        *("one", "many", "ragged", "ragged again", "other options", "loop"),
        *("predict", "log_density", "cdf", "threshold"),
    ],
}
PEERS = {
    "import jax": ["import jax"],
    "scikit-learn: import": ["import sklearn"],
    "scikit-learn: one dataset": ["import sklearn", "sklearn one"],
    "scikit-learn: many": ["import sklearn", "sklearn many"],
    "scikit-learn: ragged groups": ["import sklearn", "sklearn ragged"],
}
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small data: a smoke test")
    parser.add_argument("--rounds", type=int, default=3, help="new machines of which the median is")
    parser.add_argument(
        "--only", nargs="+", metavar="PROCESS", help=f"from {list(PEERS | PROCESSES)}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--child", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        folder, started, *names = options.child
        print(json.dumps(work(Path(folder), float(started), names)))
        return 0
    titles = options.only or list(PEERS | PROCESSES)
    if unknown := set(titles) - set(PEERS | PROCESSES):
        parser.error(f"no process called {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        sizes = write_data(Path(folder), quick=options.quick)
        n_rounds = 1 if options.quick else options.rounds
        rounds = [one_round(Path(folder), titles) for _ in range(n_rounds)]
    show(rounds, sizes)
    if options.json:
        figures = {"provenance": _timing.provenance(), "sizes": sizes, "rounds": rounds}
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def write_data(folder: Path, *, quick: bool) -> dict[str, str]:
    """Write the datasets of all calls, and return their description."""
    from mog_jax import datasets

    n_groups, longest, n_many = (12, 1_000, 20) if quick else (300, 30_000, 200)
    n_lengths = 3 if quick else 20
    rng = np.random.default_rng(0)
    sets: dict[str, list[Array]] = {
        "one": [datasets.faithful()],
        "many": list(_problems.draw("mixed", 0, n_many, 300)),
        "ragged": draw_ragged(rng, n_groups, 30, longest),
        "ragged again": draw_ragged(rng, n_groups * 2 // 3, 30, longest),
        "lengths": draw_ragged(rng, n_lengths, 40, 2_000),
    }
    for name, rows in sets.items():
        ends = np.cumsum([len(row) for row in rows])[:-1]
        np.savez(folder / f"{name}.npz", points=np.concatenate(rows), ends=ends)
    loop = f"at {n_lengths} lengths, 40 to 2,000"
    return {
        "one": "272 points",
        "many": f"{n_many} x 300",
        "ragged": f"{n_groups} groups of 30 to {longest:,}",
        "ragged again": f"{n_groups * 2 // 3} others",
        "other options": f"{n_many} x 300, another tolerance and variance floor",
        "loop": f"fit, {loop}",
        **{name: f"{name}, {loop}" for name in ("predict", "log_density", "cdf", "threshold")},
    }


def draw_ragged(rng: np.random.Generator, n_groups: int, least: int, most: int) -> list[Array]:
    """Draw groups of two components, of lengths whose logarithms are uniform."""
    lengths = np.exp(rng.uniform(np.log(least), np.log(most), n_groups)).astype(int)
    lengths[:2] = least, most
    distances, weights = rng.uniform(1.5, 6, n_groups), rng.uniform(0.1, 0.9, n_groups)
    return [
        rng.normal(size=n) + distance * (rng.random(n) < weight)
        for n, distance, weight in zip(lengths, distances, weights, strict=True)
    ]


def one_round(data: Path, titles: Iterable[str]) -> dict[str, dict[str, dict[str, Timed]]]:
    """Run each process on a new machine, and once more; give the times of its calls by kind."""
    found = {}
    for title in titles:
        if title in PEERS:
            again, warm = start(data, PEERS[title], _ONE_THREAD)
            found[title] = {"next process": again, "warm": warm}
            continue
        with tempfile.TemporaryDirectory() as store:
            variables = {"MOG_JAX_CACHE_DIR": store}
            new, _ = start(data, PROCESSES[title], variables)
            again, warm = start(data, PROCESSES[title], variables)
        found[title] = {"new machine": new, "next process": again, "warm": warm}
    return found


def start(data: Path, names: list[str], variables: Mapping[str, str]) -> list[dict[str, Timed]]:
    """Run calls in a process of its own; give their times, cold and warm."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JAX_COMPILATION_CACHE", "JAX_PERSISTENT", "MOG_JAX_"))
    }
    command = [sys.executable, __file__, "--child", str(data), str(time.time()), *names]
    done = subprocess.run(
        command, env=environment | dict(variables), check=True, stdout=subprocess.PIPE, text=True
    )
    times: list[dict[str, Timed]] = json.loads(done.stdout.splitlines()[-1])
    return times


# In the process of its own


def work(data: Path, started: float, names: list[str]) -> list[dict[str, Timed]]:
    """Make all calls, and once more; the whole first pass, with the process's start, is "all"."""
    programs: list[str] = []
    if any(name == "import jax" or name in CALLS for name in names):
        count_programs(programs)
    session = Session(data)
    first = {name: timed(lambda name=name: call(session, name), programs) for name in names}
    first["all"] = time.process_time(), time.time() - started, len(programs)
    warm = {name: timed(lambda name=name: call(session, name), programs) for name in names}
    session.check()
    return [first, warm]


def count_programs(programs: list[str]) -> None:
    """Append an entry to a list for each program that XLA compiles."""
    import jax

    def listen(event: str, _: float, **__: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            programs.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)


def timed(function: Callable[[], None], programs: list[str]) -> Timed:
    processor, wall, count = time.process_time(), time.perf_counter(), len(programs)
    function()
    return time.process_time() - processor, time.perf_counter() - wall, len(programs) - count


@dataclasses.dataclass
class Session:
    """The data and fits of one process so far."""

    folder: Path
    sets: dict[str, list[Array]] = dataclasses.field(default_factory=dict)
    fits: dict[str, list[Any]] = dataclasses.field(default_factory=dict)

    def rows(self, name: str) -> list[Array]:
        """Read a collection of datasets."""
        if name not in self.sets:
            with np.load(self.folder / f"{name}.npz") as file:
                self.sets[name] = np.split(file["points"], file["ends"])
        return self.sets[name]

    def check(self) -> None:
        """Compare the log-likelihoods of the package's fits with the textbook formula."""
        for name, fits in self.fits.items():
            rows = self.rows(name)
            pairs = zip(rows, (fit for batch in fits for fit in batch), strict=True)
            for x, fit in list(pairs)[:: max(1, len(rows) // 20)]:
                if fit.converged:
                    value = log_likelihood(x, fit.mixture)
                    np.testing.assert_allclose(fit.log_likelihood, value, rtol=1e-9)


def log_likelihood(x: Array, mixture: Any) -> float:
    """Sum the log-density of each point, in nats."""
    weights, means = np.asarray(mixture.weights), np.asarray(mixture.means)
    variances = np.asarray(mixture.variances)
    deviations = x[:, None] - means
    densities = np.exp(-(deviations**2) / (2 * variances)) / np.sqrt(2 * np.pi * variances)
    return float(np.log(densities @ weights).sum())


def call(session: Session, name: str) -> None:
    (CALLS | PEER_CALLS)[name](session)


def _fit(name: str) -> Callable[[Session], None]:
    def function(session: Session) -> None:
        import mog_jax

        session.fits[name] = [mog_jax.fit(session.rows(name))]

    return function


def _other_options(session: Session) -> None:
    import mog_jax

    mog_jax.fit(session.rows("many"), tolerance=1e-8, variance_floor=1e-5)


def _loop(session: Session) -> None:
    import mog_jax

    session.fits["lengths"] = [mog_jax.fit([x]) for x in session.rows("lengths")]


def _ask(answer: str) -> Callable[[Session], None]:
    def function(session: Session) -> None:
        for fits, x in zip(session.fits["lengths"], session.rows("lengths"), strict=True):
            np.asarray(getattr(fits[0], answer)(x))

    return function


def _thresholds(session: Session) -> None:
    # A threshold is of fits, not of points: here as many at once as there are turns so far.
    fits = session.fits["many"][0]
    for turn in range(1, 1 + len(session.rows("lengths"))):
        np.asarray(fits[:turn].threshold().value)


CALLS: dict[str, Callable[[Session], None]] = {
    "one": _fit("one"),
    "many": _fit("many"),
    "ragged": _fit("ragged"),
    "ragged again": _fit("ragged again"),
    "other options": _other_options,
    "loop": _loop,
    "predict": _ask("predict"),
    "log_density": _ask("log_density"),
    "cdf": _ask("cdf"),
    "threshold": _thresholds,
}


def _import_sklearn(_: Session) -> None:
    import sklearn.mixture  # noqa: F401


def _import_jax(_: Session) -> None:
    import jax  # noqa: F401


def _sklearn(name: str) -> Callable[[Session], None]:
    def function(session: Session) -> None:
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        warnings.simplefilter("ignore", ConvergenceWarning)
        for x in session.rows(name):
            GaussianMixture(2, random_state=0).fit(x[:, None])

    return function


PEER_CALLS: dict[str, Callable[[Session], None]] = {
    "import jax": _import_jax,
    "import sklearn": _import_sklearn,
    "sklearn one": _sklearn("one"),
    "sklearn many": _sklearn("many"),
    "sklearn ragged": _sklearn("ragged"),
}


# What is printed


def show(rounds: list[Any], sizes: Mapping[str, str]) -> None:
    """Print a table of whole processes, and one of the calls in the longest of them."""
    kinds = ["new machine", "next process", "warm"]
    table = Table(
        title="From a new process to the answer: processor s (s by the clock), programs compiled",
        caption=_timing.provenance(),
    )
    table.add_column("what")
    for kind in kinds:
        table.add_column(kind, justify="right")
    for title in rounds[0]:
        names = (PEERS | PROCESSES)[title]
        known = [sizes[name] for name in names if name in sizes]
        label = f"{title}: {known[0]}" if len(known) == 1 else title
        table.add_row(label, *(_cell(rounds, title, kind, ["all"], names) for kind in kinds))
        for name in names if len(known) > 1 else ():
            cells = (_cell(rounds, title, kind, [name], [name]) for kind in kinds)
            table.add_row(f"  {sizes[name]}", *cells)
    _timing.console().print(table)


def _cell(rounds: list[Any], title: str, kind: str, names: list[str], calls: list[str]) -> str:
    """Show medians over the rounds: of the first pass, or of the sum over calls when warm."""
    if kind == "warm":
        names = [name for name in calls if not name.startswith("import")]
    if kind not in rounds[0][title] or not names:
        return ""
    summed = [np.sum([found[title][kind][name] for name in names], axis=0) for found in rounds]
    processor, wall, count = np.median(summed, axis=0)
    return f"{_timing.figure(processor)} ({_timing.figure(wall)}), {count:.0f}"


if __name__ == "__main__":
    raise SystemExit(main())
