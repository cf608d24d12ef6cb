"""One public function with its inputs, written in letters.

======  ===========================================================================================
r       a real number, up to 45
p       a positive number from 0.001 to 1000
q       one that is larger than 1; n a number less than -1
u       a number between 0 and 1, both ends included nearly
c       a number between -1 and 1
k       a count from 0 to 6, as an integer; K the same as a float
v       a vector of three real numbers; o of three increasing ones; w of three positive ones; y of
        three counts, as floats
b       a vector of three zeros and ones, as floats
s       three probabilities that sum to 1
M       a 3 by 3 matrix of real numbers up to 6; S a symmetric positive definite one
L       a lower triangular one with a positive diagonal
R       a 4 by 3 matrix
t       the ten parameters of a spline of three bins
======  ===========================================================================================
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np

from mog_jax.crosscheck.strategies import positives, reals, scores, simplex_weights


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """A public function of the arguments that its letters draw.

    Attributes
    ----------
    name : str
        As its users write it.
    function : callable
    letters : str
        What its arguments are.
    wrt : tuple of int, optional
        Which of them are differentiated; all of floating point if not given.
    agrees_to : float
        For a solver, the accuracy that it is asked for.
    normwise : bool
        Whether digits are counted by the largest entry, as error bounds of linear algebra do.
    """

    name: str
    function: Callable[..., Any]
    letters: str
    wrt: tuple[int, ...] | None = None
    agrees_to: float = 0.0
    normwise: bool = False

    @property
    def inputs(self) -> st.SearchStrategy[tuple[Any, ...]]:
        """Draws its arguments."""
        return st.tuples(*(_STRATEGIES[letter] for letter in self.letters))


def _matrix(rows: int, columns: int) -> st.SearchStrategy[Any]:
    return scores((rows, columns), largest=6.0)


def _positive_definite(matrix: np.ndarray) -> np.ndarray:
    return matrix @ matrix.T + 0.5 * np.eye(len(matrix))


def _lower(matrix: np.ndarray) -> np.ndarray:
    return np.tril(matrix, -1) + np.diag(np.abs(np.diag(matrix)) + 0.5)


def _counts(shape: tuple[int, ...], dtype: Any) -> st.SearchStrategy[Any]:
    size = int(np.prod(shape, dtype=int))
    drawn = st.lists(st.integers(0, 6), min_size=size, max_size=size)
    return drawn.map(lambda values: np.array(values, dtype).reshape(shape))


_UNIT = positives(log10_range=(-6, 0)).map(lambda u: np.minimum(u, 1 - 1e-6))
_STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "r": scores(largest=45.0),
    "p": positives(log10_range=(-3, 3)),
    "q": positives(log10_range=(-1, 2)).map(lambda value: 1 + value),
    "n": positives(log10_range=(-1, 1)).map(lambda value: -1 - value),
    "u": _UNIT | _UNIT.map(lambda u: 1 - u) | st.floats(0.0625, 0.9375).map(np.float64),
    "c": reals(bound=0.999),
    "k": _counts((), np.int64),
    "K": _counts((), np.float64),
    "v": scores(3, largest=45.0),
    "o": positives(3, log10_range=(-1, 1)).map(lambda steps: np.cumsum(steps) - 5),
    "w": positives(3, log10_range=(-3, 3)),
    "y": _counts((3,), np.float64),
    "b": _counts((3,), np.float64).map(lambda value: value % 2),
    "s": simplex_weights(3, smallest=1e-4),
    "M": _matrix(3, 3),
    "S": _matrix(3, 3).map(_positive_definite),
    "L": _matrix(3, 3).map(_lower),
    "R": _matrix(4, 3),
    "t": scores(10, largest=6.0),
}
