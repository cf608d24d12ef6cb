"""Rules for windows that slide over an array, as in pooling: sums, extremes, selections."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import balls
from mog_jax.crosscheck.exact.balls import INF, MINUS_INF, ZERO, Ball
from mog_jax.crosscheck.exact.evaluation import Evaluation, Rule
from mog_jax.crosscheck.exact.structure import pad

Operands = Sequence[Array]
Params = dict[str, Any]


def _windows(x: Array, params: Params, outside: Any) -> Array:
    """Return the elements of each window along a last axis; `outside` fills up beyond the edge."""
    ones = (1,) * x.ndim
    base, gaps = params.get("base_dilation", ones), params.get("window_dilation", ones)
    edges = [
        (low, high, step - 1) for (low, high), step in zip(params["padding"], base, strict=True)
    ]
    sizes = [
        (size - 1) * gap + 1 for size, gap in zip(params["window_dimensions"], gaps, strict=True)
    ]
    view = np.lib.stride_tricks.sliding_window_view(pad(x, outside, edges), sizes)
    steps = [slice(None, None, step) for step in (*params["window_strides"], *gaps)]
    view = view[tuple(steps)]
    return view.reshape(*view.shape[: x.ndim], -1)


def _sum(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    return evaluation.total(_windows(operands[0], params, ZERO))


def _extreme(name: str, function: Callable[[Ball, Ball], Ball], empty: Ball) -> Rule:
    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
        terms = _windows(operands[0], params, empty)
        result = evaluation.fold(name, function, terms)
        reached = evaluation.decide(balls.tied, terms, result[..., None])
        ties = int(np.count_nonzero(np.count_nonzero(reached, axis=-1) > 1))
        if ties:
            evaluation.kinks["reduce_window_" + name] += ties
        return result

    return rule


def _reduce(evaluation: Evaluation, operands: Operands, params: Params) -> list[Array]:
    # Several arrays at once, by a program that joins two entries of each: one after the other,
    # leaving out entries beyond the edge.
    n = len(operands) // 2
    arrays, initial = operands[:n], operands[n:]
    places = _windows(np.arange(arrays[0].size).reshape(arrays[0].shape), params, -1)
    results = [np.empty(places.shape[:-1], x.dtype) for x in arrays]
    for at in np.ndindex(*places.shape[:-1]):
        carry = list(initial)
        for place in places[at][places[at] >= 0]:
            entries = [x.reshape(-1)[place, ...] for x in arrays]
            carry = evaluation.run(params["jaxpr"], [*carry, *entries], params["consts"])
        for result, value in zip(results, carry, strict=True):
            result[at] = value[()]
    return results


def _selected(evaluation: Evaluation, operand: Array, params: Params) -> Array:
    """Return the element that each window selects, as a position in the flattened operand."""
    wanted = 1 if params["select_prim"].name == "ge" else -1
    values = _windows(operand, params, MINUS_INF if wanted == 1 else INF)
    numbers = np.arange(operand.size).reshape(operand.shape)
    places = _windows(numbers, params, -1)
    chosen = np.empty(values.shape[:-1], np.int64)
    for at in np.ndindex(*chosen.shape):
        best = None
        for value, place in zip(values[at].tolist(), places[at].tolist(), strict=True):
            if place < 0:
                continue
            order: int | None = None if best is None else balls.order(value, best[0])
            if order == 0:
                evaluation.kinks["select"] += 1
            if best is None or order == wanted:
                best = value, place
        chosen[at] = -1 if best is None else best[1]
    return chosen


def _scatter(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    source, operand = operands
    result = np.full(operand.size, ZERO, dtype=object)
    places = _selected(evaluation, operand, params).reshape(-1)
    for place, value in zip(places, source.reshape(-1), strict=True):
        if place >= 0:
            result[place] = balls.add(result[place], value)
    return result.reshape(operand.shape)


def _gather(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    tangents, operand = operands
    places = _selected(evaluation, operand, params)
    taken = tangents.reshape(-1)[np.where(places < 0, 0, places)]
    return np.where(places < 0, np.asarray(ZERO, object), taken)


RULES: dict[str, Rule] = {
    "reduce_window": _reduce,
    "reduce_window_sum": _sum,
    "reduce_window_max": _extreme("max", balls.larger, MINUS_INF),
    "reduce_window_min": _extreme("min", balls.smaller, INF),
    "select_and_scatter_add": _scatter,
    "select_and_gather_add": _gather,
}
