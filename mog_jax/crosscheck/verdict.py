"""Which of the things that were found are worth reporting."""

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
"""Kinds that make every judgement of what is derived from the same program worthless, and the
digits of the program itself: it keeps digits of something else."""

FINAL = (Kind.WRONG_SHAPE_OR_DTYPE, Kind.WRONG_FORMULA)
"""Once one of these is found, nothing else is looked for."""

_OF_DIGITS = (Kind.UNSTABLE, Kind.NOT_FINITE)

Key = tuple[Kind, str]
Found = dict[Key, tuple[Problem, Draw]]
"""By kind and claim, a problem and the simplest draw that shows it."""


def most_severe(found: Found) -> list[Key]:
    """Choose what a more severe finding does not explain; most severe first."""
    limit = lowest_disproved_order(found)
    keys = [key for key, (problem, _) in found.items() if problem.order <= limit]
    if any(kind in DISPROOFS[:4] for kind, _ in keys):
        keys = [key for key in keys if key[0] not in _OF_DIGITS]
    # Nor digits of what is derived from a program that has lost them already.
    lost = min((found[key][0].order for key in keys if key[0] in _OF_DIGITS), default=3)
    keys = [key for key in keys if key[0] not in _OF_DIGITS or found[key][0].order <= lost]
    return sorted(keys, key=lambda key: list(FAILURES).index(key[0]))


def lowest_disproved_order(found: Found) -> int:
    """Give the lowest order at which something is disproved; beyond 3 if nothing is."""
    return min((p.order for p, _ in found.values() if p.kind in DISPROOFS), default=4)
