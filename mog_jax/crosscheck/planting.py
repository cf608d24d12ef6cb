"""How good was the check? Bugs are planted in the derivative, and its inputs have to find them.

A check that passes says something only if it would have failed for a wrong derivative. So after a
derivative has passed, standard bugs are put into it, one at a time, and each is judged at the
inputs that were drawn, by the same exact values and the same measure, until one of them shows it.
"""

import dataclasses
import functools
from collections.abc import Sequence
from itertools import chain
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.crosscheck import bugs, digits, formula, oracle
from mog_jax.crosscheck.case import Case
from mog_jax.crosscheck.draws import Draw
from mog_jax.crosscheck.exact import Undecided
from mog_jax.crosscheck.judge import Judge
from mog_jax.crosscheck.lanes import Outcome
from mog_jax.crosscheck.programs import bind, run, trace


@dataclasses.dataclass(frozen=True, kw_only=True)
class Planted:
    """A bug that was planted, and whether the inputs of the check show it.

    Attributes
    ----------
    name : what was done, in words
    entry : where: a number of the derivative, a leaf of the arguments, or a line of the source
    caught : whether an input shows it
    kind : what it is found guilty of, ``"wrong_formula"``, ``"unstable"`` or ``"not_finite"``;
        empty if it is not caught
    """

    name: str
    entry: str
    caught: bool
    kind: str

    def to_dict(self) -> dict[str, Any]:
        """Give it as what JSON can hold."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        return f"{self.entry}: {self.name}"


def plant(judge: Judge, draws: Sequence[Draw]) -> list[Planted]:
    """Plant standard bugs in a derivative that passed, and look whether these inputs show them."""
    places = [_Place(judge.case(draw)) for draw in draws]
    programs: dict[Any, dict[tuple[str, str], _Mutant]] = {}
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
        # Digits cost more to judge, and tell only where no formula is disproved.
        verdicts = chain(
            (place.verdict_of_formula(mutant) for place, mutant in met if not mutant.of_digits),
            (place.verdict_of_digits(mutant) for place, mutant in met),
        )
        kind = next(filter(None, verdicts), "")
        planted.append(Planted(name=name, entry=entry, caught=bool(kind), kind=kind))
    return planted


class _Mutant:
    """A derivative with a bug in it, for inputs of one shape."""

    def __init__(self, bug: bugs.Bug, subject: Any) -> None:
        self.of_digits = bug.of_digits
        self._bug, self._subject = bug, subject

    @functools.cached_property
    def closed(self) -> Any:
        """The program; most bugs are caught at the first shape, and never traced at another."""
        with jax.enable_x64(True):
            return trace(self._bug.program, *self._subject.in_avals)[0]


def _mutants(judge: Judge, case: Case) -> dict[tuple[str, str], _Mutant]:
    subject = case.lanes.subject
    with jax.enable_x64(True):
        listed = bugs.bugs_of(subject, judge.contract, case.draw.args)
    return {(bug.entry, bug.name): _Mutant(bug, subject) for bug in listed}


class _Place:
    """One input; what is true there is found out once, when it is first asked for."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._truth: formula.Truth | None = None
        self._measure: digits.Yardstick | None = None

    @property
    def truth(self) -> formula.Truth:
        """What the entries should be."""
        if self._truth is None:
            self._truth = self.case.truth(confirmed=False)
        return self._truth

    def verdict_of_formula(self, mutant: _Mutant) -> str:
        """Say whether exact values disprove a mutant here."""
        try:
            given = oracle.exact_values(mutant.closed, self.case.leaves)
        except Undecided:
            return ""
        found = self.case.examined(self.truth, given)
        # Where quotients had to decide between the two, what they said holds for the next one too.
        self._truth = found.truth
        return self.case.claim.kind if found.wrong.any() else ""

    def verdict_of_digits(self, mutant: _Mutant) -> str:
        """Say whether a mutant loses digits here that the problem does not lose."""
        if self._measure is None:
            self._measure = self.case.measure(self.truth)
        with jax.enable_x64(True):
            # Operation by operation: a compiler may leave out a rounding that it finds unhelpful.
            leaves = [jnp.asarray(leaf) for leaf in jax.tree.leaves(self.case.values)]
            results = run(mutant.closed.jaxpr, mutant.closed.consts, leaves, bind)
            flat = np.concatenate([np.asarray(r, np.float64).reshape(-1) for r in results])
        fit = self.case.fits(self._measure, {"eager": Outcome(flat)})["eager"]
        if fit.missing.any():
            return "not_finite"
        return "unstable" if fit.bad.any() else ""
