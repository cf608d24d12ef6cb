"""How long exact evaluation may take before it gives up."""

import contextlib
import contextvars
import dataclasses
import time
from collections.abc import Iterator

# Seconds that a number costs at least, so that what can never be done in time is not begun.
_LEAST = 1e-7
# Of fewer numbers than this the clock is not asked.
_FEW = 1000
STEP = _FEW
"""What a step of a loop counts as."""


@dataclasses.dataclass
class _Budget:
    """Seconds that are left, of the processor: what else the machine does is no matter."""

    left: float
    began: float | None = None

    def now(self) -> float:
        """Give what is left at this moment."""
        running = 0.0 if self.began is None else time.thread_time() - self.began
        return self.left - running


_budget: contextvars.ContextVar[_Budget | None] = contextvars.ContextVar("budget", default=None)


class Overdue(TimeoutError):  # noqa: N818, it says what happened
    """Exact evaluation would not end in the time that it was given."""


@contextlib.contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """Let exact evaluation inside the block take so many seconds in all, or raise `Overdue`.

    What is traced and compiled in between does not count. None is no limit.
    """
    token = _budget.set(None if seconds is None else _Budget(seconds))
    try:
        yield
    finally:
        _budget.reset(token)


@contextlib.contextmanager
def counted() -> Iterator[None]:
    """Count the time that the block takes."""
    budget = _budget.get()
    if budget is None or budget.began is not None:
        yield
        return
    budget.began = time.thread_time()
    try:
        yield
    finally:
        budget.left, budget.began = budget.now(), None


def time_left() -> float | None:
    """Give the seconds until exact evaluation gives up; None for no limit."""
    budget = _budget.get()
    return None if budget is None else max(budget.now(), 0.0)


def check(name: str, size: int) -> None:
    """Raise `Overdue` if time is up, or cannot suffice for so many numbers."""
    budget = _budget.get()
    if budget is None or size < _FEW:
        return
    if size * _LEAST > budget.now():
        raise Overdue(f"`{name}` of {size:,} numbers does not end within the deadline")
