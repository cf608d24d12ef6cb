"""Tests one claim at one input, in a fixed order, and reports the first cause of a failure.

Shapes come first; then the formula, by exact values only; then, if the formula is right, the digits
that the floating-point program keeps. If one way of running the program fails and another does not,
that difference is reported.
"""

import dataclasses
from typing import Any

import numpy as np

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import Undecided, UnknownPrimitive, ball_arrays
from mog_jax.crosscheck.findings import FAILURES, Execution, Kind, error_line
from mog_jax.crosscheck.judge import formula, judgement, oracle
from mog_jax.crosscheck.judge.accuracy import TOLERATED, Accuracy, ErrorBound, is_nearly_bad
from mog_jax.crosscheck.judge.case import Case
from mog_jax.crosscheck.judge.executions import FLOAT32, FLOAT64, Outcomes, attempt
from mog_jax.crosscheck.judge.judgement import Judgement, Problem, left_open, misfitting

Accuracies = dict[Execution, Accuracy]
# A program may be off by this many times the largest jump that was found, as other jumps may be
# larger. Without a jump that is far below the tolerated error.
_JUMPS = 4


class CaseTests:
    """Runs all tests of one case, and gathers the problems.

    `as_traced`: the judged code is known to compute eagerly what was traced, and is not run so.
    """

    def __init__(self, case: Case, *, as_traced: bool = False) -> None:
        self.case, self.claim, self.executions = case, case.claim, case.executions
        self.values, self._as_traced = case.values, as_traced
        self.problems: list[Problem] = []

    def judged(self, thorough: bool) -> Judgement:
        """Run all tests; `thorough` adds the expensive ones."""
        try:
            reference = self.case.reference(confirmed=thorough)
            given = oracle.exact_values(self.executions.subject, self.case.leaves)
        except Undecided as error:
            return left_open(self.claim, self.case.entries, error)
        found = self._examined(reference, given)
        if self._test_formula(found):
            return self._concluded(found)
        if self.claim.order == 2:
            return self._concluded(self._test_second_order(found))
        if self.claim.order > 2:
            return self._concluded(found)  # Digits of third order are not judged.
        bound = self.case.error_bound(found.reference)
        eager = thorough or not self.executions.eager_is_slow
        outcomes = self.executions.run(self.values, eager=eager)
        accuracies = self.case.measured(bound, outcomes)
        bad = np.any([accuracy.bad for accuracy in accuracies.values()], axis=0)
        if found.reference.tied and bad.any():
            found = formula.decided_by_quotients(found, self._explained_by_tie(bad))
            bound = self.case.error_bound(found.reference)
            accuracies = self.case.measured(bound, outcomes)
        if self.executions.has_special_functions:
            accuracies = self._without_approximations(bound, outcomes, accuracies)
        accuracies = self._without_steps(accuracies, bound)
        self._test_executions(bound, outcomes, accuracies)
        beyond = False
        if not self._failed():
            if thorough and not self.claim.directed:
                self._test_batched_formula(found.reference)
            if self.case.draw.narrow:
                narrow = self.case.error_bound(found.reference, FLOAT32)
                beyond = self._test_narrow(found.reference, narrow, accuracies, thorough)
            if Execution.JIT in accuracies:
                self._remark_reference_loses_digits(bound, accuracies[Execution.JIT])
        accuracies |= self.case.measured(bound, self.executions.run_autodiff(self.values))
        concluded = self._concluded(found)
        return dataclasses.replace(
            concluded, bound=bound, accuracies=accuracies, beyond_float32=beyond
        )

    def judged_formula_only(self) -> tuple[Judgement, bool]:
        """Test the formula only; also return whether it is disproved."""
        try:
            reference = self.case.reference(confirmed=False)
            given = oracle.exact_values(self.executions.subject, self.case.leaves)
        except Undecided as error:
            return left_open(self.claim, self.case.entries, error), False
        found = self._examined(reference, given)
        return self._concluded(found), bool(found.wrong.any())

    def _examined(self, reference: formula.ReferenceValues, given: oracle.Exact) -> formula.Formula:
        """Compare the formula; it is not wrong if it is right for the programs taken literally.

        If a special function is recognised in one of the programs only, they differ by the error of
        its approximation.
        """
        found = self.case.examined(reference, given)
        if not (found.wrong.any() and self.executions.has_special_functions):
            return found
        try:
            wanted = self.case.exact(self.executions.reference, literally=True).values
            literal = self.case.exact(self.executions.subject, literally=True)
        except Undecided:
            return found
        literally = dataclasses.replace(found.reference, values=wanted, quotients=None, tied=False)
        again = self.case.examined(literally, literal)
        known = ball_arrays.finite(wanted) & ball_arrays.finite(literal.values)
        right = found.wrong & ~again.wrong & known
        if again.undecided or not right.any():
            return found
        entry = formula.most_visible(found, np.flatnonzero(right))
        digits = formula.common_digits(found.reference.values[entry], found.given[entry])
        text = f"the formula is right of what the programs compute; {digits:.1f} digits in common"
        self._report(Execution.EXACT, Kind.APPROXIMATE_FUNCTION, entry, text=text)
        return dataclasses.replace(found, wrong=found.wrong & ~right)

    def _concluded(self, found: formula.Formula) -> Judgement:
        return Judgement(
            self.claim.name,
            self.problems,
            self.case.entries,
            exact=int(ball_arrays.finite(found.reference.values).any()),
            undecided=found.undecided,
            kinks=found.reference.kinks,
            autodiff_wrong=found.reference.autodiff_wrong,
        )

    def _failed(self) -> bool:
        return any(problem.kind in FAILURES for problem in self.problems)

    def _explained_by_tie(self, bad: Array) -> Array:
        """Return which bad entries a tie may explain: of values, those not finite in the reference.

        A zero times infinity in a branch that is not taken is met in exact arithmetic as well.
        """
        if self.claim.order:
            return bad
        own = self.executions.run_reference(self.values).values
        return bad if own is None else bad & ~np.isfinite(self.case.projected(own))

    def _test_formula(self, found: formula.Formula) -> bool:
        """Report disproved entries; return whether there are any."""
        entries = np.flatnonzero(found.wrong)
        if entries.size:
            entry = formula.most_visible(found, entries)
            if self._is_right_eagerly(found, entry):
                self._report_formula(Kind.DIFFERS_UNDER_JIT, entry, found, judgement.ONLY_TRACED)
            else:
                text = judgement.disproof(self.claim, by_quotient=found.reference.autodiff_wrong)
                text += judgement.advice(found.reference.values[entry], found.given[entry])
                self._report_formula(self.claim.kind, entry, found, text)
            return True
        if found.within.any():
            entry = formula.most_visible(found, np.flatnonzero(found.within))
            self._report_formula(
                Kind.AGREES_AS_DECLARED, entry, found, self._agreement(found, entry)
            )
        if found.rounded.any():
            entry = formula.most_visible(found, np.flatnonzero(found.rounded))
            self._report_formula(Kind.ROUNDED_CONSTANT, entry, found, judgement.ROUNDED)
        return False

    def _agreement(self, found: formula.Formula, entry: int) -> str:
        digits = formula.common_digits(found.reference.values[entry], found.given[entry])
        return f"{digits:.1f} digits in common, `agrees_to` is {self.case.strictness.agrees_to:g}"

    def _is_right_eagerly(self, found: formula.Formula, entry: int) -> bool:
        """Return whether an entry is right when the program runs eagerly, and wrong when traced.

        The traced program was evaluated exactly: then only tracing changes the program.
        """
        if self.claim.directed or self._as_traced:
            return False
        strictest = self.case.strictest(found.reference)
        eager = self.case.measured_one(strictest, self.executions.run_eagerly(self.values))
        if eager is None or eager.bad[entry]:
            return False
        traced = self.case.measured_one(strictest, self.executions.run_main(self.values))
        return traced is not None and bool(traced.bad[entry])

    def _test_second_order(self, found: formula.Formula) -> formula.Formula:
        """Report second derivatives that lose digits which JAX's own Hessian keeps.

        The derivative of a derivative is not written by hand. It need not be more accurate than the
        program that it replaces, `jax.hessian` of the function; and only a rule has to be as
        accurate, unless `min_digits` is given.
        """
        outcome = self.executions.run_main(self.values)
        if outcome.error is not None:
            self._report(Execution.JIT, Kind.RAISED, 0, text=error_line(outcome.error))
            return found
        strictest = self.case.strictest(found.reference)
        own = self.case.measured(strictest, {Execution.JIT: outcome})[Execution.JIT]
        if not own.bad.any():
            return found
        outcomes = {
            Execution.JIT: outcome,
            Execution.HESSIAN: self.executions.run_hessian(self.values),
        }
        hessian = self.case.measured(strictest, outcomes).get(Execution.HESSIAN)
        worse = own.bad & ~hessian.bad if hessian else np.zeros_like(own.bad)
        if not worse.any():
            self._remark_not_finite(strictest, own)
            return found
        if found.reference.tied:
            found = formula.decided_by_quotients(found, worse)
        bound = self.case.error_bound(found.reference)
        accuracies = self.case.measured(bound, outcomes)
        own, hessian = accuracies[Execution.JIT], accuracies[Execution.HESSIAN]
        lost = [e for e in np.flatnonzero(own.bad) if not is_nearly_bad(hessian, bound, int(e))]
        if not lost:
            return found
        entry = int(max(lost, key=lambda e: own.roundings[e]))
        kind = Kind.NOT_FINITE if own.missing[entry] else Kind.UNSTABLE
        if kind == Kind.NOT_FINITE or self.claim.to_the_digit or self.case.strictness.min_digits:
            text = judgement.SECOND_ORDER_EXPLANATIONS[kind]
            self._report_accuracy(Execution.JIT, kind, entry, bound, own, outcomes, text=text)
        else:
            text = f"it keeps {own.kept[entry]:.1f} of {bound.allowed[entry]:.1f}"
            self._report(Execution.JIT, Kind.SECOND_ORDER_UNSTABLE, entry, text=text)
        return found

    def _remark_not_finite(self, bound: ErrorBound, accuracy: Accuracy) -> None:
        if accuracy.missing.any():
            entry = int(np.flatnonzero(accuracy.missing)[0])
            text = f"where the exact value is {ball_arrays.shown(bound.centre.high[entry])}"
            self._report(Execution.JIT, Kind.SECOND_ORDER_NOT_FINITE, entry, text=text)

    def _without_approximations(
        self, bound: ErrorBound, outcomes: Outcomes, accuracies: Accuracies
    ) -> Accuracies:
        """Leave out errors that come from the approximation of special functions."""
        far = {name: accuracy.roundings > TOLERATED for name, accuracy in accuracies.items()}
        if self.case.strictness.min_digits or not any(entries.any() for entries in far.values()):
            return accuracies
        try:
            literal = self.case.exact(self.executions.subject, literally=True).values
        except Undecided:
            return accuracies
        meant = ball_arrays.Centre.of(literal)
        literally = self.case.measured(dataclasses.replace(bound, centre=meant), outcomes)
        kept = {}
        for name, accuracy in accuracies.items():
            explained = far[name] & ~accuracy.missing & (literally[name].roundings < TOLERATED)
            kept[name] = accuracy.without(explained & accuracy.bad)
            if name == Execution.JIT and explained.any():
                entry = int(np.flatnonzero(explained)[0])
                text = (
                    f"it keeps {accuracy.kept[entry]:.1f} of {bound.allowed[entry]:.1f} digits and "
                    f"{literally[name].kept[entry]:.1f} of what the programs compute"
                )
                self._report(Execution.JIT, Kind.APPROXIMATE_FUNCTION, entry, text=text)
        return kept

    def _without_steps(
        self, accuracies: Accuracies, bound: ErrorBound, dtype: Any = FLOAT64
    ) -> Accuracies:
        """Leave out entries that jump within a rounding of the inputs, as near a kink.

        Entries that are not finite are left out too, if the jump leaves no digit of them.
        """
        if not any(accuracy.bad.any() for accuracy in accuracies.values()):
            return accuracies
        jumps = _JUMPS * self.case.jumps(bound, dtype)
        own = _JUMPS / 2 * np.abs(bound.centre.high)
        return {
            name: accuracy.without(
                accuracy.bad
                & (jumps > np.where(accuracy.missing, own, accuracy.roundings * bound.rounding))
            )
            for name, accuracy in accuracies.items()
        }

    def _remark_reference_loses_digits(self, bound: ErrorBound, accuracy: Accuracy) -> None:
        if accuracy.lost_by_reference.any():
            entry = int(np.flatnonzero(accuracy.lost_by_reference)[0])
            text = (
                f"it keeps {accuracy.kept[entry]:.1f} of the {bound.allowed_by_problem[entry]:.1f} "
                "that rounding the inputs leaves"
            )
            self._report(Execution.JIT, Kind.REFERENCE_LOSES_DIGITS, entry, text=text)

    def _report_formula(
        self,
        kind: Kind,
        entry: int,
        found: formula.Formula,
        text: str,
        execution: Execution = Execution.EXACT,
    ) -> None:
        exact, given = found.reference.values[entry], found.given[entry]
        self._report(
            execution,
            kind,
            entry,
            text=text,
            exact=ball_arrays.shown(exact),
            got=ball_arrays.shown(given),
            digits_kept=formula.common_digits(exact, given),
        )

    def _test_executions(
        self,
        bound: ErrorBound,
        outcomes: Outcomes,
        accuracies: Accuracies,
    ) -> None:
        """Report failures in floating point of a formula that is right."""
        raised = {name: outcome.error for name, outcome in outcomes.items() if outcome.error}
        if raised and (self._report_raising(raised) or Execution.JIT in raised):
            return
        main, eager = accuracies[Execution.JIT], accuracies.get(Execution.EAGER)
        if eager is not None and main.bad.any() != eager.bad.any():
            name, worse, better = (
                (Execution.JIT, main, eager) if main.bad.any() else (Execution.EAGER, eager, main)
            )
            entry = worse.worst
            if not (
                is_nearly_bad(better, bound, entry)
                or self.case.may_be_rounding(worse, bound, entry)
            ):
                self._report_accuracy(name, Kind.DIFFERS_UNDER_JIT, entry, bound, worse, outcomes)
                return
        for name, own in accuracies.items():
            if own.bad.any():
                batched = name.is_batched and not (
                    is_nearly_bad(main, bound, own.worst)
                    or self.case.may_be_rounding(own, bound, own.worst)
                )
                kind = Kind.NOT_FINITE if own.missing.any() else Kind.UNSTABLE
                kind = Kind.DIFFERS_UNDER_VMAP if batched else kind
                self._report_accuracy(name, kind, own.worst, bound, own, outcomes)
                return

    def _report_raising(self, raised: dict[Execution, BaseException]) -> bool:
        """Report what was raised, unless the function raises without the judged code as well."""
        own = [n for n in raised if not self.executions.reference_raises(n, self.values)]
        for name in own:
            self._report(name, Kind.RAISED, 0, text=error_line(raised[name]))
        return bool(own)

    def _test_batched_formula(self, reference: formula.ReferenceValues) -> None:
        """Test the program that ``vmap`` makes, which may have a rule of its own."""
        for name, program in self.executions.batched_subjects(self.values).items():
            stacked = self.executions.batched_arguments(name, self.values, self.case.leaves)
            try:
                given = oracle.exact_values(program, stacked)
            except (Undecided, UnknownPrimitive):
                continue  # Under `vmap` an `if` that raises may become a call of Python.
            found = self.case.examined(reference, given)
            if found.wrong.any() and not self.case.is_same_program(found, program, stacked):
                entry = formula.most_visible(found, np.flatnonzero(found.wrong))
                self._report_formula(
                    Kind.DIFFERS_UNDER_VMAP, entry, found, judgement.ONLY_BATCHED, name
                )
                return

    def _test_narrow(
        self,
        reference: formula.ReferenceValues,
        bound: ErrorBound,
        accuracies: Accuracies,
        thorough: bool,
    ) -> bool:
        """Test the float32 program; return whether the input is beyond the range of float32."""
        reason = self.executions.no_float32(self.values)
        if reason:
            self._report(Execution.FLOAT32, Kind.NO_FLOAT32, 0, text=reason)
            return False
        misfits, raised = attempt(lambda: self.executions.narrow_misfits(self.values))
        if raised is not None:
            self._report(Execution.FLOAT32, Kind.RAISED, 0, text=error_line(raised))
            return False
        if misfits:
            self.problems += [misfitting(self.claim, misfit) for misfit in misfits]
            return False
        outcomes = self.executions.run_narrow(self.values)
        own = outcomes[Execution.FLOAT32]
        if own.error is not None:
            return not self._report_raising({Execution.FLOAT32: own.error})
        narrow = self.case.measured(bound, outcomes)
        accuracy = narrow.pop(Execution.FLOAT32)
        exempt = accuracy.missing
        if narrow and accuracy.bad.any():
            # Where every program leaves float32's range, the range is the cause. Autodiff without
            # rules is included, as a rule of the function may be the subject itself.
            plain = self.case.measured(bound, self.executions.run_narrow_plain(self.values))
            exempt = np.all([w.bad for w in (*narrow.values(), *plain.values())], axis=0)
        exempt = exempt | self.case.of_the_other_sign(bound, accuracy)
        left = self._without_steps({Execution.FLOAT32: accuracy}, bound, FLOAT32)
        exempt = exempt | (accuracy.bad & ~left[Execution.FLOAT32].bad)
        # Exempt entries do not count in the accuracies either.
        exempt = exempt & accuracy.bad
        accuracies.update(
            {
                name: own.without(exempt)
                for name, own in {Execution.FLOAT32: accuracy, **narrow}.items()
            }
        )
        if (accuracy.bad & ~exempt).any():
            entry = int(np.flatnonzero(accuracy.bad & ~exempt)[0])
            kind = Kind.NOT_FINITE if accuracy.missing[entry] else Kind.UNSTABLE
            self._report_accuracy(Execution.FLOAT32, kind, entry, bound, accuracy, outcomes)
        elif thorough:
            self._test_narrow_formula(reference, bound)
        return bool(exempt.any())

    def _test_narrow_formula(self, reference: formula.ReferenceValues, bound: ErrorBound) -> None:
        """Test the formula of the program that is traced in float32, which may be another one.

        A difference that roundings in float32 may cause as well does not count: programs change to
        an approximation where float32 cannot tell.
        """
        program = self.executions.narrow_subject(self.values)
        try:
            given = oracle.exact_values(program, self.case.leaves)
        except Undecided:
            return
        found = self.case.examined(reference, given, FLOAT32)
        gaps = ball_arrays.distance(found.reference.values, found.given)
        least = np.array([float(gap.lower()) for gap in gaps])
        wrong = np.flatnonzero(found.wrong & ~(least <= bound.rounding))
        if wrong.size:
            entry = formula.most_visible(found, wrong)
            self._report_formula(
                self.claim.kind, entry, found, judgement.ONLY_NARROW, Execution.FLOAT32
            )

    def _report_accuracy(
        self,
        execution: Execution,
        kind: Kind,
        entry: int,
        bound: ErrorBound,
        accuracy: Accuracy,
        outcomes: Outcomes,
        text: str | None = None,
    ) -> None:
        values = self.case.projected(outcomes[execution].values)
        allowed = bound.allowed_by_problem if self.case.strictness.min_digits else bound.allowed
        self._report(
            execution,
            kind,
            entry,
            text=text or judgement.EXPLANATIONS[kind],
            exact=ball_arrays.shown(bound.centre.high[entry]),
            got=ball_arrays.shown(values[entry]),
            roundings=float(accuracy.roundings[entry]),
            digits_kept=float(accuracy.kept[entry]),
            digits_allowed=float(allowed[entry]),
        )

    def _report(
        self, execution: Execution, kind: Kind, entry: int, *, text: str, **numbers: Any
    ) -> None:
        self.problems.append(
            Problem(
                kind=kind,
                claim=self.claim.name,
                order=self.claim.order,
                execution=execution,
                entry=self.case.entries[entry] if self.case.entries else "",
                explanation=text,
                **numbers,
            )
        )
