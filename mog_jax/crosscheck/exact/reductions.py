"""Rules that fold an axis: sums, extremes, cumulative sums, sorting."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import balls
from mog_jax.crosscheck.exact.arithmetic import count_ties
from mog_jax.crosscheck.exact.balls import INF, MINUS_INF, ONE, ZERO, Ball
from mog_jax.crosscheck.exact.evaluation import Evaluation, Rule
from mog_jax.crosscheck.exact.functions import FUNCTIONS

Operands = Sequence[Array]
Params = dict[str, Any]


def _last(x: Array, axes: Sequence[int]) -> Array:
    # The folded axes, flattened into one, last.
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    folded = x.transpose(*kept, *axes)
    size = int(np.prod([x.shape[axis] for axis in axes], dtype=int))
    return folded.reshape(*[x.shape[axis] for axis in kept], size)


def _reduce_sum(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    return evaluation.total(_last(operands[0], params["axes"]))


def _reduction(name: str, function: Callable[[Ball, Ball], Ball], empty: Ball) -> Rule:
    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
        terms = _last(operands[0], params["axes"])
        if not terms.shape[-1]:
            return np.full(terms.shape[:-1], empty, dtype=object)
        result = evaluation.fold(name, function, terms)
        if name in ("max", "min"):
            _count_shared(evaluation, "reduce_" + name, terms, result)
        return result

    return rule


def _count_shared(evaluation: Evaluation, name: str, terms: Array, result: Array) -> None:
    # An extreme has a kink where more than one term attains it.
    reached = evaluation.decide(balls.tied, terms, result[..., None])
    kinks = int(np.count_nonzero(np.count_nonzero(reached, axis=-1) > 1))
    if kinks:
        evaluation.kinks[name] += kinks


def _position_of_extreme(name: str, wanted: int) -> Rule:
    def first(evaluation: Evaluation, terms: list[Ball]) -> int:
        best = 0
        for i, term in enumerate(terms):
            if term.is_nan():
                return i
            order = balls.order(term, terms[best]) if i else 0
            if i and order == 0 and term.is_finite():
                evaluation.kinks[name] += 1
            if order == wanted:
                best = i
        return best

    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
        terms = _last(operands[0], params["axes"])
        result = np.empty(terms.shape[:-1], dtype=params["index_dtype"])
        for at in np.ndindex(*result.shape):
            result[at] = first(evaluation, terms[at].tolist())
        return result

    return rule


def _cumulative(name: str, function: Callable[[Ball, Ball], Ball]) -> Rule:
    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
        x = np.moveaxis(operands[0], params["axis"], -1)
        return np.moveaxis(
            cumulate(evaluation, name, function, x, params["reverse"]), -1, params["axis"]
        )

    return rule


def cumulate(
    evaluation: Evaluation,
    name: str,
    function: Callable[[Ball, Ball], Ball],
    x: Array,
    reverse: bool,
) -> Array:
    """Fold each prefix of the last axis, or each suffix."""
    x = x[..., ::-1] if reverse else x
    result = x.copy()
    for i in range(1, x.shape[-1]):
        before, term = result[..., i - 1], x[..., i]
        if name in ("max", "min"):
            count_ties(evaluation, "cum" + name, before, term)
        result[..., i] = evaluation.elementwise(name, function, before, term)
    return result[..., ::-1] if reverse else result


def _cumlogsumexp(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    # No shift is needed: the exponent of a ball is as large as memory.
    x = np.moveaxis(operands[0], params["axis"], -1)
    terms = evaluation.elementwise("exp", FUNCTIONS["exp"], x)
    sums = cumulate(evaluation, "add", balls.add, terms, params["reverse"])
    return np.moveaxis(evaluation.elementwise("log", FUNCTIONS["log"], sums), -1, params["axis"])


def _comparator(evaluation: Evaluation, name: str) -> Callable[[Any, Any], int]:
    def compare(x: Any, y: Any) -> int:
        for a, b in zip(x[0], y[0], strict=True):
            if not isinstance(a, type(ZERO)):
                order = int(a > b) - int(a < b)
            elif a.is_nan() or b.is_nan():
                order = int(a.is_nan()) - int(b.is_nan())  # NaN sorts last.
            else:
                order = balls.order(a, b) or 0
                if order == 0 and a.is_finite():
                    evaluation.kinks[name] += 1
            if order:
                return order
        return 0

    return compare


def _sort(evaluation: Evaluation, operands: Operands, params: Params) -> list[Array]:
    axis, n_keys = params["dimension"], params["num_keys"]
    moved = [np.moveaxis(x, axis, -1) for x in operands]
    results = [x.copy() for x in moved]
    key = functools.cmp_to_key(_comparator(evaluation, "sort"))
    for at in np.ndindex(*moved[0].shape[:-1]):
        rows = [x[at] for x in moved]
        keys = list(zip(*[row.tolist() for row in rows[:n_keys]], strict=True))
        order = sorted(range(len(keys)), key=lambda i: key((keys[i], i)))
        for result, row in zip(results, rows, strict=True):
            result[at] = row[order]
    return [np.moveaxis(result, -1, axis) for result in results]


def _top_k(evaluation: Evaluation, operands: Operands, params: Params) -> list[Array]:
    axis = params["axis"]
    x, k = np.moveaxis(operands[0], axis, -1), params["k"]
    values = np.empty((*x.shape[:-1], k), dtype=object)
    places = np.empty((*x.shape[:-1], k), dtype=np.int32)
    key = functools.cmp_to_key(_comparator(evaluation, "top_k"))
    for at in np.ndindex(*x.shape[:-1]):
        row = x[at].tolist()
        # Descending, equal terms in their order: a stable sort of the reversed row, reversed.
        backwards = range(len(row) - 1, -1, -1)
        order = sorted(backwards, key=lambda i: key(((row[i],), i)))[::-1][:k]
        values[at], places[at] = [row[i] for i in order], order
    return [np.moveaxis(values, -1, axis), np.moveaxis(places, -1, axis)]


RULES: dict[str, Rule] = {
    "reduce_sum": _reduce_sum,
    "reduce_prod": _reduction("mul", balls.multiply, ONE),
    "reduce_max": _reduction("max", balls.larger, MINUS_INF),
    "reduce_min": _reduction("min", balls.smaller, INF),
    "argmax": _position_of_extreme("argmax", 1),
    "argmin": _position_of_extreme("argmin", -1),
    "cumsum": _cumulative("add", balls.add),
    "cumprod": _cumulative("mul", balls.multiply),
    "cummax": _cumulative("max", balls.larger),
    "cummin": _cumulative("min", balls.smaller),
    "cumlogsumexp": _cumlogsumexp,
    "sort": _sort,
    "top_k": _top_k,
}
