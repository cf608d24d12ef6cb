"""Public functions of JAX and of libraries based on it, each with suitable inputs.

A part is a module of the public surface, such as ``jax.nn``; its functions are listed by a function
that imports the library when it is called: libraries that are not installed are left out.
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
