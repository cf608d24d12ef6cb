"""Rules that move numbers about and compute none.

Most of them are obtained from JAX itself: the same primitive is run on an array of positions, and
says which number goes where. So the rule is right whatever the primitive's parameters mean.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.extend
import numpy as np

from mog_jax.crosscheck.exact.elementwise import NAN, ZERO, larger, multiply, on_integers, smaller
from mog_jax.crosscheck.exact.rules import Array, each, is_exact_kind, rule

primitives = jax.extend.core.primitives


def _moved(name: str, numbers: Sequence[Array], rest: Sequence[Array], params: Any) -> Any:
    """Run a primitive on the positions of its leading operands, and fetch what they stand for."""
    positions, start = [], 0
    for array in numbers:
        positions.append(np.arange(start, start + array.size, dtype=np.int32).reshape(array.shape))
        start += array.size
    flat = np.concatenate([np.reshape(array, -1) for array in numbers])
    primitive = getattr(primitives, f"{name}_p")
    results = primitive.bind(*map(jax.numpy.asarray, [*positions, *rest]), **params)

    def fetch(where: Any) -> Array:
        where = np.asarray(where)
        inside = (where >= 0) & (where < start)
        fetched = np.asarray(flat[np.where(inside, where, 0)], dtype=flat.dtype)
        # Beyond the edge JAX fills with NaN for floats; a position there is no position.
        return fetched if inside.all() else np.where(inside, fetched, NAN)

    if primitive.multiple_results:
        return [fetch(result) for result in results]
    return fetch(results)


def _enter(name: str, n_numbers: int | None) -> None:
    """Enter a primitive whose first `n_numbers` operands (None: all) are moved."""

    @rule(name)
    def evaluate(*operands: Array, **params: Any) -> Any:
        if not any(is_exact_kind(operand) for operand in operands):
            return on_integers(name)(*operands, **params)
        moved = operands[:n_numbers]
        return _moved(name, moved, operands[len(moved) :], params)


for _name, _n_numbers in {
    "concatenate": None,
    "dynamic_slice": 1,
    "dynamic_update_slice": 2,
    "pad": None,
    "rev": 1,
    "slice": 1,
    "split": 1,
    "stack": None,
    "unstack": 1,
    "tile": 1,
}.items():
    if hasattr(primitives, f"{_name}_p"):
        _enter(_name, _n_numbers)


@rule("reshape")
def _reshape(x: Array, *, new_sizes: Any, **params: Any) -> Array:
    return np.reshape(x, new_sizes)


@rule("squeeze")
def _squeeze(x: Array, *, dimensions: Any) -> Array:
    return np.squeeze(x, axis=tuple(dimensions))


@rule("expand_dims")
def _expand_dims(x: Array, *, dimensions: Any, **params: Any) -> Array:
    return np.expand_dims(x, tuple(dimensions))


@rule("transpose")
def _transpose(x: Array, *, permutation: Any) -> Array:
    return np.transpose(x, permutation)


@rule("broadcast_in_dim")
def _broadcast(x: Array, *, shape: Any, broadcast_dimensions: Any, **params: Any) -> Array:
    aligned = [1] * len(shape)
    for axis, to in enumerate(broadcast_dimensions):
        aligned[to] = x.shape[axis]
    return np.broadcast_to(np.reshape(x, aligned), shape)


@rule("iota")
def _iota(*, dtype: Any, shape: Any, dimension: int, **params: Any) -> Array:
    along = np.arange(shape[dimension]).reshape(
        [-1 if axis == dimension else 1 for axis in range(len(shape))]
    )
    counted = np.broadcast_to(along, shape)
    if jax.numpy.issubdtype(dtype, np.floating):
        return each(lambda n: ZERO + int(n), 1)(counted)
    return counted.astype(dtype)


@rule("empty", "empty2")
def _empty(*, dtype: Any, shape: Any = (), **params: Any) -> Array:
    if jax.numpy.issubdtype(dtype, np.floating):
        return np.full(shape, ZERO, dtype=object)
    return np.zeros(shape, dtype)


@rule("gather")
def _gather(operand: Array, indices: Array, **params: Any) -> Any:
    if not is_exact_kind(operand):
        return on_integers("gather")(operand, indices, **params)
    # What is fetched from beyond the edge shall be recognised, whatever JAX fills floats with.
    fill = params.get("fill_value")
    params["fill_value"] = -1
    gathered = _moved("gather", [operand], [indices], params)
    if fill is not None and not np.isnan(fill):
        return each(lambda a: ZERO + fill if a is NAN else a, 1)(gathered)
    return gathered


def _targets(
    name: str, operand: Array, indices: Array, updates: Array, params: Any
) -> Array:
    """Give the position in the operand where each update goes, -1 where it is dropped.

    Adding updates up is linear in them, and its transpose fetches what lies where each one goes.
    """
    parameters = params | {"update_jaxpr": None, "update_consts": ()}

    def add(values: jax.Array) -> Any:
        zeros = jax.numpy.zeros(operand.shape, np.float64)
        return primitives.scatter_add_p.bind(
            zeros, jax.numpy.asarray(indices), values, **parameters
        )

    like = jax.ShapeDtypeStruct(updates.shape, np.float64)
    fetch = jax.linear_transpose(add, like)
    counted = np.arange(1, operand.size + 1, dtype=np.float64).reshape(operand.shape)
    (found,) = fetch(jax.numpy.asarray(counted))
    return np.asarray(found).astype(int) - 1


def _scatter(name: str, combine: Callable[[Any, Any], Any]) -> None:
    @rule(name)
    def evaluate(operand: Array, indices: Array, updates: Array, **params: Any) -> Any:
        if not (is_exact_kind(operand) or is_exact_kind(updates)):
            return on_integers(name.replace("-", "_"))(operand, indices, updates, **params)
        result = np.array(np.reshape(operand, -1), dtype=object)
        targets = np.reshape(_targets(name, operand, indices, updates, params), -1)
        for target, update in zip(targets, np.reshape(updates, -1), strict=True):
            if target >= 0:
                result[target] = combine(result[target], update)
        return result.reshape(operand.shape)


for _name, _combine in {
    "scatter": lambda old, new: new,
    "scatter-add": lambda old, new: old + new,
    "scatter_add": lambda old, new: old + new,
    "scatter-mul": multiply,
    "scatter_mul": multiply,
    "scatter-min": smaller,
    "scatter_min": smaller,
    "scatter-max": larger,
    "scatter_max": larger,
}.items():
    _scatter(_name, _combine)
