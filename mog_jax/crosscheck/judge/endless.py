"""Running a program that may not end: nothing stops a loop once it is compiled.

It runs in a thread of its own, which is abandoned when time is up. The thread goes on until the
process ends, so that no program is run again which has not ended once.
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
    """Which executions of a claim have not ended."""

    def __init__(self) -> None:
        self._abandoned: set[Execution] = set()

    def run(self, name: Execution, action: Callable[[], T]) -> T:
        """Run something that may not end; raise `Overdue` if it does not within the deadline."""
        left = time_left()
        if left is None:
            return action()
        if name in self._abandoned:
            raise Overdue(_explanation(name))
        found: list[T] = []
        errors: list[BaseException] = []
        wide = jax.dtypes.canonicalize_dtype(np.float64) == np.float64

        def run() -> None:
            # The precision belongs to a thread.
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
