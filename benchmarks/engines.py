"""Compares the answers of Spark, Ray and Dask with those of one process, and their overheads.

The same rows, unordered, are fitted in this process and by each installed engine, with
two workers on this machine. In each engine the first worker that fits is killed. It prints the
rows of the answer, whether they agree bit for bit, the time, and its part outside the fitter.
"""

import argparse
import importlib.util
import os
import shutil
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow

from mog_jax.tables import fit_batches, output_schema, stream

N_WORKERS, N_PARTITIONS = 2, 8


def make(n_groups: int, n_points: int) -> pyarrow.Table:
    """Draw groups of two components each, their rows in no order."""
    rng = np.random.default_rng(0)
    group = rng.permutation(np.repeat(np.arange(n_groups), n_points))
    separation, weight = rng.uniform(0.5, 6, n_groups), rng.uniform(0.1, 0.9, n_groups)
    upper = rng.random(len(group)) < weight[group]
    x = rng.normal(size=len(group)) + separation[group] * upper
    names = pyarrow.array([f"gene_{index:06d}" for index in range(n_groups)])
    return pyarrow.table({"gene": names.take(pyarrow.array(group)), "x": x})


def watched(folder: str, kill: bool) -> Callable[..., Any]:
    """Make a fitter that writes its time into a folder; if told so, the first call is killed.

    Engines send a function that was made in a function to their workers as it is.
    """

    def fit_chunk(*arguments: Any) -> Any:
        from mog_jax.tables.group_fits import fit_groups

        if kill:
            try:
                (Path(folder) / "killed").touch(exist_ok=False)
            except FileExistsError:
                pass  # another was
            else:
                os.kill(os.getpid(), 9)
        begin = time.perf_counter()
        answer = fit_groups(*arguments)
        note = Path(folder) / f"{uuid.uuid4()}.seconds"
        note.write_text(str(time.perf_counter() - begin), encoding="utf-8")
        return answer

    return fit_chunk


def here(rows: pyarrow.Table) -> Callable[[], pyarrow.Table]:
    """Fit in this process."""

    def fit() -> pyarrow.Table:
        return pyarrow.Table.from_batches(fit_batches(rows.sort_by("gene"), by="gene", value="x"))

    return fit


def spark(rows: pyarrow.Table) -> Callable[[], pyarrow.Table]:
    """Fit on a local Spark."""
    from pyspark.sql import SparkSession

    from mog_jax.spark import fit_groups

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master(f"local[{N_WORKERS},3]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    frame = session.createDataFrame(rows).repartition(N_PARTITIONS).cache()
    frame.count()
    return lambda: fit_groups(frame, by="gene", value="x", partitions=N_PARTITIONS).toArrow()


def ray(rows: pyarrow.Table) -> Callable[[], pyarrow.Table]:
    """Fit on a local Ray."""
    import ray

    from mog_jax.ray import fit_groups

    ray.init(num_cpus=N_WORKERS, include_dashboard=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    size = -(-rows.num_rows // N_PARTITIONS)
    pieces = [rows.slice(begin, size) for begin in range(0, rows.num_rows, size)]
    dataset = ray.data.from_arrow(pieces).materialize()

    def fit() -> pyarrow.Table:
        fits = fit_groups(dataset, by="gene", value="x")
        return pyarrow.concat_tables(ray.get(fits.to_arrow_refs()))

    return fit


def dask(rows: pyarrow.Table) -> Callable[[], pyarrow.Table]:
    """Fit on a Dask cluster of two processes."""
    import dask.dataframe
    import distributed

    from mog_jax.dask import fit_groups

    cluster = distributed.LocalCluster(
        n_workers=N_WORKERS, threads_per_worker=1, dashboard_address=None
    )
    distributed.Client(cluster)
    frame = dask.dataframe.from_pandas(rows.to_pandas(), npartitions=N_PARTITIONS)
    schema = output_schema(rows.schema, by="gene")

    def fit() -> pyarrow.Table:
        fits = fit_groups(frame, by="gene", value="x").compute()
        return pyarrow.Table.from_pandas(fits, schema=schema, preserve_index=False)

    return fit


ENGINES = {"here": here, "spark": spark, "ray": ray, "dask": dask}
PACKAGES = {"spark": "pyspark", "ray": "ray", "dask": "distributed"}


def missing(engine: str) -> str | None:
    """Return what an engine lacks here."""
    if engine in PACKAGES and importlib.util.find_spec(PACKAGES[engine]) is None:
        return f"not installed: pip install 'mog_jax[{engine}]'"
    if engine == "spark" and not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        return "no Java runtime"
    return None


def in_order(table: pyarrow.Table) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=lambda row: row["gene"])


def difference(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> str:
    """Return whether two answers are equal bit by bit, or how much they differ."""
    if ours == theirs:
        return "the same"
    if [row["gene"] for row in ours] != [row["gene"] for row in theirs]:
        return "OTHER GROUPS"
    pairs = [
        (a[name], b[name])
        for a, b in zip(ours, theirs, strict=True)
        for name in ("mean_1", "mean_2", "sd_1", "sd_2", "log_likelihood")
        if a[name] is not None and b[name] is not None
    ]
    apart = max(abs(a - b) / max(abs(a), abs(b), 1e-300) for a, b in pairs)
    return f"{sum(a != b for a, b in zip(ours, theirs, strict=True))} rows differ, by {apart:.0e}"


def measure(engine: str, rows: pyarrow.Table) -> tuple[list[dict[str, Any]], float, float, str]:
    """Run an engine: its rows, its time, what of it is the fitter's, and whether one was killed."""
    kill = engine != "here"
    n_workers = N_WORKERS if kill else 1
    run = ENGINES[engine](rows)
    with tempfile.TemporaryDirectory() as folder:
        plain, stream.fit_groups = stream.fit_groups, watched(folder, kill)
        try:
            begin = time.perf_counter()
            answer = run()
            total = time.perf_counter() - begin
        finally:
            stream.fit_groups = plain
        notes = [path.read_text(encoding="utf-8") for path in Path(folder).glob("*.seconds")]
        killed = "1" if (Path(folder) / "killed").exists() else "0"
    return in_order(answer), total, sum(map(float, notes)) / n_workers, killed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="50 groups of 100")
    parser.add_argument("--groups", type=int, default=2_000)
    parser.add_argument("--points", type=int, default=500)
    parser.add_argument("--engines", nargs="*", choices=list(PACKAGES), default=list(PACKAGES))
    options = parser.parse_args(arguments)
    n_groups, n_points = (50, 100) if options.quick else (options.groups, options.points)
    warnings.simplefilter("ignore")  # the engines' own
    rows = make(n_groups, n_points)
    print(f"{n_groups:,} groups of {n_points:,} points, {N_WORKERS} workers")
    print("| engine | rows | bits | workers killed | time, s | outside the fitter, s |")
    print("| --- | ---: | --- | ---: | ---: | ---: |")
    ours, failed = None, False
    for engine in ("here", *options.engines):
        if why := missing(engine):
            print(f"| {engine} | {why} | | | | |")
            continue
        answer, total, inside, killed = measure(engine, rows)
        ours = ours or answer
        bits = difference(ours, answer)
        failed |= bits != "the same"
        print(
            f"| {engine} | {len(answer):,} | {bits} | {killed} | {total:.1f} "
            f"| {total - inside:.1f} |",
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
