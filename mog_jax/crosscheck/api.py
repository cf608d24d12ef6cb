"""`crosscheck` and `crosscheck_rule`: validate arguments, make claims, run the check."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mog_jax.crosscheck import forms
from mog_jax.crosscheck.checking import checked
from mog_jax.crosscheck.findings import Finding, Kind, remark
from mog_jax.crosscheck.inputs.arguments import Signature, signature
from mog_jax.crosscheck.inputs.static import released, releasing
from mog_jax.crosscheck.jaxprs import has_rule, trace
from mog_jax.crosscheck.judge import claims
from mog_jax.crosscheck.judge.claims import Claim
from mog_jax.crosscheck.options import Options, unusual
from mog_jax.crosscheck.precisions import closing_over, in_float64
from mog_jax.crosscheck.report.report import Report
from mog_jax.crosscheck.report.snippet import snippet as write_snippet
from mog_jax.crosscheck.report.snippet_imports import called
from mog_jax.crosscheck.validation import (
    float_arguments,
    refuse_uncallable,
    refuse_untraceable,
    refuse_unusable,
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
    agrees_to: float = 0.0,
    surrogate: bool = False,
    normwise: bool = False,
    simplex: Mapping[str, str] | None = None,
    has_aux: bool = False,
    edges: Sequence[tuple[Any, ...]] = (),
    deadline: float | None = 60.0,
    plant_bugs: bool = False,
    name: str | None = None,
) -> Report:
    r"""Check a hand-written derivative against the function that it claims to differentiate.

    The formula is compared with the function's own derivative in ball arithmetic, where two values
    that differ are *proved* to differ; there is no tolerance. The program is then run eagerly,
    compiled, batched and in both precisions, and each result is measured against the exact value,
    in units of what rounding may cause at that input.

    Parameters
    ----------
    function : callable
        ``function(*args)``, a JAX function with floating-point outputs.
    derivative : callable
        ``derivative(*args)``: the derivative with respect to ``args[wrt]``, of the same pytree
        structure; a tuple of such if `wrt` is a tuple; or a pair of the function's value and the
        derivative, as ``jax.value_and_grad`` returns it. For a function with more than one output
        number it is the Jacobian, as ``jax.jacrev`` returns it, and is judged in first order.
    inputs : Hypothesis strategy, or sequence of tuples
        Yields ``args``, tuples of pytrees of NumPy arrays and numbers, typed random keys, and
        static values: strings, flags and functions. Each new shape, and each new static value, is
        compiled anew: draw them from a small set.
    wrt : int or tuple of int
        Which arguments are differentiated. Every entry is taken to be free: for weights that sum
        to 1 the derivative is the partial one, unless `simplex` says otherwise.
    examples : int
        Number of inputs to draw from a strategy.
    seed : int
        Seed of the drawn inputs: the same seed draws the same inputs.
    order : int
        1, 2 or 3: the highest order of derivative that is checked. For 2, the hand-written
        derivative is itself differentiated; for 3, twice, and then only the formula is checked,
        along the direction drawn for an input.
    min_digits : float
        A result with fewer digits fails as ``unstable`` if conditioning allows three more. Without
        it, a result fails that keeps fewer than half of the digits that conditioning allows.
    agrees_to : float
        Relative difference up to which the derivative is meant to agree with the function's, for an
        iterative solver or a truncated series. The comparison is exact, and planted bugs still
        count.
    surrogate : bool
        Whether the derivative is not meant to be the function's, as in straight-through estimators:
        its formula is not judged, but its values, digits and programs are, against the formula's
        own values in exact arithmetic; and planted bugs still count.
    normwise : bool
        Whether to measure the digits of each array relative to its largest entry, as error bounds
        of linear algebra do, and not entry by entry. The formula is judged entry by entry in either
        case.
    simplex : mapping of str to str, optional
        From the name of a leaf whose last axis sums to exactly 1, such as ``"mixture.weights"``, to
        its kind of derivative: ``"partial"``, or ``"tangent"`` for one that is right along the
        simplex only.
    has_aux : bool
        Whether `function` returns a pair, the value and an auxiliary output that is not judged, and
        `derivative` as well, as ``jax.grad`` and ``jax.value_and_grad`` do.
    edges : sequence of tuples
        Inputs that are always tried, in addition to those drawn.
    deadline : float, optional
        Seconds that exact evaluation and compiled loops may take for one input, beyond which the
        input is reported as not judged; None for no limit.
    plant_bugs : bool
        Whether to plant standard bugs in a derivative that has passed, one at a time, and to report
        how many of them these inputs show: `Report.planted`. A missed bug means that other inputs
        are needed, unless it changes nothing, as in a ``max`` that is there for stability only.
    name : str, optional
        Name of this check in reports.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If an argument cannot be used; the message names it, its value and what is required.
    UnknownPrimitive
        If exact evaluation has no rule for an operation that one of the programs uses.

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
    options = Options(
        examples=examples,
        seed=seed,
        order=order,
        min_digits=min_digits,
        agrees_to=agrees_to,
        surrogate=surrogate,
        normwise=normwise,
        edges=edges,
        deadline=deadline,
    )
    options.validate(lowest_order=1)
    if not isinstance(has_aux, bool):
        raise ValueError(f"`has_aux` must be True or False; got {has_aux!r}.")
    refuse_uncallable(function=function, derivative=derivative)
    title = name or f"{called(function) or 'function'}, derivative {called(derivative)}".strip()
    remarks: list[Finding] = []
    judged = forms.without_auxiliary(releasing(function)) if has_aux else releasing(function)

    def make(example: tuple[Any, ...]) -> tuple[Signature, list[Claim]]:
        contract = signature(function, example, wrt, {} if simplex is None else simplex)
        if not contract.wrt:
            raise ValueError(f"`wrt` must name an argument; got {wrt!r}.")
        is_scalar = refuse_unusable(judged, example)
        gradient, value = forms.gradient_and_value(releasing(derivative), contract, has_aux=has_aux)
        refuse_untraceable("derivative", gradient, example)
        if surrogate:
            remarks.append(remark(Kind.SURROGATE, "derivative", "as `surrogate` says"))
            return contract, claims.of_surrogate(gradient, contract)
        if not is_scalar:
            return contract, claims.of_jacobian(judged, gradient, contract)
        found = claims.of_derivative(judged, gradient, contract, order)
        if refuse_untraceable("derivative", value, example) is not None:
            found.append(claims.of_value_beside(judged, value))
        return contract, found

    def snippet(args: tuple[Any, ...]) -> str:
        functions = [("function", function), ("derivative", derivative)]
        keywords = unusual(crosscheck, options, wrt=wrt, simplex=simplex or None, has_aux=has_aux)
        return write_snippet("crosscheck", functions, released(args), keywords)

    with closing_over([function, derivative]):
        report = checked(
            title, make, inputs, options, snippet, plant_bugs=plant_bugs, remarks=remarks
        )
    return _as_given(report)


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
    agrees_to: float = 0.0,
    surrogate: bool = False,
    normwise: bool = False,
    edges: Sequence[tuple[Any, ...]] = (),
    deadline: float | None = 60.0,
    name: str | None = None,
) -> Report:
    """Check a function with a custom derivative rule against the same function without it.

    Compared are values, first derivatives in forward and in reverse mode, and second derivatives,
    each if it is defined for the rule; in the same way as by `crosscheck`.

    Parameters
    ----------
    function : callable
        A JAX function with a ``custom_jvp`` or ``custom_vjp`` rule; its output is any pytree.
    plain : callable
        The same function without the rule. A rule in it is not used. If `function` has no rule, a
        remark says so.
    inputs, examples, seed, min_digits, agrees_to, normwise, edges, deadline, name
        As for `crosscheck`.
    wrt : int or tuple of int, optional
        Which arguments are differentiated; all floating-point ones if not given.
    surrogate : bool
        Whether the rule is not meant to be the function's derivative: values are judged, and
        derivatives only against their own formula in exact arithmetic.
    order : int
        0 for values only, 1 to add first derivatives, 2 to add second derivatives, 3 to add the
        formula of third derivatives along the direction drawn for an input.

    Returns
    -------
    Report
    """
    options = Options(
        examples=examples,
        seed=seed,
        order=order,
        min_digits=min_digits,
        agrees_to=agrees_to,
        surrogate=surrogate,
        normwise=normwise,
        edges=edges,
        deadline=deadline,
    )
    options.validate(lowest_order=0)
    refuse_uncallable(function=function, plain=plain)
    title = name or f"{called(function) or 'function'}, rule"
    remarks: list[Finding] = []
    judged, without = releasing(function), releasing(plain)

    def make(example: tuple[Any, ...]) -> tuple[Signature, list[Claim]]:
        indices = float_arguments(example) if wrt is None else wrt
        contract = signature(function, example, indices, {})
        if order and not contract.wrt:
            raise ValueError("`inputs` must yield a floating-point argument to differentiate.")
        refuse_untraceable("function", judged, example)
        refuse_untraceable("plain", without, example)
        with in_float64():
            if order and not has_rule(trace(judged, *example)[0]):
                remarks.append(remark(Kind.NO_RULE, "the rule", "its derivatives are JAX's own"))
        if surrogate:
            remarks.append(remark(Kind.SURROGATE, "the rule", "as `surrogate` says"))
        return contract, claims.of_rule(judged, without, contract, order, surrogate=surrogate)

    def snippet(args: tuple[Any, ...]) -> str:
        functions = [("function", function), ("plain", plain)]
        keywords = unusual(crosscheck_rule, options, wrt=wrt)
        return write_snippet("crosscheck_rule", functions, released(args), keywords)

    with closing_over([function, plain]):
        return _as_given(checked(title, make, inputs, options, snippet, remarks=remarks))


def _as_given(report: Report) -> Report:
    """Return the report with the inputs as the user gave them."""
    report.findings = [
        dataclasses.replace(found, args=released(found.args)) for found in report.findings
    ]
    return report
