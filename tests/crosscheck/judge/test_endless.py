"""Programs that do not end are abandoned, and not run again."""

import threading

import jax
import numpy as np
import pytest

from mog_jax.crosscheck.exact import Overdue, deadline
from mog_jax.crosscheck.findings import Execution
from mog_jax.crosscheck.judge.endless import Endless


def test_what_does_not_end_is_given_up_and_not_tried_again():
    release, started = threading.Event(), []

    def wait():
        started.append(1)
        release.wait()

    endless = Endless()
    try:
        for _ in range(2):
            with (
                deadline(0.05),
                pytest.raises(Overdue, match=r"compiled program \(vmap\) does not end"),
            ):
                endless.run(Execution.VMAP, wait)
        assert len(started) == 1
        with deadline(60):
            assert endless.run(Execution.JIT, lambda: 7) == 7
    finally:
        release.set()


def test_without_a_deadline_it_runs_where_it_is():
    assert Endless().run(Execution.JIT, threading.get_ident) == threading.get_ident()


def test_what_is_raised_is_raised():
    with deadline(60), pytest.raises(ZeroDivisionError):
        Endless().run(Execution.JIT, lambda: 1 / 0)


@pytest.mark.parametrize("wide", [True, False])
def test_the_precision_is_that_outside(wide):
    def dtype():
        return jax.numpy.asarray(np.ones(1)).dtype

    with jax.enable_x64(wide), deadline(60):
        assert Endless().run(Execution.JIT, dtype) == (np.float64 if wide else np.float32)
