import numpy as np
import pyarrow
import pytest

from mog_jax.tables import stream
from mog_jax.tables.schema import ANSWERS


def plain_answer(values, lengths, counts, n_missing, options):
    """A substitute for `fit`: numbers that change with a group's points, counts or order."""
    group = np.repeat(np.arange(len(lengths)), lengths)
    weights = np.ones(len(values)) if counts is None else counts
    columns = {
        "mean_1": np.bincount(group, weights * values, len(lengths)),
        "mean_2": np.bincount(group, np.arange(len(values)) * values, len(lengths)),
        "n_points": lengths.astype(np.float64),
        "n_missing": n_missing.astype(np.int64),
        "status": ["converged"] * len(lengths),
    }
    return [
        pyarrow.array(columns[field.name], field.type)
        if field.name in columns
        else pyarrow.nulls(len(lengths), field.type)
        for field in ANSWERS
    ]


@pytest.fixture
def without_fitting(monkeypatch):
    monkeypatch.setattr(stream, "fit_groups", plain_answer)
