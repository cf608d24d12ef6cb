"""Settings that the cross-checks of one test session share.

The pytest plugin sets it; without the plugin nothing is recorded. Importing this loads nothing.
"""

import dataclasses
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass
class Session:
    """Settings of a test session.

    Attributes
    ----------
    record : Callable[[dict[str, Any]], None], optional
        Called with a summary of each cross-check.
    examples : int, optional
        Replaces the number of examples that a check asks for.
    remember : bool
        Whether Hypothesis keeps failing inputs in its example database.
    test : str
        The test that is running.
    """

    record: Callable[[dict[str, Any]], None] | None = None
    examples: int | None = None
    remember: bool = False
    test: str = ""


current = Session()
