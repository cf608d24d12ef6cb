"""The command line: ``mog-jax check``, ``crosscheck``, ``fit``, ``label``, ``plot``, ``report``.

==================  ==============================================================================
`argument_types`    argument types for argparse: numbers with a range, pairs
`check`             checks every hand-written gradient against the likelihood
`crosscheck`        checks the derivative rules of any module against autodiff
`fit`               fits a column, or every group of a table: `fit_arguments` defines its arguments,
                    `intervals` those for values that are intervals, `show` prints the answers
`label`             writes every row with its posterior, label and uncertainty
`plot`              draws the fit of one group of a table, or of several
`report`            writes a page of all fits
`completion`        prints a script that completes commands in the shell
`command_line`      the parser, and `main`
==================  ==============================================================================

These modules import JAX only when there is something to compute, so that ``--help`` is fast.
"""

from mog_jax.cli.command_line import main

__all__ = ["main"]
