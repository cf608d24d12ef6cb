"""Draws inputs, judges them, and shrinks each failure to the simplest input that shows it."""

import contextlib
import dataclasses
import functools
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import hypothesis
import hypothesis.strategies as st
import jax
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis.errors import Flaky, HypothesisException, InvalidArgument, Unsatisfiable

from mog_jax.crosscheck.exact import Overdue, deadline
from mog_jax.crosscheck.findings import FAILURES, Execution, Kind
from mog_jax.crosscheck.inputs.arguments import Signature, bytes_of, validated
from mog_jax.crosscheck.inputs.draws import Draw, draw_of
from mog_jax.crosscheck.judge.judge import Judge
from mog_jax.crosscheck.judge.judgement import Judgement, Problem
from mog_jax.crosscheck.verdict import DISPROOFS, FINAL, Found, lowest_disproved_order, most_severe

# One input in eight also gets the expensive checks; all inputs do if there are at most 40.
_THOROUGH = 8
_FEW = 40
# So do the first ones, which are the simplest, and those with a zero or a tie, where formulas
# change; at most this many.
_FIRST = 6
_MOST_SPECIAL = 24
# Number of inputs whose formula is judged before anything is compiled: most wrong formulas are
# found there.
_FORMULA_FIRST = 30
# Largest number of inputs that are judged to shrink a failure.
_SHRINKS = 300
# Least number of examples with which Hypothesis is told how close each came to failing.
_AIM_FROM = 500
_AIMED = (Execution.JIT, Execution.FLOAT32)
_NOTHING = "`inputs` yields nothing: no input was drawn, so that nothing can be checked."


class _Finished(BaseException):
    """The search can end. Not an `Exception`, which Hypothesis would take for a bug."""


class _Failure(Exception):  # noqa: N818, no error: it tells Hypothesis that an input is interesting
    """An input that shows the problem that is being shrunk."""


class Search:
    """Judges all inputs in a first pass, and shrinks each failure in a pass of its own.

    A lesser failure must not end the search for a more severe one, so the first pass does not stop
    at failures. A shrinking pass draws the same inputs; judgements are kept, not repeated.

    Parameters
    ----------
    make_judges : callable
        Returns the contract and a judge for each claim, given the first input.
    observe : callable
        Called with each new draw and its judgements.
    deadline : float, optional
        Seconds that exact evaluation may take for one input.

    Attributes
    ----------
    found : Found
        From kind and claim to the problem and the simplest draw that shows it.
    """

    def __init__(
        self,
        make_judges: Callable[[tuple[Any, ...]], tuple[Signature, list[Judge]]],
        observe: Callable[[Draw, list[Judgement]], None],
        *,
        deadline: float | None = None,
    ) -> None:
        self._deadline = deadline
        self.found: Found = {}
        self._make_judges = make_judges
        self._observe = observe
        self._known: tuple[Signature, list[Judge]] | None = None
        self._judged: dict[Any, list[tuple[Problem, Draw]]] = {}
        self._error: Exception | None = None
        self._shrinking = False
        self._few = False
        self._thorough: dict[Any, bool] = {}
        self._formula_first = True
        self._waiting: list[Draw] = []
        self._last: tuple[Any, list[Judgement]] = None, []

    def over_list(self, inputs: Sequence[Any], *, thorough: bool = False) -> None:
        """Judge given inputs, each as it is and, if that differs, rounded to float32."""
        thorough = thorough or len(inputs) <= _FEW
        for drawn in inputs:
            args = validated(drawn)
            for narrow in (False, True):
                draw = self._draw(args, narrow=narrow)
                if draw.narrow == narrow:
                    self._failures(draw, thorough=thorough or self._is_thorough(draw))

    def over_strategy(
        self,
        inputs: st.SearchStrategy[Any],
        *,
        examples: int,
        seed: int,
        name: str,
        database: Any,
        progress: Callable[[int], None],
    ) -> None:
        """Judge drawn inputs, and shrink those that fail."""
        given = set(self.found)
        self._few = examples <= _FEW

        def see(draw: Draw) -> None:
            self._look(draw)
            progress(len(self._judged) + len(self._waiting))
            if self._is_finished():
                raise _Finished

        disproofs: dict[Any, bool] = {}

        def fail(draw: Draw) -> None:
            # Whether a simpler input is a disproof as well is tested without compiling anything.
            # The answer is kept: Hypothesis repeats inputs, and the deadline may pass next time.
            if wanted[0] == Kind.WRONG_FORMULA and _mark(draw) not in self._judged:
                asked = wanted, _mark(draw)
                if asked not in disproofs:
                    disproofs[asked] = self._disproved_at(draw, wanted[1])
                if not disproofs[asked]:
                    return
            for problem, shown in self._failures(draw, thorough=self._is_thorough(draw)):
                if (problem.kind, problem.claim) == wanted:
                    raise _Failure(problem, shown)

        options = {"examples": examples, "seed": seed, "name": name, "database": database}
        with contextlib.suppress(_Finished):
            self._drive(see, inputs, **options)
        self._judge_waiting()
        self._shrinking = True
        for key in most_severe(self.found):
            if key in given:
                continue
            wanted = key
            try:
                self._drive(fail, inputs, **options)
            except _Failure as failure:
                self.found[key] = failure.args[0], failure.args[1]

    def _drive(
        self,
        look: Callable[[Draw], None],
        inputs: st.SearchStrategy[Any],
        *,
        examples: int,
        seed: int,
        name: str,
        database: Any,
    ) -> None:
        """Let Hypothesis draw inputs; errors of the inputs themselves are raised unchanged."""
        shown: set[Any] = set()
        attempts = 0

        def attempt(wide: bool, drawn: Any) -> None:
            nonlocal attempts
            if self._error is not None:
                return
            try:
                draw = self._draw(validated(drawn), narrow=not wide)
                mark = _mark(draw)
                if shown and mark not in shown:
                    # From here on Hypothesis tries simpler inputs: their number is limited.
                    attempts += 1
                    if attempts > _SHRINKS:
                        return
                look(draw)
                if examples >= _AIM_FROM and not self._shrinking:
                    self._aim(mark)
            except _Failure:
                shown.add(mark)
                raise
            except HypothesisException:
                raise
            except Exception as caught:
                # The user's mistake, not a finding: Hypothesis must not shrink it.
                self._error = caught

        attempt.__name__ = f"crosscheck_{name}"
        settings = hypothesis.settings(
            max_examples=examples,
            database=database,
            deadline=None,
            derandomize=False,
            print_blob=False,
            verbosity=Verbosity.quiet,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.reuse, Phase.generate, Phase.target, Phase.shrink],
        )
        # Hypothesis often takes the simplest choice, False: an input that float32 can hold, judged
        # in both precisions. It varies the last choice most, so that this one comes first.
        drawn = hypothesis.given(st.booleans(), inputs)(attempt)
        try:
            # In this order, as `seed` removes the database.
            settings(hypothesis.seed(seed)(drawn))()
        except Flaky:
            # Hypothesis repeats an input that fails; an error in between ends all judging.
            if self._error is None:
                raise
        except Unsatisfiable:
            self._error = self._error or ValueError(_NOTHING)
        except InvalidArgument as caught:
            self._error = self._error or ValueError(f"{_NOTHING} Hypothesis says: {caught}")
        if self._error is None and not self._judged and not self._waiting:
            self._error = ValueError(_NOTHING)
        if self._error is not None:
            raise self._error

    def _draw(self, args: tuple[Any, ...], *, narrow: bool) -> Draw:
        if self._known is None:
            self._known = self._make_judges(args)
        return draw_of(args, self._known[0], narrow=narrow)

    def _look(self, draw: Draw) -> None:
        """Judge a draw; the first draws at first by the formula only, and in full later."""
        if self._is_finished():
            return
        if self._formula_first and not self._disproved_at(draw):
            self._waiting.append(draw)
            if len(self._waiting) == _FORMULA_FIRST:
                self._judge_waiting()
            return
        self._failures(draw, thorough=self._is_thorough(draw))

    def _judge_waiting(self) -> None:
        self._formula_first = False
        for draw in self._waiting:
            if self._is_finished():
                formulas = functools.partial(self._formulas_only, draw)
                judgements = self._in_time(draw, formulas)
                self._observe(draw, judgements)
            else:
                self._failures(draw, thorough=self._is_thorough(draw))
        self._waiting = []

    @property
    def _lower(self) -> list[Judge]:
        """Judges of values and first derivatives, whose disproofs no other finding explains."""
        assert self._known is not None
        lower = [judge for judge in self._known[1] if judge.claim.order < 2]
        return [judge for judge in lower if judge.undefined is None]

    def _formulas_only(self, draw: Draw) -> list[Judgement]:
        return [judge.formula_only(draw)[0] for judge in self._lower]

    def _disproved_at(self, draw: Draw, claim: str = "") -> bool:
        judges = [judge for judge in self._lower if claim in ("", judge.claim.name)]
        try:
            with deadline(self._deadline):
                return any(judge.formula_only(draw)[1] for judge in judges)
        except Overdue:
            return False

    def _is_finished(self) -> bool:
        return any(kind in FINAL for kind, _ in self.found)

    def _is_thorough(self, draw: Draw) -> bool:
        """Return whether an input gets the expensive checks; the choice is kept."""
        mark = _mark(draw)
        if mark not in self._thorough:
            chosen = sum(self._thorough.values())
            early = chosen < _FIRST or (chosen < _FIRST + _MOST_SPECIAL and _is_special(draw))
            self._thorough[mark] = self._few or early or _is_chosen(mark)
        return self._thorough[mark]

    def _failures(self, draw: Draw, *, thorough: bool) -> list[tuple[Problem, Draw]]:
        """Return the failures of all claims at one draw; the result is kept."""
        mark = _mark(draw)
        known = self._judged.get(mark)
        if known is not None:
            return known
        judgements = self._in_time(draw, lambda: self._judge(draw, thorough))
        problems = [p for judgement in judgements for p in judgement.problems if p.kind in FAILURES]
        failures = [(problem, draw) for problem in problems]
        if not failures and not any(judgement.overdue for judgement in judgements):
            rounded = self._beyond_float32(draw)
            failures += self._failures(rounded, thorough=thorough) if rounded else []
        self._judged[mark] = failures
        if not self._shrinking:
            for problem in problems:
                self.found.setdefault((problem.kind, problem.claim), (problem, draw))
            self._last = mark, judgements
            self._observe(draw, judgements)
        return failures

    def _beyond_float32(self, draw: Draw) -> Draw | None:
        """Return the draw rounded to float32 if programs overflow there and not in float64.

        Not every input is judged in both precisions, and few are near the end of a range.
        """
        rounded = None if draw.narrow else self._draw(draw.args, narrow=True)
        if rounded is None or not rounded.narrow:
            return None
        try:
            with deadline(self._deadline):
                return rounded if any(judge.overflows(rounded) for judge in self._lower) else None
        except Overdue:
            return rounded  # To be judged, and so reported as not done in time.

    def _in_time(self, draw: Draw, judge: Callable[[], list[Judgement]]) -> list[Judgement]:
        """Judge a draw; beyond the deadline, return a judgement that says so."""
        try:
            with deadline(self._deadline):
                return judge()
        except Overdue as error:
            assert self._known is not None
            return [Judgement(self._known[1][0].claim.name, [], overdue=str(error))]

    def _judge(self, draw: Draw, thorough: bool) -> list[Judgement]:
        assert self._known is not None
        # The derivatives of a disproved derivative are wrong as well: they are not judged.
        disproved = lowest_disproved_order(self.found)
        judgements = []
        # That code is wrong when it runs eagerly as well is said once, not of each simpler input.
        differs = any(kind == Kind.DIFFERS_UNDER_JIT for kind, _ in self.found)
        for judge in self._known[1]:
            if judge.claim.order > disproved or judge.undefined is not None:
                continue
            judgement = judge(draw, thorough=thorough, as_traced=self._shrinking and not differs)
            problems = [self._compared_with_siblings(p, judge, draw) for p in judgement.problems]
            judgements.append(dataclasses.replace(judgement, problems=problems))
            if any(problem.kind in DISPROOFS for problem in problems):
                disproved = min(disproved, judge.claim.order)
        return judgements

    def _compared_with_siblings(self, problem: Problem, judge: Judge, draw: Draw) -> Problem:
        """Return the problem, as FORWARD_REVERSE_DIFFER if another mode's claim is right."""
        assert self._known is not None
        if problem.kind not in DISPROOFS or not judge.claim.directed:
            return problem
        for other in self._known[1]:
            claim = other.claim
            if other is judge or not claim.directed or claim.order != judge.claim.order:
                continue
            if other.undefined is not None:
                continue
            judgement = other(draw, thorough=True)
            if judgement.exact and not judgement.problems:
                return dataclasses.replace(problem, kind=Kind.FORWARD_REVERSE_DIFFER)
        return problem

    def _aim(self, mark: Any) -> None:
        """Tell Hypothesis how close an input came to failing."""
        last, judgements = self._last
        if last != mark:
            return
        for judgement in judgements[:1]:
            for execution in _AIMED:
                accuracy = judgement.accuracies.get(execution)
                if accuracy is None or np.isnan(accuracy.roundings).all():
                    continue
                worst = float(np.nanmax(accuracy.roundings))
                hypothesis.target(float(np.log2(np.clip(worst, 1e-3, 1e30))), label=execution)


def _mark(draw: Draw) -> Any:
    return bytes_of(draw.args), draw.narrow


def _is_chosen(mark: Any) -> bool:
    return zlib.crc32(repr(mark).encode()) % _THOROUGH == 0


def _is_special(draw: Draw) -> bool:
    """Return whether an input has a zero or two equal neighbours, where programs often branch."""
    floats = [leaf for leaf in jax.tree.leaves(draw.args) if leaf.dtype.kind == "f"]
    return any(
        np.any(leaf == 0) or np.any(leaf.reshape(-1)[1:] == leaf.reshape(-1)[:-1])
        for leaf in floats
    )
