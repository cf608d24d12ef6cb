"""Judges one claim at one input; see the map in `mog_jax.crosscheck`.

Each imports only from those above it or beside it.

==============  ====================================================================================
`oracle`        a program's exact values at one input, and whether it met a tie
`quotients`     difference quotients of the function, which use no derivative rule
`conditioning`  the error that rounding a reference's inputs and intermediates may cause
`endless`       programs that may not end, with a deadline
`accuracy`      how many digits a program keeps, and how many the problem allows
`claims`        a program that is judged, and one that gives the right values
`executions`    a claim's programs in floating point: eager, jit, vmap, float32; compiled once a
                shape
`formula`       whether a formula is right, by exact values alone, without a tolerance
`case`          one claim at one input: programs, exact values, error bounds
`judgement`     the outcome at one input: problems and their explanations
`case_tests`    the tests of one case in order, the gravest first
`judge`         one claim at every input; keeps the programs of the last shapes
==============  ====================================================================================
"""
