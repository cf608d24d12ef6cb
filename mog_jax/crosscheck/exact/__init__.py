"""What a JAX program computes when nothing is rounded: jaxprs evaluated in ball arithmetic.

Floats become `flint.arb` balls, midpoint and radius, that are certain to contain the exact result;
the precision is raised until the balls are small. Floating-point inputs and constants are exact
numbers, and conversions between float types change nothing: what is evaluated is the formula.

Where a program and its mathematics part, these rules hold:

- An exact zero absorbs: 0 x NaN, 0 x infinity and 0 / 0 are 0. A branch that `where` did not take
  is masked by an exact zero in the derivative, and must not turn it into NaN.
- A comparison that the balls cannot decide raises the precision. Balls that are the same, midpoint
  and radius, come from the same operations and count as equal; so do balls that still overlap at
  the highest precision allowed. Both are remembered as ties, where the function may have a kink.
- 1 / 0 and log 0 are the infinities that JAX gives; log(-1) is NaN.
"""

from mog_jax.crosscheck.exact import (  # noqa: F401  (each module enters its rules in the table)
    control,
    elementwise,
    linear_algebra,
    reductions,
    structural,
)
from mog_jax.crosscheck.exact.evaluation import evaluate, evaluate_at
from mog_jax.crosscheck.exact.rules import (
    Undecided,
    UnknownPrimitive,
    register_primitive,
)

__all__ = ["Undecided", "UnknownPrimitive", "evaluate", "evaluate_at", "register_primitive"]
