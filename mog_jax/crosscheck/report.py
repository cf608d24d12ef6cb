"""The outcome of a cross-check: for people, for programs, as a picture."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from mog_jax.crosscheck.draws import Draw
from mog_jax.crosscheck.findings import FAILURES, REMARKS, Finding
from mog_jax.crosscheck.judgement import Judgement
from mog_jax.crosscheck.planting import Planted


class CrosscheckError(AssertionError):
    """A cross-check failed; the message is the report."""


@dataclasses.dataclass
class Lane:
    """How well one way of running a program did, over all inputs.

    Attributes
    ----------
    inputs : how many were judged
    roundings : the most, in units of what one rounding of everything may cause
    digits_kept, digits_allowed : at the input and entry where the fewest were kept of those allowed
    entry : where that was
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
class Claimed:
    """What was seen of one claim, over all inputs.

    Attributes
    ----------
    name : what was judged
    judged : inputs at which its formula was compared with a finite exact value
    failed : inputs at which something failed
    informative : by entry, inputs at which an error would have shown
    lanes : how each way of running it did
    """

    name: str
    judged: int = 0
    failed: int = 0
    informative: dict[str, int] = dataclasses.field(default_factory=dict)
    lanes: dict[str, Lane] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Report:
    """What a cross-check found.

    Attributes
    ----------
    name : what was checked
    findings : what fails it, gravest first
    remarks : what is worth knowing, but fails nothing
    examples : inputs that were tried
    seed : which inputs those were
    claims : how each claim did
    planted : bugs that were planted, if that was asked for and the derivative passed
    undefined, undecided, kinks, autodiff_wrong, beyond_float32 : inputs of which an entry had no
        finite derivative, could not be decided, was at a kink of the function, was wrong in
        automatic differentiation, or was beyond the range of any float32 program
    seconds : how long it took
    """

    name: str
    seed: int
    findings: list[Finding] = dataclasses.field(default_factory=list)
    remarks: list[Finding] = dataclasses.field(default_factory=list)
    claims: dict[str, Claimed] = dataclasses.field(default_factory=dict)
    planted: list[Planted] = dataclasses.field(default_factory=list)
    examples: int = 0
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

    def raise_if_failed(self) -> None:
        """Raise `CrosscheckError`, an AssertionError with the report as message, if not `ok`."""
        __tracebackhide__ = True  # pytest then shows the test, and not this
        if not self.ok:
            raise CrosscheckError(str(self))

    def to_dict(self) -> dict[str, Any]:
        """Give the report as what JSON can hold."""
        return {
            "name": self.name,
            "ok": self.ok,
            "examples": self.examples,
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
            "undefined": self.undefined,
            "undecided": self.undecided,
            "kinks": self.kinks,
            "autodiff_wrong": self.autodiff_wrong,
            "beyond_float32": self.beyond_float32,
            "findings": [finding.to_dict() for finding in self.findings],
            "remarks": [remark.to_dict() for remark in self.remarks],
            "planted": [bug.to_dict() for bug in self.planted],
            "claims": {
                name: {
                    "judged": claim.judged,
                    "failed": claim.failed,
                    "informative": claim.informative,
                    "lanes": {lane: value.to_dict() for lane, value in claim.lanes.items()},
                }
                for name, claim in self.claims.items()
            },
        }

    def to_json(self) -> str:
        """Give `to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def plot(self, path: str | Path) -> None:
        """Draw the digits kept at each input against those that conditioning allows.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        from mog_jax.crosscheck.picture import draw

        draw(self, path)

    def __str__(self) -> str:
        from mog_jax.crosscheck.words import described

        return described(self)

    def observe(self, draw: Draw, judgements: list[Judgement]) -> None:
        """Add what one input showed."""
        self.examples += 1
        for judgement in judgements:
            self._add(judgement)
        main = judgements[0]
        self.undefined += main.measure is not None and not main.measure.judged.all()
        self.undecided += any(j.undecided > 0 for j in judgements)
        self.kinks += any(j.kinks > 0 for j in judgements)
        self.autodiff_wrong += main.autodiff_wrong
        self.beyond_float32 += main.beyond_float32
        self._add_point(main)

    def conclude(self) -> None:
        """Draw the conclusions that only all inputs together allow."""
        if self.findings:
            # What the failures bring about, or their search did not get to, is not remarkable.
            moot = {"rounded_constant", "second_order_not_finite", "second_order_unstable"}
            if any(finding.kind == "wrong_shape_or_dtype" for finding in self.findings):
                moot.add("undefined_order")
            self.remarks = [remark for remark in self.remarks if remark.kind not in moot]
            return
        for claim in self.claims.values():
            for entry, count in claim.informative.items():
                if count == 0 and claim.judged:
                    self.remarks.append(
                        _overall(
                            "uninformative", claim.name, entry, "its size never exceeded its bound"
                        )
                    )
        if not any(c.judged for c in self.claims.values()):
            self.findings.append(
                _overall(
                    "not_judged",
                    "",
                    "",
                    f"of {self.examples} inputs, none gave a finite exact value to compare with",
                )
            )

    def _add(self, judgement: Judgement) -> None:
        claim = self.claims.setdefault(judgement.claim, Claimed(judgement.claim))
        claim.judged += judgement.exact
        claim.failed += any(problem.kind in FAILURES for problem in judgement.problems)
        self._add_remarks(judgement)
        if judgement.measure is None:
            return
        for entry, tells in zip(judgement.entries, judgement.measure.informative, strict=True):
            claim.informative[entry] = claim.informative.get(entry, 0) + bool(tells)
        for name, fit in judgement.fits.items():
            lane = claim.lanes.setdefault(name, Lane())
            allowed = (
                judgement.measure.allowed
                if "float32" not in name
                else np.maximum(judgement.measure.allowed - _FLOAT32_FEWER, 0)
            )
            _add_fit(lane, fit, allowed, judgement.entries)

    def _add_remarks(self, judgement: Judgement) -> None:
        known = {(remark.kind, remark.claim) for remark in self.remarks}
        for problem in judgement.problems:
            if problem.kind in REMARKS and (problem.kind, problem.claim) not in known:
                known.add((problem.kind, problem.claim))
                self.remarks.append(
                    _overall(problem.kind, problem.claim, problem.entry, problem.explanation)
                )

    def _add_point(self, judgement: Judgement) -> None:
        if judgement.measure is None or not judgement.measure.informative.any():
            return
        entry = int(
            np.argmin(np.where(judgement.measure.informative, judgement.measure.allowed, np.inf))
        )
        point: dict[str, Any] = {
            "number": self.examples - 1,
            "allowed": float(judgement.measure.allowed[entry]),
            "kept": {},
        }
        for name, fit in judgement.fits.items():
            point[name] = float(fit.kept[entry])
            if not np.isnan(fit.kept).all():
                point["kept"][name] = float(np.nanmin(fit.kept))
        self.points.append(point)


def _overall(kind: str, claim: str, entry: str, explanation: str) -> Finding:
    return Finding(kind=kind, claim=claim, entry=entry, lane="", explanation=explanation)


# Decimal digits between the two precisions.
_FLOAT32_FEWER = 29 * math.log10(2)


def _add_fit(lane: Lane, fit: Any, allowed: Any, entries: list[str]) -> None:
    if np.isnan(fit.roundings).all():
        return
    lane.inputs += 1
    lane.roundings = max(lane.roundings, float(np.nanmax(fit.roundings)))
    lost = np.where(np.isnan(fit.kept), -np.inf, np.maximum(allowed - fit.kept, 0.0))
    worst = int(np.argmax(lost))
    before = lane.digits_allowed - lane.digits_kept
    if np.isfinite(lost[worst]) and (math.isnan(before) or lost[worst] > before):
        # A lucky result may have a digit more than it can rely on.
        lane.digits_allowed = float(allowed[worst])
        lane.digits_kept = min(float(fit.kept[worst]), lane.digits_allowed)
        lane.entry = entries[worst]


def _json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
