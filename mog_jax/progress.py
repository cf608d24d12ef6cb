"""Progress of a run: a bar on standard error with rate and time left."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

# Called with the name of the work, the amount done and the total (0 if unknown), and the number of
# groups or datasets done.
ReportProgress = Callable[[str, int, int, int], None]


def silent(stage: str, done: int, total: int, groups: int) -> None:
    """Report nothing."""


@contextlib.contextmanager
def bar(*, show: bool) -> Iterator[ReportProgress]:
    """Yield a `ReportProgress` that draws a bar on standard error, or `silent`."""
    if not show:
        yield silent
        return
    from rich import progress
    from rich.console import Console

    columns: list[Any] = [
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TextColumn("{task.fields[rate]}"),
        progress.TextColumn("elapsed"),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
    ]
    # A chunk may take longer than half a minute, after which the display would drop the rate.
    with progress.Progress(
        *columns, console=Console(stderr=True), transient=True, speed_estimate_period=3600
    ) as display:
        task = display.add_task("reading", total=None, rate="")
        stages: dict[str, tuple[float, int, int]] = {}

        def report(stage: str, done: int, total: int, groups: int) -> None:
            if stage not in stages:
                stages[stage] = time.perf_counter(), done, groups
                display.reset(task, description=stage, total=total or None, completed=done, rate="")
                return
            begin, _, before = stages[stage]
            rate = (groups - before) / max(time.perf_counter() - begin, 1e-9)
            shown = f"{rate:,.0f} fits/s" if groups else ""
            display.update(task, completed=done, total=total or None, rate=shown)

        yield report
