"""Public functions of JAX and of libraries upon it, each with inputs of the structure it is for.

A part is a module of the public surface, such as ``jax.nn``; its functions are listed by a function
that imports the library when it is called, so that what is not installed is left out alone.
"""

from collections.abc import Callable, Iterator

from public_functions import distributions, jax_functions, optax_functions, solvers
from public_functions.entry import Entry

PARTS: dict[str, Callable[[], Iterator[Entry]]] = {
    **jax_functions.PARTS,
    **optax_functions.PARTS,
    **distributions.PARTS,
    **solvers.PARTS,
}
