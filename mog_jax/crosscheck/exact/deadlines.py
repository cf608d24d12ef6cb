"""Sets a deadline for exact evaluation, and checks it."""

import contextlib
import contextvars
import time
from collections.abc import Iterator

# Least cost of a number, in seconds: an operation that cannot end in time is not begun.
_LEAST = 1e-7
# For fewer numbers than this the clock is not read.
_FEW = 1000
STEP = _FEW
"""Number of numbers that a step of a loop counts as."""

_until: contextvars.ContextVar[float | None] = contextvars.ContextVar("until", default=None)


class Overdue(TimeoutError):  # noqa: N818, it says what happened
    """Exact evaluation would not end within the deadline."""


@contextlib.contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """Make exact evaluation inside the block raise `Overdue` after `seconds`; None for no limit."""
    token = _until.set(None if seconds is None else time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def time_left() -> float | None:
    """Return the seconds until the deadline; None for no limit."""
    until = _until.get()
    return None if until is None else max(until - time.monotonic(), 0.0)


def check(name: str, size: int) -> None:
    """Raise `Overdue` if the deadline has passed, or is too near for `size` numbers."""
    until = _until.get()
    if until is None or size < _FEW:
        return
    if time.monotonic() + size * _LEAST > until:
        raise Overdue(f"`{name}` of {size:,} numbers does not end within the deadline")
