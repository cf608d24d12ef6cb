"""Who judges a claim: keeps the compiled programs of each shape, and asks about each input."""

from typing import Any

import jax

from mog_jax.crosscheck.arguments import Signature
from mog_jax.crosscheck.case import Case
from mog_jax.crosscheck.claims import Claim
from mog_jax.crosscheck.draws import Draw, draw_of
from mog_jax.crosscheck.findings import error_line
from mog_jax.crosscheck.judgement import Judgement, misfitting, raising
from mog_jax.crosscheck.lanes import Lanes, judging_at
from mog_jax.crosscheck.programs import trace, uses

# Compiled programs are kept for so many shapes, those used last: some 40 MiB each.
_SHAPES = 16
_NO_FORWARD_MODE = "a custom_vjp rule has no forward mode"


class Judge:
    """Judges one claim; keeps the compiled programs of each shape."""

    def __init__(
        self,
        claim: Claim,
        contract: Signature,
        *,
        seed: int,
        min_digits: float,
        normwise: bool = False,
    ) -> None:
        self.claim = claim
        self.contract = contract
        self.min_digits = min_digits
        self.normwise = normwise
        self._seed = seed
        self._lanes: dict[Any, Lanes] = {}
        self._outputs: dict[Any, Any] = {}

    def __call__(self, draw: Draw, *, thorough: bool) -> Judgement:
        """Judge one input; `thorough` adds the checks that cost more."""
        case = self.case(draw)
        if case.lanes.error is not None:
            return Judgement(self.claim.name, [raising(self.claim, case.lanes.error)])
        if case.lanes.misfits:
            problems = [misfitting(self.claim, misfit) for misfit in case.lanes.misfits]
            return Judgement(self.claim.name, problems)
        if self.claim.order == 2 and not thorough:
            return Judgement(self.claim.name, [])
        return case.judged(thorough)

    def glance(self, draw: Draw) -> tuple[Judgement, bool]:
        """Ask of the formula alone, by exact values: nothing is run. Also say whether it fell."""
        case = self.case(draw)
        if case.lanes.misfits or case.lanes.error is not None:
            return Judgement(self.claim.name, []), True
        return case.glanced()

    def overflows(self, draw: Draw) -> bool:
        """Whether the subject gives no number in float32 where it gives one in float64."""
        case = self.case(draw)
        if case.lanes.misfits or case.lanes.error is not None:
            return False
        return case.lanes.overflows(case.values)

    def case(self, draw: Draw) -> "Case":
        """Give an input, about which the subject or a program in its place can be asked."""
        tangent, cotangent = self._directions(draw)
        values = (*draw.args, tangent, cotangent) if self.claim.directed else draw.args
        lanes = self._lanes.pop(draw.key, None) or Lanes(self.claim, self.contract, values)
        self._lanes[draw.key] = lanes
        if len(self._lanes) > _SHAPES:
            del self._lanes[next(iter(self._lanes))]
        return Case(self, lanes, draw, values, jax.tree.leaves(tangent))

    def undefined(self, args: tuple[Any, ...]) -> str | None:
        """Say why the subject cannot be differentiated in this way, if it cannot."""
        if not self.claim.directed:
            return None
        draw = draw_of(args, self.contract, narrow=False)
        try:
            with jax.enable_x64(True):
                closed, _ = trace(self.claim.subject, *draw.args, *self._directions(draw))
        except Exception as error:
            if "custom_lin" in str(error):
                return _NO_FORWARD_MODE
            return error_line(error)
        # Forward mode through a custom_vjp function fails only when it is run.
        return _NO_FORWARD_MODE if uses(closed, "custom_lin") else None

    def _directions(self, draw: Draw) -> tuple[Any, Any]:
        if draw.key not in self._outputs:
            with jax.enable_x64(True), judging_at(draw.args):
                self._outputs[draw.key] = jax.eval_shape(self.claim.undirected, *draw.args)
        return draw.directions(self.contract, self._outputs[draw.key], self._seed)
