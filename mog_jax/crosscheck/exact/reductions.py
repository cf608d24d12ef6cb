"""Rules that take many numbers to fewer: sums, extremes, products, running ones, sorting."""

import functools
from collections.abc import Callable
from typing import Any

import flint
import numpy as np

from mog_jax.crosscheck.exact.elementwise import (
    INFINITY,
    ZERO,
    exponential,
    larger,
    logarithm,
    multiply,
    on_integers,
    smaller,
)
from mog_jax.crosscheck.exact.rules import Array, is_exact_kind, less, rule, same

arb = flint.arb


def folded(combine: Callable[[Any, Any], Any], start: Any, x: Array, axes: Any) -> Array:
    """Fold an array over some of its axes."""
    axes = tuple(axes)
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    shape = tuple(x.shape[axis] for axis in kept)
    rows = np.transpose(x, [*kept, *axes]).reshape(int(np.prod(shape)), -1)
    result = np.empty(len(rows), dtype=object)
    for index, row in enumerate(rows):
        result[index] = functools.reduce(combine, row) if len(row) else start
    return result.reshape(shape)


_FOLDS: dict[str, tuple[Callable[[Any, Any], Any], Any]] = {
    "reduce_sum": (lambda a, b: a + b, ZERO),
    "reduce_prod": (multiply, arb(1)),
    "reduce_max": (larger, -INFINITY),
    "reduce_min": (smaller, INFINITY),
}


def _enter_fold(name: str) -> None:
    combine, start = _FOLDS[name]
    plain = on_integers(name)

    @rule(name)
    def evaluate(x: Array, **params: Any) -> Any:
        if not is_exact_kind(x):
            return plain(x, **params)
        return folded(combine, start, x, params["axes"])


for _name in _FOLDS:
    _enter_fold(_name)
for _name in ("reduce_and", "reduce_or", "reduce_xor"):
    rule(_name)(on_integers(_name))


def _running(combine: Callable[[Any, Any], Any], x: Array, axis: int, reverse: bool) -> Array:
    lanes = np.moveaxis(np.array(x, dtype=object), axis, 0)
    lanes = lanes[::-1] if reverse else lanes
    lanes = lanes.copy()
    lift = np.frompyfunc(combine, 2, 1)
    for index in range(1, len(lanes)):
        lanes[index] = lift(lanes[index - 1], lanes[index])
    lanes = lanes[::-1] if reverse else lanes
    return np.moveaxis(lanes, 0, axis)


def _log_add_exp(a: arb, b: arb) -> arb:
    high = larger(a, b)
    if not high.is_finite():
        return high
    return high + logarithm(exponential(a - high) + exponential(b - high))


def _enter_running(name: str, combine: Callable[[Any, Any], Any]) -> None:
    plain = on_integers(name)

    @rule(name)
    def evaluate(x: Array, **params: Any) -> Any:
        if not is_exact_kind(x):
            return plain(x, **params)
        return _running(combine, x, params["axis"], params["reverse"])


for _name, _combine in {
    "cumsum": lambda a, b: a + b,
    "cumprod": multiply,
    "cummax": larger,
    "cummin": smaller,
    "cumlogsumexp": _log_add_exp,
}.items():
    _enter_running(_name, _combine)


def _enter_place(name: str, better: Callable[[Any, Any], bool]) -> None:
    plain = on_integers(name)

    @rule(name)
    def evaluate(x: Array, **params: Any) -> Any:
        if not is_exact_kind(x):
            return plain(x, **params)
        (axis,) = params["axes"]
        rows = np.moveaxis(x, axis, -1)
        found = np.zeros(rows.shape[:-1], dtype=params["index_dtype"])
        for place in np.ndindex(found.shape):
            row, best = rows[place], 0
            for index in range(1, len(row)):
                # NaN comes first, as in NumPy; of equals the first one stays.
                if not row[best].is_nan() and (row[index].is_nan() or better(row[index], row[best])):
                    best = index
            found[place] = best
        return found


_enter_place("argmax", lambda a, b: less(b, a, "argmax"))
_enter_place("argmin", lambda a, b: less(a, b, "argmin"))


def _compare(a: Any, b: Any) -> int:
    if not isinstance(a, arb):
        return (a > b) - (a < b)
    if a.is_nan() or b.is_nan():
        return int(a.is_nan()) - int(b.is_nan())
    if same(a, b):
        return 0
    return -1 if less(a, b, "sort") else 1


def _sorted_order(keys: list[Array]) -> list[int]:
    """Give the stable order of lanes of keys, the first one deciding before the second."""

    def compare(i: int, j: int) -> int:
        for key in keys:
            decided = _compare(key[i], key[j])
            if decided:
                return decided
        return 0

    return sorted(range(len(keys[0])), key=functools.cmp_to_key(compare))


@rule("sort")
def _sort(*operands: Array, dimension: int, num_keys: int, **params: Any) -> list[Array]:
    lanes = [np.moveaxis(np.array(x), dimension, -1) for x in operands]
    for place in np.ndindex(lanes[0].shape[:-1]):
        order = _sorted_order([lane[place] for lane in lanes[:num_keys]])
        for lane in lanes:
            lane[place] = lane[place][order]
    return [np.moveaxis(lane, -1, dimension) for lane in lanes]


@rule("top_k")
def _top_k(x: Array, *, k: int, **params: Any) -> list[Array]:
    dimension = params.get("axis", x.ndim - 1)
    lanes = np.moveaxis(np.array(x), dimension, -1)
    shape = (*lanes.shape[:-1], k)
    values, indices = np.empty(shape, dtype=lanes.dtype), np.empty(shape, dtype=np.int32)
    for place in np.ndindex(shape[:-1]):
        order = _sorted_order([-lanes[place]])[:k]
        values[place], indices[place] = lanes[place][order], order
    return [np.moveaxis(values, -1, dimension), np.moveaxis(indices, -1, dimension)]
