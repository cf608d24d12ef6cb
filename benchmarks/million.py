"""Measures time, and memory beyond the data, of fitting a million small datasets in one call.

One million datasets of 50 points, 400 MB of float64. The peak is that of the process while it
fits, less what it held with the data before, compilation included. Every dataset must come back
with a status; parameters of those that converged are checked against the textbook likelihood.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import _problems
import _quality
import _timing
import _workers
import numpy as np
from rich.table import Table

import mog_jax


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20,000 datasets: a smoke test")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args(arguments)
    n_datasets, n_points = (20_000 if options.quick else 1_000_000), 50
    x = _problems.draw_many(0, n_datasets, n_points)
    before = _workers.forget_peak()
    start = time.perf_counter()
    fits = mog_jax.fit(x, progress=True)
    seconds = time.perf_counter() - start
    peak = _workers.peak_memory() - before
    check(x, fits)
    statuses, counts = np.unique(np.asarray(fits.status), return_counts=True)
    by_status = {
        mog_jax.Status(int(status)).name: int(count)
        for status, count in zip(statuses, counts, strict=True)
    }
    figures = {
        "datasets": n_datasets,
        "points": n_points,
        "data_bytes": x.nbytes,
        "seconds": seconds,
        "peak_bytes_above_data": peak,
        "statuses": by_status,
    }
    table = Table(
        title=f"{n_datasets:,} datasets of {n_points} points in one call, first call, float64",
        caption=_timing.provenance(),
        min_width=80,
    )
    table.add_column("what")
    table.add_column("value", justify="right")
    table.add_row("data, MB", f"{x.nbytes / 1e6:,.0f}")
    table.add_row("seconds, compilation included", f"{seconds:.1f}")
    table.add_row("µs per dataset", f"{1e6 * seconds / n_datasets:.1f}")
    table.add_row("peak memory above the data, MB", f"{peak / 1e6:,.0f}")
    for name, count in by_status.items():
        table.add_row(f"status: {name.lower().replace('_', ' ')}", f"{count:,}")
    _timing.console().print(table)
    if options.json:
        figures["provenance"] = _timing.provenance()
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def check(x: np.ndarray, fits: mog_jax.Fit) -> None:
    """Compare the reported log-likelihoods with the textbook formula, on every hundredth row."""
    rows = np.flatnonzero(np.asarray(fits.converged))[::100]
    mixture = fits.mixture
    fitted = _quality.Fitted(
        weights=np.asarray(mixture.weights)[rows],
        means=np.asarray(mixture.means)[rows],
        variances=np.asarray(mixture.variances)[rows],
    )
    value, _ = _quality.log_likelihood(x[rows], fitted)
    np.testing.assert_allclose(np.asarray(fits.log_likelihood)[rows], value, rtol=1e-9, atol=1e-8)


if __name__ == "__main__":
    raise SystemExit(main())
