"""Sums over several devices and several processes, by `psum`."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from mog_jax import devices

ROOT = Path(__file__).parent.parent

PRELUDE = """
import sys
import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

process, n_processes, port = map(int, sys.argv[1:])
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", 4 // n_processes)
if n_processes > 1:
    jax.distributed.initialize(f"127.0.0.1:{port}", n_processes, process)

import mog_jax
from mog_jax import Mixture, inference, statistics

mesh = jax.make_mesh((4,), ("devices",), axis_types=(AxisType.Auto,))
assert len(jax.devices()) == 4
rng = np.random.default_rng(0)
x = rng.permutation(np.concatenate([rng.normal(0, 1, 384), rng.normal(3, 0.5, 128)]))
counts = np.arange(x.size) % 3.0
mixture = Mixture.from_arrays(weights=[0.6, 0.4], means=[0.1, 2.8], variances=[0.9, 0.4])


def shared(array):
    return jax.make_array_from_callback(
        array.shape, NamedSharding(mesh, P("devices")), lambda index: array[index]
    )


def mapped(function, *arrays, out=P()):
    specs = tuple(P("devices") for _ in arrays)
    return jax.jit(jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=out))(
        *map(shared, arrays)
    )


def same(found, expected):
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-10)


def summed(*arrays):
    return jax.lax.psum(statistics.sums(mixture, *arrays), "devices")
"""

SUMS = """
for arrays in [(x,), (x, counts)]:
    found, expected = mapped(summed, *arrays), statistics.sums(mixture, *arrays)
    for field in ("log_likelihood", "effective_counts", "first", "second", "cross"):
        same(getattr(found, field), getattr(expected, field))
"""

EVERY_LOOP = """
def gradient(x):
    # The mixture varies too, or the sum over the devices would be in its gradient already.
    own = jax.tree.map(lambda field: jax.lax.pcast(field, ("devices",), to="varying"), mixture)
    return jax.lax.psum(jax.grad(statistics.log_likelihood)(own, x), "devices")


same(mapped(gradient, x), mog_jax.gradient(mixture, x))

rows = x.reshape(4, 128)
first = P("devices")
own = np.stack([mog_jax.local_maximum(row, mixture).means for row in rows])
assert np.isfinite(own).all()
same(mapped(lambda x: mog_jax.local_maximum(x[0], mixture).means[None], rows, out=first), own)

covariance = np.eye(5)
own = np.stack([inference.sandwich(covariance, mixture, row) for row in rows])
same(mapped(lambda x: inference.sandwich(covariance, mixture, x[0])[None], rows, out=first), own)

means = np.stack([mixture.means + shift for shift in range(4)])


def median(means):
    here = Mixture(weights=mixture.weights, means=means[0], variances=mixture.variances)
    return inference.quantile(here, np.array([0.5]))


own = np.concatenate([median(each[None]) for each in means])
same(mapped(median, means, out=first), own)
"""


def start(program, process=0, n_processes=1, port=0):
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, (process, n_processes, port))],
        cwd=ROOT,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("what", [SUMS, EVERY_LOOP], ids=["sums", "every loop"])
def test_functions_run_under_shard_map_on_several_devices(what):
    process = start(PRELUDE + what)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed


def test_sums_are_added_over_two_processes():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    processes = [start(PRELUDE + SUMS, process, 2, port) for process in range(2)]
    try:
        for process in processes:
            printed, _ = process.communicate(timeout=300)
            assert process.returncode == 0, printed
    finally:
        for process in processes:
            process.kill()
            process.wait()


FIT_ON_TWO = """
from mog_jax.fitting import api

rows = rng.normal(size=(600, 30))
rows[:, :10] += 4
alone = mog_jax.fit(rows)

found = set()
unwatched = api.fit_block


def watched(*arguments):
    found.add(jax.config.jax_default_device)
    return unwatched(*arguments)


api.fit_block = watched
# As if these were accelerators.
two = jax.local_devices()[:2]
api.shared_out = lambda: two
both = mog_jax.fit(rows)
assert found == set(two), found
for one, other in zip(jax.tree.leaves(alone), jax.tree.leaves(both), strict=True):
    np.testing.assert_array_equal(one, other)
"""


def test_fits_are_the_same_on_all_devices():
    process = start(PRELUDE + FIT_ON_TWO)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed


class Accelerator:
    platform = "gpu"


def test_accelerators_are_shared_out_unless_one_is_chosen(monkeypatch):
    assert devices.shared_out() == []
    cpu, several = jax.devices("cpu")[0], [Accelerator(), Accelerator()]
    monkeypatch.setattr(jax, "local_devices", lambda: several)
    assert devices.shared_out() == several
    with jax.default_device(cpu):
        assert devices.shared_out() == []
    monkeypatch.setattr(jax, "local_devices", lambda: several[:1])
    assert devices.shared_out() == []
