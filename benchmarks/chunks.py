"""Measures the passes, time and memory of fitting one dataset that is larger than memory.

Writes points of two Gaussians to a Parquet file and fits the file by `mog_jax.fit_chunks`. A pass
is compared with DuckDB's own sum of the same column, the lower bound of the cost of reading. On a
part that fits into memory the answer must be that of `mog_jax.fit`, to the rounding of a sum,
and scikit-learn is timed on the same part, with the distance from the maximum at which it stops.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import _timing
import _workers
import duckdb
import numpy as np
import pyarrow
import pyarrow.parquet
from rich.table import Table

import mog_jax

_ROW_GROUP = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="300,000 points: a smoke test")
    parser.add_argument("--points", type=float, default=1e7, metavar="N", help="default: 1e7")
    parser.add_argument("--held", type=float, default=2e6, metavar="N", help="the part in memory")
    parser.add_argument("--scratch", type=Path, metavar="FOLDER", help="where the file is written")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args(arguments)
    n = 300_000 if options.quick else int(options.points)
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        path = Path(folder) / "points.parquet"
        make(path, n)
        # The command line's own memory and compilation come first, on few points.
        mog_jax.fit_chunks(lambda: [np.linspace(-1, 1, 1000) ** 3])
        whole = of_the_file(path)
        part = of_a_part(path, min(n, int(options.held)))
    show(n, path.name, whole, part)
    if options.json:
        figures = {"points": n, **whole, **part, "provenance": _timing.provenance()}
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def make(path: Path, n: int) -> None:
    """Write the file, a row group at a time."""
    rng = np.random.default_rng(0)
    schema = pyarrow.schema([("x", pyarrow.float64())])
    with pyarrow.parquet.ParquetWriter(path, schema, use_dictionary=False) as writer:
        for lo in range(0, n, _ROW_GROUP):
            size = min(_ROW_GROUP, n - lo)
            x = np.where(rng.random(size) < 0.6, rng.normal(0, 1, size), rng.normal(3, 0.7, size))
            writer.write_table(pyarrow.table({"x": x}, schema=schema))


def of_the_file(path: Path) -> dict[str, Any]:
    """Fit the file, and let DuckDB add up its column."""
    before = _workers.forget_peak()
    fit, first = timed(lambda: mog_jax.fit_chunks(path))
    peak = _workers.peak_memory()
    _, again = timed(lambda: mog_jax.fit_chunks(path))
    query = f"SELECT sum(x), count(x) FROM read_parquet('{path}')"
    scans = [timed(lambda: duckdb.connect().sql(query).fetchall())[1] for _ in range(5)]
    assert fit.converged
    assert fit.n_passes <= 15
    return {
        "passes": int(fit.n_passes),
        "gain_left": float(fit.gain_left),
        "first": first,
        "again": again,
        "scan": float(np.median(scans)),
        "peak": peak,
        "peak_above": peak - before,
        "fit": repr(fit),
    }


def of_a_part(path: Path, n: int) -> dict[str, Any]:
    """Fit a part in chunks, at once, and by scikit-learn."""
    relation = duckdb.connect().sql(f"SELECT x FROM read_parquet('{path}') LIMIT {n}")
    x = relation.to_arrow_table()["x"].to_numpy()
    chunked, chunked_seconds = timed(lambda: mog_jax.fit_chunks(relation))
    whole, whole_seconds = timed(lambda: mog_jax.fit(x))
    for field in ("weights", "means", "variances"):
        one, other = getattr(chunked.mixture, field), getattr(whole.mixture, field)
        np.testing.assert_allclose(one, other, rtol=1e-8)
    np.testing.assert_allclose(chunked.log_likelihood, whole.log_likelihood, rtol=1e-12)
    figures = {
        "held": n,
        "chunked_seconds": chunked_seconds,
        "whole_seconds": whole_seconds,
        "apart": float(chunked.log_likelihood - whole.log_likelihood),
    }
    try:
        from sklearn.mixture import GaussianMixture
    except ImportError:
        return figures
    model, seconds = timed(lambda: GaussianMixture(2).fit(x[:, None]))
    short = float(whole.log_likelihood) - n * float(model.score(x[:, None]))
    return {**figures, "sklearn_seconds": seconds, "sklearn_short": short}


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of a function, and its seconds."""
    start = time.perf_counter()
    return function(), time.perf_counter() - start


def show(n: int, name: str, whole: dict[str, Any], part: dict[str, Any]) -> None:
    """Print the figures as a table."""
    table = Table(
        title=f"{n:,} points of a Parquet file, float64", caption=_timing.provenance(), min_width=80
    )
    table.add_column("what")
    table.add_column("value", justify="right")
    scans = whole["passes"] * whole["scan"]
    table.add_row("passes", f"{whole['passes']}")
    table.add_row("nats left to be gained", f"{whole['gain_left']:.0e}")
    table.add_row("seconds, first call", f"{whole['first']:.1f}")
    table.add_row("seconds, again", f"{whole['again']:.1f}")
    table.add_row("seconds of DuckDB's sum x passes", f"{scans:.1f}")
    table.add_row("ratio", f"{whole['again'] / scans:.1f}")
    table.add_row("peak memory of the process, MB", f"{whole['peak'] / 1e6:,.0f}")
    table.add_row("of that above its start, MB", f"{whole['peak_above'] / 1e6:,.0f}")
    held = f"{part['held']:,} points"
    table.add_row(f"{held}: fit_chunks, seconds", f"{part['chunked_seconds']:.1f}")
    table.add_row(f"{held}: fit, seconds", f"{part['whole_seconds']:.1f}")
    table.add_row(f"{held}: apart, nats", f"{part['apart']:.0e}")
    if "sklearn_seconds" in part:
        table.add_row(f"{held}: scikit-learn, seconds", f"{part['sklearn_seconds']:.1f}")
        table.add_row(f"{held}: scikit-learn short by, nats", f"{part['sklearn_short']:.2g}")
    _timing.console().print(table)


if __name__ == "__main__":
    raise SystemExit(main())
