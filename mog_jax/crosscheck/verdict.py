"""Selects the findings to report: those that a more severe finding does not explain."""

from mog_jax.crosscheck.findings import FAILURES, Kind
from mog_jax.crosscheck.inputs.draws import Draw
from mog_jax.crosscheck.judge.judgement import Problem

DISPROOFS = (
    Kind.WRONG_SHAPE_OR_DTYPE,
    Kind.RAISED,
    Kind.WRONG_FORMULA,
    Kind.DIFFERS_UNDER_JIT,
    Kind.WRONG_SECOND_ORDER,
    Kind.WRONG_THIRD_ORDER,
)
"""Kinds after which judgements of the program's own derivatives are worthless, and those of its
digits as well: they would be digits of a wrong value."""

FINAL = (Kind.WRONG_SHAPE_OR_DTYPE, Kind.WRONG_FORMULA)
"""Once one of these is found, the search ends."""

_OF_DIGITS = (Kind.UNSTABLE, Kind.NOT_FINITE)

Key = tuple[Kind, str]
Found = dict[Key, tuple[Problem, Draw]]
"""From kind and claim to a problem and the simplest draw that shows it."""


def most_severe(found: Found) -> list[Key]:
    """Return the findings that a more severe one does not explain, most severe first."""
    limit = lowest_disproved_order(found)
    keys = [key for key, (problem, _) in found.items() if problem.order <= limit]
    if any(kind in DISPROOFS[:4] for kind, _ in keys):
        keys = [key for key in keys if key[0] not in _OF_DIGITS]
    # Likewise digits of derivatives of a program that has lost digits itself.
    lost = min((found[key][0].order for key in keys if key[0] in _OF_DIGITS), default=3)
    keys = [key for key in keys if key[0] not in _OF_DIGITS or found[key][0].order <= lost]
    return sorted(keys, key=lambda key: list(FAILURES).index(key[0]))


def lowest_disproved_order(found: Found) -> int:
    """Return the lowest order of a disproved claim; 4 if none is disproved."""
    return min((p.order for p, _ in found.values() if p.kind in DISPROOFS), default=4)
