"""Writes a report as text."""

import math

from mog_jax.crosscheck.findings import REMARKS, Execution, Finding
from mog_jax.crosscheck.report.summary import ClaimSummary, ExecutionSummary, Summary

_ORDER = (
    Execution.EAGER,
    Execution.JIT,
    Execution.VMAP,
    Execution.VMAP_OVER_PARAMETERS,
    Execution.VMAP_OVER_DATA,
    Execution.FLOAT32,
)

_LEGEND = (
    "digits kept: at the input and entry where most of those allowed by conditioning are lost",
    "roundings: the largest error, in units of what rounding may cause at its input",
)


def described(report: Summary) -> str:
    """Return the text of a report, its failures first."""
    verdict = "ok" if report.ok else "FAILED"
    lines = [f"{report.name}: {verdict} ({_counts(report)})"]
    for finding in report.findings:
        lines += ["", _finding(finding)]
    # Claims that a disproof made worthless were not judged.
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


def one_line(report: Summary) -> str:
    """Return the result of a cross-check in one line."""
    if not report.ok:
        kinds = ", ".join(dict.fromkeys(finding.kind for finding in report.findings))
        return f"{report.name}: {kinds} ({_inputs(report.examples)})"
    execution = next(
        (
            c.executions[Execution.JIT]
            for c in report.claims.values()
            if Execution.JIT in c.executions
        ),
        None,
    )
    kept = (
        "" if execution is None or math.isnan(execution.digits_kept) else f", {_digits(execution)}"
    )
    return f"{report.name}: ok ({_inputs(report.examples)}{kept})"


def _digits(execution: ExecutionSummary) -> str:
    return f"at worst {execution.digits_kept:.1f} of {execution.digits_allowed:.1f} digits"


def _counts(report: Summary) -> str:
    parts = [_inputs(report.examples), f"seed {report.seed}", f"{report.seconds:.1f} s"]
    for count, text in (
        (report.overdue, "not judged in time"),
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


def _planted(report: Summary) -> list[str]:
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


def _table(claim: ClaimSummary) -> list[str]:
    failed = f"; {claim.failed} fail" if claim.failed else ""
    where = _inputs(claim.judged)
    lines = [f"{claim.name}: formula compared in exact arithmetic at {where}{failed}"]
    executions = _shown(claim)
    if not executions:
        return lines
    head = f"  {'':26}{'inputs':>8}{'digits kept':>13}{'of allowed':>12}{'roundings':>12}  where"
    lines.append(head)
    for name, summary in executions.items():
        lines.append(
            f"  {name:26}{summary.inputs:>8}{summary.digits_kept:>13.1f}"
            f"{summary.digits_allowed:>12.1f}{_roundings(summary.roundings):>12}  {summary.entry}"
        )
    return lines


def _shown(claim: ClaimSummary) -> dict[Execution, ExecutionSummary]:
    """Return the executions whose digits were measured, in the order of the table."""
    names = [name for name in _ORDER if name in claim.executions]
    names += [name for name in claim.executions if name not in _ORDER]
    executions = {name: claim.executions[name] for name in names}
    return {
        name: execution
        for name, execution in executions.items()
        if not math.isnan(execution.digits_kept)
    }


def _roundings(value: float) -> str:
    return "no number" if math.isinf(value) else f"{value:.2g}"
