"""Rules for primitives that only move elements: shapes, slices, reading and writing by index.

Gathers and scatters are reduced to *positions*: for each element of a window, its place in the
flattened operand, or -1 beyond the edge.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import balls
from mog_jax.crosscheck.exact.balls import NAN, ZERO
from mog_jax.crosscheck.exact.evaluation import Evaluation, Rule

Operands = Sequence[Array]
Params = dict[str, Any]


def _shaped(function: Callable[[Array, Params], Any]) -> Rule:
    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
        return np.asarray(function(operands[0], params))

    return rule


def _broadcast_in_dim(x: Array, params: Params) -> Array:
    shape = params["shape"]
    kept = [1] * len(shape)
    for axis, size in zip(params["broadcast_dimensions"], x.shape, strict=True):
        kept[axis] = size
    return np.broadcast_to(x.reshape(kept), shape)


def _reshape(x: Array, params: Params) -> Array:
    order = params["dimensions"]
    return (x if order is None else x.transpose(order)).reshape(params["new_sizes"])


def _slice(x: Array, params: Params) -> Array:
    steps = params["strides"] or (1,) * x.ndim
    bounds = zip(params["start_indices"], params["limit_indices"], steps, strict=True)
    return x[tuple(slice(*bound) for bound in bounds)]


def _concatenate(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    return np.concatenate(operands, axis=params["dimension"])


def _stack(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    return np.stack(operands, axis=params["axis"])


def _split(evaluation: Evaluation, operands: Operands, params: Params) -> list[Array]:
    ends = np.cumsum([int(size) for size in params["sizes"]])[:-1]
    return np.split(operands[0], ends, axis=params["axis"])


def _unstack(evaluation: Evaluation, operands: Operands, params: Params) -> list[Array]:
    x = np.moveaxis(operands[0], params["axis"], 0)
    # With an ellipsis, so that elements of one axis are arrays too.
    return [x[i, ...] for i in range(len(x))]


def pad(x: Array, value: Any, config: Sequence[tuple[int, int, int]]) -> Array:
    """Pad with `value`: (low, high, interior) per axis, a negative amount cuts off."""
    for axis, (low, high, interior) in enumerate(config):
        size = x.shape[axis] + max(x.shape[axis] - 1, 0) * interior
        shape = list(x.shape)
        shape[axis] = size + max(low, 0) + max(high, 0)
        wider = np.full(shape, value, dtype=x.dtype)
        at: list[slice] = [slice(None)] * x.ndim
        at[axis] = slice(max(low, 0), max(low, 0) + size, interior + 1)
        wider[tuple(at)] = x
        at[axis] = slice(max(-low, 0), shape[axis] - max(-high, 0))
        x = wider[tuple(at)]
    return x


def _pad(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    return pad(operands[0], operands[1][()], params["padding_config"])


def _iota(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    shape, axis = params["shape"], params["dimension"]
    along = np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    counted = np.broadcast_to(along, shape)
    if np.dtype(params["dtype"]).kind not in "biu":
        return evaluation.numbers(counted)
    return counted.astype(params["dtype"])


def _empty(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    dtype = np.dtype(params["dtype"])
    shape = params.get("shape", ())
    return np.full(shape, ZERO, object) if dtype.kind not in "biu" else np.zeros(shape, dtype)


def _start(x: Array, sizes: Sequence[int], starts: Operands) -> tuple[slice, ...]:
    # A window that would reach beyond the edge is moved inside, as by XLA.
    first = [
        min(max(int(start), 0), extent - size)
        for start, extent, size in zip(starts, x.shape, sizes, strict=True)
    ]
    return tuple(slice(i, i + size) for i, size in zip(first, sizes, strict=True))


def _dynamic_slice(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    x, *starts = operands
    return x[_start(x, params["slice_sizes"], starts)]


def _dynamic_update_slice(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    x, update, *starts = operands
    result = x.copy()
    result[_start(x, update.shape, starts)] = update
    return result


def _positions(
    shape: tuple[int, ...],
    indices: Array,
    window: Sequence[int],
    dims: jax.lax.GatherDimensionNumbers,
    mode: Any,
) -> Array:
    # XLA's gather: the last axis of `indices` holds where a window starts, on the operand's axes
    # `start_index_map`; the other axes of `indices` count the windows.
    starts = np.zeros((len(shape), *indices.shape[:-1]), dtype=np.int64)
    for i, axis in enumerate(dims.start_index_map):
        starts[axis] = indices[..., i].astype(np.int64)
    for axis, along in zip(
        dims.operand_batching_dims, dims.start_indices_batching_dims, strict=True
    ):
        at = [-1 if i == along else 1 for i in range(indices.ndim - 1)]
        starts[axis] = np.arange(indices.shape[along]).reshape(at)
    room = np.array(shape, np.int64) - np.array(window, np.int64)
    room = room.reshape(-1, *[1] * (indices.ndim - 1))
    mode = jax.lax.GatherScatterMode.from_any(mode)
    if mode == jax.lax.GatherScatterMode.FILL_OR_DROP:
        inside = np.all((starts >= 0) & (starts <= room), axis=0)
    else:
        inside = np.ones(indices.shape[:-1], dtype=bool)
    starts = np.clip(starts, 0, room)
    strides = np.cumprod([1, *shape[:0:-1]])[::-1]
    gone = (*dims.collapsed_slice_dims, *dims.operand_batching_dims)
    kept = [axis for axis in range(len(shape)) if axis not in gone]
    flat = np.tensordot(strides, starts, axes=1) if shape else np.zeros(indices.shape[:-1], int)
    flat = np.reshape(flat, (*np.shape(flat), *[1] * len(kept)))
    for i, axis in enumerate(kept):
        along_window = np.arange(window[axis]) * strides[axis]
        flat = flat + along_window.reshape([-1 if j == i else 1 for j in range(len(kept))])
    flat = np.where(np.reshape(inside, (*np.shape(inside), *[1] * len(kept))), flat, -1)
    # The window's axes are wanted at `offset_dims`; they are last now.
    return np.moveaxis(flat, range(flat.ndim - len(kept), flat.ndim), dims.offset_dims)


def _gather(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    x, indices = operands
    at = _positions(
        x.shape, indices, params["slice_sizes"], params["dimension_numbers"], params["mode"]
    )
    if x.size == 0:
        taken = np.zeros(at.shape, dtype=x.dtype)
    else:
        taken = x.reshape(-1)[np.where(at < 0, 0, at)]
    outside = params["fill_value"]
    if x.dtype == object:
        fill: Any = NAN if outside is None else evaluation.number(outside)
    elif outside is None:
        fill = True if x.dtype == bool else _out_of_range(x.dtype)
    else:
        fill = outside
    return np.where(at < 0, np.asarray(fill, dtype=x.dtype), taken)


def _out_of_range(dtype: np.dtype[Any]) -> int:
    limits = np.iinfo(dtype)
    return int(limits.min if dtype.kind == "i" else limits.max)


def _scatter(combine: Any) -> Rule:
    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
        x, indices, updates = operands
        dims = params["dimension_numbers"]
        gone = (*dims.inserted_window_dims, *dims.operand_batching_dims)
        sizes = iter([updates.shape[axis] for axis in dims.update_window_dims])
        window = [1 if axis in gone else next(sizes) for axis in range(x.ndim)]
        at = _positions(
            x.shape,
            indices,
            window,
            jax.lax.GatherDimensionNumbers(
                offset_dims=dims.update_window_dims,
                collapsed_slice_dims=dims.inserted_window_dims,
                start_index_map=dims.scatter_dims_to_operand_dims,
                operand_batching_dims=dims.operand_batching_dims,
                start_indices_batching_dims=dims.scatter_indices_batching_dims,
            ),
            params["mode"],
        )
        result = x.reshape(-1).copy()
        # One element may get several updates: they are applied in their order.
        for position, update in zip(at.reshape(-1), updates.reshape(-1), strict=True):
            if position >= 0:
                result[position] = combine(result[position], update)
        return result.reshape(x.shape)

    return rule


def _replace(old: Any, new: Any) -> Any:
    return new


RULES: dict[str, Rule] = {
    "broadcast_in_dim": _shaped(_broadcast_in_dim),
    "reshape": _shaped(_reshape),
    "transpose": _shaped(lambda x, params: x.transpose(params["permutation"])),
    "squeeze": _shaped(lambda x, params: x.squeeze(params["dimensions"])),
    "expand_dims": _shaped(lambda x, params: np.expand_dims(x, params["dimensions"])),
    "tile": _shaped(lambda x, params: np.tile(x, params["reps"])),
    "rev": _shaped(lambda x, params: np.flip(x, params["dimensions"])),
    "slice": _shaped(_slice),
    "concatenate": _concatenate,
    "stack": _stack,
    "unstack": _unstack,
    "split": _split,
    "pad": _pad,
    "iota": _iota,
    "empty": _empty,
    "empty2": _empty,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
    "gather": _gather,
    "scatter": _scatter(_replace),
}

COMBINING: dict[str, Rule] = {
    "scatter-add": _scatter(balls.add),
    "scatter-sub": _scatter(balls.subtract),
    "scatter-mul": _scatter(balls.multiply),
    "scatter-max": _scatter(balls.larger),
    "scatter-min": _scatter(balls.smaller),
}
"""Scatters with arithmetic, which take balls only."""
