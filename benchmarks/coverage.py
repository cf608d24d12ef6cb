"""Measures the coverage of 95 % intervals, and the size and power of the bootstrap test.

Data come from known mixtures of 500 points, three standard deviations apart, and the share of
intervals that hold the truth is counted, parameter by parameter. The test's size is the share of
single Gaussians that it calls two components, at 5 %; its power, the share of true mixtures.
"""

import argparse
from collections.abc import Sequence

import _timing
import jax
import numpy as np
from rich.console import Console
from rich.table import Table

import mog_jax
from mog_jax import Mixture

FIELDS = ("weights", "means", "variances", "standard_deviations")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small size, for a smoke test")
    options = parser.parse_args(arguments)
    console = Console(width=160)
    if options.quick:
        # One size of data, so that the fitter is compiled once; so few points need clearer data.
        console.print(coverage(60, n=100, separation=5.0))
        console.print(error_rates(40, n=100, parts=2, replicates=99))
    else:
        console.print(coverage(10_000, n=500, separation=3.0))
        console.print(error_rates(5_000, n=100, parts=10, replicates=999))
    return 0


def coverage(b: int, *, n: int, separation: float) -> Table:
    table = Table(
        title=f"Coverage of 95 % intervals, {b:,} datasets of {n} points",
        caption=f"± is the simulation's standard error; {_timing.provenance()}",
    )
    for name in ("truth", "interval", "component", *FIELDS, "left out"):
        table.add_column(name.replace("_", " "), justify="left" if name == "truth" else "right")
    truths = {
        "equal weights": Mixture.from_arrays(
            weights=[0.5, 0.5], means=[0, separation], variances=[1, 1]
        ),
        "weights 0.3, 0.7, variances 1, 2": Mixture.from_arrays(
            weights=[0.3, 0.7], means=[0, separation * np.sqrt(1.5)], variances=[1, 2]
        ),
    }
    for title, truth in truths.items():
        data = np.asarray(truth.sample(jax.random.key(0), b * n)).reshape(b, n)
        fits = mog_jax.fit(data)
        for kind in ("observed", "sandwich"):
            intervals = fits.confidence_intervals(data, kind=kind)
            known = np.asarray(intervals.reason) == 0
            for k in range(2):
                shares = []
                for field in FIELDS:
                    ends = np.asarray(getattr(intervals, field))[known, k]
                    value = float(np.asarray(getattr(truth, field))[k])
                    share = np.mean((ends[:, 0] <= value) & (value <= ends[:, 1]))
                    error = np.sqrt(share * (1 - share) / known.sum())
                    shares.append(f"{100 * share:.1f} ± {100 * error:.1f}")
                table.add_row(title, kind, str(k), *shares, str(int((~known).sum())))
    return table


def error_rates(b: int, *, n: int, parts: int, replicates: int) -> Table:
    table = Table(
        title=f"Bootstrap test at 5 %, {b:,} datasets of {n} points, {replicates} replicates",
        caption=f"the datasets share the replicates, which are drawn anew in each of {parts} parts",
    )
    for name in ("data from", "called two components, %"):
        table.add_column(name)
    sources = {"one Gaussian (size)": 0.0, "two, 2 sd apart": 2.0, "two, 3 sd apart": 3.0}
    data = []
    for i, separation in enumerate(sources.values()):
        truth = Mixture.from_arrays(weights=[0.5, 0.5], means=[0, separation], variances=[1, 1])
        data.append(np.asarray(truth.sample(jax.random.key(i), b * n)).reshape(parts, -1, n))
    rates = []
    for j, part in enumerate(np.concatenate(data, axis=1)):
        test = mog_jax.bootstrap_test(
            part, key=jax.random.key(100 + j), replicates=replicates, stop_after=None
        )
        rates.append(np.mean((test.p_value <= 0.05).reshape(len(sources), -1), axis=1))
    errors = np.std(rates, axis=0, ddof=1) / np.sqrt(parts)
    for name, rate, error in zip(sources, np.mean(rates, axis=0), errors, strict=True):
        table.add_row(name, f"{100 * rate:.2f} ± {100 * error:.2f}")
    return table


if __name__ == "__main__":
    raise SystemExit(main())
