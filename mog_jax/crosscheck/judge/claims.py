"""Defines claims: pairs of a program that is judged and one that gives the right values.

The *subject* is judged. The *reference* is trusted, because automatic differentiation made it from
a function without any custom rule. Everything that the harness checks, of any order, is such a
pair.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from mog_jax.crosscheck.findings import Execution, Kind
from mog_jax.crosscheck.inputs.arguments import Signature
from mog_jax.crosscheck.jaxprs import plain
from mog_jax.crosscheck.judge.quotients import Gradient, Hessian, Jacobian, Push, Quotients

Program = Callable[..., Any]
# From a function of the differentiated arguments, their value, a tangent and a cotangent.
Direct = Callable[[Program, Any, Any, Any], Any]

# The kind of a disproof, by the order of the derivative.
_KINDS = (
    Kind.WRONG_FORMULA,
    Kind.WRONG_FORMULA,
    Kind.WRONG_SECOND_ORDER,
    Kind.WRONG_THIRD_ORDER,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Claim:
    """One program that is judged, and the program that gives the right values.

    Attributes
    ----------
    name : str
        Name of the claim in reports.
    kind : Kind
        The kind of a disproof.
    order : int
        Order of the derivative; a finding of a lower order explains those of higher ones.
    subject : callable
        The judged program, a function of the arguments.
    reference : callable
        The trusted program.
    undirected : callable
        The program whose output has the structure of a cotangent.
    autodiff : mapping from Execution to callable
        Automatic differentiation of the function as it was given: the alternative to the subject.
    plain_autodiff : mapping from Execution to callable
        The same without the custom rules in the function, if it has any; these do not run the
        subject, even if it is one of the rules.
    hessian : callable, optional
        For second order, the function as it was given, differentiated twice by JAX: the alternative
        to the subject.
    to_the_digit : bool
        For second order, whether digits are judged as well: a rule is written to be differentiated,
        a derivative need not be.
    function : callable, optional
        The function that difference quotients are taken of; it takes the programs' arguments.
    quotients : type of Quotients
        Which quotients of it the reference's values are.
    directed : bool
        Whether both programs take a tangent and a cotangent after the arguments.
    like_wrt : bool
        Whether the output has the structure of the differentiated arguments.
    model : callable, optional
        The program whose output has the required shapes and dtypes, if not the reference.
    surrogate : bool
        Whether the subject is compared with its own exact values only.
    """

    name: str
    kind: Kind
    order: int
    subject: Program
    reference: Program
    undirected: Program
    autodiff: Mapping[Execution, Program] = dataclasses.field(default_factory=dict)
    plain_autodiff: Mapping[Execution, Program] = dataclasses.field(default_factory=dict)
    hessian: Program | None = None
    to_the_digit: bool = False
    function: Program | None = None
    quotients: type[Quotients] = Gradient
    directed: bool = False
    like_wrt: bool = True
    model: Program | None = None
    surrogate: bool = False

    def tangent_groups(
        self, contract: Signature, args: Sequence[Any]
    ) -> list[tuple[int, tuple[int, ...]]]:
        """Return start and shape, in the output vector, of leaves claimed along a simplex only."""
        groups = []
        start = 0
        if self.like_wrt:
            leaves = jax.tree.leaves(contract.differentiated(args))
            for name, leaf in zip(contract.wrt_names(args), leaves, strict=True):
                simplex = contract.simplex.get(name)
                if simplex is not None and simplex.tangent:
                    groups.append((start, leaf.shape))
                start += leaf.size
        return groups


def of_surrogate(derivative: Program, contract: Signature) -> list[Claim]:
    """Return the claims of a derivative that is not meant to be the function's: its own values."""
    return [
        Claim(
            name="derivative",
            kind=Kind.WRONG_FORMULA,
            order=1,
            subject=derivative,
            reference=plain(derivative),
            undirected=derivative,
            model=lambda *args: contract.differentiated(args),
            surrogate=True,
        )
    ]


def of_jacobian(function: Program, derivative: Program, contract: Signature) -> list[Claim]:
    """Return the claims of a hand-written Jacobian of a function with any output."""
    opened = plain(function)
    wrt = _argnums(contract)
    return [
        Claim(
            name="derivative",
            kind=Kind.WRONG_FORMULA,
            order=1,
            subject=derivative,
            reference=_either(jax.jacrev(opened, argnums=wrt), jax.jacfwd(opened, argnums=wrt)),
            undirected=opened,
            autodiff=_jacobians(function, wrt),
            plain_autodiff=_jacobians(opened, wrt),
            function=opened,
            quotients=Jacobian,
            like_wrt=False,
        )
    ]


def of_derivative(
    function: Program, derivative: Program, contract: Signature, order: int
) -> list[Claim]:
    """Return the claims of a hand-written derivative of a scalar function."""
    opened = plain(function)
    wrt = _argnums(contract)
    reverse = _gradient(opened, wrt)
    claims = [
        Claim(
            name="derivative",
            kind=Kind.WRONG_FORMULA,
            order=1,
            subject=derivative,
            reference=reverse,
            undirected=reverse,
            autodiff=_autodiff(function, wrt),
            plain_autodiff=_autodiff(opened, wrt),
            function=opened,
        )
    ]
    if order >= 2:
        # The Hessian is symmetric: along one direction both modes give the same.
        modes = {"forward": _push, "reverse": lambda f, p, v, w: _pull(f, p, w, v)}
        claims += [
            Claim(
                name=f"second order, {mode}",
                kind=Kind.WRONG_SECOND_ORDER,
                order=2,
                subject=_directed(derivative, how, contract),
                reference=_directed(reverse, _push, contract),
                hessian=_directed(jax.grad(function, argnums=wrt), _push, contract),
                undirected=reverse,
                function=_undirected(opened),
                quotients=Hessian,
                directed=True,
            )
            for mode, how in modes.items()
        ]
    if order >= 3:
        # Third derivatives are symmetric too.
        modes = {"forward": _push_push, "reverse": lambda f, p, v, w: _pull_push(f, p, v, v)}
        claims += [
            Claim(
                name=f"third order, {mode}",
                kind=Kind.WRONG_THIRD_ORDER,
                order=3,
                subject=_directed(derivative, how, contract),
                reference=_directed(reverse, _push_push, contract),
                undirected=reverse,
                directed=True,
            )
            for mode, how in modes.items()
        ]
    return claims


def of_value_beside(function: Program, value: Program) -> Claim:
    """Return the claim that the value beside a gradient is the function's value."""
    opened = plain(function)
    return Claim(
        name="value beside the gradient",
        kind=Kind.WRONG_FORMULA,
        order=0,
        subject=value,
        reference=opened,
        undirected=opened,
        like_wrt=False,
    )


def of_rule(
    function: Program,
    without: Program,
    contract: Signature,
    order: int,
    *,
    surrogate: bool = False,
) -> list[Claim]:
    """Return the claims of a function with a custom derivative rule: all as without the rule."""
    opened = plain(without)

    def claim(name: str, order: int, how: Direct, trusted: Direct, like_wrt: bool = True) -> Claim:
        own = surrogate and order == 1
        scalar = _paired(opened) if like_wrt else _undirected(opened)
        first = Gradient if like_wrt else Push
        return Claim(
            name=name,
            kind=_KINDS[order],
            order=order,
            subject=_directed(function, how, contract),
            reference=_directed(function, how, contract)
            if own
            else _directed(opened, trusted, contract),
            hessian=_directed(without, trusted, contract) if order == 2 else None,
            to_the_digit=True,
            undirected=opened,
            function=scalar if order in (1, 2) and not own else None,
            quotients=first if order == 1 else Hessian,
            directed=True,
            like_wrt=like_wrt,
            surrogate=own,
        )

    claims = [
        Claim(
            name="value",
            kind=Kind.WRONG_FORMULA,
            order=0,
            subject=function,
            reference=opened,
            undirected=opened,
            like_wrt=False,
        ),
        claim("value, differentiated", 0, _primal, _value, like_wrt=False),
        claim("first order, forward", 1, _push, _push, like_wrt=False),
        claim("first order, reverse", 1, _pull, _trusted_pull),
        claim("second order, forward over reverse", 2, _push_pull, _trusted_push_pull),
        claim("second order, reverse over reverse", 2, _pull_pull, _trusted_push_pull),
        claim("second order, reverse over forward", 2, _pull_push, _trusted_push_pull),
        claim("third order", 3, _push_push_pull, _trusted_push_push_pull),
    ]
    if order == 0:
        return claims[:1]
    # The second derivatives of a surrogate are not claimed.
    most = min(order, 1) if surrogate else order
    return [claim for claim in claims if claim.order <= most]


def _gradient(function: Program, wrt: int | tuple[int, ...]) -> Program:
    """Differentiate in reverse mode, or forward through loops of unknown length."""
    return _either(jax.grad(function, argnums=wrt), jax.jacfwd(function, argnums=wrt))


def _either(reverse: Program, forward: Program) -> Program:
    def differentiated(*args: Any) -> Any:
        try:
            return reverse(*args)
        except ValueError as error:
            if "Reverse-mode differentiation does not work" not in str(error):
                raise
            return forward(*args)

    return differentiated


def _argnums(contract: Signature) -> int | tuple[int, ...]:
    return contract.wrt[0] if contract.single else contract.wrt


def _jacobians(function: Program, wrt: int | tuple[int, ...]) -> dict[Execution, Program]:
    return {
        Execution.REVERSE: jax.jacrev(function, argnums=wrt),
        Execution.FORWARD: jax.jacfwd(function, argnums=wrt),
    }


def _autodiff(function: Program, wrt: int | tuple[int, ...]) -> dict[Execution, Program]:
    return {
        Execution.REVERSE: jax.grad(function, argnums=wrt),
        Execution.FORWARD: jax.jacfwd(function, argnums=wrt),
    }


def _directed(program: Program, how: Direct, contract: Signature) -> Program:
    """Return a derivative of a program along directions that follow its arguments."""

    def directed(*values: Any) -> Any:
        *args, tangent, cotangent = values

        def of_wrt(moved: Any) -> Any:
            return program(*contract.with_differentiated(args, moved))

        return how(of_wrt, contract.differentiated(args), tangent, cotangent)

    return directed


def _undirected(program: Program) -> Program:
    """Return a program that takes a tangent and a cotangent as well, and ignores them."""
    return lambda *values: program(*values[:-2])


def _paired(program: Program) -> Program:
    """Return the scalar function whose gradient a reverse mode computes: cotangent times output."""

    def scalar(*values: Any) -> Any:
        *args, _, cotangent = values
        return _weighted(program(*args), cotangent)

    return scalar


def _push(function: Program, primal: Any, tangent: Any, cotangent: Any) -> Any:
    return jax.jvp(function, (primal,), (tangent,))[1]


def _primal(function: Program, primal: Any, tangent: Any, cotangent: Any) -> Any:
    # The value that the rule returns, not that of the function's own body.
    return jax.vjp(function, primal)[0]


def _value(function: Program, primal: Any, tangent: Any, cotangent: Any) -> Any:
    return function(primal)


def _pull(function: Program, primal: Any, tangent: Any, cotangent: Any) -> Any:
    return jax.vjp(function, primal)[1](cotangent)[0]


def _trusted_pull(function: Program, primal: Any, tangent: Any, cotangent: Any) -> Any:
    """Pull back in reverse mode, or forward through loops of unknown length."""
    return _either(
        lambda p: jax.vjp(function, p)[1](cotangent)[0],
        jax.jacfwd(lambda p: _weighted(function(p), cotangent)),
    )(primal)


def _trusted_push_pull(function: Program, primal: Any, tangent: Any, cotangent: Any) -> Any:
    return _push(lambda p: _trusted_pull(function, p, None, cotangent), primal, tangent, None)


def _trusted_push_push_pull(function: Program, primal: Any, tangent: Any, cotangent: Any) -> Any:
    return _push_push(lambda p: _trusted_pull(function, p, None, cotangent), primal, tangent, None)


def _push_push(function: Program, primal: Any, tangent: Any, cotangent: Any) -> Any:
    return _push(lambda p: _push(function, p, tangent, None), primal, tangent, None)


def _push_push_pull(function: Program, primal: Any, tangent: Any, cotangent: Any) -> Any:
    return _push_push(lambda p: _pull(function, p, None, cotangent), primal, tangent, None)


def _weighted(output: Any, cotangent: Any) -> Any:
    pairs = zip(jax.tree.leaves(output), jax.tree.leaves(cotangent), strict=True)
    return sum(jnp.sum(value * weight) for value, weight in pairs)


def _push_pull(function: Program, primal: Any, tangent: Any, cotangent: Any) -> Any:
    return _push(lambda p: _pull(function, p, None, cotangent), primal, tangent, None)


def _pull_pull(function: Program, primal: Any, tangent: Any, cotangent: Any) -> Any:
    return _pull(lambda p: _pull(function, p, None, cotangent), primal, None, tangent)


def _pull_push(function: Program, primal: Any, tangent: Any, cotangent: Any) -> Any:
    return _pull(lambda p: _push(function, p, tangent, None), primal, None, cotangent)
