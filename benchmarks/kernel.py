"""Times one pass with all nine sums against one exponential, and against autodiff.

The floor is ``sum(exp(x))`` over the same points: evaluating a Gaussian costs at least that.
The nine sums give value, gradient, EM step and exact Hessian; the textbook programs give what their
names say. The kernel and the floor run on the same tiles of datasets, small enough for the caches,
with one thread a core, compiled with the same options. The textbook programs run as people write
them, ``jit(vmap(...))`` of the whole batch, and once more on those tiles. All is float64, on the
same data, and the gradients agree before anything is timed.
"""

import argparse
import concurrent.futures
import functools
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import _problems
import _timing
import jax
import jax.numpy as jnp
import numpy as np
from rich.table import Table

from mog_jax.kernel import lane_sums, totals
from mog_jax.lane_shapes import row_bytes
from mog_jax.mixture import Coordinates
from mog_jax.precision import COMPILER

FLOOR = "exp and sum (the floor)"
KERNEL = "nine sums"
TEXTBOOK = "jit(vmap(value_and_grad(textbook)))"
TILE = 512


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small size, for a smoke test")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args(arguments)
    n_datasets, rounds = (4096, 5) if options.quick else (8192, 15)
    with jax.enable_x64(True):
        taken = measure(n_datasets, 512, rounds)
    _report(taken, n_datasets, 512, rounds, options.json)
    return 0


def measure(n_datasets: int, n_points: int, rounds: int) -> dict[str, np.ndarray]:
    """Return nanoseconds per point of each program, one value for each round."""
    x, theta = _draw(n_datasets, n_points)
    batch = (jax.tree.map(lambda array: jnp.asarray(array.T), theta), jnp.asarray(x))
    groups = np.split(np.arange(n_datasets), n_datasets // TILE)
    upright = [jax.tree.map(lambda array, rows=rows: array[rows], batch) for rows in groups]
    lanes = [_as_lanes(*tile) for tile in upright]
    floor = jax.jit(lambda tile: jnp.sum(jnp.exp(tile[1])), compiler_options=COMPILER)
    kernel = jax.jit(
        lambda tile: jax.lax.map(lambda lanes: lane_sums(*lanes), tile), compiler_options=COMPILER
    )
    gradients = jax.jit(jax.vmap(jax.value_and_grad(textbook)))
    hessians = jax.jit(jax.vmap(jax.hessian(textbook)))
    _check(kernel, gradients, lanes[0], upright[0])
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        programs: dict[str, Callable[[], Any]] = {
            FLOOR: functools.partial(_on_tiles, pool, floor, [(tile,) for tile in lanes]),
            KERNEL: functools.partial(_on_tiles, pool, kernel, [(tile,) for tile in lanes]),
            TEXTBOOK: functools.partial(gradients, *batch),
            "the same on the tiles": functools.partial(_on_tiles, pool, gradients, upright),
            "jit(vmap(hessian(textbook))) on the tiles": functools.partial(
                _on_tiles, pool, hessians, upright
            ),
        }
        taken = _timing.seconds(programs, rounds)
    return {name: 1e9 * seconds / x.size for name, seconds in taken.items()}


def _draw(n_datasets: int, n_points: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Draw standardised datasets, and for each a mixture as a fit would pass on its way."""
    x = _problems.draw("mixed", 0, n_datasets, n_points)
    x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.2, 0.8, n_datasets)
    theta = {
        "logits": np.log([weight, 1.0 - weight]),
        "means": np.sort(rng.normal(size=(2, n_datasets)), axis=0),
        "log_variances": rng.uniform(-1.0, 0.5, (2, n_datasets)),
    }
    return x, theta


def _as_lanes(theta: Any, x: jax.Array) -> Any:
    """Datasets on the trailing axis, as many as a fit has side by side, and their totals.

    A fit computes the totals once, and not in each pass.
    """

    def group(array: jax.Array) -> jax.Array:
        return jnp.swapaxes(array.reshape(-1, row_bytes() // 8, *array.shape[1:]), 1, -1)

    points = group(x)
    return Coordinates(**jax.tree.map(group, theta)), points, jax.vmap(totals)(points)


def _on_tiles(
    pool: concurrent.futures.Executor, program: Callable[..., Any], tiles: list[Any]
) -> list[Any]:
    def run(tile: Any) -> Any:
        with jax.enable_x64(True):  # the flag belongs to the thread
            return jax.block_until_ready(program(*tile))

    return list(pool.map(run, tiles))


def textbook(theta: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    """Log-likelihood of one dataset, by the textbook formula."""
    terms = (
        jax.nn.log_softmax(theta["logits"])
        - 0.5 * (np.log(2.0 * np.pi) + theta["log_variances"])
        - 0.5 * (x[:, None] - theta["means"]) ** 2 * jnp.exp(-theta["log_variances"])
    )
    return jnp.sum(jax.nn.logsumexp(terms, axis=1))


def _check(kernel: Any, gradients: Any, tile: Any, upright: Any) -> None:
    """Compare the gradient from the sums with autodiff's."""
    theta, x, _ = jax.tree.map(lambda array: jnp.concatenate(array, axis=-1), tile)
    sums = jax.tree.map(lambda array: jnp.concatenate(array, axis=-1), kernel(tile)).stacked()
    weights, variances = jnp.exp(theta.logits), jnp.exp(theta.log_variances)
    value, expected = gradients(*upright)
    found = {
        "logits": sums.effective_counts - x.shape[0] * weights,
        "means": sums.first / variances,
        "log_variances": 0.5 * (sums.second / variances - sums.effective_counts),
    }
    np.testing.assert_allclose(sums.log_likelihood, value, rtol=1e-11)
    for name, gradient in found.items():
        np.testing.assert_allclose(gradient.T, expected[name], rtol=1e-8, atol=1e-8)


def _report(
    taken: dict[str, np.ndarray], n_datasets: int, n_points: int, rounds: int, file: Path | None
) -> None:
    table = Table(
        title=f"{n_datasets:,} datasets of {n_points} points, float64, {os.cpu_count()} cores",
        caption=f"median (quartiles) of {rounds} rounds; {_timing.provenance()}",
    )
    table.add_column("pass")
    table.add_column("ns per point", justify="right", no_wrap=True)
    table.add_column("× floor", justify="right")
    table.add_column("× nine sums", justify="right")
    # Ratios within each round: what drifts between rounds drops out.
    floor, kernel = taken[FLOOR], taken[KERNEL]
    for name, values in taken.items():
        ratios = [f"{np.median(values / base):.1f}" for base in (floor, kernel)]
        table.add_row(name, _timing.quartiles(values), *ratios)
    _timing.console().print(table)
    if file:
        figures = {name: values.tolist() for name, values in taken.items()}
        content = {"provenance": _timing.provenance(), "ns_per_point": figures}
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
