"""The table from primitive to its exact rule, and how a rule decides what balls leave open."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import flint
import numpy as np

Array = np.ndarray[Any, Any]
Rule = Callable[..., Any]


class UnknownPrimitive(NotImplementedError):
    """A program uses a primitive that has no exact rule."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no exact rule for the JAX primitive {name!r}; add one with "
            f"mog_jax.crosscheck.register_primitive({name!r}, rule)"
        )
        self.name = name


class Undecided(ArithmeticError):
    """A decision that no precision allowed can make, such as the integer part of a ball."""


class MorePrecision(ArithmeticError):
    """The balls are too wide to decide a comparison; evaluate again with more digits."""


@dataclasses.dataclass
class Decisions:
    """How to decide here: whether this is the last attempt, and which ties were met."""

    is_last: bool
    ties: list[str]


_decisions: contextvars.ContextVar[Decisions] = contextvars.ContextVar("decisions")
_RULES: dict[str, Rule] = {}


@contextlib.contextmanager
def deciding(decisions: Decisions) -> Iterator[None]:
    """Let rules decide so for a while."""
    token = _decisions.set(decisions)
    try:
        yield
    finally:
        _decisions.reset(token)


def register_primitive(name: str, rule: Rule) -> None:
    """Teach exact evaluation a JAX primitive.

    Parameters
    ----------
    name : str
        The primitive's name, as a jaxpr prints it.
    rule : callable
        Called as ``rule(*operands, **params)`` with the equation's parameters. Operands that are
        floats to JAX are object arrays of `flint.arb`; integers and booleans are NumPy arrays. It
        returns the result in the same form; a tuple or list of them for several results. The
        precision to work with is ``flint.ctx.prec``.

    Raises
    ------
    ValueError
        If `rule` cannot be called.

    Examples
    --------
    >>> import numpy as np
    >>> each = np.frompyfunc(lambda ball: ball.sinc(), 1, 1)
    >>> register_primitive("my_sinc", lambda x, **params: each(x))
    """
    if not callable(rule):
        raise ValueError(f"`rule` must be callable; got {rule!r}.")
    _RULES[name] = rule


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Decorate the rule of one or several primitives of this package."""

    def enter(function: Rule) -> Rule:
        for name in names:
            _RULES[name] = function
        return function

    return enter


def apply(name: str, operands: Sequence[Any], params: dict[str, Any]) -> list[Array]:
    """Evaluate one equation by its rule."""
    if name not in _RULES:
        raise UnknownPrimitive(name)
    results = _RULES[name](*operands, **params)
    return list(results) if isinstance(results, list | tuple) else [results]


def each(function: Callable[..., Any], n_operands: int) -> Callable[..., Array]:
    """Lift a function of balls to arrays; unlike NumPy's own, it keeps arrays of no axes."""
    lifted = np.frompyfunc(function, n_operands, 1)

    def apply_to_each(*operands: Any) -> Array:
        return np.asarray(lifted(*operands), dtype=object)

    return apply_to_each


def is_exact_kind(array: Any) -> bool:
    """Whether an array holds balls, not integers or booleans."""
    return bool(array.dtype == object)


def undecided(what: str, overlap: bool) -> bool:
    """Ask for more precision, or at the last attempt take an overlap for a tie.

    Returns
    -------
    bool
        True: treat the two as equal.
    """
    decisions = _decisions.get()
    if not decisions.is_last:
        raise MorePrecision(what)
    if not overlap:
        raise Undecided(f"{what} cannot be decided at the highest precision allowed")
    decisions.ties.append(what)
    return True


def tie(what: str) -> None:
    """Remember that two numbers were equal where the program asked which is larger."""
    _decisions.get().ties.append(what)


def same(a: flint.arb, b: flint.arb) -> bool:
    """Whether two balls are one number: equal and exact, or the outcome of the same operations."""
    if a is b:
        return not a.is_nan()
    if a.is_nan() or b.is_nan():
        return False
    if a == b:
        return True
    return bool(a.is_finite() and b.is_finite() and a.mid() == b.mid() and a.rad() == b.rad())


def less(a: flint.arb, b: flint.arb, what: str) -> bool:
    """Decide a < b; equal numbers are remembered as a tie."""
    if a < b:
        return True
    if a.is_nan() or b.is_nan() or a > b:
        return False
    if same(a, b):
        tie(what)
        return False
    if a >= b:
        return False
    return not undecided(what, overlap=True)


def equal(a: flint.arb, b: flint.arb, what: str) -> bool:
    """Decide a == b; NaN is equal to nothing."""
    if a.is_nan() or b.is_nan():
        return False
    if same(a, b):
        return True
    if not a.overlaps(b) or (a.is_exact() and b.is_exact()):
        return False
    return undecided(what, overlap=True)


def whole(ball: flint.arb, what: str) -> flint.arb:
    """Give the one integer in a ball that a rounding has made."""
    if not ball.is_finite() or ball.is_exact():
        return ball
    number = ball.unique_fmpz()
    if number is None:
        undecided(what, overlap=False)
    return flint.arb(number)
