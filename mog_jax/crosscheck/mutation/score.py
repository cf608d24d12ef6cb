"""Scores a check's inputs: plants bugs in the derivative, and tests which of them the inputs show.

A check that passes is informative only if it would have failed for a wrong derivative. So after a
derivative has passed, standard bugs are put into it, one at a time, and each is judged at the
inputs that were drawn, by the same exact values and error bounds, until one of them shows it.
"""

import dataclasses
import functools
from collections.abc import Sequence
from itertools import chain
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.crosscheck.exact import Undecided
from mog_jax.crosscheck.findings import Execution, Kind
from mog_jax.crosscheck.inputs.draws import Draw
from mog_jax.crosscheck.jaxprs import bind, run, trace
from mog_jax.crosscheck.judge import formula, oracle
from mog_jax.crosscheck.judge.accuracy import ErrorBound
from mog_jax.crosscheck.judge.case import Case
from mog_jax.crosscheck.judge.executions import Outcome
from mog_jax.crosscheck.judge.judge import Judge
from mog_jax.crosscheck.mutation import operators
from mog_jax.crosscheck.precisions import in_float64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mutant:
    """A bug that was planted, and whether the inputs of the check show it.

    Attributes
    ----------
    name : str
        Description of the change.
    entry : str
        Its place: a number of the derivative, a leaf of the arguments, or a line of the source.
    caught : bool
        Whether an input shows it.
    kind : Kind, optional
        The failure that shows it, ``"wrong_formula"``, ``"unstable"`` or ``"not_finite"``; None if
        it is not caught.
    """

    name: str
    entry: str
    caught: bool
    kind: Kind | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict that JSON can hold."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        return f"{self.entry}: {self.name}"


def plant(judge: Judge, draws: Sequence[Draw]) -> list[Mutant]:
    """Plant standard bugs in a derivative that passed, and return which of them the inputs show."""
    places = [_Place(judge.case(draw)) for draw in draws]
    programs: dict[Any, dict[tuple[str, str], _MutantProgram]] = {}
    for place in places:
        key = place.case.draw.key
        if key not in programs:
            programs[key] = _mutants(judge, place.case)
    every = dict.fromkeys(label for found in programs.values() for label in found)
    planted = []
    for entry, name in every:
        met = [
            (place, mutant)
            for place in places
            if (mutant := programs[place.case.draw.key].get((entry, name))) is not None
        ]
        # Digits cost more to judge, and are needed only where no formula is disproved.
        verdicts = chain(
            (place.verdict_of_formula(mutant) for place, mutant in met if not mutant.of_digits),
            (place.verdict_of_digits(mutant) for place, mutant in met),
        )
        kind = next(filter(None, verdicts), None)
        planted.append(Mutant(name=name, entry=entry, caught=bool(kind), kind=kind))
    return planted


class _MutantProgram:
    """A derivative with a bug in it, for inputs of one shape."""

    def __init__(self, bug: operators.Mutation, subject: Any) -> None:
        self.of_digits = bug.of_digits
        self._bug, self._subject = bug, subject

    @functools.cached_property
    def closed(self) -> Any:
        """The program, traced on demand: most bugs are caught at the first shape."""
        with in_float64():
            return trace(self._bug.program, *self._subject.in_avals)[0]


def _mutants(judge: Judge, case: Case) -> dict[tuple[str, str], _MutantProgram]:
    subject = case.executions.subject
    with in_float64():
        listed = operators.mutations_of(subject, judge.contract, case.draw.args)
    return {(bug.entry, bug.name): _MutantProgram(bug, subject) for bug in listed}


class _Place:
    """One input, with its exact values and error bound, computed on demand and kept."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._reference: formula.ReferenceValues | None = None
        self._bound: ErrorBound | None = None

    @property
    def reference(self) -> formula.ReferenceValues:
        """The exact values of the entries."""
        if self._reference is None:
            self._reference = self.case.reference(confirmed=False)
        return self._reference

    def verdict_of_formula(self, mutant: _MutantProgram) -> Kind | None:
        """Return the failure if exact values disprove a mutant here; else None."""
        try:
            given = oracle.exact_values(mutant.closed, self.case.leaves)
        except Undecided:
            return None
        found = self.case.examined(self.reference, given)
        # Values that difference quotients have revised are kept for the next mutant.
        self._reference = found.reference
        return self.case.claim.kind if found.wrong.any() else None

    def verdict_of_digits(self, mutant: _MutantProgram) -> Kind | None:
        """Return the failure if a mutant loses digits here that the problem does not lose."""
        if self._bound is None:
            self._bound = self.case.error_bound(self.reference)
        with in_float64():
            # Operation by operation, as a compiler may remove a rounding to float32.
            leaves = [jnp.asarray(leaf) for leaf in jax.tree.leaves(self.case.values)]
            results = run(mutant.closed.jaxpr, mutant.closed.consts, leaves, bind)
            flat = np.concatenate([np.asarray(r, np.float64).reshape(-1) for r in results])
        accuracy = self.case.measured(self._bound, {Execution.EAGER: Outcome(flat)})[
            Execution.EAGER
        ]
        if accuracy.missing.any():
            return Kind.NOT_FINITE
        return Kind.UNSTABLE if accuracy.bad.any() else None
