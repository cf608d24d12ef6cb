"""Measures time and memory of fitting a million groups of a Parquet file, also when it is killed.

Makes the file (rows unordered, keys of text), fits it with ``mog-jax fit`` in a process of its
own, and prints the total time, its part outside the fitter, and the peak of memory. Then it
runs the same command again, kills it at random moments, and compares the answers bit for bit.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

# Runs the command line with a clock around the fitter; prints its time and the peak of memory.
_TIMED = """
import json, resource, sys, time
from mog_jax import cli
from mog_jax.tables import group_fits
inside = 0.0
plain = group_fits._fit
def timed(*arguments):
    global inside
    begin = time.perf_counter()
    fits = plain(*arguments)
    inside += time.perf_counter() - begin
    return fits
group_fits._fit = timed
begin = time.perf_counter()
code = cli.main(sys.argv[1:])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
total = time.perf_counter() - begin
print(json.dumps({"total": total, "inside": inside, "peak": peak}))
sys.exit(code)
"""


def make(path: Path, n_groups: int, n_points: int) -> None:
    """Write groups of two components each, one point of every group in each row group."""
    rng = np.random.default_rng(0)
    names = pyarrow.array([f"gene_{index:07d}" for index in range(n_groups)])
    separation, weight = rng.uniform(0.5, 6, n_groups), rng.uniform(0.1, 0.9, n_groups)
    schema = pyarrow.schema([("gene", pyarrow.string()), ("expression", pyarrow.float64())])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for _ in range(n_points):
            order = rng.permutation(n_groups)
            upper = rng.random(n_groups) < weight[order]
            x = rng.normal(size=n_groups) + separation[order] * upper
            rows = {"gene": names.take(pyarrow.array(order)), "expression": x}
            writer.write_table(pyarrow.table(rows, schema=schema), row_group_size=n_groups)


def command(source: Path, out: Path) -> list[str]:
    return ["fit", str(source), "--by", "gene", "--value", "expression", "--out", str(out)]


def kill_and_resume(source: Path, out: Path, seconds: float, kills: int) -> None:
    """Run to the end in spite of `kills` kills, at random moments of an uninterrupted run."""
    moments = random.Random(0)
    for _ in range(kills):
        process = subprocess.Popen([sys.executable, "-m", "mog_jax.cli", *command(source, out)])
        try:
            process.wait(timeout=moments.uniform(0.05, 0.6) * seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    subprocess.run([sys.executable, "-m", "mog_jax.cli", *command(source, out)], check=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 groups of 100")
    parser.add_argument("--groups", type=int, default=1_000_000)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    options = parser.parse_args(arguments)
    n_groups, kills = (2_000, 1) if options.quick else (options.groups, options.kills)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        source, whole, killed = folder / "cells.parquet", folder / "a.parquet", folder / "b.parquet"
        begin = time.perf_counter()
        make(source, n_groups, options.points)
        print(
            f"{n_groups:,} groups, {n_groups * options.points:,} rows, made in "
            f"{time.perf_counter() - begin:.0f} s"
        )
        done = subprocess.run(
            [sys.executable, "-c", _TIMED, *command(source, whole)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        cost = json.loads(done.stdout)
        outside = cost["total"] - cost["inside"]
        print(f"total                {cost['total']:8.1f} s")
        print(f"outside the fitter   {outside:8.1f} s ({outside / cost['total']:.0%} of the total)")
        print(f"peak of memory       {cost['peak']:8.2f} GiB")
        kill_and_resume(source, killed, cost["total"], kills)
        same = pyarrow.parquet.read_table(whole).equals(pyarrow.parquet.read_table(killed))
        print(f"killed {kills} times      {'the same bits' if same else 'DIFFERENT ANSWERS'}")
        return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
