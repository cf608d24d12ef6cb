"""Runs the command line: ``python -m mog_jax.cli`` is ``mog-jax``."""

import sys

from mog_jax.cli import main

sys.exit(main())
