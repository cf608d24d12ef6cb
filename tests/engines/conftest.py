"""One table for all engines, and a substitute for the fitter that can be sent to workers."""

import os
from pathlib import Path

import numpy as np
import pyarrow
import pytest

from mog_jax.tables import fit_batches, stream
from mog_jax.tables.schema import ANSWERS

N_GROUPS = 12


def plain_fitter(once=None, marker=None):
    """Make a fitter whose numbers depend on all points of a group, and on no other group.

    Engines send a function that was made in a function to their workers as it is. Where `once` is
    "raise" or "kill", the first call does so, and leaves the file `marker`.
    """

    def fit_chunk(values, lengths, counts, n_missing, options):
        if once is not None:
            try:
                Path(marker).touch(exist_ok=False)
            except FileExistsError:
                pass  # it has happened
            else:
                if once == "kill":
                    os.kill(os.getpid(), 9)
                raise RuntimeError("once")
        groups = np.split(values, np.cumsum(lengths)[:-1])
        columns = {
            "mean_1": [float(points.sum()) for points in groups],
            "mean_2": [float(np.arange(len(points)) @ points) for points in groups],
            "n_points": lengths.astype(np.float64),
            "n_missing": n_missing.astype(np.int64),
            "status": ["converged"] * len(lengths),
            "histogram": [[1, 255]] * len(lengths),
        }
        return [
            pyarrow.array(columns[field.name], field.type)
            if field.name in columns
            else pyarrow.nulls(len(lengths), field.type)
            for field in ANSWERS
        ]

    return fit_chunk


@pytest.fixture
def without_fitting(monkeypatch):
    monkeypatch.setattr(stream, "fit_groups", plain_fitter())


@pytest.fixture(params=["raise", "kill"])
def fails_once(request, monkeypatch, tmp_path):
    marker = tmp_path / "failed"
    monkeypatch.setattr(stream, "fit_groups", plain_fitter(request.param, str(marker)))
    yield
    assert marker.exists()


@pytest.fixture(scope="session")
def rows():
    """Unsorted rows of some groups; one group's name is null, and some values are missing."""
    rng = np.random.default_rng(0)
    group = rng.permutation(np.repeat(np.arange(N_GROUPS), 40))
    x = rng.normal(size=len(group)) + 4 * (rng.random(len(group)) < 0.4)
    names = [None if n == 0 else f"gene_{n}" for n in group.tolist()]
    values = [None if index % 17 == 0 else value for index, value in enumerate(x.tolist())]
    return pyarrow.table(
        {"gene": pyarrow.array(names, pyarrow.string()), "x": pyarrow.array(values)}
    )


def in_order(table):
    """Rows as Python objects, sorted."""
    return sorted(table.to_pylist(), key=repr)


def fitted_here(rows):
    """The answers of a single process for these rows."""
    batches = fit_batches(rows.sort_by("gene"), by="gene", value="x")
    return in_order(pyarrow.Table.from_batches(batches))
