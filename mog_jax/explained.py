"""Outcomes that fit into an array of integers, each with a sentence for people."""

import enum
from typing import Self


class Explained(enum.IntEnum):
    """An enumeration whose members are a number and what it means.

    Attributes
    ----------
    message : str
        The meaning of the member, in a sentence.

    Examples
    --------
    >>> class Weather(Explained):
    ...     DRY = 0, "no rain fell"
    ...     WET = 1, "rain fell"
    >>> Weather(1).message
    'rain fell'
    """

    message: str

    def __new__(cls, value: int, message: str = "") -> Self:
        """Make a member of its number and its meaning."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.message = message
        return member
