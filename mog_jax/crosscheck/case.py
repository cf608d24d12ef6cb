"""One claim at one input: what it shows.

The order of the questions is the order of blame. Shapes first; then the formula, by exact values
alone; only where the formula is right, the digits that the floating-point program keeps; and where
one way of running it fails and another does not, that difference is what is reported.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from mog_jax.crosscheck import balls, digits, formula, judgement, oracle
from mog_jax.crosscheck.arguments import Array, unit_roundoff
from mog_jax.crosscheck.draws import Draw, places
from mog_jax.crosscheck.exact import Undecided
from mog_jax.crosscheck.findings import FAILURES, error_line
from mog_jax.crosscheck.judgement import Judgement, Problem, misfitting
from mog_jax.crosscheck.lanes import FLOAT32, FLOAT64, Lanes, Outcome

if TYPE_CHECKING:
    from mog_jax.crosscheck.judge import Judge


class Case:
    """One input on its way through the questions."""

    def __init__(
        self,
        judge: "Judge",
        lanes: Lanes,
        draw: Draw,
        values: tuple[Any, ...],
        direction: list[Array],
    ) -> None:
        self.claim, self.contract, self.min_digits = judge.claim, judge.contract, judge.min_digits
        self.arrays = lanes.arrays() if judge.normwise else None
        self.lanes, self.draw, self.values, self.direction = lanes, draw, values, direction
        self.floats = jax.tree.leaves(values)
        self.leaves = [*draw.exact, *self.floats[len(draw.exact) :]]
        self.entries = lanes.entries(draw.args)
        self.tangents = self.claim.tangent_groups(self.contract, draw.args)
        self.problems: list[Problem] = []

    def judged(self, thorough: bool) -> Judgement:
        """Ask everything."""
        truth = self.truth(confirmed=thorough)
        try:
            given = oracle.exact_values(self.lanes.subject, self.leaves)
        except Undecided:
            return self._all_undecided()
        found = self.examined(truth, given)
        if self._blame_formula(found):
            return self._concluded(found)
        if self.claim.order == 2:
            return self._concluded(self._blame_second_order(found))
        measure = self.measure(found.truth)
        eager = thorough or not self.lanes.dear_eagerly
        outcomes = self.lanes.run(self.values, eager=eager)
        fits = self.fits(measure, outcomes)
        bad = np.any([fit.bad for fit in fits.values()], axis=0)
        if found.truth.tied and bad.any():
            found = formula.settled_formula(found, bad)
            measure = self.measure(found.truth)
            fits = self.fits(measure, outcomes)
        self._blame_lanes(measure, outcomes, fits)
        beyond = False
        if not self._failed():
            if thorough and not self.claim.directed:
                self._blame_batched_formula(found.truth)
            if self.draw.narrow:
                narrow = self.measure(found.truth, FLOAT32)
                beyond = self._blame_narrow(found.truth, narrow, fits, thorough)
        fits |= self.fits(measure, self.lanes.run_witnesses(self.values))
        concluded = self._concluded(found)
        return dataclasses.replace(concluded, measure=measure, fits=fits, beyond_float32=beyond)

    def glanced(self) -> tuple[Judgement, bool]:
        """Ask of the formula alone."""
        try:
            given = oracle.exact_values(self.lanes.subject, self.leaves)
        except Undecided:
            return self._all_undecided(), False
        found = self.examined(self.truth(confirmed=False), given)
        return self._concluded(found), bool(found.wrong.any())

    def _all_undecided(self) -> Judgement:
        return Judgement(self.claim.name, [], self.entries, undecided=len(self.entries))

    def truth(self, *, confirmed: bool) -> formula.Truth:
        """Find what the entries should be; `confirmed` has autodiff checked by a quotient."""
        truth = formula.truth_at(
            self.lanes.reference,
            self.lanes.function,
            self.leaves,
            places(self.contract, self.draw.args),
            derivative=self.claim.order > 0,
        )
        return self._along_simplex(formula.confirmed(truth, self.direction) if confirmed else truth)

    def measure(self, truth: formula.Truth, dtype: Any = FLOAT64) -> digits.Yardstick:
        """Say what rounding may do to each entry."""
        return self._yardstick(balls.Centre.of(truth.values), self._scales(), dtype)

    def _yardstick(
        self, centre: balls.Centre, scales: tuple[Array, Array], dtype: Any = FLOAT64
    ) -> digits.Yardstick:
        return digits.yardstick(centre, *scales, dtype, self.min_digits, self.arrays)

    def _concluded(self, found: formula.Formula) -> Judgement:
        return Judgement(
            self.claim.name,
            self.problems,
            self.entries,
            exact=int(balls.finite(found.truth.values).any()),
            undecided=found.undecided,
            kinks=found.truth.kinks,
            autodiff_wrong=found.truth.autodiff_wrong,
        )

    def _failed(self) -> bool:
        return any(problem.kind in FAILURES for problem in self.problems)

    def examined(
        self, truth: formula.Truth, given: oracle.Exact, dtype: Any = FLOAT64
    ) -> formula.Formula:
        """Compare what a program in the subject's place gives with what it should."""
        return formula.examine(
            dataclasses.replace(truth, tied=truth.tied or given.kinks),
            self._projected(given.values),
            self.direction,
            lambda closely: self._constants(dtype, closely=closely),
            dtype,
        )

    def _constants(self, dtype: Any, *, closely: bool) -> Array:
        moved = self.lanes.constants(self.values, dtype)
        if closely and moved.any():
            # Where terms cancel, floats do not tell by how much a constant moves what is left of
            # them: what it moves is computed with an error of its own, a rounding of a rounding.
            moved = moved + unit_roundoff(dtype) ** 2 * np.nan_to_num(self._scales()[0])
        return moved

    def fits(
        self, measure: digits.Yardstick, outcomes: dict[str, Outcome]
    ) -> dict[str, digits.Fit]:
        """Measure what lanes gave."""
        return {
            name: digits.fit(measure, self._projected(outcome.values))
            for name, outcome in outcomes.items()
            if outcome.values is not None
        }

    def _blame_formula(self, found: formula.Formula) -> bool:
        """Report disproved entries; say whether there are any."""
        entries = np.flatnonzero(found.wrong)
        if entries.size:
            entry = formula.most_visible(found, entries)
            if self._is_right_eagerly(found, entry):
                self._report_formula("differs_under_jit", entry, found, judgement.ONLY_TRACED)
            else:
                text = judgement.disproof(self.claim, by_quotient=found.truth.autodiff_wrong)
                self._report_formula(self.claim.kind, entry, found, text)
            return True
        if found.rounded.any():
            entry = formula.most_visible(found, np.flatnonzero(found.rounded))
            self._report_formula("rounded_constant", entry, found, judgement.ROUNDED)
        return False

    def _is_right_eagerly(self, found: formula.Formula, entry: int) -> bool:
        """Tell whether an entry is right when the program runs eagerly, and wrong when traced.

        What was evaluated exactly is the traced program: then it is only tracing that is wrong.
        """
        if self.claim.directed:
            return False
        fits = self.fits(self._strictest(found), self.lanes.run(self.values, batched=False))
        traced, eager = fits.get("jit"), fits.get("eager")
        return bool(traced and eager and traced.bad[entry] and not eager.bad[entry])

    def _strictest(self, found: formula.Formula) -> digits.Yardstick:
        """Measure as if the problem excused nothing, which costs nothing to find out."""
        none = np.zeros(len(self.entries))
        return self._yardstick(balls.Centre.of(found.truth.values), (none, none))

    def _blame_second_order(self, found: formula.Formula) -> formula.Formula:
        """Blame a derivative for what it spoils: second derivatives that JAX alone gets right.

        Nobody wrote the program of the derivative's derivative. It need not be better than the one
        in whose place it comes, which a user of `jax.hessian` would have had without it; and of
        digits only a rule has to keep as many, unless `min_digits` asks for them.
        """
        outcome = self.lanes.run_main(self.values)
        if outcome.error is not None:
            self._report("jit", "raised", 0, text=error_line(outcome.error))
            return found
        strictest = self._strictest(found)
        own = self.fits(strictest, {"jit": outcome})["jit"]
        if not own.bad.any():
            return found
        outcomes = {"jit": outcome, "twice": self.lanes.run_twice(self.values)}
        twice = self.fits(strictest, outcomes).get("twice")
        suspects = own.bad & ~twice.bad if twice else np.zeros_like(own.bad)
        if not suspects.any():
            self._remark_not_finite(strictest, own)
            return found
        if found.truth.tied:
            found = formula.settled_formula(found, suspects)
        measure = self.measure(found.truth)
        fits = self.fits(measure, outcomes)
        own, twice = fits["jit"], fits["twice"]
        spoilt = [
            e for e in np.flatnonzero(own.bad) if not digits.nearly_bad(twice, measure, int(e))
        ]
        if not spoilt:
            return found
        entry = int(max(spoilt, key=lambda e: own.roundings[e]))
        kind = "not_finite" if own.missing[entry] else "unstable"
        if kind == "not_finite" or self.claim.to_the_digit or self.min_digits:
            text = judgement.SPOILT[kind]
            self._report_fit("jit", kind, entry, measure, own, outcomes, text=text)
        else:
            text = f"it keeps {own.kept[entry]:.1f} of {measure.allowed[entry]:.1f}"
            self._report("jit", "second_order_unstable", entry, text=text)
        return found

    def _remark_not_finite(self, measure: digits.Yardstick, fit: digits.Fit) -> None:
        if fit.missing.any():
            entry = int(np.flatnonzero(fit.missing)[0])
            text = f"where the exact value is {balls.shown(measure.centre.high[entry])}"
            self._report("jit", "second_order_not_finite", entry, text=text)

    def _report_formula(
        self, kind: str, entry: int, found: formula.Formula, text: str, lane: str = "exact"
    ) -> None:
        exact, given = found.truth.values[entry], found.given[entry]
        self._report(
            lane,
            kind,
            entry,
            text=text,
            exact=balls.shown(exact),
            got=balls.shown(given),
            digits_kept=formula.common_digits(exact, given),
        )

    def _blame_lanes(
        self,
        measure: digits.Yardstick,
        outcomes: dict[str, Outcome],
        fits: dict[str, digits.Fit],
    ) -> None:
        """Report what goes wrong in floating point though the formula is right."""
        raised = {name: outcome.error for name, outcome in outcomes.items() if outcome.error}
        for name, error in raised.items():
            self._report(name, "raised", 0, text=error_line(error))
        if raised:
            return
        main, eager = fits["jit"], fits.get("eager")
        if eager is not None and main.bad.any() != eager.bad.any():
            name, worse, better = ("jit", main, eager) if main.bad.any() else ("eager", eager, main)
            entry = worse.worst
            if not (
                digits.nearly_bad(better, measure, entry)
                or self._may_be_rounding(worse, measure, entry)
            ):
                self._report_fit(name, "differs_under_jit", entry, measure, worse, outcomes)
                return
        for name, own in fits.items():
            if own.bad.any():
                batched = name.startswith("vmap") and not (
                    digits.nearly_bad(main, measure, own.worst)
                    or self._may_be_rounding(own, measure, own.worst)
                )
                kind = "not_finite" if own.missing.any() else "unstable"
                kind = "differs_under_vmap" if batched else kind
                self._report_fit(name, kind, own.worst, measure, own, outcomes)
                return

    def _may_be_rounding(self, fit: digits.Fit, measure: digits.Yardstick, entry: int) -> bool:
        """Tell whether rounding explains how far off a lane is, by the judged program's own steps.

        Two lanes of an unstable program differ by luck, which is no difference between programs.
        """
        scales = self._spread(self.lanes.own_scales(self.floats))
        if scales[1][entry] >= np.finfo(np.float64).max:
            # An intermediate moves the entry without bound, as a zero in a denominator does:
            # whether there is a number at all is luck.
            return True
        own = self._yardstick(measure.centre, scales)
        error = fit.roundings[entry] * measure.bound[entry]
        return bool(error <= digits.TOLERATED * own.bound[entry])

    def _blame_batched_formula(self, truth: formula.Truth) -> None:
        """Disprove the program that ``vmap`` makes, which may have a rule of its own."""
        for name, program in self.lanes.batched_subjects(self.values).items():
            stacked = self.lanes.with_company(name, self.values, self.leaves)
            try:
                given = oracle.exact_values(program, stacked)
            except Undecided:
                continue
            found = self.examined(truth, given)
            if found.wrong.any():
                entry = formula.most_visible(found, np.flatnonzero(found.wrong))
                self._report_formula(
                    "differs_under_vmap", entry, found, judgement.ONLY_BATCHED, name
                )
                return

    def _blame_narrow(
        self,
        truth: formula.Truth,
        measure: digits.Yardstick,
        fits: dict[str, digits.Fit],
        thorough: bool,
    ) -> bool:
        """Judge the float32 program; say whether the input is beyond what float32 can do."""
        try:
            misfits = self.lanes.narrow_misfits(self.values)
        except Exception as error:
            self._report("float32", "raised", 0, text=error_line(error))
            return False
        if misfits:
            self.problems += [misfitting(self.claim, misfit) for misfit in misfits]
            return False
        outcomes = self.lanes.run_narrow(self.values)
        own = outcomes["float32"]
        if own.error is not None:
            self._report("float32", "raised", 0, text=error_line(own.error))
            return False
        narrow = self.fits(measure, outcomes)
        fit = narrow.pop("float32")
        excused = fit.missing
        if narrow and fit.bad.any():
            # Where every program runs out of float32's range, the range is to blame. A function may
            # have the subject for its rule, which must not excuse itself.
            plain = self.fits(measure, self.lanes.run_narrow_plain(self.values))
            excused = np.all([w.bad for w in (*narrow.values(), *plain.values())], axis=0)
        # What nobody is blamed for is nobody's record either.
        excused = excused & fit.bad
        fits.update(
            {name: own.without(excused) for name, own in {"float32": fit, **narrow}.items()}
        )
        if (fit.bad & ~excused).any():
            entry = int(np.flatnonzero(fit.bad & ~excused)[0])
            kind = "not_finite" if fit.missing[entry] else "unstable"
            self._report_fit("float32", kind, entry, measure, fit, outcomes)
        elif thorough:
            self._blame_narrow_formula(truth)
        return bool(excused.any())

    def _blame_narrow_formula(self, truth: formula.Truth) -> None:
        """Disprove the program that is traced in float32, which may be another one."""
        program = self.lanes.narrow_subject(self.values)
        try:
            given = oracle.exact_values(program, self.leaves)
        except Undecided:
            return
        found = self.examined(truth, given, FLOAT32)
        if found.wrong.any():
            entry = formula.most_visible(found, np.flatnonzero(found.wrong))
            self._report_formula(self.claim.kind, entry, found, judgement.ONLY_NARROW, "float32")

    def _report_fit(
        self,
        lane: str,
        kind: str,
        entry: int,
        measure: digits.Yardstick,
        fit: digits.Fit,
        outcomes: dict[str, Outcome],
        text: str | None = None,
    ) -> None:
        values = self._projected(outcomes[lane].values)
        self._report(
            lane,
            kind,
            entry,
            text=text or judgement.EXPLANATIONS[kind],
            exact=balls.shown(measure.centre.high[entry]),
            got=balls.shown(values[entry]),
            roundings=float(fit.roundings[entry]),
            digits_kept=float(fit.kept[entry]),
            digits_allowed=float(measure.allowed[entry]),
        )

    def _report(self, lane: str, kind: str, entry: int, *, text: str, **numbers: Any) -> None:
        self.problems.append(
            Problem(
                kind=kind,
                claim=self.claim.name,
                order=self.claim.order,
                lane=lane,
                entry=self.entries[entry] if self.entries else "",
                explanation=text,
                **numbers,
            )
        )

    def _projected(self, values: Any) -> Any:
        """Take what is claimed only along a simplex without its mean over the last axis."""
        for start, shape in self.tangents:
            values = values.copy()
            stop = start + int(np.prod(shape))
            with balls.precision(400):
                block = values[start:stop].reshape(shape)
                mean = block.sum(axis=-1, keepdims=True) / shape[-1]
                values[start:stop] = (block - mean).reshape(-1)
        return values

    def _along_simplex(self, truth: formula.Truth) -> formula.Truth:
        if not self.tangents:
            return truth
        # A quotient in one entry leaves the simplex, so that there is none to ask.
        return dataclasses.replace(truth, values=self._projected(truth.values), function=None)

    def _scales(self) -> tuple[Array, Array]:
        return self._spread(self.lanes.scales(self.floats))

    def _spread(self, scales: tuple[Array, Array]) -> tuple[Array, Array]:
        """Let each entry have its share of what is taken off along a simplex."""
        relative, absolute = (scale.copy() for scale in scales)
        for start, shape in self.tangents:
            stop = start + int(np.prod(shape))
            for scale in (relative, absolute):
                block = scale[start:stop].reshape(shape)
                scale[start:stop] = (block + block.mean(axis=-1, keepdims=True)).reshape(-1)
        return relative, absolute
