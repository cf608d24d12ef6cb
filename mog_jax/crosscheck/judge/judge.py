"""Judges one claim at every input, and keeps the compiled programs of each shape."""

import functools
import re
from typing import Any

import jax

from mog_jax.crosscheck.findings import error_line
from mog_jax.crosscheck.inputs.arguments import Signature
from mog_jax.crosscheck.inputs.draws import Draw, draw_of
from mog_jax.crosscheck.jaxprs import trace, uses
from mog_jax.crosscheck.judge.accuracy import Strictness
from mog_jax.crosscheck.judge.case import Case
from mog_jax.crosscheck.judge.case_tests import CaseTests
from mog_jax.crosscheck.judge.claims import Claim
from mog_jax.crosscheck.judge.executions import Executions, attempt, judging_at
from mog_jax.crosscheck.judge.judgement import Judgement, misfitting, raising
from mog_jax.crosscheck.precisions import in_float64

# Number of shapes, the last used ones, whose compiled programs are kept: about 40 MiB each.
_SHAPES = 16
_NO_FORWARD_MODE = "a custom_vjp rule has no forward mode"
# JAX's messages about a mode that code does not define.
_UNDEFINED = re.compile(
    "Reverse-mode differentiation does not work for|callbacks do not support"
    "|does not support reverse-mode|for (grad|jvp|linearize|transpose) support, subclass"
)
# JAX's messages about the code of a rule or a derivative that cannot be differentiated.
_NOT_DIFFERENTIABLE = re.compile("Transpose rule|Differentiation rule")


class Judge:
    """Judges one claim; keeps the compiled programs of each shape."""

    def __init__(
        self,
        claim: Claim,
        contract: Signature,
        example: tuple[Any, ...],
        *,
        seed: int,
        strictness: Strictness,
    ) -> None:
        self.claim = claim
        self.contract = contract
        self.strictness = strictness
        self._example, self._seed = example, seed
        # The trace of the subject at the example, with the key of its shapes.
        self._traced: tuple[Any, Any] | None = None
        self._executions: dict[Any, Executions] = {}
        self._outputs: dict[Any, Any] = {}

    def __call__(self, draw: Draw, *, thorough: bool, as_traced: bool = False) -> Judgement:
        """Judge one input; `thorough` adds the expensive checks.

        A disproved formula is run eagerly as well, as only tracing may be at fault; not if the code
        is known to compute the same eagerly, `as_traced`.
        """
        case = self.case(draw)
        if case.executions.error is not None:
            return Judgement(self.claim.name, [raising(self.claim, case.executions.error)])
        if case.executions.misfits:
            problems = [misfitting(self.claim, misfit) for misfit in case.executions.misfits]
            return Judgement(self.claim.name, problems)
        if self.claim.order >= 2 and not thorough:
            return Judgement(self.claim.name, [])
        return CaseTests(case, as_traced=as_traced).judged(thorough)

    def formula_only(self, draw: Draw) -> tuple[Judgement, bool]:
        """Judge the formula only, running no program; also return whether it is disproved."""
        case = self.case(draw)
        if case.executions.misfits or case.executions.error is not None:
            return Judgement(self.claim.name, []), True
        return CaseTests(case).judged_formula_only()

    def overflows(self, draw: Draw) -> bool:
        """Return whether the subject is not finite in float32 where it is in float64."""
        case = self.case(draw)
        if case.executions.misfits or case.executions.error is not None:
            return False
        return case.executions.overflows(case.values)

    def case(self, draw: Draw) -> Case:
        """Return the case of an input: the claim at that input, with its compiled programs."""
        tangent, cotangent = self._directions(draw)
        values = (*draw.args, tangent, cotangent) if self.claim.directed else draw.args
        executions = self._executions.pop(draw.key, None) or self._new_executions(draw, values)
        self._executions[draw.key] = executions
        if len(self._executions) > _SHAPES:
            del self._executions[next(iter(self._executions))]
        return Case(
            self.claim,
            self.contract,
            executions,
            draw,
            values,
            jax.tree.leaves(tangent),
            strictness=self.strictness,
        )

    def _new_executions(self, draw: Draw, values: tuple[Any, ...]) -> Executions:
        key, traced = self._traced or (None, None)
        self._traced = None
        return Executions(self.claim, self.contract, values, traced if key == draw.key else None)

    @functools.cached_property
    def undefined(self) -> str | None:
        """Why the subject cannot be differentiated in this way; None if it can."""
        if not self.claim.directed:
            return None
        draw = draw_of(self._example, self.contract, narrow=False)
        with in_float64():
            directions = self._directions(draw)
            found, error = attempt(lambda: trace(self.claim.subject, *draw.args, *directions))
        if error is not None:
            if "custom_lin" in str(error):
                return _NO_FORWARD_MODE
            # A mode that is defined and fails is a finding, not a remark.
            second = self.claim.order >= 2 and _NOT_DIFFERENTIABLE.search(str(error))
            return error_line(error) if second or _UNDEFINED.search(str(error)) else None
        assert found is not None
        self._traced = draw.key, found
        # Forward mode through a custom_vjp function fails only when it is run.
        return _NO_FORWARD_MODE if uses(found[0], "custom_lin") else None

    def _directions(self, draw: Draw) -> tuple[Any, Any]:
        if not self.claim.directed:
            return draw.directions(self.contract, None, self._seed)
        if draw.key not in self._outputs:
            with in_float64(), judging_at(draw.args):
                self._outputs[draw.key] = trace(self.claim.undirected, *draw.args)[1]
        return draw.directions(self.contract, self._outputs[draw.key], self._seed)
