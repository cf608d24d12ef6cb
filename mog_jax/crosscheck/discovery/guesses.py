"""Guesses inputs for a function from its signature: shapes and values that JAX can trace."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import hypothesis.strategies as st
import jax
import numpy as np

from mog_jax.crosscheck.discovery.errors import TargetError
from mog_jax.crosscheck.discovery.rules import static_arguments
from mog_jax.crosscheck.discovery.signatures import (
    Alternative,
    Bound,
    Drawn,
    Parameter,
    parameters_of,
)
from mog_jax.crosscheck.findings import error_line
from mog_jax.crosscheck.jaxprs import trace
from mog_jax.crosscheck.precisions import in_float64
from mog_jax.crosscheck.strategies import positives, scores

# Shapes in the order in which they are tried. Vectors first: they show ties and swapped entries.
_SHAPES: tuple[tuple[int, ...], ...] = ((3,), (), (3, 3), (2, 3), (1, 4, 4, 1))
# Largest number of combinations of alternatives that are tried.
_MOST = 200


@dataclasses.dataclass(frozen=True, eq=False)
class Guess:
    """Inputs for a function.

    Attributes
    ----------
    function : callable
        The function of the drawn arguments, with the others bound.
    inputs : SearchStrategy
        Draws its arguments.
    described : str
        Names, dtypes and shapes of the arguments.
    """

    function: Callable[..., Any]
    inputs: st.SearchStrategy[tuple[Any, ...]]
    described: str


def guess_inputs(function: Callable[..., Any]) -> Guess:
    """Guess inputs for a function from its signature.

    Raises
    ------
    TargetError
        If no inputs can be guessed.
    """
    parameters = parameters_of(function, static_arguments(function))
    if not parameters:
        raise TargetError("it takes no argument, so that there is nothing to differentiate.")
    first_error: Exception | None = None
    traced: Guess | None = None
    for choice in itertools.islice(_choices(parameters), _MOST):
        if not any(isinstance(one, Drawn) and not one.integer for one in choice):
            continue
        try:
            guess, differentiable = _tried(function, parameters, choice)
        except Exception as error:
            first_error = first_error or error
            continue
        if differentiable:
            return guess
        traced = traced or guess
    if traced is not None:
        return traced
    if first_error is None:
        raise TargetError("none of its arguments can be guessed to be a floating-point array.")
    raise TargetError(
        "no input can be guessed from its signature; numbers, vectors and matrices were tried, "
        f"the first of which raised {error_line(first_error).rstrip('.: ')}."
    )


def _choices(parameters: Sequence[Parameter]) -> Iterator[tuple[Alternative, ...]]:
    """Yield combinations of the parameters' alternatives: arrays of one shape first, then mixed."""
    options = [list(parameter.alternatives) for parameter in parameters]
    for shape in _SHAPES:
        yield from itertools.product(*([_shaped(one, shape) for one in some] for some in options))
    yield from itertools.product(
        *([_shaped(one, shape) for one in some for shape in _shapes_of(one)] for some in options)
    )


def _shapes_of(alternative: Alternative) -> Sequence[tuple[int, ...]]:
    is_open = isinstance(alternative, Drawn) and alternative.shape is None
    return _SHAPES[:3] if is_open else _SHAPES[:1]


def _shaped(alternative: Alternative, shape: tuple[int, ...]) -> Alternative:
    if isinstance(alternative, Drawn) and alternative.shape is None:
        return Drawn(shape, alternative.integer)
    return alternative


def _tried(
    function: Callable[..., Any], parameters: Sequence[Parameter], choice: Sequence[Alternative]
) -> tuple[Guess, bool]:
    """Trace a function with one choice of alternatives; also return if it can be differentiated."""
    drawn = [
        (parameter.name, one)
        for parameter, one in zip(parameters, choice, strict=True)
        if isinstance(one, Drawn)
    ]
    bound = _bound(function, parameters, choice)
    shaped: list[Any] = [
        np.zeros(one.shape or (), np.int64) if one.integer else np.full(one.shape or (), 0.5)
        for _, one in drawn
    ]
    with in_float64():
        output = trace(bound, *shaped)[1]
        leaves = jax.tree.leaves(output)
        if not leaves or any(leaf.dtype.kind != "f" for leaf in leaves):
            raise TypeError("what it gives is no floating-point number")
        differentiable = _is_differentiable(bound, shaped, output)
    inputs = st.tuples(*(_values(one) for _, one in drawn))
    described = ", ".join(f"{name}: {_described(one)}" for name, one in drawn)
    return Guess(bound, inputs, described), differentiable


def _bound(
    function: Callable[..., Any], parameters: Sequence[Parameter], choice: Sequence[Alternative]
) -> Callable[..., Any]:
    """Return the function of the drawn arguments only, with the others bound."""
    if all(isinstance(one, Drawn) for one in choice) and not any(p.keyword for p in parameters):
        return function

    @functools.wraps(function)
    def bound(*drawn: Any) -> Any:
        left = iter(drawn)
        values = [one.value if isinstance(one, Bound) else next(left) for one in choice]
        pairs = list(zip(parameters, values, strict=True))
        positional = [value for parameter, value in pairs if not parameter.keyword]
        return function(*positional, **{p.name: value for p, value in pairs if p.keyword})

    del bound.__wrapped__  # its parameters are the drawn ones only
    return bound


def _is_differentiable(function: Callable[..., Any], args: Sequence[Any], output: Any) -> bool:
    floats = tuple(i for i, arg in enumerate(args) if arg.dtype.kind == "f")

    def of_floats(*values: Any) -> Any:
        given = list(args)
        for i, value in zip(floats, values, strict=True):
            given[i] = value
        return function(*given)

    def pulled(*values: Any) -> Any:
        ones = jax.tree.map(lambda leaf: jax.numpy.ones(leaf.shape, leaf.dtype), output)
        return jax.vjp(of_floats, *values)[1](ones)

    def pushed(*values: Any) -> Any:
        return jax.jvp(of_floats, values, values)[1]

    for program in (pulled, pushed):
        try:
            trace(program, *(args[i] for i in floats))
        except Exception:  # the other mode may be the one that is defined
            continue
        return True
    return False


def _values(drawn: Drawn) -> st.SearchStrategy[Any]:
    """Return a strategy of real numbers, positive numbers, and numbers in the unit interval."""
    shape = drawn.shape or ()
    if drawn.integer:
        return st.integers(0, 3).map(lambda value: np.full(shape, value))
    return (
        scores(shape, largest=45.0)
        | positives(shape, log10_range=(-3, 3))
        | positives(shape, log10_range=(-6, 0))
    )


def _described(drawn: Drawn) -> str:
    kind = "int64" if drawn.integer else "float64"
    return f"{kind}[{','.join(map(str, drawn.shape or ()))}]"
