"""What all inputs together showed: the numbers behind a report."""

import dataclasses
import math
from typing import Any

from mog_jax.crosscheck.findings import Execution, Finding
from mog_jax.crosscheck.mutation.score import Mutant


@dataclasses.dataclass
class ExecutionSummary:
    """How well one way of running a program did, over all inputs.

    Attributes
    ----------
    inputs : int
        How many were judged.
    roundings : float
        The most, in units of what one rounding of everything may cause.
    digits_kept, digits_allowed : float
        At the input and entry where the fewest were kept of those allowed.
    entry : str
        Where that was.
    """

    inputs: int = 0
    roundings: float = 0.0
    digits_kept: float = math.nan
    digits_allowed: float = math.nan
    entry: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Give it as what JSON can hold."""
        return {key: _json(value) for key, value in dataclasses.asdict(self).items()}


@dataclasses.dataclass
class ClaimSummary:
    """What was seen of one claim, over all inputs.

    Attributes
    ----------
    name : str
        What was judged.
    judged : int
        Inputs at which its formula was compared with a finite exact value.
    failed : int
        Inputs at which something failed.
    informative : dict from str to int
        By entry, inputs at which an error would have shown.
    executions : dict from Execution to ExecutionSummary
        How each way of running it did; the keys are strings such as ``"jit"``.
    """

    name: str
    judged: int = 0
    failed: int = 0
    informative: dict[str, int] = dataclasses.field(default_factory=dict)
    executions: dict[Execution, ExecutionSummary] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Give it as what JSON can hold."""
        return {
            "judged": self.judged,
            "failed": self.failed,
            "informative": self.informative,
            "executions": {str(name): value.to_dict() for name, value in self.executions.items()},
        }


@dataclasses.dataclass
class Summary:
    """What a cross-check found.

    Attributes
    ----------
    name : str
        What was checked.
    seed : int
        Which inputs were drawn.
    findings : list of Finding
        What fails the check, most severe first.
    remarks : list of Finding
        What is worth knowing, but fails nothing.
    claims : dict from str to ClaimSummary
        How each claim did.
    planted : list of Mutant
        Bugs that were planted, if that was asked for and the derivative passed.
    examples : int
        Inputs that were tried.
    overdue : int
        Inputs that were not judged because exact evaluation took longer than `deadline`.
    undefined, undecided, kinks, autodiff_wrong, beyond_float32 : int
        Inputs of which an entry had no finite derivative, could not be decided, was at a kink of
        the function, was wrong in automatic differentiation, or was beyond the range of any float32
        program.
    seconds : float
        How long it took.
    points : list of dict
        The digits kept and allowed at each input, for plots.
    """

    name: str
    seed: int
    findings: list[Finding] = dataclasses.field(default_factory=list)
    remarks: list[Finding] = dataclasses.field(default_factory=list)
    claims: dict[str, ClaimSummary] = dataclasses.field(default_factory=dict)
    planted: list[Mutant] = dataclasses.field(default_factory=list)
    examples: int = 0
    overdue: int = 0
    undefined: int = 0
    undecided: int = 0
    kinks: int = 0
    autodiff_wrong: int = 0
    beyond_float32: int = 0
    seconds: float = 0.0
    points: list[dict[str, Any]] = dataclasses.field(default_factory=list, repr=False)

    @property
    def ok(self) -> bool:
        """Whether nothing failed, and something was judged."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """Give it as what JSON can hold."""
        return {
            "name": self.name,
            "ok": self.ok,
            "examples": self.examples,
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
            "overdue": self.overdue,
            "undefined": self.undefined,
            "undecided": self.undecided,
            "kinks": self.kinks,
            "autodiff_wrong": self.autodiff_wrong,
            "beyond_float32": self.beyond_float32,
            "findings": [finding.to_dict() for finding in self.findings],
            "remarks": [remark.to_dict() for remark in self.remarks],
            "planted": [mutant.to_dict() for mutant in self.planted],
            "claims": {name: claim.to_dict() for name, claim in self.claims.items()},
        }


def _json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
