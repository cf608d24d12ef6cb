"""A time by which exact evaluation gives up."""

import contextlib
import contextvars
import time
from collections.abc import Iterator

# Seconds that a number costs at least, so that what can never be done in time is not begun.
_LEAST = 1e-7
# Of fewer numbers than this the clock is not asked.
_FEW = 1000
STEP = _FEW
"""What a step of a loop counts as."""

_until: contextvars.ContextVar[float | None] = contextvars.ContextVar("until", default=None)


class Overdue(TimeoutError):  # noqa: N818, it says what happened
    """Exact evaluation would not end in the time that it was given."""


@contextlib.contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """Let exact evaluation inside the block raise `Overdue` after a while; None for no limit."""
    token = _until.set(None if seconds is None else time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def time_left() -> float | None:
    """Give the seconds until exact evaluation gives up; None for no limit."""
    until = _until.get()
    return None if until is None else max(until - time.monotonic(), 0.0)


def check(name: str, size: int) -> None:
    """Raise `Overdue` if time is up, or cannot suffice for so many numbers."""
    until = _until.get()
    if until is None or size < _FEW:
        return
    if time.monotonic() + size * _LEAST > until:
        raise Overdue(f"`{name}` of {size:,} numbers does not end within the deadline")
