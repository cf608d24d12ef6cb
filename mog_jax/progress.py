"""A progress bar on standard error."""

from typing import Any


class ProgressBar:
    """A progress bar over datasets, or nothing."""

    def __init__(self, shown: bool, total: int) -> None:
        self._bar: Any = None
        if shown:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

            self._bar = Progress(
                "fitting",
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task("fitting", total=total)

    def __enter__(self) -> "ProgressBar":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, number: int) -> None:
        """Say that so many more datasets are done."""
        if self._bar is not None:
            self._bar.advance(self._task, number)
