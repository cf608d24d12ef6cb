"""Runs one check, from its claims to its report."""

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import hypothesis
import hypothesis.strategies as st

from mog_jax.crosscheck import session
from mog_jax.crosscheck.findings import Finding, Kind, remark
from mog_jax.crosscheck.inputs.arguments import Signature
from mog_jax.crosscheck.inputs.draws import Draw
from mog_jax.crosscheck.judge.claims import Claim
from mog_jax.crosscheck.judge.judge import Judge
from mog_jax.crosscheck.judge.judgement import Judgement, Problem
from mog_jax.crosscheck.mutation.score import plant
from mog_jax.crosscheck.options import Options
from mog_jax.crosscheck.progress import Progress
from mog_jax.crosscheck.report.report import Report
from mog_jax.crosscheck.report.text import one_line
from mog_jax.crosscheck.search import Search
from mog_jax.crosscheck.validation import listed
from mog_jax.crosscheck.verdict import lowest_disproved_order, most_severe


def checked(
    title: str,
    make: Callable[[tuple[Any, ...]], tuple[Signature, list[Claim]]],
    inputs: Any,
    options: Options,
    snippet: Callable[[tuple[Any, ...]], str],
    *,
    plant_bugs: bool = False,
    remarks: Sequence[Finding] = (),
) -> Report:
    """Search the inputs, judge every claim at each, and return the report."""
    start = time.perf_counter()
    report = Report(title, options.seed)
    judges: list[Judge] = []
    draws: list[Draw] = []

    def observe(draw: Draw, judgements: list[Judgement]) -> None:
        if plant_bugs:
            draws.append(draw)
        report.observe(draw, judgements)

    def make_judges(example: tuple[Any, ...]) -> tuple[Signature, list[Judge]]:
        contract, claims = make(example)
        how: dict[str, Any] = {"seed": options.seed, "strictness": options.strictness}
        judges.extend(Judge(claim, contract, example, **how) for claim in claims)
        return contract, judges

    search = Search(make_judges, observe, deadline=options.deadline)
    if options.edges:
        search.over_list(options.edges, thorough=True)
    if isinstance(inputs, st.SearchStrategy):
        examples = session.current.examples or options.examples
        progress = Progress(title, examples)
        try:
            search.over_strategy(
                inputs,
                examples=examples,
                seed=options.seed,
                name=re.sub(r"\W+", "_", f"{session.current.test}_{title}"),
                database=hypothesis.settings().database if session.current.remember else None,
                progress=progress,
            )
        finally:
            progress.close()
    else:
        given = listed(inputs)
        search.over_list(given)
    report.findings += [_finding(*search.found[key], snippet) for key in most_severe(search.found)]
    # Of claims that nothing was asked about, not even that is asked.
    asked = [judge for judge in judges if judge.claim.order <= lowest_disproved_order(search.found)]
    report.remarks += [*remarks, *map(_undefined, filter(_is_undefined, asked))]
    defined = [judge for judge in asked if judge.undefined is None]
    report.conclude({judge.claim.name for judge in defined if judge.claim.order == 1})
    if plant_bugs and report.ok:
        report.planted = plant(judges[0], draws)
    report.seconds = time.perf_counter() - start
    if session.current.record is not None:
        session.current.record({"line": one_line(report), "ok": report.ok})
    return report


def _is_undefined(judge: Judge) -> bool:
    return judge.claim.order > 0 and judge.undefined is not None


def _undefined(judge: Judge) -> Finding:
    return remark(Kind.UNDEFINED_ORDER, judge.claim.name, judge.undefined or "")


def _finding(problem: Problem, draw: Draw, snippet: Callable[[tuple[Any, ...]], str]) -> Finding:
    return Finding(
        kind=problem.kind,
        claim=problem.claim,
        entry=problem.entry,
        execution=problem.execution,
        explanation=problem.explanation,
        exact=problem.exact,
        got=problem.got,
        digits_kept=problem.digits_kept,
        digits_allowed=problem.digits_allowed,
        roundings=problem.roundings,
        args=draw.args,
        reproduce=snippet(draw.args),
    )
