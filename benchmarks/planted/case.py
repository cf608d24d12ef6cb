"""Defines a planted case: a subject, and another derivative of it, right or wrong.

A *subject* is a function as a careful person writes it, its right derivative, and two kinds of
inputs: the strategy that the same person would declare for that function (one for all its cases,
never tuned to a bug), and typical points, as the documentation of other checkers suggests them.

A *case* claims to be the subject's derivative. What is expected of a checker is a verdict: the
kinds of finding of which at least one must be reported, or none for a right derivative. A subject
with `is_rule` is differentiated by JAX itself: its cases are the function with a `custom_jvp` or
`custom_vjp` rule, to be compared with the function without one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from hypothesis.strategies import SearchStrategy

Verdict = Literal[
    "wrong_formula",
    "unstable",
    "not_finite",
    "differs_under_jit",
    "differs_under_vmap",
    "forward_reverse_differ",
    "wrong_second_order",
    "wrong_shape_or_dtype",
]

Kind = Literal[
    "factor",
    "sign",
    "power",
    "index",
    "smoothing",
    "clip",
    "dropped",
    "tail",
    "ordering",
    "equality",
    "float32",
    "cancellation",
    "overflow",
    "boundary",
    "jit",
    "vmap",
    "second order",
    "shape or dtype",
    "rewriting",
]

# Which cases the harness was made with, which were written unseen beside it, which after it, and
# which are rebuilt from public bug reports.
Group = Literal["known", "held back", "fresh", "reported"]

KINDS: tuple[Kind, ...] = get_args(Kind)

# A program that loses all its digits may do so through infinity or not: both are rounding.
ROUNDING: tuple[Verdict, ...] = ("unstable", "not_finite")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A function, its right derivative, and the inputs to try them on."""

    name: str
    function: Callable[..., Any]
    inputs: SearchStrategy[tuple[Any, ...]]
    typical: Callable[[np.random.Generator], tuple[Any, ...]]
    derivative: Callable[..., Any] | None = None
    wrt: int | tuple[int, ...] = 0

    @property
    def is_rule(self) -> bool:
        """Whether its cases are functions with their own rule, rather than derivatives."""
        return self.derivative is None

    @property
    def differentiated(self) -> tuple[int, ...]:
        """The positions of the arguments that it is differentiated with respect to."""
        return self.wrt if isinstance(self.wrt, tuple) else (self.wrt,)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A claim about a subject, and the verdict that it deserves."""

    name: str
    subject: Subject
    kind: Kind
    claim: Callable[..., Any]
    expected: tuple[Verdict, ...]
    what: str
    group: Group

    @property
    def is_bug(self) -> bool:
        """Whether a checker should report it."""
        return bool(self.expected)


@dataclass
class Collection:
    """The cases of one module, in the order in which they are written down."""

    group: Group = "known"
    cases: list[Case] = field(default_factory=list)

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases)

    def bug(
        self, subject: Subject, kind: Kind, *expected: Verdict
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Plant the decorated claim; one of the `expected` findings must be reported."""
        if not expected:
            raise ValueError("a bug expects at least one verdict; a right claim is a rewriting")
        return self._plant(subject, kind, expected)

    def rewriting(self, subject: Subject) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Plant the decorated claim, which is right: the check must pass."""
        return self._plant(subject, "rewriting", ())

    def _plant(
        self, subject: Subject, kind: Kind, expected: tuple[Verdict, ...]
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def plant(claim: Callable[..., Any]) -> Callable[..., Any]:
            self.cases.append(
                Case(
                    name=f"{subject.name}.{claim.__name__}",
                    subject=subject,
                    kind=kind,
                    claim=claim,
                    expected=expected,
                    what=(claim.__doc__ or "").strip(),
                    group=self.group,
                )
            )
            return claim

        return plant
