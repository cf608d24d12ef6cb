"""Runs ``mog-jax`` in a process of its own, without JAX, in small chunks, and kills it on request.

Arguments: the number of the place below at which to exit (-1 for none), a pause in each chunk in
seconds, then the command line.
"""

import functools
import importlib.util
import os
import signal
import sys
import time
from pathlib import Path

from mog_jax import cli
from mog_jax.tables import database, groups_in_order, run, stream

_spec = importlib.util.spec_from_file_location("doubles", Path(__file__).with_name("conftest.py"))
_doubles = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_doubles)

left, pause = int(sys.argv[1]), float(sys.argv[2])


def place(function):
    """Exit before or after `function` if this is the chosen place."""

    @functools.wraps(function)
    def wrapper(*arguments, **keywords):
        step()
        result = function(*arguments, **keywords)
        step()
        return result

    return wrapper


def step():
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1


def fit_groups(*arguments):
    time.sleep(pause)
    return _doubles.plain_answer(*arguments)


stream.fit_groups = place(fit_groups)
groups_in_order.fit_batches = functools.partial(stream.fit_batches, chunk_groups=7, chunk_points=60)
run._begin = place(run._begin)
run.export = place(run.export)
run.discard = place(run.discard)
database._connect = place(database._connect)
sys.exit(cli.main(sys.argv[3:]))
