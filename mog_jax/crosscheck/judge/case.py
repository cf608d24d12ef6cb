"""Defines one claim at one input: its programs, exact values, error bounds and measurements."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import flint
import jax
import numpy as np

from mog_jax.crosscheck.arrays import Array, unit_roundoff
from mog_jax.crosscheck.exact import Undecided, ball_arrays
from mog_jax.crosscheck.findings import Execution
from mog_jax.crosscheck.inputs.arguments import Signature
from mog_jax.crosscheck.inputs.draws import Draw, places
from mog_jax.crosscheck.judge import formula, oracle
from mog_jax.crosscheck.judge.accuracy import (
    TOLERATED,
    Accuracy,
    ErrorBound,
    Strictness,
    error_bound,
    largest_of_array,
    measure,
)
from mog_jax.crosscheck.judge.claims import Claim
from mog_jax.crosscheck.judge.conditioning import Scales
from mog_jax.crosscheck.judge.executions import FLOAT64, Executions, Outcome
from mog_jax.crosscheck.judge.quotients import Quotients


class Case:
    """One claim at one input.

    Attributes
    ----------
    claim : Claim
        The claim.
    executions : Executions
        Its programs for inputs of this shape.
    draw : Draw
        The input.
    values : tuple
        The arguments of the programs: those of the draw, and for a directed claim a tangent and a
        cotangent.
    floats, leaves : list of arrays
        Their leaves, as floats and as exact numbers.
    entries : list of str
        Names of the numbers that the claim is about.
    """

    def __init__(
        self,
        claim: Claim,
        contract: Signature,
        executions: Executions,
        draw: Draw,
        values: tuple[Any, ...],
        direction: list[Array],
        *,
        strictness: Strictness,
    ) -> None:
        self.claim, self.executions, self.draw, self.values = claim, executions, draw, values
        self.floats = jax.tree.leaves(values)
        self.leaves = [*draw.exact, *self.floats[len(draw.exact) :]]
        self.entries = executions.entries(draw.args)
        self.strictness = strictness
        self._contract, self._direction = contract, direction
        self._arrays = executions.arrays()
        self._tangents = claim.tangent_groups(contract, draw.args)

    def reference(self, *, confirmed: bool) -> formula.ReferenceValues:
        """Return the exact values of the entries; `confirmed` has a quotient check autodiff."""
        reference = formula.reference_values(
            self.executions.reference,
            self.leaves,
            self._quotients(),
            derivative=self.claim.order > 0,
        )
        return self._along_simplex(formula.confirmed(reference) if confirmed else reference)

    def _quotients(self) -> Quotients | None:
        function = self.executions.function
        if function is None:
            return None
        kind = self.claim.quotients
        return kind(function, self.leaves, places(self._contract, self.draw.args), self._direction)

    def error_bound(self, reference: formula.ReferenceValues, dtype: Any = FLOAT64) -> ErrorBound:
        """Return the error bound of each entry."""
        return self._error_bound(
            ball_arrays.Centre.of(reference.values), self._scales(dtype), dtype
        )

    def _error_bound(
        self, centre: ball_arrays.Centre, scales: Scales, dtype: Any = FLOAT64
    ) -> ErrorBound:
        return error_bound(centre, scales, dtype, self.strictness, self._arrays)

    def exact(self, program: Any, *, literally: bool = False) -> oracle.Exact:
        """Return a program's exact values at this input, without the mean along a simplex."""
        given = oracle.exact_values(program, self.leaves, literally=literally)
        return dataclasses.replace(given, values=self.projected(given.values))

    def examined(
        self, reference: formula.ReferenceValues, given: oracle.Exact, dtype: Any = FLOAT64
    ) -> formula.Formula:
        """Compare the exact values of a program in the subject's place with the right ones."""
        return formula.examine(
            reference,
            dataclasses.replace(given, values=self.projected(given.values)),
            lambda closely: self._constants(dtype, closely=closely),
            dtype,
            self._agreed if self.strictness.agrees_to else None,
            self.strictness.min_digits,
        )

    def _agreed(self, gap: Array, values: Array) -> Array:
        """Return in which entries a difference is within the declared accuracy.

        The difference is relative to the largest of the entry (with `normwise`, the largest entry
        of its array) and its terms, which may cancel.
        """
        size = np.maximum(ball_arrays.upper(values), np.nan_to_num(self._scales().relative))
        if self.strictness.normwise:
            size = largest_of_array(size, self._arrays)
        allowed = flint.arb(self.strictness.agrees_to)
        return np.array([bool(g <= allowed * flint.arb(s)) for g, s in zip(gap, size, strict=True)])

    def _constants(self, dtype: Any, *, closely: bool) -> Array:
        moved = self.executions.constants(self.values, dtype)
        if closely and moved.any():
            # Where terms cancel, the effect of a constant is itself computed with a rounding error,
            # which is added.
            moved = moved + unit_roundoff(dtype) ** 2 * np.nan_to_num(self._scales().relative)
        return moved

    def measured(
        self, bound: ErrorBound, outcomes: Mapping[Execution, Outcome]
    ) -> dict[Execution, Accuracy]:
        """Return the accuracy of each execution that returned values."""
        measured = {name: self.measured_one(bound, own) for name, own in outcomes.items()}
        return {name: accuracy for name, accuracy in measured.items() if accuracy is not None}

    def measured_one(self, bound: ErrorBound, outcome: Outcome) -> Accuracy | None:
        """Return the accuracy of one execution; None if it raised."""
        return None if outcome.values is None else measure(bound, self.projected(outcome.values))

    def strictest(self, reference: formula.ReferenceValues) -> ErrorBound:
        """Return the error bound with all error scales 0: cheap, and no looser than any other."""
        none = np.zeros(len(self.entries))
        return self._error_bound(ball_arrays.Centre.of(reference.values), Scales(none, none, none))

    def jumps(self, bound: ErrorBound, dtype: Any) -> Array:
        """Return how far each entry moves if every input is moved by a rounding.

        Near a kink or a step that is much more than slopes predict, and no program can do better.
        """
        largest = np.zeros(len(self.entries))
        for signs in _patterns([leaf.shape for leaf in self.draw.exact]):
            for side in (1, -1):
                largest = np.fmax(largest, self._jump(signs, side * unit_roundoff(dtype), bound))
        return largest

    def _jump(self, signs: list[Array], part: float, bound: ErrorBound) -> Array:
        with ball_arrays.precision(256):
            moved = [
                ball_arrays.as_balls(leaf) * (1 + ball_arrays.as_balls(part * sign))
                if leaf.dtype.kind in "fO"
                else leaf
                for leaf, sign in zip(self.draw.exact, signs, strict=True)
            ]
        try:
            there = oracle.exact_values(
                self.executions.reference, [*moved, *self.leaves[len(moved) :]]
            )
        except Undecided:
            return np.zeros(len(self.entries))
        values = ball_arrays.Centre.of(self.projected(there.values))
        return bound.centre.error(values.high)

    def may_be_rounding(self, accuracy: Accuracy, bound: ErrorBound, entry: int) -> bool:
        """Return whether roundings of the judged program itself explain the error of a run.

        Two executions of an unstable program differ by chance, which is not a difference between
        programs.
        """
        scales = self._spread(self.executions.own_scales(self.floats))
        if scales.absolute[entry] >= np.finfo(np.float64).max:
            # An intermediate moves the entry without bound, as a zero in a denominator does: then
            # it is chance whether the result is finite.
            return True
        own = self._error_bound(bound.centre, scales)
        error = accuracy.roundings[entry] * bound.rounding[entry]
        return bool(error <= TOLERATED * own.rounding[entry])

    def of_the_other_sign(self, bound: ErrorBound, accuracy: Accuracy) -> Array:
        """Return the entries that are as wrong in the float32 reference, by the sign of a vector.

        All entries are False unless the programs use a factorisation whose signs are arbitrary.
        """
        wrong = accuracy.bad & ~accuracy.missing
        if not (wrong.any() and self.executions.has_vectors_of_either_sign):
            return np.zeros_like(wrong)
        own = self.executions.run_narrow_reference(self.values)
        measured = self.measured(bound, {Execution.FLOAT32: own})
        return np.asarray(wrong & np.all([found.bad for found in measured.values()], axis=0))

    def is_same_program(
        self, found: formula.Formula, program: Any, stacked: Sequence[Array]
    ) -> bool:
        """Return whether a batched program is the same, with special functions taken literally.

        Not every batched special function is recognised.
        """
        if not self.executions.has_special_functions:
            return False
        try:
            alone = self.exact(self.executions.subject, literally=True)
            batched = oracle.exact_values(program, stacked, literally=True)
        except Undecided:
            return True  # No difference can be shown.
        literally = dataclasses.replace(
            found.reference, values=alone.values, quotients=None, tied=False
        )
        return not self.examined(literally, batched).wrong.any()

    def projected(self, values: Any) -> Any:
        """Return values with the mean over the last axis removed, where a simplex requires it."""
        for start, shape in self._tangents:
            values = values.copy()
            stop = start + int(np.prod(shape))
            with ball_arrays.precision(400):
                block = values[start:stop].reshape(shape)
                mean = block.sum(axis=-1, keepdims=True) / shape[-1]
                values[start:stop] = (block - mean).reshape(-1)
        return values

    def _along_simplex(self, reference: formula.ReferenceValues) -> formula.ReferenceValues:
        if not self._tangents:
            return reference
        # A difference quotient in one entry would leave the simplex, so none is used.
        return dataclasses.replace(
            reference, values=self.projected(reference.values), quotients=None
        )

    def _scales(self, dtype: Any = FLOAT64) -> Scales:
        scales = self.executions.scales(self.floats, dtype)
        if self.claim.surrogate:
            # The subject's own program is the only one, and must not set its own error bound.
            scales = scales._replace(relative=scales.of_inputs)
        return self._spread(scales)

    def _spread(self, scales: Scales) -> Scales:
        """Add to each entry its share of the mean that is removed along a simplex."""
        spread = Scales(*(scale.copy() for scale in scales))
        for start, shape in self._tangents:
            stop = start + int(np.prod(shape))
            for scale in spread:
                block = scale[start:stop].reshape(shape)
                scale[start:stop] = (block + block.mean(axis=-1, keepdims=True)).reshape(-1)
        return spread


def _patterns(shapes: Sequence[tuple[int, ...]]) -> Iterator[list[Array]]:
    """Yield signs by which inputs are moved to see a jump, each to be taken both ways.

    Neighbours apart, far ones apart, and at random: what moves together leaves differences as they
    are.
    """
    sizes = [int(np.prod(shape, dtype=int)) for shape in shapes]
    places = np.arange(sum(sizes))
    random = np.random.default_rng(0).choice([-1.0, 1.0], size=places.size)
    for signs in (1.0 - 2 * (places % 2), np.where(2 * places < places.size, 1.0, -1.0), random):
        parts = np.split(signs, np.cumsum(sizes)[:-1])
        yield [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
