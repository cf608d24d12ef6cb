"""Exact evaluation of JAX programs in ball arithmetic.

In floating point a rounding error and the error of a wrong formula look alike. Here the formula
itself is evaluated: every number is enclosed in a ball whose radius can be made as small as needed.
Two formulas whose balls are disjoint differ, provably.

=====================  ================================================================
`evaluate`             the outputs to a number of digits; it chooses the precision
`evaluate_at`          the outputs at one precision
`register_primitive`   a rule for a primitive that has none
=====================  ================================================================

Inside:

=============  =====================================================================================
`balls`        one real number, enclosed; `functions` of it, `ball_arrays` of many
`evaluation`   the state of one evaluation at one precision; `deadlines` and `errors` end it
`interpreter`  a program, equation by equation, each by the rule of its primitive
`refinement`   the precision is raised until the balls are small
`arithmetic`   rules for elementwise primitives, and `complex_numbers` for those inside a real
               program
`reductions`   rules that fold an axis; `windows` slide over one
`linear`       products, convolutions, triangular systems; `decompositions`: eigenvalues, singular
               values, QR; `sparse`: products
`structure`    rules that move elements; `control`: calls, branches, loops; `machine`: random bits,
               bit patterns, axes of a mesh
`special`      functions that JAX approximates, by their definition
=============  =====================================================================================
"""

from mog_jax.crosscheck.exact.deadlines import Overdue, deadline, time_left
from mog_jax.crosscheck.exact.errors import Undecided, UnknownPrimitive
from mog_jax.crosscheck.exact.evaluation import Evaluation, Rule
from mog_jax.crosscheck.exact.interpreter import register_primitive
from mog_jax.crosscheck.exact.refinement import evaluate, evaluate_at

__all__ = [
    "Evaluation",
    "Overdue",
    "Rule",
    "Undecided",
    "UnknownPrimitive",
    "deadline",
    "evaluate",
    "evaluate_at",
    "register_primitive",
    "time_left",
]
