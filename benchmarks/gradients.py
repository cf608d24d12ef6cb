"""Times the hand-written gradient against autodiff of the textbook log-likelihood.

The floor is one exponential-and-sum pass over the same points: any evaluation of a Gaussian
costs at least that. All programs are jitted, in float64, on the same data, and agree before they
are timed.
"""

import argparse
from collections.abc import Sequence

import _timing
import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

import mog_jax


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small size, for a smoke test")
    options = parser.parse_args(arguments)
    n, rounds = (20_000, 5) if options.quick else (1_000_000, 25)
    with jax.enable_x64(True):
        measure(n, rounds)
    return 0


def measure(n: int, rounds: int) -> None:
    mixture = mog_jax.Mixture.from_arrays(
        weights=[0.35, 0.65], means=[-1.0, 1.5], variances=[0.5, 2.0]
    )
    x = jnp.asarray(mixture.sample(jax.random.key(0), n))
    by_autodiff = jax.jit(jax.grad(mog_jax.log_likelihood))
    with_value = jax.jit(jax.value_and_grad(mog_jax.log_likelihood))
    floor = jax.jit(lambda x: jnp.sum(jnp.exp(-jnp.abs(x))))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9),
        mog_jax.gradient(mixture, x),
        by_autodiff(mixture, x),
    )
    hessian = jax.jit(jax.hessian(mog_jax.log_likelihood))
    taken = _timing.seconds(
        {
            "exp and sum (the floor)": lambda: floor(x),
            "log-likelihood": lambda: mog_jax.log_likelihood(mixture, x),
            "gradient, by hand": lambda: mog_jax.gradient(mixture, x),
            "gradient, jax.grad": lambda: by_autodiff(mixture, x),
            "value and gradient, jax.value_and_grad": lambda: with_value(mixture, x),
            "information, by hand": lambda: mog_jax.observed_information(mixture, x),
            "information, jax.hessian": lambda: hessian(mixture, x),
        },
        rounds,
    )
    base = np.median(taken["exp and sum (the floor)"])
    table = Table(
        title=f"One dataset of {n:,} points, float64",
        caption=f"median (quartiles) of {rounds} rounds; {_timing.provenance()}",
    )
    table.add_column("program")
    table.add_column("ns per point", justify="right")
    table.add_column("× floor", justify="right")
    for name, values in taken.items():
        table.add_row(name, _timing.quartiles(1e9 * values / n), f"{np.median(values) / base:.1f}")
    Console().print(table)


if __name__ == "__main__":
    raise SystemExit(main())
