"""Runs programs that may not end, with a deadline: a compiled loop cannot be stopped.

A program runs in a thread of its own, which is abandoned at the deadline. The thread goes on until
the process ends, so a program that did not end once is not run again.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

import jax
import numpy as np

from mog_jax.crosscheck.exact import Overdue, time_left
from mog_jax.crosscheck.findings import Execution

T = TypeVar("T")


class Endless:
    """Runs the executions of a claim, and records those that did not end."""

    def __init__(self) -> None:
        self._abandoned: set[Execution] = set()

    def run(self, name: Execution, action: Callable[[], T]) -> T:
        """Return the result of `action`; raise `Overdue` if it does not end within the deadline."""
        left = time_left()
        if left is None:
            return action()
        if name in self._abandoned:
            raise Overdue(_explanation(name))
        found: list[T] = []
        errors: list[BaseException] = []
        wide = jax.dtypes.canonicalize_dtype(np.float64) == np.float64

        def run() -> None:
            # JAX's precision holds for one thread only.
            with jax.enable_x64(wide):
                try:
                    found.append(action())
                except BaseException as error:
                    errors.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(left)
        if thread.is_alive():
            self._abandoned.add(name)
            raise Overdue(_explanation(name))
        if errors:
            raise errors[0]
        return found[0]


def _explanation(name: Execution) -> str:
    return f"a loop in a compiled program ({name}) does not end within the deadline"
