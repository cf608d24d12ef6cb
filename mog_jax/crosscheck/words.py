"""A report as text."""

import math
from typing import TYPE_CHECKING

from mog_jax.crosscheck.findings import REMARKS, Finding

if TYPE_CHECKING:
    from mog_jax.crosscheck.report import Claimed, Lane, Report

_ORDER = ("eager", "jit", "vmap", "vmap over parameters", "vmap over data", "float32")

_LEGEND = (
    "digits kept: at the input and entry where most of those allowed by conditioning are lost",
    "roundings: the largest error, in units of what rounding may cause at its input",
)


def described(report: "Report") -> str:
    """Describe a cross-check, its failures first."""
    verdict = "ok" if report.ok else "FAILED"
    lines = [f"{report.name}: {verdict} ({_counts(report)})"]
    for finding in report.findings:
        lines += ["", _finding(finding)]
    # What is derived from something wrong was not judged.
    claims = [claim for claim in report.claims.values() if report.ok or claim.judged]
    for claim in claims:
        lines += ["", *_table(claim)]
    if any(_shown(claim) for claim in claims):
        lines += ["", *_LEGEND]
    for remark in report.remarks:
        lines += ["", f"remark: {_remark(remark)}"]
    if report.planted:
        lines += ["", *_planted(report)]
    return "\n".join(lines)


def one_line(report: "Report") -> str:
    """Describe a cross-check in one line."""
    if not report.ok:
        kinds = ", ".join(dict.fromkeys(finding.kind for finding in report.findings))
        return f"{report.name}: {kinds} ({_inputs(report.examples)})"
    lane = next((c.lanes["jit"] for c in report.claims.values() if "jit" in c.lanes), None)
    kept = "" if lane is None or math.isnan(lane.digits_kept) else f", {_digits(lane)}"
    return f"{report.name}: ok ({_inputs(report.examples)}{kept})"


def _digits(lane: "Lane") -> str:
    return f"at worst {lane.digits_kept:.1f} of {lane.digits_allowed:.1f} digits"


def _counts(report: "Report") -> str:
    parts = [_inputs(report.examples), f"seed {report.seed}", f"{report.seconds:.1f} s"]
    for count, text in (
        (report.undefined, "without a finite value in some entry"),
        (report.undecided, "undecided"),
        (report.kinks, "at a kink"),
        (report.beyond_float32, "beyond float32"),
        (report.autodiff_wrong, "where a difference quotient overrules autodiff"),
    ):
        if count:
            parts.append(f"{count} {text}")
    return ", ".join(parts)


def _inputs(number: int) -> str:
    return "1 input" if number == 1 else f"{number} inputs"


def _finding(finding: Finding) -> str:
    lines = [str(finding)]
    if finding.reproduce:
        lines += ["  to see it again:", *(f"    {line}" for line in finding.reproduce.splitlines())]
    return "\n".join(lines)


def _remark(remark: Finding) -> str:
    place = f"{remark.entry} ({remark.claim})" if remark.entry else remark.claim
    return f"{place}: {REMARKS[remark.kind]}; {remark.explanation}"


def _planted(report: "Report") -> list[str]:
    caught = sum(bug.caught for bug in report.planted)
    lines = [f"planted bugs: {caught} of {len(report.planted)} caught by these inputs"]
    if caught < len(report.planted):
        lines.append("  missed; draw inputs that show them, unless the change makes no difference:")
        missed: dict[str, list[str]] = {}
        for bug in report.planted:
            if not bug.caught:
                missed.setdefault(bug.entry, []).append(bug.name)
        lines += [f"    {entry}: {', '.join(names)}" for entry, names in missed.items()]
    return lines


def _table(claim: "Claimed") -> list[str]:
    failed = f"; {claim.failed} fail" if claim.failed else ""
    where = _inputs(claim.judged)
    lines = [f"{claim.name}: formula compared in exact arithmetic at {where}{failed}"]
    lanes = _shown(claim)
    if not lanes:
        return lines
    head = f"  {'':26}{'inputs':>8}{'digits kept':>13}{'of allowed':>12}{'roundings':>12}  where"
    lines.append(head)
    for name, lane in lanes.items():
        lines.append(
            f"  {name:26}{lane.inputs:>8}{lane.digits_kept:>13.1f}"
            f"{lane.digits_allowed:>12.1f}{_roundings(lane.roundings):>12}  {lane.entry}"
        )
    return lines


def _shown(claim: "Claimed") -> dict[str, "Lane"]:
    """Give the lanes of which there is something to say, in their order."""
    names = [name for name in _ORDER if name in claim.lanes]
    names += [name for name in claim.lanes if name not in _ORDER]
    lanes = {name: claim.lanes[name] for name in names}
    return {name: lane for name, lane in lanes.items() if not math.isnan(lane.digits_kept)}


def _roundings(value: float) -> str:
    return "no number" if math.isinf(value) else f"{value:.2g}"
