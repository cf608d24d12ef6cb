"""Work on all accelerators of this process, one thread for each."""

import itertools
import operator
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import jax

Item = TypeVar("Item")
Answer = TypeVar("Answer")

# None, unless a ``with`` block or the user's settings chose one.
_chosen_device = operator.attrgetter("jax_default_device")


def shared_out() -> list[jax.Device]:
    """Give the devices that work is shared out over; none where it stays on JAX's default.

    A CPU is one device, whose cores the threads use already; several CPU devices, as
    ``jax_num_cpu_devices`` makes them, are the same cores. Where a user has chosen a device, work
    stays there.
    """
    devices = jax.local_devices()
    if _chosen_device(jax.config) is not None or devices[0].platform == "cpu":
        return []
    return devices if len(devices) > 1 else []


def on_own_device(
    function: Callable[[Item], Answer], devices: Sequence[jax.Device]
) -> Callable[[Item], Answer]:
    """Let a function use the device of the thread that it is called on, each thread another."""
    if not devices:
        return function
    place, thread = itertools.count(), threading.local()

    def on_device(item: Item) -> Answer:
        if not hasattr(thread, "device"):
            thread.device = devices[next(place) % len(devices)]
        with jax.default_device(thread.device):
            return function(item)

    return on_device
