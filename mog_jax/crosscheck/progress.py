"""Shows a progress line on the terminal while a check takes long."""

import sys
import time


class Progress:
    """A line on standard error, if that is a terminal and the check takes more than 3 seconds."""

    _PATIENCE = 3.0

    def __init__(self, name: str, total: int) -> None:
        self._name, self._total = name, total
        self._start = self._shown = time.monotonic()
        self._used = False

    def __call__(self, count: int) -> None:
        """Show the number of inputs that have been judged."""
        now = time.monotonic()
        if now - self._start < self._PATIENCE or now - self._shown < 0.2:
            return
        if sys.stderr.isatty():
            self._shown, self._used = now, True
            sys.stderr.write(f"\r{self._name}: {count} of {self._total} inputs")

    def close(self) -> None:
        """Clear the line."""
        if self._used:
            sys.stderr.write("\r\033[K")
