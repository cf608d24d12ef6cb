"""Validates drawn arguments, names their leaves, and rounds them to both precisions.

A draw is a tuple of pytrees. Its floating-point leaves are float64 here; those of a *narrow* draw
were rounded to float32 first, so that the float32 and the float64 program get the same numbers and
one exact value serves for both.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.inputs import static


@dataclasses.dataclass(frozen=True)
class Simplex:
    """A contract on a leaf: its last axis holds probabilities that sum to 1.

    `tangent` says that the derivative is claimed along the simplex only: a constant added to all
    its entries along the last axis is not an error.
    """

    tangent: bool


@dataclasses.dataclass(frozen=True)
class Signature:
    """Names, differentiated arguments and contracts, which are the same for all draws.

    Attributes
    ----------
    parameters : tuple of str
        Names of the positional arguments.
    wrt : tuple of int
        Indices of the arguments that are differentiated.
    single : bool
        Whether `wrt` was one index, so that a derivative is not a tuple.
    simplex : Mapping[str, Simplex]
        The contract of each leaf that has one, by the leaf's name.
    """

    parameters: tuple[str, ...]
    wrt: tuple[int, ...]
    single: bool
    simplex: Mapping[str, Simplex]

    def names(self, args: Sequence[Any]) -> list[str]:
        """Return the names of all leaves of the arguments, such as ``mixture.weights``."""
        return [
            self.parameters[path[0].idx] + jax.tree_util.keystr(path[1:])
            for path, _ in jax.tree_util.tree_leaves_with_path(tuple(args))
        ]

    def wrt_names(self, args: Sequence[Any]) -> list[str]:
        """Return the names of the differentiated arguments' leaves, in the derivative's order."""
        return [
            self.parameters[i] + jax.tree_util.keystr(path)
            for i in self.wrt
            for path, _ in jax.tree_util.tree_leaves_with_path(args[i])
        ]

    def differentiated(self, args: Sequence[Any]) -> Any:
        """Return the differentiated arguments, in the structure of a derivative by them."""
        return args[self.wrt[0]] if self.single else tuple(args[i] for i in self.wrt)

    def with_differentiated(self, args: Sequence[Any], values: Any) -> tuple[Any, ...]:
        """Return the arguments with other values for the differentiated ones."""
        changed = list(args)
        for i, value in zip(self.wrt, (values,) if self.single else values, strict=True):
            changed[i] = value
        return tuple(changed)


def signature(
    function: Callable[..., Any],
    example: Sequence[Any],
    wrt: int | Sequence[int],
    simplex: Mapping[str, str],
) -> Signature:
    """Return the signature, with `wrt` and `simplex` validated against an example."""
    single = isinstance(wrt, int)
    count = len(example)
    indices = _indices(wrt, count)
    if not isinstance(simplex, Mapping):
        raise ValueError(
            "`simplex` must map names of leaves to 'partial' or 'tangent'; "
            f"got {type(simplex).__name__}."
        )
    for name, contract in simplex.items():
        if contract not in ("partial", "tangent"):
            raise ValueError(
                f"`simplex` must map a name to 'partial' or 'tangent'; got {name!r}: {contract!r}."
            )
    contracts = {name: Simplex(tangent=value == "tangent") for name, value in simplex.items()}
    result = Signature(_parameters(function, count), indices, single, contracts)
    names = result.names(example)
    for name in contracts:
        if name not in names:
            raise ValueError(
                f"`simplex` must name leaves of the arguments, which are {', '.join(names)}; "
                f"got {name!r}."
            )
    for i in indices:
        if not jax.tree.leaves(example[i]):
            raise ValueError(
                f"`{result.parameters[i]}` is differentiated and must hold floating-point numbers; "
                "it holds none. Leave it out of `wrt`."
            )
    for name, leaf in zip(
        result.wrt_names(example), jax.tree.leaves(result.differentiated(example)), strict=True
    ):
        if leaf.dtype.kind != "f":
            raise ValueError(
                f"`{name}` is differentiated and must be floating-point; got dtype {leaf.dtype}. "
                "Let `inputs` yield floats for it, or leave it out of `wrt`."
            )
    return result


def _indices(wrt: Any, count: int) -> tuple[int, ...]:
    """Return the indices of `wrt`, counted from 0."""
    given = tuple(wrt) if isinstance(wrt, tuple | list) else (wrt,)
    if not all(type(i) is int and -count <= i < count for i in given):
        which = f"0 to {count - 1}, or a tuple of such" if count > 1 else "of which there is one, 0"
        raise ValueError(f"`wrt` must be an index of the arguments, {which}; got {wrt!r}.")
    indices = tuple(i % count for i in given)
    if len(set(indices)) < len(indices):
        raise ValueError(f"`wrt` must name each argument once; got {wrt!r}.")
    return indices


def _parameters(function: Callable[..., Any], count: int) -> tuple[str, ...]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return tuple(names[i] if i < len(names) else f"args[{i}]" for i in range(count))


def validated(drawn: Any) -> tuple[Any, ...]:
    """Return drawn arguments as pytrees of NumPy arrays, floats in float64; refuse anything else.

    A subnormal number is replaced by the smallest normal one: XLA flushes subnormal numbers to 0,
    so that no program could be judged on them.
    """
    if not isinstance(drawn, tuple):
        raise ValueError(
            "`inputs` must yield tuples of arguments, (x,) for a single one; "
            f"got {type(drawn).__name__}."
        )
    return tuple(jax.tree_util.tree_map_with_path(_array, drawn))


def _array(path: Any, leaf: Any) -> Any:
    held = static.node(leaf)
    if held is not None:
        return held
    array = np.asarray(leaf)
    if jax.numpy.issubdtype(array.dtype, np.floating):
        return _normal(array.astype(np.float64), np.float64)
    if array.dtype.kind in "iub":
        return array
    raise ValueError(
        "`inputs` must yield arrays of real numbers, keys, or hashable values that are no arrays; "
        f"got {_what(leaf, array)} at args{jax.tree_util.keystr(path)}."
    )


def _what(leaf: Any, array: Array) -> str:
    """Return the name of a type that is refused, with a hint."""
    if array.dtype.kind == "c":
        return f"{array.dtype} (pass the real and the imaginary part)"
    name = array.dtype if isinstance(leaf, np.ndarray) else type(leaf).__name__
    return f"{name} (bind what is no array with `functools.partial`)"


def key_of(args: Sequence[Any]) -> Any:
    """Return a key for the shapes of a draw: draws of one key share their compiled programs."""
    leaves, structure = jax.tree.flatten(tuple(args))
    return structure, tuple((leaf.shape, leaf.dtype.str) for leaf in leaves)


def bytes_of(args: Sequence[Any]) -> Any:
    """Return a key for the values of a draw."""
    return key_of(args), tuple(leaf.tobytes() for leaf in jax.tree.leaves(tuple(args)))


def narrowed(args: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Round every float to float32; None if one of them is too large.

    A number that is too small becomes the smallest normal one: a bare ``floats()`` draws such
    numbers so often that few inputs would be left, and zero may be outside the function's domain.
    """
    floats = [leaf for leaf in jax.tree.leaves(args) if leaf.dtype.kind == "f"]
    if any(np.any(np.abs(leaf) > float(np.finfo(np.float32).max)) for leaf in floats):
        return None
    return tuple(jax.tree.map(_to_float32, args))


def _to_float32(leaf: Array) -> Array:
    if leaf.dtype.kind != "f":
        return leaf
    return np.asarray(_normal(leaf, np.float32).astype(np.float32).astype(np.float64))


def _normal(leaf: Array, dtype: Any) -> Array:
    """Replace subnormal numbers of a precision by its smallest normal number."""
    smallest = float(np.finfo(dtype).tiny)
    is_small = (leaf != 0) & (np.abs(leaf) < smallest)
    return np.asarray(np.where(is_small, np.copysign(smallest, leaf), leaf))


def in_precision(args: tuple[Any, ...], dtype: Any) -> tuple[Any, ...]:
    """Cast the floats of a draw to `dtype`."""
    return tuple(
        jax.tree.map(lambda leaf: leaf.astype(dtype) if leaf.dtype.kind == "f" else leaf, args)
    )
