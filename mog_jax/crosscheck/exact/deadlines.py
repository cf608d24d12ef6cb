"""Sets a deadline for exact evaluation, in processor time, and checks it."""

import contextlib
import contextvars
import dataclasses
import time
from collections.abc import Iterator

# Least cost of a number, in seconds: an operation that cannot end in time is not begun.
_LEAST = 1e-7
# For fewer numbers than this the clock is not read.
_FEW = 1000
STEP = _FEW
"""Number of numbers that a step of a loop counts as."""


@dataclasses.dataclass
class _Budget:
    """Seconds of processor time that are left, which do not depend on other work of the machine."""

    left: float
    began: float | None = None

    def now(self) -> float:
        """Return the seconds left now."""
        running = 0.0 if self.began is None else time.thread_time() - self.began
        return self.left - running


_budget: contextvars.ContextVar[_Budget | None] = contextvars.ContextVar("budget", default=None)


class Overdue(TimeoutError):  # noqa: N818, it says what happened
    """Exact evaluation would not end within the deadline."""


@contextlib.contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """Make exact evaluation raise `Overdue` after `seconds` in all; None for no limit.

    Tracing and compilation in between are not counted.
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
    """Return the seconds of exact evaluation that are left; None for no limit."""
    budget = _budget.get()
    return None if budget is None else max(budget.now(), 0.0)


def check(name: str, size: int) -> None:
    """Raise `Overdue` if the time is used up, or cannot suffice for `size` numbers."""
    budget = _budget.get()
    if budget is None or size < _FEW:
        return
    if size * _LEAST > budget.now():
        raise Overdue(f"`{name}` of {size:,} numbers does not end within the deadline")
