r"""Checks derivatives of JAX functions by exact evaluation, without tolerances.

`crosscheck` compares a hand-written derivative with the function that it claims to differentiate;
`crosscheck_rule` compares a function that has a custom derivative rule with the same one without.

Stages
------
Each imports only from those above it.

==================  ==============================================================================
`session`           settings that all checks of a test session share; `progress` shows a line
`findings`          the kinds of verdict, the ways of running a program, one `Finding`
`precisions`        running in float64 and float32, with the arrays that functions close over
`special`           special functions of JAX that are evaluated by their definition
`jaxprs`            programs as data: tracing, walking, opening custom rules (`jaxpr_types`)
`exact`             a program's values in ball arithmetic: proved, to any number of digits
`strategies`        Hypothesis strategies for numbers, probabilities and data
`inputs`            arguments as they are drawn, on a simplex, with a direction for each
`judge`             one *claim* (a subject and a trusted reference) at one input:
                    `claims` -> `executions` (its compiled programs) -> `case` (its facts)
                    -> `case_tests` (the gravest first) -> `judgement`
`mutation`          standard bugs planted in a derivative, and whether the inputs show them
`report`            judgements gathered into a `Report`; text, plot, a snippet to paste
`forms`             values and auxiliary outputs apart; `validation` refuses what cannot be checked
`options`           the options of a check; `verdict` selects the findings to report
`search`            Hypothesis draws inputs, `judge` judges them, failures are shrunk
`api`               validates arguments and makes the claims; `checking` runs the search and reports
`pytest_plugin`     lists every check at the end of a test session
`discovery`         the derivative rules in a user's module, and inputs to check them at
==================  ==============================================================================

Data between the stages: inputs are tuples of pytrees, floats in float64. A `Draw` is one input with
its leaves as exact numbers. Every output of a program is flattened to one vector of `n` numbers,
the *entries*; exact values are `n` balls, error bounds and accuracies `n` floats each.

Glossary
--------
claim
    One assertion about a derivative: a program that is judged, and one that gives the right values.
subject, reference
    Those two programs. The reference is differentiated from a function without custom rules.
quotient
    A difference quotient of the function itself, which uses no derivative rule.
execution
    One way of running a program: eager, jit, vmap, float32.
ball
    An interval of arbitrary precision that contains the exact value of a number.
kink
    An input at which the function has no derivative, or the program meets an exact tie.
one rounding
    The error that rounding each input and intermediate of the reference once may cause.
finding, remark
    A finding fails the check; a remark is information that does not.
verdict
    The kind of a finding, such as ``"wrong_formula"``.
mutant
    A derivative with a bug planted in it, to test whether the inputs would show such a bug.

Names are loaded on first use: importing this package loads neither JAX nor Hypothesis.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mog_jax.crosscheck import strategies
    from mog_jax.crosscheck.api import crosscheck, crosscheck_rule
    from mog_jax.crosscheck.exact import Undecided, UnknownPrimitive, evaluate, register_primitive
    from mog_jax.crosscheck.findings import Finding
    from mog_jax.crosscheck.report.report import CrosscheckError, Report

_HOME = {
    "CrosscheckError": "report.report",
    "Finding": "findings",
    "Report": "report.report",
    "Undecided": "exact",
    "UnknownPrimitive": "exact",
    "crosscheck": "api",
    "crosscheck_rule": "api",
    "evaluate": "exact",
    "register_primitive": "exact",
}
_MODULES = {"strategies"}

__all__ = [
    "CrosscheckError",
    "Finding",
    "Report",
    "Undecided",
    "UnknownPrimitive",
    "crosscheck",
    "crosscheck_rule",
    "evaluate",
    "register_primitive",
    "strategies",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"mog_jax.crosscheck.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'mog_jax.crosscheck' has no attribute {name!r}")
    return getattr(importlib.import_module(f"mog_jax.crosscheck.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
