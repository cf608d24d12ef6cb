"""A group that does not fit into memory is refused before it is read, with its size."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from mog_jax import cli
from mog_jax.tables import TableError, fit_table, memory


def unfolding(path, n_rows):
    """A small compressed file with many rows of one group, after a few of another."""
    with gzip.open(path, "wb") as file:
        file.write(b"gene,x\nb,1\nb,2\n")
        for _ in range(n_rows // 1000):
            file.write(b"a,1\na,2\n" * 500)
    return path


def test_too_large_a_group_is_named_with_its_rows(tmp_path, monkeypatch):
    path = unfolding(tmp_path / "cells.csv.gz", 200_000)
    assert path.stat().st_size < 3_000
    monkeypatch.setattr(memory, "available_memory", lambda: 70_000_000)
    message = (
        r"cells.csv.gz: group 'a' has 200,000 rows; to fit it takes about 80 MB of memory, and "
        r"70 MB are available\. Fit a sample .*--count"
    )
    with pytest.raises(TableError, match=message):
        fit_table(path, by="gene", value="x", out=tmp_path / "fits.parquet")
    assert [file.name for file in tmp_path.iterdir()] == ["cells.csv.gz"]


@pytest.mark.usefixtures("without_fitting")
@pytest.mark.parametrize("free", [None, 80_000_000])
def test_what_fits_is_fitted(tmp_path, monkeypatch, free):
    path = unfolding(tmp_path / "cells.csv.gz", 200_000)
    monkeypatch.setattr(memory, "available_memory", lambda: free)
    assert fit_table(path, by="gene", value="x")["n_points"].to_pylist() == [200_000, 2]


@pytest.mark.skipif(sys.platform != "linux", reason="a limit on the address space")
def test_a_limit_on_the_process_counts(tmp_path):
    path = unfolding(tmp_path / "cells.csv.gz", 4_000_000)
    command = [sys.executable, "-m", "mog_jax.cli", "fit", str(path), "--by", "gene"]
    done = subprocess.run(
        ["bash", "-c", 'ulimit -v 2700000; exec "$@"', "-", *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(cli.__file__).parents[2],
    )
    assert done.returncode == 2, done.stderr
    assert "group 'a' has 4,000,000 rows; to fit it takes about 1.6 GB" in done.stderr
    assert done.stderr.count("\n") == 1


def cgroup(folder, limit, used, inactive):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n", encoding="ascii")
    (folder / "memory.current").write_text(f"{used}\n", encoding="ascii")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {inactive}\n", encoding="ascii")


def test_a_control_group_leaves_what_its_limit_and_its_files_say(tmp_path):
    names = ("memory.max", "memory.current", "inactive_file")
    for limit, used, inactive, left in [
        (1000, 300, 50, [750]),
        (1000, 1200, 0, [0]),
        ("max", 1200, 0, []),
    ]:
        cgroup(tmp_path, limit, used, inactive)
        assert [*memory._left_in(tmp_path, *names)] == left
    assert [*memory._left_in(tmp_path / "nowhere", *names)] == []


def test_the_machine_says_what_is_free():
    free = memory.available_memory()
    assert free is None or 0 < free < 1 << 50
