"""Times functions on a noisy machine: warm, interleaved, with medians and quartiles."""

import platform
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from rich.console import Console


def seconds(programs: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, np.ndarray]:
    """Time each program once per round, in turn, so that drift of the machine hits all alike.

    Every program is run once before, to compile and to warm the caches.
    """
    for program in programs.values():
        jax.block_until_ready(program())
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            start = time.perf_counter()
            jax.block_until_ready(program())
            taken[name].append(time.perf_counter() - start)
    return {name: np.asarray(values) for name, values in taken.items()}


def quartiles(values: np.ndarray) -> str:
    """Show the median, and the quartiles around it."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{figure(middle)} ({figure(low)} to {figure(high)})"


def figure(value: float) -> str:
    """Return a number with three digits, and all digits before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def provenance() -> str:
    """Return the versions and the kind of machine, without names."""
    return (
        f"jax {jax.__version__} on {jax.default_backend()}, {jax.device_count()} device(s), "
        f"{platform.machine()}, Python {platform.python_version()}"
    )


def console() -> Console:
    """Return a console: as wide as the terminal, and in a file wide enough for all tables."""
    return Console(width=None if sys.stdout.isatty() else 132)
