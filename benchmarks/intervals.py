"""Times fits of intervals, and compares their choice of one or two components with that of points.

    python benchmarks/intervals.py

The first table times one pass, value, gradient and information at a given mixture, and whole fits.
The second counts false "two" by BIC under one Gaussian of 200 values that were rounded to a step.
The third fits the real data of tests/data/intervals as points, at the middles of the intervals, and
as intervals.
"""

import json
import warnings
from pathlib import Path

import numpy as np
from _timing import console, figure, provenance, quartiles, seconds
from rich.table import Table

import mog_jax
from mog_jax.fitting.data.intervals import Observed
from mog_jax.fitting.intervals import kernel
from mog_jax.fitting.intervals.observations import standardised
from mog_jax.statistics import sums

DATA = Path(__file__).parent.parent / "tests" / "data" / "intervals"
N, ROUNDS = 100_000, 15
STEPS = [0.1, 0.25, 0.5, 1.0]
MIXTURE = mog_jax.Mixture.from_arrays(weights=[0.5, 0.5], means=[-1, 1], variances=[1, 1])
THETA = np.array([0.0, -1, 1, 0, 0])


def passes() -> dict:
    """Return programs of one pass over the data: points, distinct intervals, counted intervals."""
    x = np.random.default_rng(0).normal(size=N)
    levels, counts = np.unique(np.round(x, 1), return_counts=True)
    each = standardised([Observed(x, np.full(N, 0.05), np.ones(N), float(N), 0)])
    few = standardised([Observed(levels, np.full(levels.size, 0.05), counts, float(N), 0)])
    # As many climbs as fill the lanes with whole pieces: what one of them costs is told.
    lanes = 64
    climbs = np.repeat(THETA[None], lanes, axis=0), np.zeros(lanes, np.int64)
    return {
        "points": (lambda: sums(MIXTURE, x).log_likelihood, 1),
        "every value its own interval": (
            lambda: kernel.evaluate(THETA[None], np.zeros(1, np.int64), each).log_likelihood,
            1,
        ),
        f"rounded to 0.1, counted ({levels.size} levels)": (
            lambda: kernel.evaluate(*climbs, few).log_likelihood,
            lanes,
        ),
    }


def whole_fits() -> dict:
    """Return programs that fit a dataset of two components."""
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(size=6 * N // 10), rng.normal(4, 1, 4 * N // 10)])
    return {
        "points": (lambda: mog_jax.fit(x).log_likelihood, 1),
        "rounded to 0.1, counted": (
            lambda: mog_jax.fit(np.round(x, 1), resolution=0.1).log_likelihood,
            1,
        ),
    }


def cost(title: str, programs: dict) -> Table:
    """Time programs side by side."""
    taken = seconds({name: program for name, (program, _) in programs.items()}, ROUNDS)
    table = Table("data", "ms", "of points", title=title)
    base = np.median(taken["points"])
    for name, (_, shares) in programs.items():
        own = taken[name] / shares
        table.add_row(name, quartiles(1e3 * own), figure(float(np.median(own) / base)))
    return table


def false_two() -> Table:
    """Count datasets of one Gaussian that are taken for two."""
    table = Table("step, in sd", "points", "intervals", title='false "two" of 40, by BIC')
    for step in STEPS:
        rng = np.random.default_rng(7)
        x = np.round(rng.normal(size=(40, 200)) / step) * step
        found = [mog_jax.fit(x), mog_jax.fit(x, resolution=step)]
        table.add_row(f"{step:g}", *(str(int((fits.delta_bic() > 0).sum())) for fits in found))
    return table


def real() -> Table:
    """Fit real data as points and as intervals."""
    table = Table("data", "points", "intervals", title="delta BIC and status")
    for file in ("truth.json", "more.json"):
        for name, known in json.loads((DATA / file).read_text(encoding="utf-8")).items():
            low = np.array([-np.inf if end is None else end for end in known["lower"]])
            high = np.array([np.inf if end is None else end for end in known["upper"]])
            counts = np.array(known["counts"])
            middle = np.where(
                np.isinf(low), high, np.where(np.isinf(high), low, 0.5 * (low + high))
            )
            found = [
                mog_jax.fit(middle, counts=counts),
                mog_jax.fit(low, upper=high, counts=counts),
            ]
            assert np.isclose(found[1].log_likelihood, float(known["log_likelihood"]), rtol=1e-10)
            shown = [f"{float(fit.delta_bic()):.1f} {fit.status_name}" for fit in found]
            table.add_row(name, *shown)
    return table


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    screen = console()
    screen.print(provenance())
    screen.print(cost(f"one pass over {N:,} values", passes()))
    screen.print(cost(f"a fit of {N:,} values", whole_fits()))
    screen.print(false_two())
    screen.print(real())
