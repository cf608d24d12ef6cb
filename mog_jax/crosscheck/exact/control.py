"""Rules for programs within programs: branches, loops, and solves that carry their own."""

from typing import Any

import numpy as np

from mog_jax.crosscheck.exact.evaluation import run
from mog_jax.crosscheck.exact.rules import Array, rule


@rule("cond")
def _cond(index: Array, *operands: Array, branches: Any, **params: Any) -> list[Array]:
    chosen = int(np.clip(int(np.asarray(index).item()), 0, len(branches) - 1))
    return run(branches[chosen], operands)


@rule("while")
def _while(
    *operands: Array,
    cond_jaxpr: Any,
    body_jaxpr: Any,
    cond_nconsts: int,
    body_nconsts: int,
    **params: Any,
) -> list[Array]:
    tested = operands[:cond_nconsts]
    constants = operands[cond_nconsts : cond_nconsts + body_nconsts]
    carry = list(operands[cond_nconsts + body_nconsts :])
    while bool(np.asarray(run(cond_jaxpr, [*tested, *carry])[0]).item()):
        carry = run(body_jaxpr, [*constants, *carry])
    return carry


@rule("scan")
def _scan(
    *operands: Array,
    jaxpr: Any,
    length: int,
    reverse: bool,
    num_consts: int,
    num_carry: int,
    **params: Any,
) -> list[Array]:
    constants = operands[:num_consts]
    carry = list(operands[num_consts : num_consts + num_carry])
    xs = operands[num_consts + num_carry :]
    steps = range(length - 1, -1, -1) if reverse else range(length)
    collected: list[list[Array]] = []
    for step in steps:
        results = run(jaxpr, [*constants, *carry, *(np.asarray(x[step]) for x in xs)])
        carry = results[:num_carry]
        collected.append(results[num_carry:])
    if reverse:
        collected.reverse()
    if not collected:
        outputs = jaxpr.out_avals[num_carry:]
        return [
            *carry,
            *(np.empty((0, *aval.shape), dtype=object) for aval in outputs),
        ]
    return [*carry, *(_stacked(values) for values in zip(*collected, strict=True))]


def _stacked(values: tuple[Array, ...]) -> Array:
    result = np.empty((len(values), *values[0].shape), dtype=values[0].dtype)
    for index, value in enumerate(values):
        result[index] = value[()] if value.ndim == 0 else value
    return result


@rule("custom_linear_solve", "linear_solve")
def _linear_solve(*operands: Array, const_lengths: Any, jaxprs: Any, **params: Any) -> list[Array]:
    # The operands begin with the constants of each of its programs, in the order of its fields.
    lengths = [const_lengths.matvec, const_lengths.vecmat, const_lengths.solve]
    start = sum(lengths[:2])
    total = sum(lengths) + const_lengths.transpose_solve
    constants = operands[start : start + const_lengths.solve]
    return run(jaxprs.solve, [*constants, *operands[total:]])
