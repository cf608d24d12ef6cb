"""Makes the data that the benchmarks fit: families of seeded random mixtures, and real samples.

A family says where its parameters are drawn from. Everything follows from the family's name, a
seed and a shape, so that any figure in a table can be had again.
"""

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

REAL_DATA = Path(__file__).parent.parent / "tests" / "data"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Family:
    """Ranges from which the mixtures of a family are drawn.

    Parameters
    ----------
    separation
        Distance of the means, in units of the root mean square of the two standard deviations;
        uniform.
    weight
        Weight of the first component; uniform.
    ratio
        Largest ratio of the standard deviations, either way; its logarithm is uniform.
    """

    separation: tuple[float, float]
    weight: tuple[float, float]
    ratio: float


FAMILIES = {
    "mixed": Family(separation=(0.5, 6.0), weight=(0.1, 0.9), ratio=3.0),
    "easy": Family(separation=(3.0, 6.0), weight=(0.3, 0.7), ratio=1.5),
    "hard": Family(separation=(0.0, 2.5), weight=(0.03, 0.97), ratio=8.0),
}


def draw(family: str, seed: int, n_datasets: int, n_points: int) -> Array:
    """Draw `n_datasets` samples, each from its own random mixture, as ``(b, n)`` float64.

    The first datasets are the same whatever the number of datasets that is asked for, so that a
    slow method on a subsample meets data that the others meet too.
    """
    ranges = FAMILIES[family]
    streams = np.random.SeedSequence([seed, *family.encode()]).spawn(n_datasets)
    x = np.empty((n_datasets, n_points))
    for row, stream in zip(x, streams, strict=True):
        rng = np.random.default_rng(stream)
        weight = rng.uniform(*ranges.weight)
        ratio = np.exp(rng.uniform(-1.0, 1.0) * np.log(ranges.ratio))
        deviations = np.array([1.0, ratio]) / np.sqrt((1.0 + ratio**2) / 2.0)
        means = np.array([0.0, rng.uniform(*ranges.separation)])
        # Location and scale are the user's units: a fit must not care, and some peers do.
        shift, scale = rng.normal(0.0, 3.0), np.exp(rng.normal(0.0, 1.0))
        label = (rng.random(n_points) > weight).astype(int)
        noise = rng.standard_normal(n_points)
        row[:] = shift + scale * (means[label] + deviations[label] * noise)
    return x


def draw_many(seed: int, n_datasets: int, n_points: int) -> Array:
    """Draw as `draw` does for "mixed", in bulk: for a million datasets, where a loop takes minutes.

    Other numbers than `draw` gives for the same seed, from the same distribution.
    """
    ranges = FAMILIES["mixed"]
    rng = np.random.default_rng([seed, 1])
    shape = (n_datasets, 1)
    weight = rng.uniform(*ranges.weight, shape)
    ratio = np.exp(rng.uniform(-1.0, 1.0, shape) * np.log(ranges.ratio))
    unit = np.sqrt((1.0 + ratio**2) / 2.0)
    separation = rng.uniform(*ranges.separation, shape)
    x = rng.standard_normal((n_datasets, n_points))
    second = rng.random((n_datasets, n_points), dtype=np.float32) > weight
    # In place, row block by row block: the data themselves are the only array of their size.
    for start in range(0, n_datasets, 65536):
        rows = slice(start, start + 65536)
        x[rows] *= np.where(second[rows], ratio[rows], 1.0) / unit[rows]
        x[rows] += np.where(second[rows], separation[rows], 0.0)
    return x


def real(folder: Path = REAL_DATA) -> Iterator[tuple[str, Array]]:
    """Yield the name and the values of each sample in `folder`, a CSV file with one column."""
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if row]
        values = rows[1:] if not _is_number(rows[0][-1]) else rows
        yield path.stem, np.array([float(row[-1]) for row in values])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
