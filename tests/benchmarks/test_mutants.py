"""The planted cases have the bugs that they name, and the comparison counts them correctly."""

import collections
import json
from typing import get_args

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from benchmarks import mutants
from benchmarks._checkers import PEERS, Outcome, checkers, timed, typical_points
from benchmarks.mutants import Judged
from benchmarks.planted import CASES, KINDS, Case
from benchmarks.planted.case import Collection, Verdict

# Run by `pytest -m planted`, and by CI where these cases or the harness have changed.
pytestmark = pytest.mark.planted

BUGS = [case for case in CASES if case.is_bug]
RIGHT = [case for case in CASES if not case.is_bug]
SUBJECTS = {case.subject.name: case.subject for case in CASES}

# Kinds whose values, called plainly at an ordinary point, are right or cannot be compared.
SEEN_ELSEWHERE = {"jit", "vmap", "second order", "shape or dtype", "tail", "equality"} | {
    "overflow",
    "cancellation",
    "boundary",
    "float32",
    "clip",
}


def derivative(case, args):
    subject = case.subject
    if subject.is_rule:
        return jax.grad(case.claim, argnums=subject.wrt)(*args)
    return case.claim(*args)


def differ(left, right, tolerance):
    pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    return any(not np.allclose(a, b, rtol=tolerance, atol=tolerance) for a, b in pairs)


def test_names_are_unique_and_every_case_says_what_it_is():
    names = collections.Counter(case.name for case in CASES)
    assert [name for name, count in names.items() if count > 1] == []
    assert [case.name for case in CASES if not case.what.endswith(".")] == []


def test_there_are_bugs_of_every_kind_and_a_third_of_all_is_held_back():
    assert {case.kind for case in CASES} == set(KINDS)
    for cases, least in ((BUGS, 60), (RIGHT, 20)):
        assert len(cases) >= least
        assert 3 * sum(case.group != "known" for case in cases) >= len(cases)


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
def test_a_subjects_derivative_is_that_of_its_function(subject):
    with jax.enable_x64(True):
        args = subject.typical(np.random.default_rng(1))
        if subject.is_rule:
            assert np.isfinite(subject.function(*args))
        else:
            assert not differ(
                subject.derivative(*args),
                jax.grad(subject.function, argnums=subject.wrt)(*args),
                1e-10,
            )


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
@settings(max_examples=15, phases=[hypothesis.Phase.generate])
@given(data=hypothesis.strategies.data())
def test_a_subject_is_finite_on_its_inputs(subject, data):
    args = data.draw(subject.inputs)
    with jax.enable_x64(True):
        assert np.isfinite(subject.function(*(jnp.asarray(a) for a in args)))


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_a_rewriting_is_right(case):
    with jax.enable_x64(True):
        args = typical_points(case)[0]
        right = jax.grad(case.subject.function, argnums=case.subject.wrt)(*args)
        assert not differ(derivative(case, args), right, 1e-12)


@pytest.mark.parametrize(
    "case", [case for case in BUGS if case.kind not in SEEN_ELSEWHERE], ids=lambda case: case.name
)
def test_a_wrong_formula_is_wrong_at_some_ordinary_point(case):
    function, wrt = case.subject.function, case.subject.wrt
    with jax.enable_x64(True):
        for args in typical_points(case):
            wrong = differ(derivative(case, args), jax.grad(function, argnums=wrt)(*args), 2e-15)
            if wrong or (
                case.subject.is_rule and differ(case.claim(*args), function(*args), 2e-15)
            ):
                return
    pytest.fail("it is right to the last digits at every point")


def test_the_quick_ones_need_every_verdict():
    quick = [case for case in CASES if case.name in mutants.QUICK]
    assert len(quick) == len(mutants.QUICK)
    assert {case.expected[0] for case in quick if case.is_bug} == set(get_args(Verdict))


def test_a_bug_without_a_verdict_is_refused():
    with pytest.raises(ValueError, match="a right claim is a rewriting"):
        Collection().bug(BUGS[0].subject, "sign")


@pytest.mark.parametrize("peer", ["check_grads", "scipy"])
def test_a_peer_catches_a_sign_and_passes_the_right_one(peer):
    pytest.importorskip("scipy")
    ((_, check),) = checkers([peer], examples=1, wide=False)
    by_name = {case.name: case for case in CASES}
    assert timed(check, by_name["logistic.label_forgotten_inside"]).found
    assert not timed(check, by_name["logistic.tanh_form"]).found


def judged(case: Case, **outcome):
    return Judged(case=case, outcomes={"crosscheck": Outcome(**outcome)})


def test_grades():
    bug, right = BUGS[0], RIGHT[0]
    kinds = bug.expected
    assert judged(bug, found=True, kinds=kinds).grade("crosscheck") == "caught"
    assert judged(bug, found=True, kinds=("not_finite",)).grade("crosscheck") == "misnamed"
    assert judged(bug, found=False).grade("crosscheck") == "missed"
    assert judged(right, found=True, kinds=kinds).grade("crosscheck") == "false alarm"
    assert judged(right, found=False).grade("crosscheck") == "passed"
    assert judged(right, found=False, broke_down=True).grade("crosscheck") == "broke down"


def test_a_checker_that_breaks_down_neither_catches_nor_clears():
    def broken(case):
        raise RuntimeError("out of order")

    outcome = timed(broken, RIGHT[0])
    assert outcome.broke_down
    assert "out of order" in outcome.message


def test_the_exit_status_tells_of_failures(monkeypatch, tmp_path, capsys):
    wanted = {case.name: bool(case.expected) for case in CASES}

    def pretend(missed):
        def judge(name, options):
            case = next(case for case in CASES if case.name == name)
            found = wanted[name] and name != missed
            return judged(case, found=found, kinds=case.expected, seconds=0.1)

        return judge

    path = tmp_path / "outcomes.json"
    monkeypatch.setattr(mutants, "_judge", pretend(missed=None))
    assert mutants.main(["--checkers", "crosscheck", "--json", str(path)]) == 0
    assert len(json.loads(path.read_text())["cases"]) == len(CASES)

    monkeypatch.setattr(mutants, "_judge", pretend(missed=BUGS[3].name))
    assert mutants.main(["--checkers", "crosscheck"]) == 1
    assert f"missed: {BUGS[3].name}" in capsys.readouterr().out


def test_a_run_that_was_killed_goes_on_where_it_was(monkeypatch, tmp_path):
    seen = []

    def judge(name, options):
        if len(seen) == 3:
            seen.append("killed")
            raise KeyboardInterrupt
        seen.append(name)
        case = next(case for case in CASES if case.name == name)
        return judged(case, found=case.is_bug, kinds=case.expected)

    monkeypatch.setattr(mutants, "_judge", judge)
    path = tmp_path / "outcomes.json"
    command = ["--checkers", "crosscheck", "--subjects", "softplus_rule", "--json", str(path)]
    with pytest.raises(KeyboardInterrupt):
        mutants.main(command)
    assert len(json.loads(path.read_text())["cases"]) == 3
    assert mutants.main([*command, "--resume"]) == 0
    seen.remove("killed")
    wanted = [case.name for case in CASES if case.subject.name == "softplus_rule"]
    assert seen == wanted
    assert [case["name"] for case in json.loads(path.read_text())["cases"]] == wanted

    with pytest.raises(SystemExit, match="other options"):
        mutants.main([*command, "--resume", "--examples", "7"])


def test_only_what_is_asked_for_is_run(monkeypatch, tmp_path):
    ran = []

    def judge(name, options):
        ran.append(next(case for case in CASES if case.name == name))
        return judged(ran[-1], found=True, kinds=ran[-1].expected)

    monkeypatch.setattr(mutants, "_judge", judge)
    assert (
        mutants.main(["--checkers", "crosscheck", "--subjects", "counts", "--kinds", "tail"]) == 0
    )
    assert [case.name for case in ran] == ["counts.four_terms_beyond_ten"]


def test_an_unknown_case_is_answered_with_near_ones(capsys):
    assert mutants.main(["--case", "raw_moments"]) == 2
    assert "did you mean mixture.raw_moments?" in capsys.readouterr().err


def test_every_peer_has_a_name_on_the_command_line():
    options = mutants._parser().parse_args([])
    assert options.checkers == ["crosscheck", *PEERS]
