"""The command line: ``mog-jax check``, ``crosscheck``, ``fit``, ``label``, ``plot``, ``report``.

==================  ==============================================================================
`argument_types`    numbers and names as argparse reads them
`check`             every hand-written gradient against the likelihood, with exit code
`crosscheck`        the derivative rules of any module against autodiff, with exit code
`fit`               a file or a table in, parameters or a table of them out
`label`             every row with its posterior, label and uncertainty
`plot`              the picture of one fit of a table
`report`            a page of all fits
`completion`        a script that completes commands in the shell
`command_line`      the parser, and `main`
==================  ==============================================================================

Nothing here imports JAX before there is something to compute: ``--help`` takes no time.
"""

from mog_jax.cli.command_line import main

__all__ = ["main"]
