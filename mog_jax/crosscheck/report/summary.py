"""Defines the numbers of a report, summed over all inputs."""

import dataclasses
import math
from typing import Any

from mog_jax.crosscheck.findings import Execution, Finding
from mog_jax.crosscheck.mutation.score import Mutant


@dataclasses.dataclass
class ExecutionSummary:
    """The accuracy of one way of running a program, over all inputs.

    Attributes
    ----------
    inputs : int
        Number of inputs that were judged.
    roundings : float
        The largest error, in units of one rounding.
    digits_kept, digits_allowed : float
        Digits at the input and entry where most of those allowed are lost.
    entry : str
        That entry.
    """

    inputs: int = 0
    roundings: float = 0.0
    digits_kept: float = math.nan
    digits_allowed: float = math.nan
    entry: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict that JSON can hold."""
        return {key: _json(value) for key, value in dataclasses.asdict(self).items()}


@dataclasses.dataclass
class ClaimSummary:
    """The results of one claim, over all inputs.

    Attributes
    ----------
    name : str
        Name of the claim.
    judged : int
        Inputs at which its formula was compared with a finite exact value.
    failed : int
        Inputs at which something failed.
    informative : dict from str to int
        From each entry to the number of inputs at which an error would have shown.
    executions : dict from Execution to ExecutionSummary
        The accuracy of each way of running it; the keys are strings such as ``"jit"``.
    """

    name: str
    judged: int = 0
    failed: int = 0
    informative: dict[str, int] = dataclasses.field(default_factory=dict)
    executions: dict[Execution, ExecutionSummary] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict that JSON can hold."""
        return {
            "judged": self.judged,
            "failed": self.failed,
            "informative": self.informative,
            "executions": {str(name): value.to_dict() for name, value in self.executions.items()},
        }


@dataclasses.dataclass
class Summary:
    """The results of a cross-check.

    Attributes
    ----------
    name : str
        Name of the check.
    seed : int
        Seed of the drawn inputs.
    findings : list of Finding
        The failures, most severe first.
    remarks : list of Finding
        Findings that do not fail the check.
    claims : dict from str to ClaimSummary
        The results of each claim.
    planted : list of Mutant
        The planted bugs, with `plant_bugs` and if the derivative passed.
    examples : int
        Number of inputs that were tried.
    overdue : int
        Inputs that were not judged because exact evaluation took longer than `deadline`.
    undefined, undecided, kinks, autodiff_wrong, beyond_float32 : int
        Numbers of inputs with an entry that had no finite derivative, could not be decided, was at
        a kink of the function, was wrong in automatic differentiation, or was beyond the range of
        any float32 program.
    seconds : float
        Duration of the check.
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
        """Return the results as a dict that JSON can hold."""
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
