"""Exceptions of exact evaluation."""

import math

_BITS_PER_DIGIT = math.log2(10)


class UnknownPrimitive(NotImplementedError):  # noqa: N818, it names the cause, not a failure
    """A program cannot be evaluated exactly: a primitive has no rule, or a loop no end."""


class Undecided(ArithmeticError):  # noqa: N818, likewise
    """A comparison, a rounding or an index that no precision within the limit decides.

    Attributes
    ----------
    primitive : str
        The name of the primitive that could not decide.
    """

    def __init__(self, primitive: str, bits: int) -> None:
        digits = round(bits / _BITS_PER_DIGIT)
        super().__init__(
            f"`{primitive}` cannot be decided at {digits} digits: its operands are equal to that "
            "precision without being the same expression, or are not determined at all."
        )
        self.primitive = primitive
