"""Stores and solves small symmetric matrices, one for each lane, entry by entry.

A matrix as one array, `(5, 5, *lanes)`, has to be concatenated from its entries, and XLA's compiler
for CPUs does not vectorise operations that it fuses with the concatenation. So the ascent keeps a
vector as a tuple of arrays, `(*lanes)` each, and a matrix as the entries of its upper triangle.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Vector = tuple[jax.Array, ...]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Symmetric:
    """A symmetric matrix for each lane.

    Parameters
    ----------
    entries : mapping of (row, column) to an array of shape (*lanes)
        The upper triangle, row <= column; entries that are not given are 0.
    size : int
        Number of rows.

    Examples
    --------
    >>> matrix = Symmetric({(0, 0): jnp.array([4.0]), (0, 1): jnp.array([2.0]),
    ...                     (1, 1): jnp.array([3.0])}, size=2)
    >>> solution, definite = matrix.solve((jnp.array([8.0]), jnp.array([8.0])))
    >>> [float(x[0]) for x in solution], bool(definite[0])
    ([1.0, 2.0], True)
    """

    entries: Mapping[tuple[int, int], jax.Array]
    size: int = dataclasses.field(metadata={"static": True})

    def __getitem__(self, place: tuple[int, int]) -> jax.Array:
        """Return the entry in a row and a column."""
        row, column = min(place), max(place)
        if (row, column) in self.entries:
            return self.entries[row, column]
        return jnp.zeros_like(next(iter(self.entries.values())))

    def plus(self, other: "Symmetric", factor: jax.Array) -> "Symmetric":
        """Add a multiple of another matrix that has entries only where this one has."""
        entries = dict(self.entries)
        for place, entry in other.entries.items():
            entries[place] = entries[place] + factor * entry
        return Symmetric(entries, self.size)

    def quadratic(self, vector: Vector) -> jax.Array:
        """Return vᵀMv, shape (*lanes)."""
        total = None
        for (i, j), entry in self.entries.items():
            term = entry * (vector[i] * vector[j])
            term = term if i == j else 2 * term
            total = term if total is None else total + term
        assert total is not None
        return total

    def solve(self, right: Vector) -> tuple[Vector, jax.Array]:
        """Solve the systems of all lanes, and test which matrices are positive definite.

        Returns
        -------
        tuple of arrays, shape (*lanes) each
            The solution; meaningless where the matrix is not positive definite.
        array of bool, shape (*lanes)
            Whether the matrix is positive definite: it is if and only if elimination without
            exchanges meets positive pivots only.
        """
        # A pivot within rounding error of 0 does not count as positive.
        rounding = 8 * float(np.finfo(right[0].dtype).eps)
        size = self.size
        # Unrolled LDLᵀ: for matrices this small a loop costs more than its arithmetic. The columns
        # of L are kept twice, before and after their division by the pivot.
        undivided: list[list[jax.Array]] = [[] for _ in range(size)]
        divided: list[list[jax.Array]] = [[] for _ in range(size)]
        inverses: list[jax.Array] = []
        definite = jnp.ones(right[0].shape, bool)
        for j in range(size):
            for i in range(j, size):
                entry = self[j, i]
                for k in range(j):
                    entry = entry - divided[i][k] * undivided[j][k]
                undivided[i].append(entry)
            pivot = undivided[j][j]
            definite = definite & (pivot > rounding * self[j, j])
            inverses.append(1 / pivot)
            for i in range(j + 1, size):
                divided[i].append(undivided[i][j] * inverses[j])
        solution = list(right)
        for i in range(size):
            for k in range(i):
                solution[i] = solution[i] - divided[i][k] * solution[k]
        solution = [entry * inverse for entry, inverse in zip(solution, inverses, strict=True)]
        for i in reversed(range(size)):
            for k in range(i + 1, size):
                solution[i] = solution[i] - divided[k][i] * solution[k]
        # Back substitution carries any NaN to the first entry.
        return tuple(solution), definite & jnp.isfinite(solution[0])

    def dense(self, xp: Any = jnp) -> Any:
        """Return one array, shape (size, size, *lanes), of JAX or of the module `xp`."""
        rows = [[self[i, j] for j in range(self.size)] for i in range(self.size)]
        return xp.stack([xp.stack(row) for row in rows])
