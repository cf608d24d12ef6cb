"""Checks targets by `crosscheck_rule` or `crosscheck`; an error in one does not stop the others."""

import ast
import dataclasses
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import hypothesis.strategies as st

from mog_jax.crosscheck.api import crosscheck, crosscheck_rule
from mog_jax.crosscheck.discovery.errors import TargetError
from mog_jax.crosscheck.discovery.guesses import Guess, guess_inputs
from mog_jax.crosscheck.discovery.rules import find_rules, identity
from mog_jax.crosscheck.discovery.targets import Target, found, modules_in
from mog_jax.crosscheck.findings import error_line
from mog_jax.crosscheck.report.report import Report


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Checked:
    """The result of one target.

    Attributes
    ----------
    name : str
        Its name, ``package.module:function``.
    inputs : str
        Description of its inputs.
    report : Report, optional
        The report; None if it was not checked.
    refused : str
        Why it was not checked; empty if it was.
    guessed : bool
        Whether the inputs were guessed.
    """

    name: str
    inputs: str = ""
    report: Report | None = None
    refused: str = ""
    guessed: bool = False

    @property
    def ok(self) -> bool:
        """Whether it was checked and passed."""
        return self.report is not None and self.report.ok

    @property
    def verdict(self) -> str:
        """The result in a few words: "right", "not checked", or the kinds of its findings."""
        if self.report is None:
            return "not checked"
        if self.ok:
            return "right"
        return ", ".join(dict.fromkeys(finding.kind for finding in self.report.findings))

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a dict that JSON can hold."""
        return {
            "ok": self.ok,
            "inputs": self.inputs,
            "refused": self.refused,
            "report": None if self.report is None else self.report.to_dict(),
        }


def rules_of(name: str) -> tuple[list[Target], list[TargetError]]:
    """Return the rules of a module, and of all modules in it if it is a package.

    Returns
    -------
    targets : list of Target
        Each rule once, by the shortest name that does not begin with an underscore.
    failed : list of TargetError
        Why modules in the package could not be imported.

    Raises
    ------
    TargetError
        If the module does not exist.
    """
    package = name.split(".")[0]
    targets: dict[int, Target] = {}
    failed = []
    for _, module in modules_in(name):
        if isinstance(module, TargetError):
            failed.append(module)
            continue
        for target in find_rules(module, package):
            known = targets.get(identity(target.function))
            if known is None or _readability(target) < _readability(known):
                targets[identity(target.function)] = target
    return list(targets.values()), failed


def _readability(target: Target) -> tuple[bool, int]:
    return bool(re.search(r"(^|[.:])_", target.name)), len(target.name)


def check(
    target: Target,
    *,
    inputs: Any = None,
    derivative: Callable[..., Any] | None = None,
    options: Mapping[str, Any],
) -> Checked:
    """Check one function: its own rules, or a derivative that was written for it.

    Parameters
    ----------
    target : Target
    inputs : strategy or list of tuples, optional
        Guessed from the signature if not given.
    derivative : callable, optional
        The hand-written derivative, for `crosscheck`.
    options : mapping
        Options of `crosscheck` or `crosscheck_rule`.
    """
    described = "" if inputs is None else "as given"
    try:
        guess = guess_inputs(target.function) if inputs is None else None
        described = described if guess is None else guess.described
        report = _report(target, guess, inputs, derivative, options)
    except Exception as error:
        said = str(error) if isinstance(error, ValueError) else error_line(error).rstrip(": ")
        return Checked(name=target.name, inputs=described, refused=said, guessed=inputs is None)
    return Checked(name=target.name, inputs=described, report=report, guessed=inputs is None)


def _report(
    target: Target,
    guess: Guess | None,
    inputs: Any,
    derivative: Callable[..., Any] | None,
    options: Mapping[str, Any],
) -> Report:
    function = target.function if guess is None else guess.function
    inputs = inputs if guess is None else guess.inputs
    if derivative is not None:
        return crosscheck(function, derivative, inputs, name=target.name, **options)
    return crosscheck_rule(function, function, inputs, name=target.name, **options)


def inputs_named(text: str) -> Any:
    """Return the inputs ``package.module:name``, or of an expression, ``tuples(reals(), reals())``.

    An expression may use the strategies of this package and of Hypothesis, `np`, `jax` and `jnp`.

    Raises
    ------
    TargetError
        If the name does not exist, or the expression fails.
    """
    if re.fullmatch(r"[\w.]+:[\w.]+", text):
        value = found(text)
        return value() if callable(value) and not isinstance(value, st.SearchStrategy) else value
    try:
        ast.parse(text, mode="eval")
        return eval(text, _names())
    except Exception as error:
        raise TargetError(
            f"the inputs {text!r} are neither `package.module:name` nor an expression that gives "
            f"a strategy or a list of tuples: {error_line(error)}"
        ) from None


def inputs_by_name(inputs: Any, targets: Collection[Target]) -> dict[str, Any]:
    """Validate inputs for several functions, given as a dict from their names.

    Raises
    ------
    TargetError
        If it is not a mapping, or names another function.
    """
    if not isinstance(inputs, Mapping):
        raise TargetError(
            "the inputs of a module must be a dict of strategies by function; "
            f"got {type(inputs).__name__}."
        )
    names = {target.short_name for target in targets}
    for name in inputs:
        if name not in names:
            raise TargetError(
                f"inputs are given for {name!r}, which is none of the rules that were found: "
                f"{', '.join(sorted(names))}."
            )
    return dict(inputs)


def _names() -> dict[str, Any]:
    import hypothesis.extra.numpy
    import jax
    import numpy as np

    from mog_jax.crosscheck import strategies

    ours = {name: getattr(strategies, name) for name in _STRATEGIES}
    theirs = {name: getattr(st, name) for name in st.__all__ if name not in ours}
    names = {"st": st, "np": np, "jax": jax, "jnp": jax.numpy}
    return theirs | ours | names | {"arrays": hypothesis.extra.numpy.arrays}


_STRATEGIES = ("data_around", "locations", "positives", "reals", "scores", "simplex_weights")
