"""Times tools in separate processes, in turn, so that drift of the machine affects all alike.

A process of its own gives each tool its own peak memory, its own threads, and JAX's flags as it
wants them. All processes live until the end and sleep while another works; in each round every
tool that still has time left fits its batch once.
"""

import concurrent.futures
import dataclasses
import gc
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import _peers
import _problems
import numpy as np
from _quality import Fitted

Array = np.ndarray[Any, np.dtype[Any]]
Seconds = tuple[float, float]  # by the clock, and of the processor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """A batch of datasets, defined by these fields: the same for every tool."""

    family: str
    seed: int
    n_datasets: int
    n_points: int

    def draw(self) -> Array:
        """Draw the batch, ``(b, n)``."""
        return _problems.draw(self.family, self.seed, self.n_datasets, self.n_points)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """The result of a tool on a problem.

    Parameters
    ----------
    problem
        What it was given: a slow tool gets fewer datasets.
    first
        Seconds of the first call, compilation and all.
    seconds
        Of each of the later calls; of the first one alone if it left no time for others.
    processor
        Seconds of processor time of the same calls, all threads together: more than `seconds` where
        a tool uses several cores, and less troubled by what else the machine does.
    peak
        Most bytes that the process has held so far, beyond its imports and the data.
    fitted
        The fits of the first call.
    """

    problem: Problem
    first: float
    seconds: Array
    processor: Array
    peak: int
    fitted: Fitted

    @property
    def compilation(self) -> float:
        """Seconds of the first call beyond a later one: compilation, mostly."""
        return max(0.0, self.first - float(np.median(self.seconds)))

    @property
    def milliseconds_a_fit(self) -> Array:
        """Mean over the batch, one value a round."""
        return 1e3 * self.seconds / self.problem.n_datasets

    @property
    def processor_milliseconds_a_fit(self) -> Array:
        """Likewise, of the processor's time."""
        return 1e3 * self.processor / self.problem.n_datasets


class Workers:
    """One process a tool; a context manager that ends them."""

    def __init__(self, tools: Iterable[str]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pools = {
            name: concurrent.futures.ProcessPoolExecutor(1, mp_context=context) for name in tools
        }

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)

    def measure(
        self, problems: Mapping[str, Problem], rounds: int, budget: float
    ) -> dict[str, Run]:
        """Let each tool fit its problem once and then in `rounds` rounds, or for `budget` seconds.

        Parameters
        ----------
        problems
            By tool; tools that are not named sit it out.
        rounds
            Calls after the first.
        budget
            Seconds a tool may spend on the later calls. Where that is less than one call, the
            first stands for them: the tools that slow do not compile.
        """
        firsts = {
            name: self._ask(name, _first, name, problem) for name, problem in problems.items()
        }
        taken: dict[str, list[Seconds]] = {name: [] for name in problems}
        for _ in range(rounds):
            for name, (first, _, _) in firsts.items():
                walls = [wall for wall, _ in taken[name]]
                expected = float(np.mean(walls)) if walls else min(first[0], budget)
                if sum(walls) + expected <= budget:
                    taken[name].append(self._ask(name, _again))
        runs = {}
        for name, (first, peak, fitted) in firsts.items():
            seconds, processor = np.array(taken[name] or [first]).T
            runs[name] = Run(
                problem=problems[name],
                first=first[0],
                seconds=seconds,
                processor=processor,
                peak=peak,
                fitted=fitted,
            )
        return runs

    def fit(self, name: str, x: Array) -> Fitted:
        """Let a tool fit `x`, untimed."""
        fitted: Fitted = self._ask(name, _fit, name, x)
        return fitted

    def _ask(self, name: str, function: Any, *arguments: Any) -> Any:
        return self._pools[name].submit(function, *arguments).result()


# State of a tool's process: its current problem, and the bytes of its imports.

_held: dict[str, Any] = {}
_imports: dict[str, int] = {}


def _first(name: str, problem: Problem) -> tuple[Seconds, int, Fitted]:
    tool = _peers.TOOLS[name]
    for package in tool.needs:
        __import__(package)
    _held.clear()
    if name not in _imports:
        _imports[name] = forget_peak()
    x = problem.draw()
    _held.update(fit=tool.fit, x=x)
    seconds, fitted = _timed(tool.fit, x)
    return seconds, peak_memory() - _imports[name] - x.nbytes, fitted


def _again() -> Seconds:
    seconds, _ = _timed(_held["fit"], _held["x"])
    return seconds


def _timed(fit: Callable[[Array], Fitted], x: Array) -> tuple[Seconds, Fitted]:
    wall, processor = time.perf_counter(), time.process_time()
    fitted = fit(x)
    return (time.perf_counter() - wall, time.process_time() - processor), fitted


def _fit(name: str, x: Array) -> Fitted:
    return _peers.TOOLS[name].fit(x)


def forget_peak() -> int:
    """Reset the peak of memory, if the system can; return the bytes in use now."""
    gc.collect()
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")
        return _linux_memory("VmRSS")
    return peak_memory()


def peak_memory() -> int:
    """Most bytes that this process has held."""
    if Path("/proc/self/status").exists():
        return _linux_memory("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _linux_memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))
