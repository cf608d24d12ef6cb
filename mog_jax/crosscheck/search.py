"""Drawing inputs, judging them, and shrinking what fails to the simplest input that shows it."""

import dataclasses
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis.errors import HypothesisException, Unsatisfiable

from mog_jax.crosscheck.arguments import Signature, bytes_of, validated
from mog_jax.crosscheck.draws import Draw, draw_of
from mog_jax.crosscheck.findings import FAILURES
from mog_jax.crosscheck.judge import Judge, Judgement, Problem

# One input in so many also gets the checks that cost more; all do where there are few.
_THOROUGH = 8
_FEW = 40
# Inputs that are judged in search of a simpler one, for each kind of failure.
_SHRINKS = 300
# Hypothesis climbs towards bad inputs only if there are enough of them to climb with.
_AIM_FROM = 500
_AIMED = ("jit", "float32")


class _Failure(Exception):  # noqa: N818 - no error: it tells Hypothesis that an input is interesting
    """An input that shows a problem; a subclass for each kind, so that each is shrunk by itself."""


@dataclasses.dataclass
class Search:
    """What a search goes through and what it has met.

    Attributes
    ----------
    judges : one for each claim, made when the first input is known
    observe : called with each draw and its judgements, until something fails
    found : by kind and claim, the problem and the simplest draw that shows it
    """

    make_judges: Callable[[tuple[Any, ...]], tuple[Signature, list[Judge]]]
    observe: Callable[[Draw, list[Judgement]], None]
    found: dict[tuple[str, str], tuple[Problem, Draw]] = dataclasses.field(default_factory=dict)
    drawn: int = 0
    _known: tuple[Signature, list[Judge]] | None = None

    def over_list(self, inputs: Iterable[Any]) -> None:
        """Judge given inputs, each as it is and rounded to float32."""
        inputs = list(inputs)
        for drawn in inputs:
            args = validated(drawn)
            for narrow in (False, True):
                draw = self._draw(args, narrow)
                if draw.narrow == narrow:
                    self._judge(draw, thorough=len(inputs) <= _FEW, keep=True)

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
        error: Exception | None = None
        failures: dict[Any, _Failure] = {}
        attempts = 0

        def attempt(drawn: Any, narrow: bool) -> None:
            nonlocal error, attempts
            if error is not None:
                return
            try:
                draw = self._draw(validated(drawn), narrow)
                mark = (bytes_of(draw.args), draw.narrow)
                if failures and mark not in failures:
                    attempts += 1
                    if attempts > _SHRINKS * len({type(f) for f in failures.values()}):
                        return
                if mark not in failures:
                    problem = self._judge(draw, thorough=_is_thorough(mark), keep=not failures)
                    progress(self.drawn)
                    if problem is None:
                        if not failures and examples >= _AIM_FROM:
                            self._aim()
                        return
                    failures[mark] = _failure(problem, draw)
            except HypothesisException:
                raise
            except Exception as caught:
                # The user's mistake, not a finding: Hypothesis must not shrink it.
                error = caught
                return
            raise failures[mark]

        attempt.__name__ = f"crosscheck_{name}"
        settings = hypothesis.settings(
            max_examples=examples,
            database=database,
            deadline=None,
            derandomize=False,
            print_blob=False,
            verbosity=Verbosity.quiet,
            report_multiple_bugs=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.reuse, Phase.generate, Phase.target, Phase.shrink],
        )
        search = hypothesis.seed(seed)(
            settings(hypothesis.given(inputs, st.booleans())(attempt))
        )
        try:
            search()
        except _Failure as failure:
            self._keep(failure)
        except BaseExceptionGroup as group:
            ours, others = group.split(_Failure)
            if others is not None:
                raise
            for failure in _leaves(ours):
                self._keep(failure)
        except Unsatisfiable:
            error = error or ValueError(_NOTHING)
        except hypothesis.errors.InvalidArgument as caught:
            error = error or ValueError(f"{_NOTHING} Hypothesis says: {caught}")
        if error is not None:
            raise error
        if not self.drawn and not self.found:
            raise ValueError(_NOTHING)

    def _draw(self, args: tuple[Any, ...], narrow: bool) -> Draw:
        if self._known is None:
            self._known = self.make_judges(args)
        return draw_of(args, self._known[0], narrow=narrow)

    def _judge(self, draw: Draw, *, thorough: bool, keep: bool) -> Problem | None:
        """Judge every claim at one draw; give the first failure, and note all in statistics."""
        assert self._known is not None
        judgements: list[Judgement] = []
        first: Problem | None = None
        # What is wrong in a derivative is wrong in what is derived from it: no need to look there.
        explained = min((problem.order for problem, _ in self.found.values()), default=2)
        for judge in self._known[1]:
            if judge.claim.order > explained:
                continue
            judgement = judge(draw, thorough=thorough)
            judgements.append(judgement)
            failing = [problem for problem in judgement.problems if problem.kind in FAILURES]
            if failing:
                first = min(failing, key=lambda problem: _gravity(problem.kind))
                if any(self._agrees(other, draw) for other in self._siblings(judge)):
                    first = dataclasses.replace(first, kind="forward_reverse_differ")
                self.found.setdefault((first.kind, first.claim), (first, draw))
                break
        if keep:
            self.drawn += 1
            self._last = judgements
            self.observe(draw, judgements)
        return first

    def _siblings(self, judge: Judge) -> list[Judge]:
        """Give the judges of the same derivative in another mode."""
        assert self._known is not None
        return [
            other
            for other in self._known[1]
            if other is not judge
            and other.claim.directed
            and judge.claim.directed
            and other.claim.order == judge.claim.order
        ]

    def _agrees(self, judge: Judge, draw: Draw) -> bool:
        judgement = judge(draw, thorough=True)
        return judgement.exact > 0 and not judgement.problems

    def _aim(self) -> None:
        """Tell Hypothesis how close the last input came to failing."""
        for judgement in self._last[:1]:
            for lane in _AIMED:
                fit = judgement.fits.get(lane)
                if fit is None or judgement.measure is None or np.isnan(fit.roundings).all():
                    continue
                worst = float(np.nanmax(fit.roundings))
                hypothesis.target(float(np.log2(np.clip(worst, 1e-3, 1e30))), label=lane)

    def _keep(self, failure: _Failure) -> None:
        problem, draw = failure.args
        self.found[problem.kind, problem.claim] = problem, draw


def _leaves(group: Any) -> Iterator[_Failure]:
    for inner in group.exceptions:
        if isinstance(inner, BaseExceptionGroup):
            yield from _leaves(inner)
        else:
            yield inner


_NOTHING = "`inputs` yields nothing: no input was drawn, so that nothing can be checked."
_CLASSES: dict[tuple[str, str], type[_Failure]] = {}


def _failure(problem: Problem, draw: Draw) -> _Failure:
    key = problem.kind, problem.claim
    if key not in _CLASSES:
        _CLASSES[key] = type(problem.kind, (_Failure,), {})
    return _CLASSES[key](problem, draw)


def _gravity(kind: str) -> int:
    return list(FAILURES).index(kind)


def _is_thorough(mark: Any) -> bool:
    # By the input and nothing else, so that it is judged alike whenever it comes up.
    return zlib.crc32(repr(mark).encode()) % _THOROUGH == 0


class Progress:
    """A line on the terminal, if a check takes longer than a few seconds and somebody looks."""

    _PATIENCE = 3.0

    def __init__(self, name: str, total: int) -> None:
        self._name, self._total = name, total
        self._start = self._shown = time.monotonic()
        self._used = False

    def __call__(self, count: int) -> None:
        """Show how many inputs have been judged."""
        now = time.monotonic()
        if now - self._start < self._PATIENCE or now - self._shown < 0.2:
            return
        if sys.stderr.isatty():
            self._shown, self._used = now, True
            print(f"\r{self._name}: {count} of {self._total} inputs", end="", file=sys.stderr)  # noqa: T201

    def close(self) -> None:
        """Clear the line."""
        if self._used:
            print("\r\033[K", end="", file=sys.stderr)  # noqa: T201
