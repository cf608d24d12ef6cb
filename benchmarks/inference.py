"""Times inference, as a share of the fit that it follows.

The same batch is fitted, and its methods are called, in float64. Methods without data (standard
errors, intervals, criteria, thresholds, modes) use the information that the fit has stored; the
others (sandwich, ICL, responsibilities, Kolmogorov's distance) make a pass over the data. In
addition, 999 bootstrap replicates of one dataset. The last column is the share of the fit's time.
"""

import argparse
from collections.abc import Sequence

import _timing
import jax
import numpy as np
from rich.console import Console
from rich.table import Table

import mog_jax


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small size, for a smoke test")
    options = parser.parse_args(arguments)
    b, n, rounds = (512, 100, 2) if options.quick else (10_000, 500, 5)
    return measure(b, n, rounds)


def measure(b: int, n: int, rounds: int) -> int:
    rng = np.random.default_rng(0)
    upper = rng.random((b, n)) < rng.uniform(0.1, 0.9, (b, 1))
    spread = np.exp(rng.uniform(-0.7, 0.7, (b, 1)))
    data = np.where(upper, rng.uniform(0.5, 6, (b, 1)), 0) + rng.normal(size=(b, n)) * np.where(
        upper, spread, 1
    )
    fits = mog_jax.fit(data)
    published = mog_jax.fit(mog_jax.datasets.faithful()).standard_errors()
    np.testing.assert_allclose(published.means, [0.6996749794, 0.5045947140], rtol=1e-6)

    def without_data() -> None:
        fits.standard_errors()
        fits.confidence_intervals()
        fits.aic()
        fits.delta_bic()
        fits.threshold()
        fits.modes()
        fits.ashman_d()

    def with_data() -> None:
        fits.standard_errors(data, kind="sandwich")
        fits.icl(data)
        fits.responsibilities(data)
        fits.kolmogorov_distance(data)

    taken = _timing.seconds(
        {
            f"fit of {b:,} x {n}": lambda: mog_jax.fit(data).status,
            "all that needs no data": without_data,
            "all that needs the data": with_data,
            f"999 bootstrap replicates, 1 x {n}": lambda: (
                mog_jax.bootstrap_test(data[0], key=jax.random.key(0), stop_after=None).p_value
            ),
        },
        rounds,
    )
    base = np.median(next(iter(taken.values())))
    table = Table(
        title="Inference, float64",
        caption=f"median (quartiles) of {rounds} rounds; {_timing.provenance()}",
    )
    table.add_column("what")
    table.add_column("seconds", justify="right")
    table.add_column("share of the fit", justify="right")
    for name, values in taken.items():
        table.add_row(name, _timing.quartiles(values), f"{np.median(values) / base:.3f}")
    Console(width=110).print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
