"""What the cross-checks of one test session share: where results go, and how many inputs to try.

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
    record : called with a summary of each cross-check
    examples : replaces the number of examples that a check asks for
    remember : whether Hypothesis keeps failing inputs in its example database
    test : the test that is running
    """

    record: Callable[[dict[str, Any]], None] | None = None
    examples: int | None = None
    remember: bool = False
    test: str = ""


current = Session()
