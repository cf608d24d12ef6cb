"""Holds the settings that all cross-checks of a test session share.

The pytest plugin sets them; without the plugin nothing is recorded. Importing this module loads
neither JAX nor Hypothesis.
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
        Replaces the `examples` of each check.
    remember : bool
        Whether Hypothesis keeps failing inputs in its example database.
    test : str
        Name of the test that is running.
    """

    record: Callable[[dict[str, Any]], None] | None = None
    examples: int | None = None
    remember: bool = False
    test: str = ""


current = Session()
