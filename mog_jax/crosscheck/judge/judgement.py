"""Defines the result of judging one input: problems, and their explanations."""

import dataclasses
import re
from typing import Any

from mog_jax.crosscheck.findings import Execution, Kind, error_line
from mog_jax.crosscheck.judge import formula
from mog_jax.crosscheck.judge.accuracy import Accuracy, ErrorBound
from mog_jax.crosscheck.judge.claims import Claim
from mog_jax.crosscheck.judge.executions import Misfit
from mog_jax.crosscheck.judge.quotients import Jacobian


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """A problem that one input shows; the attributes are those of a `Finding`."""

    kind: Kind
    claim: str
    order: int
    execution: Execution
    entry: str
    explanation: str
    exact: str | None = None
    got: str | None = None
    roundings: float | None = None
    digits_kept: float | None = None
    digits_allowed: float | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Judgement:
    """The results of one claim at one input.

    Attributes
    ----------
    claim : str
        Name of the claim.
    problems : list of Problem
        Failures and remarks.
    entries : list of str
        Names of the numbers that the claim is about.
    bound : ErrorBound, optional
        The error bound of each number; None if only the formula was judged.
    exact : int
        1 if the formula was compared with a finite exact value.
    accuracies : dict from Execution to Accuracy
        The accuracy of each way of running the program.
    undecided, kinks : int
        Numbers of entries that were not judged: undecided, or at a kink of the function.
    open_question : str
        The question that exact evaluation could not decide, if nothing was judged because of it.
    autodiff_wrong : bool
        Whether automatic differentiation of the function gave a wrong value.
    beyond_float32 : bool
        Whether all programs leave the range of float32, so that none fails.
    overdue : str
        What took too long, if the input was not judged because of the deadline.
    """

    claim: str
    problems: list[Problem]
    entries: list[str] = dataclasses.field(default_factory=list)
    bound: ErrorBound | None = None
    exact: int = 0
    accuracies: dict[Execution, Accuracy] = dataclasses.field(default_factory=dict)
    undecided: int = 0
    open_question: str = ""
    kinks: int = 0
    autodiff_wrong: bool = False
    beyond_float32: bool = False
    overdue: str = ""


def left_open(claim: Claim, entries: list[str], question: Exception) -> Judgement:
    """Return the judgement of an input where exact evaluation could not decide anything."""
    return Judgement(claim.name, [], entries, undecided=len(entries), open_question=str(question))


def misfitting(claim: Claim, misfit: Misfit) -> Problem:
    """Return the problem of an output with a wrong shape or dtype."""
    return Problem(
        kind=Kind.WRONG_SHAPE_OR_DTYPE,
        claim=claim.name,
        order=claim.order,
        execution=misfit.precision,
        entry=misfit.entry,
        explanation=f"given {misfit.precision}, the output must look like {_model(claim)}",
        exact=misfit.wanted,
        got=misfit.got,
    )


def raising(claim: Claim, error: BaseException) -> Problem:
    """Return the problem of a program that cannot be traced, or of a rule that JAX refuses."""
    return Problem(
        kind=Kind.WRONG_SHAPE_OR_DTYPE if _RULES_OUTPUT.search(str(error)) else Kind.RAISED,
        claim=claim.name,
        order=claim.order,
        execution=Execution.TRACING,
        entry="",
        explanation=error_line(error),
    )


# JAX's messages about the output of a custom rule with a wrong structure, shape or dtype.
_RULES_OUTPUT = re.compile("Custom (JVP|VJP) .*must produce|unexpected JAX type")


def _model(claim: Claim) -> str:
    if claim.quotients is Jacobian:
        return "the function's Jacobian, each output's shape before each argument's"
    return "the differentiated arguments" if claim.like_wrt else "the function's without the rule"


def disproof(claim: Claim, *, by_quotient: bool) -> str:
    """Return the explanation of a disproof."""
    if by_quotient:
        return _DISPROVED_BY_QUOTIENT[claim.order]
    # The addition says that the numbers that follow are not the derivative itself.
    along = ", along a direction drawn for this input" if claim.directed else ""
    return _DISPROVED[claim.order] + along


def advice(exact: Any, given: Any) -> str:
    """Return a hint for a formula that may be meant to agree approximately; empty for others."""
    digits = formula.common_digits(exact, given)
    if digits < _MEANT:
        return ""
    return (
        f"; they agree to {digits:.0f} digits, and if no more is meant, as for an iteration, "
        "declare it by `agrees_to`"
    )


# Digits in common that a mistake in a formula seldom leaves.
_MEANT = 6

_DISPROVED = {
    0: "disproved: the value is not that of the function",
    1: "disproved: the formula is not the derivative of the function",
    2: "disproved: the derivative's own derivative is not the second derivative of the function",
    3: "disproved: differentiated twice the derivative is not the function's third derivative",
}
_AUTODIFF_TOO = "(stop_gradient, a tie, or a branch that where hides)"
_DISPROVED_BY_QUOTIENT = {
    1: "disproved: the formula is not the derivative of the function, as its difference quotient "
    f"shows; automatic differentiation of what the function computes is wrong here too "
    f"{_AUTODIFF_TOO}",
    2: "disproved: the derivative's own derivative is not the second derivative of the function, "
    "as its second difference quotient shows; differentiating what the function computes twice is "
    f"wrong here too {_AUTODIFF_TOO}",
}
ONLY_TRACED = "the program that jit traces is another one than the program that runs eagerly"
ONLY_BATCHED = "the program that vmap makes computes another function"
ONLY_NARROW = "the program that is traced in float32 computes another function"
ROUNDED = "the difference is explained by a constant that was rounded to a double"
EXPLANATIONS = {
    Kind.UNSTABLE: "the formula is right, but its program loses digits that the problem does not "
    "lose",
    Kind.NOT_FINITE: "the formula is right, but its program gives no finite number",
    Kind.DIFFERS_UNDER_JIT: "the same program gives another value under jit than eagerly",
    Kind.DIFFERS_UNDER_VMAP: "the same program gives another value under vmap than alone",
}
SECOND_ORDER_EXPLANATIONS = {
    Kind.UNSTABLE: "differentiating the derivative loses digits, "
    "which differentiating the function twice does not",
    Kind.NOT_FINITE: "differentiating the derivative gives no finite number, "
    "where differentiating the function twice does",
}
