"""A pytest plugin that lists every cross-check and its digits at the end of a session.

It loads neither JAX nor Hypothesis: a test session without cross-checks is not slowed down.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mog_jax.crosscheck import session

# pytest-xdist sends this property from its workers with each test's report.
_PROPERTY = "mog_jax_crosscheck"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for a thorough run."""
    group = parser.getgroup("crosscheck", "cross-checks of derivatives (mog_jax)")
    group.addoption(
        "--crosscheck-examples",
        type=_positive,
        metavar="N",
        help="inputs that each cross-check draws, instead of the number it asks for",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Set the number of examples, and keep failing inputs from run to run."""
    session.current.examples = config.getoption("--crosscheck-examples")
    session.current.remember = True
    config.pluginmanager.register(_Summary(), "mog_jax_crosscheck_summary")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Reset the settings."""
    session.current.examples, session.current.remember = None, False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Attach the cross-checks that a test runs to its report."""
    lines: list[dict[str, Any]] = []
    session.current.record, session.current.test = lines.append, item.nodeid
    try:
        return (yield)
    finally:
        session.current.record, session.current.test = None, ""
        item.user_properties.extend((_PROPERTY, json.dumps(line)) for line in lines)


class _Summary:
    """Collects the lines of all workers, and prints them at the end of the session."""

    def __init__(self) -> None:
        self._lines: list[tuple[bool, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            for name, value in report.user_properties:
                if name == _PROPERTY:
                    entry = json.loads(str(value))
                    self._lines.append((entry["ok"], entry["line"]))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self._lines:
            return
        terminalreporter.section("cross-checked derivatives")
        for ok, line in sorted(self._lines):
            terminalreporter.write_line(line, green=ok, red=not ok)


def _positive(text: str) -> int:
    import argparse

    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"must be a positive integer; got {text!r}")
    return int(text)
