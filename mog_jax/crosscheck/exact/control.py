"""Rules for programs within programs: calls, branches, loops."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import deadlines
from mog_jax.crosscheck.exact.errors import UnknownPrimitive
from mog_jax.crosscheck.exact.evaluation import Evaluation, Rule
from mog_jax.crosscheck.exact.special import VALUES
from mog_jax.crosscheck.jaxprs import CALLS, HIGH_LEVEL, expanded
from mog_jax.crosscheck.special import recognised

MOST_STEPS = 20_000
"""Largest number of steps of a while loop: one that underflow ends would not end in balls."""

Operands = Sequence[Array]
Params = dict[str, Any]


def _call(parameter: str) -> Rule:
    def rule(evaluation: Evaluation, operands: Operands, params: Params) -> list[Array]:
        known = recognised(params) if evaluation.by_meaning else None
        if known is not None:
            evaluation.special[known.name] += 1
            return [
                evaluation.elementwise((known.name, i), value, *operands[-known.arity :])
                for i, value in enumerate(VALUES[known.name])
            ]
        return evaluation.run(params[parameter], operands)

    return rule


def _cond(evaluation: Evaluation, operands: Operands, params: Params) -> list[Array]:
    which, *arguments = operands
    branches = params["branches"]
    return evaluation.run(branches[min(max(int(which), 0), len(branches) - 1)], arguments)


def _platform_index(evaluation: Evaluation, operands: Operands, params: Params) -> Array:
    # The branch that this machine would run; None stands for any other platform.
    platform = jax.default_backend()
    for i, names in enumerate(params["platforms"]):
        if names is None or platform in names:
            return np.asarray(i, dtype=np.int32)
    return np.asarray(len(params["platforms"]), dtype=np.int32)


def _while(evaluation: Evaluation, operands: Operands, params: Params) -> list[Array]:
    n, m = params["cond_nconsts"], params["body_nconsts"]
    of_condition, of_body = operands[:n], operands[n : n + m]
    carry = list(operands[n + m :])
    for _ in range(MOST_STEPS):
        deadlines.check("while", deadlines.STEP)
        (goes_on,) = evaluation.run(params["cond_jaxpr"], [*of_condition, *carry])
        if not goes_on.any():
            return carry
        step = evaluation.run(params["body_jaxpr"], [*of_body, *carry])
        # Under `vmap` each element of the batch stops for itself.
        carry = (
            step
            if goes_on.ndim == 0
            else [
                np.where(
                    goes_on.reshape(goes_on.shape + (1,) * (new.ndim - goes_on.ndim)), new, old
                )
                for new, old in zip(step, carry, strict=True)
            ]
        )
    raise UnknownPrimitive(
        f"`while` has not ended after {MOST_STEPS:,} steps. A loop that ends because floating "
        "point rounds or underflows does not end on exact numbers: give it a fixed number of steps."
    )


def _scan(evaluation: Evaluation, operands: Operands, params: Params) -> list[Array]:
    n, m, length = params["num_consts"], params["num_carry"], params["length"]
    consts, carry, inputs = operands[:n], list(operands[n : n + m]), operands[n + m :]
    steps = range(length)
    kept: list[list[Array]] = []
    for i in reversed(steps) if params["reverse"] else steps:
        step = evaluation.run(params["jaxpr"], [*consts, *carry, *[x[i, ...] for x in inputs]])
        carry = step[:m]
        kept.append(step[m:])
    if params["reverse"]:
        kept.reverse()
    if not kept:
        return [*carry, *_nothing(params["jaxpr"].out_avals[m:])]
    return [*carry, *[np.stack(rows) for rows in zip(*kept, strict=True)]]


def _nothing(avals: Sequence[Any]) -> list[Array]:
    # A scan of no steps yields arrays without rows.
    dtypes = [aval.dtype if np.dtype(aval.dtype).kind in "biu" else object for aval in avals]
    return [np.empty((0, *a.shape), d) for a, d in zip(avals, dtypes, strict=True)]


def _reduce(evaluation: Evaluation, operands: Operands, params: Params) -> list[Array]:
    # Several arrays at once, by a program that joins two entries of each: one after the other.
    n, axes = len(operands) // 2, params["dimensions"]
    arrays, initial = operands[:n], operands[n:]
    shape = [size for axis, size in enumerate(arrays[0].shape) if axis not in axes]
    folded = [np.moveaxis(x, axes, range(-len(axes), 0)).reshape(*shape, -1) for x in arrays]
    results = [np.empty(shape, x.dtype) for x in arrays]
    for at in np.ndindex(*shape):
        carry = list(initial)
        for i in range(folded[0].shape[-1]):
            entries = [x[(*at, i, ...)] for x in folded]
            carry = evaluation.run(params["jaxpr"], [*carry, *entries])
        for result, value in zip(results, carry, strict=True):
            result[at] = value[()]
    return results


def _linear_solve(evaluation: Evaluation, operands: Operands, params: Params) -> list[Array]:
    # The constants of matvec, vecmat, solve and transposed solve stand before the right-hand side.
    lengths = list(params["const_lengths"])
    before, count, total = sum(lengths[:2]), lengths[2], sum(lengths)
    solve = params["jaxprs"].solve
    return evaluation.run(solve, [*operands[before : before + count], *operands[total:]])


def _high_level(evaluation: Evaluation, operands: Operands, params: Params) -> list[Array]:
    return evaluation.run(expanded(params["_prim"]), operands)


RULES: dict[str, Rule] = {
    HIGH_LEVEL: _high_level,
    **{name: _call(parameter) for name, parameter in CALLS.items()},
    "cond": _cond,
    "platform_index": _platform_index,
    "while": _while,
    "scan": _scan,
    "reduce": _reduce,
    "custom_linear_solve": _linear_solve,
}
