"""Defines the state of one evaluation of a program at one precision, which all rules use.

Floating-point arrays are NumPy object arrays of balls. Integers and booleans are NumPy arrays of
their own dtype, computed as JAX computes them.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from flint import arb

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import balls, deadlines
from mog_jax.crosscheck.exact.balls import INF, MINUS_INF, NAN, ZERO, Ball, Complex
from mog_jax.crosscheck.jaxprs import ClosedJaxpr, Jaxpr, opened

Rule = Callable[["Evaluation", Sequence[Array], dict[str, Any]], Array | Sequence[Array]]
WRITTEN_ZERO = "a written zero"
"""Key of `kinks` for zeros of the program that absorbed a number that is not finite."""
Runner = Callable[["Evaluation", Jaxpr, Sequence[Any], Sequence[Array]], list[Array]]


class Evaluation:
    """The state of one pass: the expressions met so far, and the kinks.

    An expression is a function's name and its operands *as objects*. It is computed once, and every
    later occurrence gives the same object. This saves time; more importantly it makes equality
    decidable where it matters: operands that were computed alike from equal inputs are one object.

    Parameters
    ----------
    runner : callable
        The interpreter, for rules that carry programs of their own.
    kinks : Counter
        Counts, by name, the ties that each primitive met, and as `WRITTEN_ZERO` the zeros written
        in the program that absorbed a number that is not finite.
    by_meaning : bool
        Whether known special functions are evaluated by their definition, not by their programs.

    Attributes
    ----------
    special : Counter
        The names of the special functions that were met.
    taken_apart : bool
        Whether the program has read the bits of a float.
    """

    def __init__(self, runner: Runner, kinks: Counter[str], *, by_meaning: bool = False) -> None:
        self.kinks, self.by_meaning = kinks, by_meaning
        self.special: Counter[str] = Counter()
        self.taken_apart = False
        self._runner = runner
        self._numbers: dict[float, Ball] = {}
        self._exact: dict[Any, Ball] = {}
        times = _remembering(self._product, 2, symmetric=True)
        over = _remembering(self._quotient, 2, symmetric=False)
        self._ufuncs: dict[Hashable, Any] = {
            "mul": np.frompyfunc(times, 2, 1),
            "div": np.frompyfunc(over, 2, 1),
        }
        self._sums: dict[tuple[int, ...], tuple[list[Ball], Ball]] = {}
        self._of_arrays: dict[Hashable, tuple[Array, Sequence[Array]]] = {}

    def _product(self, x: Ball, y: Ball) -> Ball:
        # A computed zero that absorbs is not that of a branch not taken: at the tip of a cone, for
        # example, a derivative is 0 times infinity and does not exist.
        result = balls.multiply(x, y)
        if result is ZERO:
            if x is not ZERO and y is not ZERO:
                self.kinks["mul"] += 1
            elif not (x.is_finite() and y.is_finite()):
                self.kinks[WRITTEN_ZERO] += 1
        return result

    def _quotient(self, x: Ball, y: Ball) -> Ball:
        if x is ZERO and (y.is_zero() or not y.is_finite()):
            self.kinks[WRITTEN_ZERO] += 1
        return balls.divide(x, y)

    def run(
        self,
        program: ClosedJaxpr | Jaxpr,
        arguments: Sequence[Array],
        constants: Sequence[Any] = (),
    ) -> list[Array]:
        """Evaluate a program that is a parameter of a primitive; an open one needs `constants`."""
        jaxpr, own = opened(program)
        return self._runner(self, jaxpr, own or constants, arguments)

    def number(self, value: Any) -> Ball:
        """Return a machine number, or a given ball, as a ball; equal numbers are one object."""
        if isinstance(value, complex | np.complexfloating):
            return Complex(self.number(value.real), self.number(value.imag))
        if isinstance(value, arb):
            if not value.is_exact():
                return value
            if value.is_nan():
                return NAN
        elif isinstance(value, float | np.floating):
            value = float(value)
        else:
            value = int(value)
        # Equal numbers hash alike, whether integers or floats; a ball is keyed by its exact value.
        known = self._numbers.get(value) if not isinstance(value, arb) else None
        if known is not None:
            return known
        ball = arb(value)
        if not ball.is_finite():
            return NAN if ball.is_nan() else INF if ball > 0 else MINUS_INF
        ball = self._exact.setdefault(ball.man_exp(), ball)
        if not isinstance(value, arb):
            self._numbers[value] = ball
        return ball

    def numbers(self, array: Any) -> Array:
        """Return an array of machine numbers or balls as balls."""
        array = np.asarray(array)
        if array.dtype != object:
            wide = {"f": np.float64, "c": np.complex128}.get(array.dtype.kind, array.dtype)
            if array.dtype.kind == "V":  # bfloat16 and its like
                wide = np.dtype(np.float64)
            array = array.astype(wide).astype(object)
        return self.elementwise(None, self.number, array)

    def elementwise(
        self,
        name: Hashable,
        function: Callable[..., Ball],
        *operands: Array,
        symmetric: bool = False,
    ) -> Array:
        """Apply a function of balls to each element, each distinct expression once.

        Parameters
        ----------
        name : hashable
            Key that identifies this function and its parameters; None if its results are not to be
            kept.
        function : callable
            From balls to a ball.
        *operands : object arrays
            Of one shape, or broadcasting to one.
        symmetric : bool
            Whether the order of a function's two balls does not matter.
        """
        deadlines.check(str(name), np.broadcast(*operands).size)
        ufunc = self._ufuncs.get(name) if name is not None else None
        if ufunc is None:
            remembered = (
                function if name is None else _remembering(function, len(operands), symmetric)
            )
            ufunc = np.frompyfunc(remembered, len(operands), 1)
            if name is not None:
                self._ufuncs[name] = ufunc
        # Flint's own estimates in doubles may raise flags of the processor, which NumPy reports.
        with np.errstate(all="ignore"):
            result = ufunc(*operands)
        if isinstance(result, np.ndarray):
            return result
        scalar = np.empty((), dtype=object)
        scalar[()] = result
        return scalar

    def once(
        self, name: Hashable, function: Callable[[Array], Sequence[Array]], operand: Array
    ) -> Sequence[Array]:
        """Apply a function of a whole array, once for all arrays of the same objects."""
        key = name, tuple(map(id, operand.flat))
        if key not in self._of_arrays:
            # Kept with its operand, as an id is unique only while its object lives.
            self._of_arrays[key] = operand, function(operand)
        return self._of_arrays[key][1]

    def decide(self, function: Callable[..., Any], *operands: Array, dtype: Any = bool) -> Array:
        """Apply a function from balls to booleans or integers to each element."""
        result = np.frompyfunc(function, len(operands), 1)(*operands)
        return np.asarray(result, dtype=object).astype(dtype)

    def total(self, terms: Array) -> Array:
        """Sum over the last axis; the same terms in another order give the same object."""
        rows = terms.reshape(-1, terms.shape[-1]) if terms.size else np.empty((0, 0), object)
        result = np.full(terms.shape[:-1], ZERO, dtype=object)
        flat = result.reshape(-1)
        for i, row in enumerate(rows):
            flat[i] = self._sum(row.tolist())
        return flat.reshape(result.shape)

    def _sum(self, terms: list[Ball]) -> Ball:
        terms = [term for term in terms if term is not ZERO]
        if len(terms) < 2:
            return terms[0] if terms else ZERO
        key = tuple(sorted(map(id, terms)))
        known = self._sums.get(key)
        if known is not None:
            return known[1]
        result: Ball = sum(terms[1:], terms[0])
        if not result.is_finite():
            result = terms[0]
            for term in terms[1:]:
                result = balls.add(result, term)
        self._sums[key] = (terms, result)
        return result

    def fold(self, name: str, function: Callable[[Ball, Ball], Ball], terms: Array) -> Array:
        """Fold the last axis, which has at least one element, with a function of two balls."""
        result = terms[..., 0]
        for i in range(1, terms.shape[-1]):
            result = self.elementwise(name, function, result, terms[..., i])
        return np.asarray(result, dtype=object)


def _remembering(function: Callable[..., Ball], arity: int, symmetric: bool) -> Callable[..., Ball]:
    # The operands are kept with the result, as an id is unique only while its object lives.
    known: dict[Any, tuple[Any, ...]] = {}

    if arity == 1:

        def unary(x: Ball) -> Ball:
            entry = known.get(id(x))
            if entry is None:
                entry = known[id(x)] = (function(x), x)
            return entry[0]

        return unary

    if arity == 2:

        def binary(x: Ball, y: Ball) -> Ball:
            i, j = id(x), id(y)
            key = (j, i) if symmetric and j < i else (i, j)
            entry = known.get(key)
            if entry is None:
                entry = known[key] = (function(x, y), x, y)
            return entry[0]

        return binary

    def many(*operands: Ball) -> Ball:
        key = tuple(map(id, operands))
        entry = known.get(key)
        if entry is None:
            entry = known[key] = (function(*operands), *operands)
        return entry[0]

    return many
