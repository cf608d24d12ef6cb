"""Represents arguments that are not arrays: strings, flags, functions, typed random keys.

They become nodes of the pytrees that hold them: `Static` without leaves, `RandomKey` with the key's
integers as its leaf. So every leaf is an array of real numbers, and inputs with different static
values count as different shapes, as for ``jax.jit``. The user's functions get the original values.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

# Generators that draw the same numbers for a key in a batch as for the key alone.
_SAME_IN_BATCHES = ("fry", "threefry2x32")


class _Value:
    """A static value as part of a pytree's structure; its repr is the same in every process."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Value) and (
            self.value is other.value
            or (type(self.value) is type(other.value) and bool(self.value == other.value))
        )

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        named = getattr(self.value, "__qualname__", None)
        return named or (repr(self.value) if _is_plain(self.value) else type(self.value).__name__)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | bool | bytes)


@jax.tree_util.register_pytree_node_class
class Static:
    """A value that is not an array, as a pytree without leaves."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def tree_flatten(self) -> tuple[tuple[()], _Value]:
        """Return no leaves, and the value as structure."""
        return (), _Value(self.value)

    @classmethod
    def tree_unflatten(cls, structure: _Value, leaves: Any) -> "Static":
        """Return the node from its structure."""
        return cls(structure.value)


@jax.tree_util.register_pytree_node_class
class RandomKey:
    """A typed random key, or an array of them, as its integers."""

    def __init__(self, data: Any, implementation: str) -> None:
        self.data, self.implementation = data, implementation

    @property
    def value(self) -> Any:
        """The typed key."""
        return jax.random.wrap_key_data(self.data, impl=self.implementation)

    def tree_flatten(self) -> tuple[tuple[Any], str]:
        """Return the integers as leaf, and the generator as structure."""
        return (self.data,), self.implementation

    @classmethod
    def tree_unflatten(cls, implementation: str, leaves: Any) -> "RandomKey":
        """Return the node from its leaf and structure."""
        return cls(leaves[0], implementation)


def node(leaf: Any) -> Static | RandomKey | None:
    """Return the node for a leaf that is a key or static; None for numbers, arrays and others."""
    if is_key(leaf):
        implementation = str(jax.random.key_impl(leaf))
        return RandomKey(np.asarray(jax.random.key_data(leaf)), implementation)
    if isinstance(leaf, np.ndarray | np.generic | jax.Array | int | float | complex):
        return Static(leaf) if isinstance(leaf, bool) else None
    if hasattr(leaf, "__array__") or not _is_hashable(leaf):
        return None
    return Static(leaf)


def is_key(leaf: Any) -> bool:
    """Return whether a leaf is a typed random key."""
    dtype = getattr(leaf, "dtype", None)
    return dtype is not None and bool(jax.numpy.issubdtype(dtype, jax.dtypes.prng_key))


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def is_node(tree: Any) -> bool:
    """Return whether a pytree is a node for a value that is not an array."""
    return isinstance(tree, Static | RandomKey)


def can_be_batched(tree: Any) -> bool:
    """Return whether ``vmap`` may run along an argument.

    It must have a leaf, and no key of a generator that draws other numbers in a batch.
    """
    nodes = jax.tree.leaves(tree, is_leaf=is_node)
    return bool(jax.tree.leaves(tree)) and not any(
        isinstance(x, RandomKey) and x.implementation not in _SAME_IN_BATCHES for x in nodes
    )


def released(tree: Any) -> Any:
    """Return a pytree with nodes replaced by their values."""
    return jax.tree.map(lambda x: x.value if is_node(x) else x, tree, is_leaf=is_node)


def releasing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that replaces nodes in its arguments by their values."""

    @functools.wraps(function, updated=())
    def given(*args: Any) -> Any:
        return function(*released(args))

    return given
