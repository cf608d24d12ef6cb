"""Measures how fast and how often each tool reaches the highest maximum of the likelihood.

Every tool keeps its own stopping rule, because that is what its users get; so a time means little
without the two shares beside it. They say how often a tool ended within 1e-6 nats per point

- of the best known *regular* maximum: each component holds five points or more (a sum of
  responsibilities), and has a variance of at least 1e-6 of the data's;
- of the best known *plain* one, or above it: where moreover no standard deviation is less than
  1/20 of the other. That is the fairer mark for tools that do not look for clusters of five points,
  and the one against which "over 1 nat short" is counted.

Both come from a search that shares no code with the package (_reference.py) and are kept in the
user's cache folder. Log-likelihoods are computed from the fitted parameters by the textbook
formula, in float64, for all tools alike. Peers that leave the start to their user begin at the
exact 2-means split. Loops over datasets (SciPy, scikit-learn) run on one core, where they are
fastest; with one process per core, divide by the number of cores.

Times are per fit: the batch's wall time over its size, median and quartiles over rounds in which
the tools take turns; beside it the processor time of all threads, which is disturbed less by
other load. The excess of the first call, mostly compilation, is stated separately.
The peak is the memory of the tool's own process beyond its imports and the data.
"""

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import _peers
import _problems
import _quality
import _reference
import _timing
import _workers
import numpy as np
from rich.console import Console
from rich.table import Table

OURS = "mog_jax"
TITLES = {
    "mixed": "means 0.5 to 6 standard deviations apart",
    "easy": "means 3 to 6 standard deviations apart, like weights and variances",
    "hard": "means 0 to 2.5 standard deviations apart, weights down to 0.03, deviations up to 1:8",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Size:
    """How much of everything: the full run, or a smoke test."""

    n_datasets: int
    n_others: int
    n_points: int
    rounds: int
    budget: float
    share: float
    families: tuple[str, ...]
    real: bool
    batch_sizes: tuple[int, ...]
    points: tuple[int, ...]


FULL = Size(
    n_datasets=10_000,
    n_others=2_000,
    n_points=500,
    rounds=5,
    budget=20.0,
    share=1.0,
    families=("mixed", "easy", "hard"),
    real=True,
    batch_sizes=(1, 10, 100, 1_000, 10_000),
    points=(50, 500, 5_000, 50_000),
)
QUICK = Size(
    n_datasets=200,
    n_others=200,
    n_points=200,
    rounds=2,
    budget=2.0,
    share=0.02,
    families=("mixed",),
    real=False,
    batch_sizes=(1, 10, 100),
    points=(50, 500),
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    size = QUICK if options.quick else FULL
    if options.datasets:
        size = dataclasses.replace(
            size, n_datasets=options.datasets, n_others=min(options.datasets, size.n_others)
        )
    if options.families:
        size = dataclasses.replace(size, families=tuple(options.families))
    console = _timing.console()
    tools = _available(options.tools, console)
    report: dict[str, Any] = {"provenance": _timing.provenance(), "seed": options.seed}
    sound = True
    with _workers.Workers(tools) as workers:
        for family in size.families:
            results = _family(workers, tools, family, options, size)
            console.print(_table(family, results, size, options.seed))
            report[family] = {name: _plain(*result) for name, result in results.items()}
            sound &= _is_sound(results, console)
        if size.real:
            report["real"] = _real(workers, tools, options.real, console)
        if options.plot:
            report["scaling"] = _scaling(workers, tools, options.seed, size)
            first = report[size.families[0]]
            at_best = {name: result["quality_at_plain"] for name, result in first.items()}
            _plot(report["scaling"], at_best, options.plot)
            console.print(f"Plot written to {options.plot}")
    for name in tools:
        console.print(f"[bold]{name}[/bold]: {_peers.TOOLS[name].note}", highlight=False)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        console.print(f"Figures written to {options.json}")
    return 0 if sound else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes: a smoke test")
    parser.add_argument("--seed", type=int, default=20, help="of the random data (default 20)")
    parser.add_argument("--datasets", type=int, metavar="N", help="of each random family")
    parser.add_argument(
        "--tools", nargs="+", choices=list(_peers.TOOLS), default=list(_peers.TOOLS), metavar="TOOL"
    )
    parser.add_argument("--families", nargs="+", choices=list(TITLES), metavar="FAMILY")
    parser.add_argument(
        "--reference", type=Path, metavar="FOLDER", help="where best known maxima are kept"
    )
    parser.add_argument(
        "--real",
        type=Path,
        metavar="FOLDER",
        default=_problems.REAL_DATA,
        help="CSV files with one sample each, in the last column",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="time per fit against batch size and points"
    )
    return parser.parse_args(arguments)


def _available(names: Sequence[str], console: Console) -> list[str]:
    tools = []
    for name in names:
        missing = _peers.TOOLS[name].missing
        if missing:
            console.print(f"[yellow]{name} is left out: {', '.join(missing)} not installed")
        else:
            tools.append(name)
    return tools


# Random families.

Result = tuple[_workers.Run, _quality.Quality]


def _family(
    workers: _workers.Workers,
    tools: Sequence[str],
    family: str,
    options: argparse.Namespace,
    size: Size,
) -> dict[str, Result]:
    n = size.n_datasets if family == size.families[0] else size.n_others
    problem = _workers.Problem(
        family=family, seed=options.seed, n_datasets=n, n_points=size.n_points
    )
    x = problem.draw()
    reference = _reference.load_or_find(family, options.seed, x, folder=options.reference)
    runs = workers.measure(
        {name: _cut(problem, name, size.share) for name in tools}, size.rounds, size.budget
    )
    results = {}
    for name, run in runs.items():
        fitted, rows = run.fitted, run.problem.n_datasets
        results[name] = (run, _quality.judge(x[:rows], fitted, _quality.rows(reference, rows)))
    return results


def _cut(problem: _workers.Problem, tool: str, share: float) -> _workers.Problem:
    n = _peers.TOOLS[tool].datasets(problem.n_datasets, problem.n_points, share)
    return dataclasses.replace(problem, n_datasets=n)


def _table(family: str, results: dict[str, Result], size: Size, seed: int) -> Table:
    table = Table(
        title=f"{family}: {TITLES[family]}; {size.n_points} points each",
        caption=f"seed {seed}; {_timing.provenance()}",
    )
    table.add_column("tool", no_wrap=True)
    table.add_column("fits", justify="right")
    table.add_column("ms per fit\nmedian (quartiles)", justify="right", no_wrap=True)
    table.add_column("× ours", justify="right")
    table.add_column("of the\nprocessor", justify="right")
    table.add_column("at best\nregular", justify="right")
    table.add_column("at best\nplain", justify="right")
    table.add_column("> 1 nat\nshort", justify="right")
    table.add_column("irreg-\nular", justify="right")
    table.add_column("first call\n+ s", justify="right")
    table.add_column("peak\nMB", justify="right")
    ours = float(np.median(results[OURS][0].milliseconds_a_fit)) if OURS in results else np.nan
    for name, (run, quality) in results.items():
        milliseconds = run.milliseconds_a_fit
        table.add_row(
            name,
            f"{run.problem.n_datasets:,}",
            _timing.quartiles(milliseconds),
            _timing.figure(np.median(milliseconds) / ours),
            _timing.figure(np.median(run.processor_milliseconds_a_fit)),
            *(
                f"{100 * share:.1f} %"
                for share in (quality.at_best, quality.at_plain, quality.short, quality.irregular)
            ),
            f"{run.compilation:.1f}",
            f"{run.peak / 1e6:.0f}",
            style="bold" if name == OURS else None,
        )
    return table


def _plain(run: _workers.Run, quality: _quality.Quality) -> dict[str, Any]:
    """Return a result as types of JSON."""
    return {
        **dataclasses.asdict(run.problem),
        "milliseconds_a_fit": run.milliseconds_a_fit.tolist(),
        "processor_milliseconds_a_fit": run.processor_milliseconds_a_fit.tolist(),
        "first_call_seconds": run.first,
        "compilation_seconds": run.compilation,
        "peak_bytes": run.peak,
        **{f"quality_{name}": value for name, value in dataclasses.asdict(quality).items()},
    }


def _is_sound(results: dict[str, Result], console: Console) -> bool:
    """Whether the package's fits are maxima at all: else its times mean nothing."""
    for name, (_, quality) in results.items():
        if quality.n_above:
            console.print(
                f"{name} ended above the best known maximum on {quality.n_above} datasets: at a "
                "better one, or on its way to a spike"
            )
    if OURS in results and results[OURS][1].short > 0.01:
        console.print(f"[red]{OURS} is short of the maximum too often: its times mean nothing")
        return False
    return True


# Real samples.


def _real(
    workers: _workers.Workers, tools: Sequence[str], folder: Path, console: Console
) -> dict[str, dict[str, float]]:
    """Print by how many nats each tool misses the best known regular maximum of each sample."""
    short: dict[str, dict[str, float]] = {name: {} for name in tools}
    samples = dict(_problems.real(folder))
    for sample, x in samples.items():
        reference = _reference.load_or_find(f"real-{sample}", 0, x[None])
        for name in tools:
            value, _ = _quality.log_likelihood(x[None], workers.fit(name, x[None]))
            short[name][sample] = float(reference.log_likelihood[0] - value[0])
    table = Table(
        title="Real samples: nats short of the best known regular maximum",
        caption="negative: a spike, higher than any regular maximum",
    )
    table.add_column("sample (points)", no_wrap=True)
    for name in tools:
        table.add_column(name, justify="right", style="bold" if name == OURS else None)
    for sample, x in samples.items():
        cells = [short[name][sample] for name in tools]
        table.add_row(
            f"{sample.replace('_', ' ')} ({len(x)})",
            *(f"{cell:.2g}" if abs(cell) > 1e-9 else "0" for cell in cells),
        )
    console.print(table)
    return short


# Scaling.


def _scaling(
    workers: _workers.Workers, tools: Sequence[str], seed: int, size: Size
) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Measure milliseconds per fit over batch sizes and over points, where that takes seconds."""
    by_batch = [(n, 500) for n in size.batch_sizes]
    by_points = [(int(np.clip(1_000_000 // n, 20, size.batch_sizes[-1])), n) for n in size.points]
    return {
        "batch size": _curves(workers, tools, seed, size, by_batch, axis=0),
        "points": _curves(workers, tools, seed, size, by_points, axis=1),
    }


def _curves(
    workers: _workers.Workers,
    tools: Sequence[str],
    seed: int,
    size: Size,
    shapes: Sequence[tuple[int, int]],
    axis: int,
) -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = {name: [] for name in tools}
    for shape in shapes:
        whole = _workers.Problem(family="mixed", seed=seed, n_datasets=shape[0], n_points=shape[1])
        # Without the cut a curve over batch sizes would be flat for want of larger ones: so the
        # slow tools' curves end where their subsample does.
        problems = {name: _cut(whole, name, 0.2 * size.share) for name in tools}
        if axis == 0:
            problems = {n: p for n, p in problems.items() if p.n_datasets == shape[0]}
        runs = workers.measure(problems, rounds=3, budget=0.3 * size.budget)
        for name, run in runs.items():
            curves[name].append((shape[axis], float(np.median(run.milliseconds_a_fit))))
    return curves


def _plot(
    scaling: dict[str, dict[str, list[tuple[int, float]]]], at_best: dict[str, float], path: Path
) -> None:
    """Draw the curves; each is labelled at its end, with how often the tool is at best."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.2))
    panels = figure.subplots(1, 2, sharey=True)
    figure.subplots_adjust(left=0.075, right=0.77, bottom=0.12, top=0.9, wspace=0.06)
    titles = {"batch size": "datasets in one call, 500 points each", "points": "points per dataset"}
    for axes, (what, curves) in zip(panels, scaling.items(), strict=True):
        for index, (name, curve) in enumerate(curves.items()):
            if curve:
                axes.plot(
                    *zip(*curve, strict=True), marker="o", markersize=4, **_style(name, index)
                )
        axes.set(xscale="log", yscale="log", xlabel=titles[what])
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.yaxis.set_major_formatter(lambda value, _: _duration(value))
        axes.grid(which="major", alpha=0.3)
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("time per fit, compilation apart")
    figure.suptitle("Time per fit, and how often the best plain maximum is reached", x=0.42)

    # Labels stand at their curves' ends, moved up where they would run into one another.
    low, high = np.log10(panels[1].get_ylim())
    ends = [(np.log10(curve[-1][1]), name) for name, curve in scaling["points"].items() if curve]
    height = -np.inf
    for end, name in sorted(ends):
        height = max((end - low) / (high - low), height + 0.055)
        text = f"{name}: {100 * at_best[name]:.1f} %" if name in at_best else name
        style = _style(name, list(scaling["points"]).index(name))
        panels[1].text(
            1.02,
            height,
            text,
            transform=panels[1].transAxes,
            va="center",
            color=style["color"],
            weight="bold" if name == OURS else "normal",
        )
    figure.savefig(path, dpi=150)


def _style(name: str, index: int) -> dict[str, Any]:
    if name == OURS:
        return {"color": "black", "linewidth": 2.5}
    return {"color": f"C{index}", "linewidth": 1.3}


def _duration(milliseconds: float) -> str:
    for unit, size in (("s", 1e3), ("ms", 1.0), ("µs", 1e-3)):
        if milliseconds >= 0.999 * size:
            return f"{milliseconds / size:.3g} {unit}"
    return f"{1e6 * milliseconds:.3g} ns"


if __name__ == "__main__":
    raise SystemExit(main())
