"""Blocks on threads: an error or an interruption ends the work within a block's time."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from mog_jax.threads import in_order, in_threads, workers

CORES = os.cpu_count()


def test_each_item_is_taken_once_on_the_calling_thread():
    found, here = {}, threading.get_ident()

    def take(item, answer):
        assert threading.get_ident() == here
        found[item] = answer

    in_threads(lambda item: item**2, range(50), take)
    assert found == {item: item**2 for item in range(50)}
    in_threads(lambda item: item, [], take)


@pytest.mark.parametrize(
    ("told", "number"),
    [("1", 1), ("1,2", 1), ("100000", CORES), ("", CORES), ("0", CORES), ("many", CORES)],
)
def test_the_number_of_threads_is_what_the_environment_says(told, number, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert workers() == number


@pytest.mark.parametrize("where", ["call", "take"])
def test_an_error_is_passed_on_and_what_has_not_begun_never_does(where):
    begun, gate = [], threading.Event()

    def call(item):
        begun.append(item)
        if item == 0:
            if where == "call":
                raise KeyError("a block")
            return
        gate.wait(0.2)

    def take(item, _):
        if where == "take":
            raise KeyError("a block")

    with pytest.raises(KeyError, match="a block"):
        in_threads(call, range(100), take)
    # Those under way, and what they took up before the error was seen.
    assert len(begun) <= 2 * workers() + 1
    in_threads(lambda item: item, range(3), lambda *_: None)


def test_an_interruption_ends_a_fit_within_a_block_s_time():
    script = """
        import time
        import numpy as np
        import mog_jax
        from mog_jax.fitting import api
        from mog_jax.fitting.data import buckets
        from mog_jax.fitting.results.describe import nothing

        done = []

        def slow(source, index, *_):
            time.sleep(0.3)
            done.append(index)
            return nothing(len(index), np.dtype(np.float64), False)

        api.fit_block, buckets._POINTS = slow, 64
        api.compile_ahead = lambda *_: None
        x = np.random.default_rng(0).normal(size=(4000, 16))
        print("ready", flush=True)
        try:
            mog_jax.fit(x)
        except KeyboardInterrupt:
            begun = len(done)
            time.sleep(1)
            print("interrupted", begun, len(done), flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    word, begun, later = out.split()
    assert word == "interrupted", err
    # Of a thousand blocks those are done that were under way, and none begins afterwards.
    assert 1 <= int(begun) == int(later) < 100


def test_answers_come_in_order_of_items_that_are_read_as_they_are_needed():
    read = []

    def items():
        for item in range(100):
            read.append(item)
            yield item

    def call(item):
        time.sleep(0.002 * (item % 3))
        return -item

    for number, answer in enumerate(in_order(call, items())):
        assert answer == -number
        assert len(read) <= number + workers() + 1
    assert len(read) == 100
    assert list(in_order(call, [])) == []


@pytest.mark.parametrize("where", ["call", "items"])
def test_an_error_of_a_call_or_of_the_items_ends_what_is_in_order(where):
    def items():
        yield from range(10)
        if where == "items":
            raise KeyError("item")
        yield from range(10, 1000)

    def call(item):
        if where == "call" and item == 5:
            raise KeyError("item")
        return item

    taken = []
    with pytest.raises(KeyError, match="item"):
        taken.extend(in_order(call, items()))
    assert taken == list(range(len(taken)))
    assert len(taken) <= 10
