"""Runs each gradient checker that is compared, in its documented use, behind one signature.

A checker takes a case and returns whether it found fault. The peers are given the points that their
own documentation suggests: a few, of ordinary size. They difference the function in the arithmetic
it runs in, so a hand-written derivative becomes the rule of a function, as their users do it.

==============  ================================================================================
crosscheck      this package, on the strategy declared for the function
check_grads     `jax.test_util.check_grads(f, args, order=2)`, its own tolerances
chex            `chex.assert_numerical_grads(f, args, order=1)`, its own tolerance
scipy           `scipy.optimize.check_grad`: it returns an error and leaves the verdict to its
                user; here more than 1e-5 (of the gradient, where that exceeds 1) is a failure
==============  ================================================================================

All of them compute in float64, and an exception out of the code under test counts as fault found.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from jax.flatten_util import ravel_pytree

from benchmarks.planted import Case

POINTS = 5
SCIPY_TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a checker for a case."""

    found: bool
    kinds: tuple[str, ...] = ()
    message: str = ""
    # The checker itself broke down: neither a bug caught nor a case cleared.
    broke_down: bool = False
    seconds: float = 0.0
    processor_seconds: float = 0.0


Checker = Callable[[Case], Outcome]


def crosscheck(case: Case, examples: int = 200) -> Outcome:
    """Run this package's harness on the inputs declared for the function."""
    report = crosscheck_report(case, examples)
    kinds = tuple(sorted({str(finding.kind) for finding in report.findings}))
    return Outcome(found=not report.ok, kinds=kinds, message=str(report))


def crosscheck_report(case: Case, examples: int = 200) -> Any:
    """Return the harness's whole report on a case."""
    from mog_jax.crosscheck import crosscheck, crosscheck_rule

    subject = case.subject
    options: dict[str, Any] = {"wrt": subject.wrt, "examples": examples, "seed": 0}
    if subject.is_rule:
        return crosscheck_rule(case.claim, subject.function, subject.inputs, **options)
    return crosscheck(subject.function, case.claim, subject.inputs, **options)


def check_grads(case: Case, points: list[tuple[Any, ...]]) -> Outcome:
    """JAX's own checker: both modes where the function has them, to second order."""
    from jax.test_util import check_grads

    def check(args: tuple[Any, ...]) -> None:
        function, primals = _ruled(case, args)
        check_grads(function, primals, order=2, modes=_modes(function, primals))

    return _until_it_fails(check, points)


def chex_numerical_grads(case: Case, points: list[tuple[Any, ...]]) -> Outcome:
    """Chex's assertion, to first order."""
    import chex

    def check(args: tuple[Any, ...]) -> None:
        function, primals = _ruled(case, args)
        modes = _modes(function, primals)
        chex.assert_numerical_grads(function, primals, order=1, modes=modes)

    return _until_it_fails(check, points)


def scipy_check_grad(case: Case, points: list[tuple[Any, ...]]) -> Outcome:
    """SciPy's difference quotients along every coordinate."""
    from scipy.optimize import check_grad

    subject = case.subject

    def check(args: tuple[Any, ...]) -> None:
        start, unravel = ravel_pytree(tuple(args[i] for i in subject.differentiated))

        def value(flat: np.ndarray) -> float:
            function = case.claim if subject.is_rule else subject.function
            return float(function(*_with(case, args, unravel(jnp.asarray(flat)))))

        def gradient(flat: np.ndarray) -> np.ndarray:
            arguments = _with(case, args, unravel(jnp.asarray(flat)))
            derivative = (
                jax.grad(case.claim, argnums=subject.differentiated)
                if subject.is_rule
                else case.claim
            )
            return np.asarray(ravel_pytree(derivative(*arguments))[0])

        start = np.asarray(start)
        error = check_grad(value, gradient, start)
        allowed = SCIPY_TOLERANCE * max(1.0, float(np.linalg.norm(gradient(start))))
        # NaN compares as false: it is not within the tolerance.
        if not error <= allowed:
            raise AssertionError(f"error {error:.2g} exceeds {allowed:.2g}")

    return _until_it_fails(check, points)


PEERS: dict[str, Callable[[Case, list[tuple[Any, ...]]], Outcome]] = {
    "check_grads": check_grads,
    "chex": chex_numerical_grads,
    "scipy": scipy_check_grad,
}


def checkers(names: list[str], *, examples: int, wide: bool) -> Iterator[tuple[str, Checker]]:
    """Return the named checkers; `wide` adds each peer on inputs like those of the harness."""
    for name in names:
        if name == "crosscheck":
            yield name, lambda case: crosscheck(case, examples)
            continue
        check = PEERS[name]
        yield name, lambda case, check=check: check(case, typical_points(case))
        if wide:
            yield f"{name}, wide", lambda case, check=check: check(case, wide_points(case))


def timed(check: Checker, case: Case) -> Outcome:
    """Run a checker on a case in float64, compilation included; its own errors are recorded."""
    jax.clear_caches()
    began, busy = time.perf_counter(), time.process_time()
    try:
        with jax.enable_x64(True):
            outcome = check(case)
    except Exception as error:
        outcome = Outcome(found=False, message=repr(error), broke_down=True)
    return dataclasses.replace(
        outcome,
        seconds=time.perf_counter() - began,
        processor_seconds=time.process_time() - busy,
    )


def missing(names: list[str]) -> list[str]:
    """Return the names of checkers whose package is not installed."""
    import importlib.util

    needs = {"chex": "chex", "scipy": "scipy"}
    return [name for name in names if name in needs and not importlib.util.find_spec(needs[name])]


def typical_points(case: Case) -> list[tuple[Any, ...]]:
    """Draw points of ordinary size, as in the documentation of the peers."""
    rng = np.random.default_rng(0)
    return [_arrays(case.subject.typical(rng)) for _ in range(POINTS)]


def wide_points(case: Case) -> list[tuple[Any, ...]]:
    """Draw as many points from the strategy that the harness is given."""
    points: list[tuple[Any, ...]] = []

    @settings(
        max_examples=4 * POINTS,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case.subject.inputs)
    def collect(args: tuple[Any, ...]) -> None:
        points.append(_arrays(args))

    collect()
    # The first draws of a strategy are its simplest, of which one is enough.
    return points[-POINTS:]


def _arrays(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(jnp.asarray(a) for a in args)


def _with(case: Case, args: tuple[Any, ...], changed: tuple[Any, ...]) -> tuple[Any, ...]:
    everything = list(args)
    for position, value in zip(case.subject.differentiated, changed, strict=True):
        everything[position] = value
    return tuple(everything)


def _ruled(case: Case, args: tuple[Any, ...]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return the function of the differentiated arguments, with the case's derivative as rule."""
    subject = case.subject
    primals = tuple(args[i] for i in subject.differentiated)
    if subject.is_rule:
        return lambda *values: case.claim(*_with(case, args, values)), primals

    @jax.custom_vjp
    def function(*values: Any) -> Any:
        return subject.function(*_with(case, args, values))

    def forward(*values: Any) -> tuple[Any, Any]:
        return function(*values), values

    def backward(values: Any, cotangent: Any) -> tuple[Any, ...]:
        derivative = case.claim(*_with(case, args, values))
        scaled = jax.tree.map(lambda part: cotangent * part, derivative)
        return scaled if isinstance(subject.wrt, tuple) else (scaled,)

    function.defvjp(forward, backward)
    return function, primals


def _modes(function: Callable[..., Any], primals: tuple[Any, ...]) -> tuple[str, ...]:
    """Return the modes to check: without forward mode if the function has no forward rule."""
    try:
        jax.jvp(function, primals, primals)
    except TypeError:
        return ("rev",)
    return ("fwd", "rev")


def _until_it_fails(
    check: Callable[[tuple[Any, ...]], None], points: list[tuple[Any, ...]]
) -> Outcome:
    for args in points:
        try:
            check(args)
        except Exception as error:
            return Outcome(found=True, message=f"{type(error).__name__}: {error}".strip())
    return Outcome(found=False)
