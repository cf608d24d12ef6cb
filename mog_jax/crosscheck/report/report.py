"""Defines `Report`: the results of a cross-check, gathered input by input."""

import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.findings import FAILURES, REMARKS, Kind, remark
from mog_jax.crosscheck.inputs.draws import Draw
from mog_jax.crosscheck.judge.accuracy import Accuracy
from mog_jax.crosscheck.judge.judgement import Judgement
from mog_jax.crosscheck.report.plot import draw_digits
from mog_jax.crosscheck.report.summary import ClaimSummary, ExecutionSummary, Summary
from mog_jax.crosscheck.report.text import described


class CrosscheckError(AssertionError):
    """A cross-check failed; the message is the report."""


class Report(Summary):
    """The results of a cross-check; its attributes are those of a `Summary`."""

    # What exact evaluation could not decide at the first input where nothing was judged for that.
    _open_question = ""

    def raise_if_failed(self) -> None:
        """Raise `CrosscheckError`, an AssertionError with the report as message, if not `ok`."""
        __tracebackhide__ = True  # pytest then shows the test, not this method
        if not self.ok:
            raise CrosscheckError(str(self))

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def plot(self, path: str | Path) -> None:
        """Draw the digits kept at each input against those that conditioning allows.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        draw_digits(self, path)

    def __str__(self) -> str:
        return described(self)

    def observe(self, draw: Draw, judgements: list[Judgement]) -> None:
        """Add the judgements of one input."""
        self.examples += 1
        for judgement in judgements:
            self._add(judgement)
        main = judgements[0]
        self.undefined += main.bound is not None and not main.bound.judged.all()
        self.undecided += any(j.undecided > 0 for j in judgements)
        questions = (j.open_question for j in judgements if j.open_question)
        self._open_question = self._open_question or next(questions, "")
        self.kinks += any(j.kinks > 0 for j in judgements)
        self.autodiff_wrong += main.autodiff_wrong
        self.beyond_float32 += main.beyond_float32
        if main.overdue:
            self.overdue += 1
            if self.overdue == 1:
                self.remarks.append(remark(Kind.OVERDUE, main.claim, main.overdue))
        self._add_point(main)

    def conclude(self, derivatives: Collection[str] = ()) -> None:
        """Add the remarks and findings that depend on all inputs.

        `derivatives` are the names of the first-order claims: at least one must have been judged,
        unless there are none.
        """
        if self.findings:
            # Remarks that the failures explain, or that the search did not complete, are dropped.
            moot = {Kind.ROUNDED_CONSTANT, Kind.SECOND_ORDER_NOT_FINITE, Kind.SECOND_ORDER_UNSTABLE}
            if any(finding.kind == Kind.WRONG_SHAPE_OR_DTYPE for finding in self.findings):
                moot.add(Kind.UNDEFINED_ORDER)
            self.remarks = [found for found in self.remarks if found.kind not in moot]
            return
        undefined = any(found.kind == Kind.UNDEFINED_ORDER for found in self.remarks)
        for claim in self.claims.values():
            for entry, count in claim.informative.items():
                if count == 0 and claim.judged:
                    self.remarks.append(
                        remark(
                            Kind.UNINFORMATIVE,
                            claim.name,
                            "its size never exceeded its bound",
                            entry,
                        )
                    )
        if undefined and not any(name in self.claims for name in derivatives):
            self.findings.append(
                remark(
                    Kind.NOT_JUDGED,
                    "",
                    "no mode of differentiation is defined for the code, so that no derivative was "
                    "judged",
                )
            )
        elif not any(c.judged for c in self.claims.values()):
            self.findings.append(
                remark(
                    Kind.NOT_JUDGED,
                    "",
                    self._why_nothing(),
                )
            )

    def _why_nothing(self) -> str:
        if self.overdue == self.examples:
            return f"none of {self.examples} inputs was judged within `deadline`: raise it"
        why = f"of {self.examples} inputs, none gave a finite exact value to compare with"
        if self.overdue:
            why += f"; {self.overdue} were not judged within `deadline`"
        if self._open_question:
            why += f"; {self._open_question} An iteration that goes on until nothing is left to "
            why += "improve, as conjugate gradients, meets an exact 0: check with a direct solver"
        return why

    def _add(self, judgement: Judgement) -> None:
        claim = self.claims.setdefault(judgement.claim, ClaimSummary(judgement.claim))
        claim.judged += judgement.exact
        claim.failed += any(problem.kind in FAILURES for problem in judgement.problems)
        self._add_remarks(judgement)
        if judgement.bound is None:
            return
        for entry, tells in zip(judgement.entries, judgement.bound.informative, strict=True):
            claim.informative[entry] = claim.informative.get(entry, 0) + bool(tells)
        for name, accuracy in judgement.accuracies.items():
            execution = claim.executions.setdefault(name, ExecutionSummary())
            allowed = (
                judgement.bound.allowed
                if not name.is_float32
                else np.maximum(judgement.bound.allowed - _FLOAT32_FEWER, 0)
            )
            _add_accuracy(execution, accuracy, allowed, judgement.entries)

    def _add_remarks(self, judgement: Judgement) -> None:
        known = {(found.kind, found.claim) for found in self.remarks}
        for problem in judgement.problems:
            if problem.kind in REMARKS and (problem.kind, problem.claim) not in known:
                known.add((problem.kind, problem.claim))
                self.remarks.append(
                    remark(problem.kind, problem.claim, problem.explanation, problem.entry)
                )

    def _add_point(self, judgement: Judgement) -> None:
        if judgement.bound is None or not judgement.bound.informative.any():
            return
        entry = int(
            np.argmin(np.where(judgement.bound.informative, judgement.bound.allowed, np.inf))
        )
        point: dict[str, Any] = {
            "number": self.examples - 1,
            "allowed": float(judgement.bound.allowed[entry]),
            "kept": {},
        }
        for name, accuracy in judgement.accuracies.items():
            point[name] = float(accuracy.kept[entry])
            if not np.isnan(accuracy.kept).all():
                point["kept"][name] = float(np.nanmin(accuracy.kept))
        self.points.append(point)


# Decimal digits that float32 has fewer than float64.
_FLOAT32_FEWER = 29 * math.log10(2)


def _add_accuracy(
    execution: ExecutionSummary, accuracy: Accuracy, allowed: Array, entries: list[str]
) -> None:
    if np.isnan(accuracy.roundings).all():
        return
    execution.inputs += 1
    execution.roundings = max(execution.roundings, float(np.nanmax(accuracy.roundings)))
    lost = np.where(np.isnan(accuracy.kept), -np.inf, np.maximum(allowed - accuracy.kept, 0.0))
    worst = int(np.argmax(lost))
    before = execution.digits_allowed - execution.digits_kept
    if np.isfinite(lost[worst]) and (math.isnan(before) or lost[worst] > before):
        # By chance a result may keep more digits than conditioning allows.
        execution.digits_allowed = float(allowed[worst])
        execution.digits_kept = min(float(accuracy.kept[worst]), execution.digits_allowed)
        execution.entry = entries[worst]
