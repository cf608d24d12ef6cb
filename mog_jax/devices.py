"""Distributes work over all accelerators of this process, one thread for each."""

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
    """Return the devices that share the work; an empty list if it stays on JAX's default device.

    A CPU is one device, whose cores the threads use already; several CPU devices, as
    ``jax_num_cpu_devices`` makes them, are the same cores. If a user has chosen a device, the work
    stays there.
    """
    devices = jax.local_devices()
    if _chosen_device(jax.config) is not None or devices[0].platform == "cpu":
        return []
    return devices if len(devices) > 1 else []


def on_own_device(
    function: Callable[[Item], Answer], devices: Sequence[jax.Device]
) -> Callable[[Item], Answer]:
    """Return the function run on a device of its own for each thread that calls it."""
    if not devices:
        return function
    place, thread = itertools.count(), threading.local()

    def on_device(item: Item) -> Answer:
        if not hasattr(thread, "device"):
            thread.device = devices[next(place) % len(devices)]
        with jax.default_device(thread.device):
            return function(item)

    return on_device
