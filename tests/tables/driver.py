"""Runs ``mog-jax`` in a process of its own, without JAX, in small chunks, and kills it on request.

Each is forked from one process that has imported the package, which takes a second, once.
"""

import functools
import multiprocessing
import os
import resource
import signal
import sys
import time
import warnings

from mog_jax import cli
from mog_jax.tables import database, groups_in_order, run, stream
from tests.tables.conftest import plain_answer

# JAX warns of any fork. Nothing here has started its threads.
warnings.filterwarnings("ignore", message=r"os\.fork", category=RuntimeWarning)

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


class MogJax:
    """``mog-jax ARGUMENTS``.

    Parameters
    ----------
    arguments : list of str
    die : int
        Where to be killed: a number of the places that `_run` names, -1 for nowhere.
    pause : float
        In each chunk, in seconds.
    limit : int, optional
        Of the size of any file that it writes, in bytes.
    folder : Path
        For what it prints.
    """

    def __init__(self, arguments, *, die=-1, pause=0.0, limit=None, folder):
        self._printed = folder / "stdout", folder / "stderr"
        for path in self._printed:
            path.write_bytes(b"")
        self._process = _processes.Process(
            target=_run, args=(arguments, die, pause, limit, *self._printed)
        )
        self._process.start()

    def kill(self):
        self._process.kill()

    def finished(self):
        """Its exit status, as of `subprocess`, and what it printed."""
        self._process.join(60)
        assert self._process.exitcode is not None
        out, err = (path.read_text(encoding="utf-8") for path in self._printed)
        return self._process.exitcode, out, err


def _run(arguments, die, pause, limit, out, err):
    for path, stream_of_it in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY), stream_of_it)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    def step():
        nonlocal die
        if die == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        die -= 1

    def place(function):
        """Die before or after `function` when it is the turn of this place."""

        @functools.wraps(function)
        def wrapper(*arguments, **keywords):
            step()
            result = function(*arguments, **keywords)
            step()
            return result

        return wrapper

    def fit_groups(*arguments):
        time.sleep(pause)
        return plain_answer(*arguments)

    stream.fit_groups = place(fit_groups)
    groups_in_order.fit_batches = functools.partial(
        stream.fit_batches, chunk_groups=7, chunk_points=60
    )
    run._begin = place(run._begin)
    run.export = place(run.export)
    run.discard = place(run.discard)
    database._connect = place(database._connect)
    sys.exit(cli.main(arguments))
