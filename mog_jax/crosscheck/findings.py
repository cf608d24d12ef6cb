"""Defines the kinds of findings, the ways of running a program, and one finding."""

import dataclasses
import math
from enum import StrEnum
from typing import Any


class _Word(StrEnum):
    """A string of a closed set, whose repr is that of the string."""

    def __repr__(self) -> str:
        return repr(self.value)


class Kind(_Word):
    """The kind of a finding: a failure, or a remark, which does not fail the check."""

    WRONG_SHAPE_OR_DTYPE = "wrong_shape_or_dtype"
    RAISED = "raised"
    WRONG_FORMULA = "wrong_formula"
    WRONG_SECOND_ORDER = "wrong_second_order"
    WRONG_THIRD_ORDER = "wrong_third_order"
    FORWARD_REVERSE_DIFFER = "forward_reverse_differ"
    NOT_FINITE = "not_finite"
    UNSTABLE = "unstable"
    DIFFERS_UNDER_JIT = "differs_under_jit"
    DIFFERS_UNDER_VMAP = "differs_under_vmap"
    NOT_JUDGED = "not_judged"

    ROUNDED_CONSTANT = "rounded_constant"
    UNINFORMATIVE = "uninformative"
    NO_RULE = "no_rule"
    UNDEFINED_ORDER = "undefined_order"
    OVERDUE = "overdue"
    AGREES_AS_DECLARED = "agrees_as_declared"
    SURROGATE = "surrogate"
    APPROXIMATE_FUNCTION = "approximate_function"
    NO_FLOAT32 = "no_float32"
    REFERENCE_LOSES_DIGITS = "reference_loses_digits"
    SECOND_ORDER_UNSTABLE = "second_order_unstable"
    SECOND_ORDER_NOT_FINITE = "second_order_not_finite"


class Execution(_Word):
    """One way of running a program, or another source of a finding."""

    JIT = "jit"
    EAGER = "eager"
    VMAP = "vmap"
    VMAP_OVER_PARAMETERS = "vmap over parameters"
    VMAP_OVER_DATA = "vmap over data"
    FLOAT32 = "float32"
    REVERSE = "reverse autodiff"
    FORWARD = "forward autodiff"
    REVERSE_FLOAT32 = "reverse autodiff, float32"
    FORWARD_FLOAT32 = "forward autodiff, float32"
    HESSIAN = "hessian"

    # Not runs, but other sources of findings.
    EXACT = "exact"
    TRACING = "tracing"
    FLOAT64 = "float64"
    NONE = ""

    @property
    def in_float32(self) -> "Execution":
        """The same in float32."""
        return {
            Execution.JIT: Execution.FLOAT32,
            Execution.REVERSE: Execution.REVERSE_FLOAT32,
            Execution.FORWARD: Execution.FORWARD_FLOAT32,
        }[self]

    @property
    def is_float32(self) -> bool:
        """Whether it runs in float32."""
        return self.endswith("float32")

    @property
    def is_batched(self) -> bool:
        """Whether it runs under ``vmap``."""
        return self.startswith("vmap")


FAILURES = {
    Kind.WRONG_SHAPE_OR_DTYPE: "the output has another shape or dtype than it should",
    Kind.RAISED: "the code raised an exception",
    Kind.WRONG_FORMULA: "the formula is disproved: exact evaluation gives another value",
    Kind.WRONG_SECOND_ORDER: "differentiating the derivative gives another value than the Hessian",
    Kind.WRONG_THIRD_ORDER: "differentiating the derivative twice gives another value",
    Kind.FORWARD_REVERSE_DIFFER: "one mode of differentiation is right and the other is wrong",
    Kind.NOT_FINITE: "NaN or infinity where the exact value is an ordinary number",
    Kind.UNSTABLE: "the formula is right; its program loses digits that the problem does not lose",
    Kind.DIFFERS_UNDER_JIT: "compiled and eager programs give different values",
    Kind.DIFFERS_UNDER_VMAP: "batched and single programs give different values",
    Kind.NOT_JUDGED: "no input could be judged, so that nothing was checked",
}
"""The kinds that fail a check, most severe first, in the order of a report."""

REMARKS = {
    Kind.ROUNDED_CONSTANT: "differs by no more than the rounding of a constant explains",
    Kind.UNINFORMATIVE: "no input could have shown an error in this entry",
    Kind.NO_RULE: "there is no custom derivative rule in the function to check",
    Kind.UNDEFINED_ORDER: "this mode of differentiation is not defined for the code",
    Kind.AGREES_AS_DECLARED: "differs from the derivative by no more than `agrees_to` declares",
    Kind.APPROXIMATE_FUNCTION: "a special function, as JAX computes it, differs from the function "
    "that it approximates; this fails only with `min_digits`",
    Kind.SURROGATE: "the formula was not judged, since it is not meant to be the derivative",
    Kind.OVERDUE: "an input was not judged, because it took longer than `deadline`",
    Kind.NO_FLOAT32: "the function itself does not run in float32 as in float64, so that only "
    "float64 is judged",
    Kind.REFERENCE_LOSES_DIGITS: "the program loses digits that the problem does not lose, and so "
    "does automatic differentiation of the function; this fails only with `min_digits`",
    Kind.SECOND_ORDER_UNSTABLE: "differentiating the derivative loses digits, "
    "which differentiating the function twice does not",
    Kind.SECOND_ORDER_NOT_FINITE: "the derivative's own derivative is NaN or infinite in its "
    "program, and so is the function's second derivative",
}
"""The kinds of remarks, which do not fail a check."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Finding:
    """One thing that a cross-check found.

    Attributes
    ----------
    kind : Kind
        One of the failures, or of the remarks; a string.
    claim : str
        Name of the claim: ``"derivative"``, or a second order or a rule's mode.
    entry : str
        The argument and component, such as ``"mixture.means[1]"``.
    execution : Execution
        How the program was run: ``"jit"``, ``"eager"``, ``"float32"``, a ``"vmap"``, or
        ``"exact"``; a string.
    explanation : str
        One sentence.
    exact, got : str, optional
        The exact value and the program's, if the finding is about a number.
    digits_kept, digits_allowed : float, optional
        Decimal digits, kept by the program and allowed by conditioning.
    roundings : float, optional
        The error, in units of one rounding.
    args : tuple, optional
        The simplest input that was found to show it.
    reproduce : str
        A program that shows it again.
    """

    kind: Kind
    claim: str
    entry: str
    execution: Execution
    explanation: str
    exact: str | None = None
    got: str | None = None
    digits_kept: float | None = None
    digits_allowed: float | None = None
    roundings: float | None = None
    args: tuple[Any, ...] | None = None
    reproduce: str = ""

    @property
    def fails(self) -> bool:
        """Whether this fails the check, rather than being a remark."""
        return self.kind in FAILURES

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as a dict that JSON can hold."""
        fields = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "args"
        }
        names = {"kind": str(self.kind), "execution": str(self.execution)}
        return {"fails": self.fails, **fields, **names}

    def __str__(self) -> str:
        how = "; ".join(filter(None, [self.claim, self.execution]))
        place = " ".join(filter(None, [self.entry, how and f"({how})"]))
        lines = [f"{self.kind}: {place}".rstrip(": "), f"  {self.explanation}"]
        if self.exact is not None:
            wanted = "wanted" if self.kind == Kind.WRONG_SHAPE_OR_DTYPE else "exact "
            lines.append(f"  {wanted} {self.exact}")
        if self.got is not None:
            lines.append(f"  got    {self.got}")
        if self.digits_kept is not None and not math.isnan(self.digits_kept):
            allowed = self.digits_allowed
            most = "" if allowed is None else f", of {allowed:.1f} that conditioning allows"
            lines.append(f"  {self.digits_kept:.1f} digits kept{most}")
        return "\n".join(lines)


def remark(kind: Kind, claim: str, explanation: str, entry: str = "") -> Finding:
    """Return a finding that belongs to no single input."""
    return Finding(
        kind=kind, claim=claim, entry=entry, execution=Execution.NONE, explanation=explanation
    )


def error_line(error: BaseException) -> str:
    """Return an exception's type and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
