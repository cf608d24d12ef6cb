"""The two questions that can be asked: of a derivative, and of a rule."""

import dataclasses
import inspect
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import hypothesis
import hypothesis.strategies as st
import jax
import numpy as np

from mog_jax.crosscheck import claims, reproduce, session, words
from mog_jax.crosscheck.arguments import Signature, signature
from mog_jax.crosscheck.claims import Claim
from mog_jax.crosscheck.draws import Draw
from mog_jax.crosscheck.findings import Finding, error_line
from mog_jax.crosscheck.judge import Judge
from mog_jax.crosscheck.judgement import Judgement, Problem
from mog_jax.crosscheck.planting import plant
from mog_jax.crosscheck.programs import has_rule, trace
from mog_jax.crosscheck.report import Report
from mog_jax.crosscheck.search import Progress, Search, gravest


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Options:
    """What both questions leave open, as it was given."""

    examples: int
    seed: int
    order: int
    min_digits: float
    normwise: bool
    edges: Sequence[tuple[Any, ...]]

    def validate(self, *, lowest_order: int) -> None:
        """Refuse what cannot be used, by its name."""
        if not _is_integer(self.examples) or self.examples < 1:
            raise ValueError(f"`examples` must be a positive integer; got {self.examples!r}.")
        if not _is_integer(self.seed):
            raise ValueError(f"`seed` must be an integer; got {self.seed!r}.")
        if not _is_integer(self.order) or self.order not in range(lowest_order, 3):
            raise ValueError(f"`order` must be from {lowest_order} to 2; got {self.order!r}.")
        if not isinstance(self.min_digits, int | float) or not 0 <= self.min_digits <= 16:
            raise ValueError(f"`min_digits` must be between 0 and 16; got {self.min_digits!r}.")
        if not isinstance(self.normwise, bool):
            raise ValueError(f"`normwise` must be True or False; got {self.normwise!r}.")
        listed = isinstance(self.edges, tuple | list)
        if not (listed and all(isinstance(edge, tuple) for edge in self.edges)):
            raise ValueError(
                "`edges` must be a list of tuples of arguments, [(x,)] for a single one."
            )


def crosscheck(
    function: Callable[..., Any],
    derivative: Callable[..., Any],
    inputs: Any,
    *,
    wrt: int | Sequence[int] = 0,
    examples: int = 200,
    seed: int = 0,
    order: int = 2,
    min_digits: float = 0.0,
    normwise: bool = False,
    simplex: Mapping[str, str] | None = None,
    edges: Sequence[tuple[Any, ...]] = (),
    plant_bugs: bool = False,
    name: str | None = None,
) -> Report:
    r"""Hold a hand-written derivative against the function that it claims to differentiate.

    The formula is compared with the function's own derivative in ball arithmetic, where two values
    that differ are *proved* to differ; there is no tolerance. The program is then run eagerly,
    compiled, batched and in both precisions, and each result is measured against the exact value,
    in units of what rounding may cause at that input.

    Parameters
    ----------
    function : callable
        ``function(*args)``, a JAX function with one floating-point number as output.
    derivative : callable
        ``derivative(*args)``: the derivative with respect to ``args[wrt]``, of the same pytree
        structure; a tuple of such if `wrt` is a tuple.
    inputs : Hypothesis strategy, or sequence of tuples
        Yields ``args``, tuples of pytrees of NumPy arrays and numbers. Each new shape is compiled
        anew: draw sizes from a small set.
    wrt : int or tuple of int
        Which arguments are differentiated. Every entry is taken to be free: for weights that sum
        to 1 the derivative is the partial one, unless `simplex` says otherwise.
    examples : int
        How many inputs to draw from a strategy.
    seed : int
        Which ones: the same seed draws the same inputs.
    order : int
        1 or 2: whether the hand-written derivative is itself differentiated and checked.
    min_digits : float
        Fewer digits than this fail as ``unstable``, where conditioning allows three more. Without
        it, a result fails that keeps fewer than half of the digits that conditioning allows.
    normwise : bool
        Count the digits of each array by its largest entry, as error bounds of linear algebra do,
        not entry by entry. The formula is judged entry by entry all the same.
    simplex : mapping of str to str, optional
        By the name of a leaf, such as ``"mixture.weights"``: its last axis sums to exactly 1, and
        its derivative is the ``"partial"`` one, or right along the simplex only, ``"tangent"``.
    edges : sequence of tuples
        Inputs that are always tried, beside those drawn.
    plant_bugs : bool
        Once the derivative has passed, plant standard bugs in it, one at a time, and report how
        many of them these inputs show: `Report.planted`. A bug that is missed asks for other
        inputs, unless it changes nothing, as in a ``max`` that is there for stability only.
    name : str, optional
        What to call this check in reports.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If an argument cannot be used: naming it, what it got and what it wants.
    UnknownPrimitive
        If exact evaluation does not know an operation that one of the programs uses.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import hypothesis.strategies as st
    >>> def softplus(x):
    ...     return jnp.log1p(jnp.exp(x))
    >>> report = crosscheck(softplus, lambda x: 1 / (1 + jnp.exp(x)), st.tuples(st.floats(-9, 9)))
    >>> [finding.kind for finding in report.findings]
    ['wrong_formula']
    """
    options = _Options(
        examples=examples,
        seed=seed,
        order=order,
        min_digits=min_digits,
        normwise=normwise,
        edges=edges,
    )
    options.validate(lowest_order=1)
    _refuse_uncallable(function=function, derivative=derivative)
    title = name or f"{_name(function) or 'function'}, derivative {_name(derivative)}".strip()

    def make(example: tuple[Any, ...]) -> tuple[Signature, list[Claim]]:
        contract = signature(function, example, wrt, {} if simplex is None else simplex)
        if not contract.wrt:
            raise ValueError(f"`wrt` must name an argument; got {wrt!r}.")
        _refuse_unusable(function, derivative, example)
        return contract, claims.of_derivative(function, derivative, contract, order)

    def snippet(args: tuple[Any, ...]) -> str:
        functions = [("function", function), ("derivative", derivative)]
        keywords = _unusual(crosscheck, options, wrt=wrt, simplex=simplex or None)
        return reproduce.snippet("crosscheck", functions, args, keywords)

    return _checked(title, make, inputs, options, snippet, plant_bugs=plant_bugs)


def crosscheck_rule(
    function: Callable[..., Any],
    plain: Callable[..., Any],
    inputs: Any,
    *,
    wrt: int | Sequence[int] | None = None,
    examples: int = 200,
    seed: int = 0,
    order: int = 2,
    min_digits: float = 0.0,
    normwise: bool = False,
    edges: Sequence[tuple[Any, ...]] = (),
    name: str | None = None,
) -> Report:
    """Hold a function with a custom derivative rule against the same function without it.

    Values, first derivatives in forward and in reverse mode, and second derivatives, each where it
    is defined for the rule; in the same way as `crosscheck`.

    Parameters
    ----------
    function : callable
        A JAX function with a ``custom_jvp`` or ``custom_vjp`` rule; any pytree as output.
    plain : callable
        The same function without the rule. A rule in it is not used. Where `function` has none, a
        remark says so.
    inputs, examples, seed, min_digits, normwise, edges, name
        As for `crosscheck`.
    wrt : int or tuple of int, optional
        Which arguments are differentiated; all floating-point ones if not given.
    order : int
        0 for values alone, 1 for first derivatives too, 2 for second derivatives too.

    Returns
    -------
    Report
    """
    options = _Options(
        examples=examples,
        seed=seed,
        order=order,
        min_digits=min_digits,
        normwise=normwise,
        edges=edges,
    )
    options.validate(lowest_order=0)
    _refuse_uncallable(function=function, plain=plain)
    title = name or f"{_name(function) or 'function'}, rule"
    remarks: list[Finding] = []

    def make(example: tuple[Any, ...]) -> tuple[Signature, list[Claim]]:
        indices = _float_arguments(example) if wrt is None else wrt
        contract = signature(function, example, indices, {})
        if order and not contract.wrt:
            raise ValueError("`inputs` must yield a floating-point argument to differentiate.")
        _refuse_untraceable("function", function, example)
        _refuse_untraceable("plain", plain, example)
        with jax.enable_x64(True):
            if order and not has_rule(trace(function, *example)[0]):
                remarks.append(_remark("no_rule", "the rule", "its derivatives are JAX's own"))
        return contract, claims.of_rule(function, plain, contract, order)

    def snippet(args: tuple[Any, ...]) -> str:
        functions = [("function", function), ("plain", plain)]
        keywords = _unusual(crosscheck_rule, options, wrt=wrt)
        return reproduce.snippet("crosscheck_rule", functions, args, keywords)

    return _checked(title, make, inputs, options, snippet, remarks=remarks)


def _checked(
    title: str,
    make: Callable[[tuple[Any, ...]], tuple[Signature, list[Claim]]],
    inputs: Any,
    options: _Options,
    snippet: Callable[[tuple[Any, ...]], str],
    *,
    plant_bugs: bool = False,
    remarks: Sequence[Finding] = (),
) -> Report:
    start = time.perf_counter()
    report = Report(title, options.seed)
    undefined: list[Finding] = []
    judges: list[Judge] = []
    draws: list[Draw] = []

    def observe(draw: Draw, judgements: list[Judgement]) -> None:
        if plant_bugs:
            draws.append(draw)
        report.observe(draw, judgements)

    def make_judges(example: tuple[Any, ...]) -> tuple[Signature, list[Judge]]:
        contract, all_claims = make(example)
        for claim in all_claims:
            judge = Judge(
                claim,
                contract,
                seed=options.seed,
                min_digits=options.min_digits,
                normwise=options.normwise,
            )
            reason = judge.undefined(example) if claim.order else None
            if reason is None:
                judges.append(judge)
            else:
                undefined.append(_remark("undefined_order", claim.name, reason))
        return contract, judges

    search = Search(make_judges, observe)
    if options.edges:
        search.over_list(options.edges)
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
        given = _listed(inputs)
        search.over_list(given)
    report.findings += [_finding(*search.found[key], snippet) for key in gravest(search.found)]
    report.remarks += [*remarks, *undefined]
    report.conclude()
    if plant_bugs and report.ok:
        report.planted = plant(judges[0], draws)
    report.seconds = time.perf_counter() - start
    if session.current.record is not None:
        session.current.record({"line": words.one_line(report), "ok": report.ok})
    return report


def _unusual(entry: Callable[..., Report], options: _Options, **others: Any) -> dict[str, Any]:
    """Pick the options that do not have their defaults, of those that one input is judged by."""
    given = others | {
        "seed": options.seed,
        "order": options.order,
        "min_digits": options.min_digits,
        "normwise": options.normwise,
    }
    parameters = inspect.signature(entry).parameters.values()
    return {p.name: given[p.name] for p in parameters if given.get(p.name, p.default) != p.default}


def _finding(problem: Problem, draw: Draw, snippet: Callable[[tuple[Any, ...]], str]) -> Finding:
    return Finding(
        kind=problem.kind,
        claim=problem.claim,
        entry=problem.entry,
        lane=problem.lane,
        explanation=problem.explanation,
        exact=problem.exact,
        got=problem.got,
        digits_kept=problem.digits_kept,
        digits_allowed=problem.digits_allowed,
        roundings=problem.roundings,
        args=draw.args,
        reproduce=snippet(draw.args),
    )


def _remark(kind: str, claim: str, explanation: str) -> Finding:
    return Finding(kind=kind, claim=claim, entry="", lane="", explanation=explanation)


def _listed(inputs: Any) -> list[Any]:
    if isinstance(inputs, tuple) or not isinstance(inputs, Sequence):
        raise ValueError(
            "`inputs` must be a Hypothesis strategy or a list of tuples of arguments; "
            f"got {type(inputs).__name__}."
        )
    if not inputs:
        raise ValueError("`inputs` yields nothing: the list is empty.")
    return list(inputs)


def _refuse_uncallable(**functions: Any) -> None:
    for name, function in functions.items():
        if not callable(function):
            raise ValueError(f"`{name}` must be callable; got {type(function).__name__}.")


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _refuse_unusable(
    function: Callable[..., Any], derivative: Callable[..., Any], example: tuple[Any, ...]
) -> None:
    output = _refuse_untraceable("function", function, example)
    leaves = jax.tree.leaves(output)
    if len(leaves) != 1 or leaves[0].shape or leaves[0].dtype.kind != "f":
        shown = ", ".join(f"{leaf.dtype}{list(leaf.shape)}" for leaf in leaves) or "nothing"
        raise ValueError(
            f"`function` must give one floating-point number, of shape (); got {shown}. "
            "Sum its output, or check it entry by entry."
        )
    _refuse_untraceable("derivative", derivative, example)


def _refuse_untraceable(name: str, function: Callable[..., Any], example: tuple[Any, ...]) -> Any:
    try:
        with jax.enable_x64(True):
            return jax.eval_shape(function, *example)
    except Exception as error:
        hint = ""
        if isinstance(error, jax.errors.TracerIntegerConversionError):
            hint = " Bind what is no array, such as a size, with `functools.partial`."
        elif isinstance(error, jax.errors.JAXTypeError | jax.errors.JAXIndexError):
            hint = " Write it with `jax.numpy`, and `jnp.where` in the place of `if`."
        raise ValueError(
            f"`{name}` cannot be traced by JAX on the inputs that `inputs` yields: "
            f"{error_line(error).rstrip('.')}.{hint}"
        ) from error


def _float_arguments(example: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(
        i
        for i, arg in enumerate(example)
        if all(leaf.dtype.kind == "f" for leaf in jax.tree.leaves(arg))
    )


def _name(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return "" if name == "<lambda>" else name
