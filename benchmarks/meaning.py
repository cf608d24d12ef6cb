"""Measures how often the chosen maximum is the right one, on simulated data of several families.

For each family of simulated data: how often the answer is right, how often it finds two components
where there is one, and how often a component holds fewer than five points, for both values of
`choose`. The families, their sizes and seeds were fixed before the rule was looked at on them.

- *Right*: classifying by the fit errs no more than 5 % oftener, averaged over the two groups, than
  classifying by two Gaussians that were fitted with the groups known.
- *False two*: data of one kind, and two components have the lower BIC.
- *Few points*: the answer's smaller component holds fewer than five.
"""

import argparse
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import mog_jax

Array = np.ndarray[Any, np.dtype[Any]]
Rng = np.random.Generator
CHOICES = ("regular", "penalised")
# Of the error of two Gaussians whose groups were known.
_SLACK = 0.05


@dataclasses.dataclass(frozen=True)
class Family:
    """Data of one kind: values, and the group of each (all 0 where there is one)."""

    draw: Callable[[Rng], tuple[Array, Array]]
    sets: int = 40


def _two(
    n: int, share: float, one: Callable[[Rng, int], Array], other: Callable[[Rng, int], Array]
) -> Callable[[Rng], tuple[Array, Array]]:
    few = max(round(share * n), 1)

    def draw(rng: Rng) -> tuple[Array, Array]:
        x = np.concatenate([one(rng, n - few), other(rng, few)])
        return x, np.repeat([0, 1], [n - few, few])

    return draw


def _one(n: int, values: Callable[[Rng, int], Array]) -> Callable[[Rng], tuple[Array, Array]]:
    return lambda rng: (values(rng, n), np.zeros(n, int))


def _normal(mean: float = 0, sd: float = 1) -> Callable[[Rng, int], Array]:
    return lambda rng, n: rng.normal(mean, sd, n)


def _then(
    draw: Callable[[Rng], tuple[Array, Array]], change: Callable[[Rng, Array], Array]
) -> Callable[[Rng], tuple[Array, Array]]:
    def changed(rng: Rng) -> tuple[Array, Array]:
        x, group = draw(rng)
        return change(rng, x), group

    return changed


def _rounded(step: float) -> Callable[[Rng, Array], Array]:
    return lambda _, x: np.round(x / step) * step


def _repeated(times: int) -> Callable[[Rng, Array], Array]:
    # The group goes with the value: sorted within the groups by how they were drawn.
    return lambda _, x: np.repeat(x[::times], times)[: x.size]


def _preferred(rng: Rng, x: Array) -> Array:
    """Whole numbers, a third of them to the next five."""
    return np.where(rng.random(x.size) < 1 / 3, 5 * np.round(x / 5), np.round(x))


def _concentric(n: int) -> Callable[[Rng], tuple[Array, Array]]:
    return _two(n, 0.4, _normal(0, 1), _normal(0, 8))


FAMILIES = {
    "two, n 20, distance 4": Family(_two(20, 0.4, _normal(), _normal(4))),
    "two, n 60, distance 2.5": Family(_two(60, 0.5, _normal(), _normal(2.5))),
    "two, n 60, distance 4, sd 1:3": Family(_two(60, 0.3, _normal(), _normal(6, 3))),
    "two, n 300, distance 3, weight 0.1": Family(_two(300, 0.1, _normal(), _normal(3, 0.5))),
    "two, n 2,000, distance 3": Family(_two(2000, 0.3, _normal(), _normal(3)), 20),
    "concentric, n 200, sd 1:8": Family(_concentric(200)),
    "narrow, n 300, sd 0.02 in the middle": Family(_two(300, 0.15, _normal(), _normal(0.7, 0.02))),
    "narrow, n 300, sd 0.001 outside": Family(_two(300, 0.1, _normal(), _normal(4, 0.001))),
    "2 at 8 of 80": Family(_two(80, 2 / 80, _normal(), _normal(8, 0.5))),
    "3 at 7 of 150": Family(_two(150, 3 / 150, _normal(), _normal(7))),
    "4 at -9 of 1,000": Family(_two(1000, 4 / 1000, _normal(), _normal(-9, 0.7))),
    "4 of 100 in gamma's tail": Family(
        _two(100, 0.04, lambda r, n: r.gamma(4, 1, n), _normal(25, 1.0))
    ),
    "12 at 30 of 20,000": Family(_two(20000, 12 / 20000, _normal(), _normal(30)), 10),
    "5 at 12 of 100,000": Family(_two(100_000, 5 / 100_000, _normal(), _normal(12, 0.5)), 5),
    "300 at 5 of 100,000": Family(_two(100_000, 0.003, _normal(), _normal(6, 0.5)), 5),
    "zeros and lognormal": Family(
        _two(200, 0.35, lambda r, n: r.lognormal(0, 0.6, n), lambda _, n: np.zeros(n))
    ),
    "zeros and a far normal, n 60": Family(_two(60, 0.25, _normal(5, 1), lambda _, n: np.zeros(n))),
    "below a limit, 30 %": Family(
        _then(_two(300, 0.3, _normal(3), _normal(-2)), lambda _, x: np.maximum(x, -0.5))
    ),
    "capped, both groups seen": Family(
        _then(_two(400, 0.4, _normal(), _normal(4)), lambda _, x: np.minimum(x, 5.0))
    ),
    "seven answers, two groups": Family(
        _then(
            _two(200, 0.45, _normal(2), _normal(6)),
            lambda _, x: np.clip(np.round(x), 1, 7),
        )
    ),
    "rounded to 1, distance 4": Family(
        _then(_two(300, 0.35, _normal(20, 1.5), _normal(28, 2)), _rounded(1.0))
    ),
    "each value three times, distance 5": Family(
        _then(_two(240, 0.5, _normal(), _normal(5)), _repeated(3))
    ),
    "counts, Poisson 2 and 15": Family(
        _two(200, 0.4, lambda r, n: r.poisson(2, n) * 1.0, lambda r, n: r.poisson(15, n) * 1.0)
    ),
    "one, n 20": Family(_one(20, _normal()), 100),
    "one, n 60": Family(_one(60, _normal()), 400),
    "one, n 150": Family(_one(150, _normal()), 200),
    "one, n 1,000": Family(_one(1000, _normal()), 60),
    "one, n 100,000": Family(_one(100_000, _normal()), 3),
    "one, rounded to sd/5, n 200": Family(_then(_one(200, _normal()), _rounded(0.2)), 60),
    "one, rounded to sd/2, n 200": Family(_then(_one(200, _normal()), _rounded(0.5)), 60),
    "one, five preferred": Family(_then(_one(250, _normal(50, 10)), _preferred), 60),
    "one, drawn again": Family(_then(_one(150, _normal()), lambda r, x: r.choice(x, x.size)), 60),
    "one, each value three times": Family(_then(_one(150, _normal()), _repeated(3)), 60),
    "one, and a lone point at 7": Family(
        _then(_one(100, _normal()), lambda _, x: np.append(x[1:], 7.0)), 60
    ),
    "one, capped at +1 sd": Family(
        _then(_one(200, _normal()), lambda _, x: np.minimum(x, 1.0)), 40
    ),
    "logistic, n 200": Family(_one(200, lambda r, n: r.logistic(size=n))),
    "Laplace, n 200": Family(_one(200, lambda r, n: r.laplace(size=n))),
    "beta(0.5, 0.5), n 200": Family(_one(200, lambda r, n: r.beta(0.5, 0.5, n))),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a twentieth of the sets")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--only", default="", help="families whose name contains this")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(arguments)
    found = {
        name: {choose: measure(family, number, options, choose) for choose in CHOICES}
        for number, (name, family) in enumerate(FAMILIES.items())
        if options.only in name
    }
    show(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    return 0


def measure(
    family: Family, number: int, options: argparse.Namespace, choose: str
) -> dict[str, float]:
    """Return a family's shares for one rule."""
    sets = max(family.sets // 20, 1) if options.quick else family.sets
    drawn = [family.draw(np.random.default_rng([options.seed, number, i])) for i in range(sets)]
    fits = mog_jax.fit([x for x, _ in drawn], choose=choose)
    gain = np.asarray(fits.log_likelihood) - np.asarray(fits.one_component.log_likelihood)
    two = 2 * gain > 3 * np.log(np.asarray(fits.n_points))
    fewest = np.array([smaller(fit, x) for fit, (x, _) in zip(fits, drawn, strict=True)])
    shares = {"sets": sets, "two": float(two.mean()), "few": float((fewest < 5).mean())}
    if drawn[0][1].any():
        right = [is_right(fit, x, group) for fit, (x, group) in zip(fits, drawn, strict=True)]
        shares["right"] = float(np.mean(right))
    return shares


def smaller(fit: Any, x: Array) -> float:
    """Points in a fit's smaller component."""
    share = upper(*parameters(fit), x)
    return float(min(share.sum(), (1 - share).sum()))


def parameters(fit: Any) -> tuple[Array, Array, Array]:
    mixture = fit.mixture
    return tuple(np.asarray(f) for f in (mixture.weights, mixture.means, mixture.variances))


def upper(weights: Array, means: Array, variances: Array, x: Array) -> Array:
    """Return the posterior of the second component, by the textbook formula."""
    with np.errstate(all="ignore"):
        logs = (
            np.log(weights)
            - 0.5 * np.log(variances)
            - 0.5 * np.square(x[:, None] - means) / variances
        )
        return 1 / (1 + np.exp(np.clip(logs[:, 0] - logs[:, 1], -700, 700)))


def error(weights: Array, means: Array, variances: Array, x: Array, group: Array) -> float:
    """Return the error of the classification, averaged over the groups, by the better labels."""
    called = upper(weights, means, variances, x) > 0.5
    rate = 0.5 * (called[group == 0].mean() + (~called[group == 1]).mean())
    return float(min(rate, 1 - rate))


def is_right(fit: Any, x: Array, group: Array) -> bool:
    """Compare with two Gaussians that were fitted with the groups known."""
    parts = [x[group == k] for k in (0, 1)]
    floor = 1e-6 * x.var()
    known = (
        np.array([part.size / x.size for part in parts]),
        np.array([part.mean() for part in parts]),
        np.array([max(part.var(), floor) for part in parts]),
    )
    return error(*parameters(fit), x, group) <= error(*known, x, group) + _SLACK


def show(found: dict[str, dict[str, dict[str, float]]]) -> None:
    table = Table(title="the highest regular maximum / the best by the penalised likelihood")
    for column in ("family", "sets", "right", "false two", "few points"):
        table.add_column(column, justify="left" if column == "family" else "right")
    for name, by_rule in found.items():
        rules = [by_rule[choose] for choose in CHOICES]
        right, two = ("", "")
        if "right" in rules[0]:
            right = " / ".join(f"{rule['right']:.2f}" for rule in rules)
        else:
            two = " / ".join(f"{rule['two']:.2f}" for rule in rules)
        few = " / ".join(f"{rule['few']:.2f}" for rule in rules)
        table.add_row(name, f"{rules[0]['sets']}", right, two, few)
    with_groups = [by_rule for by_rule in found.values() if "right" in by_rule["regular"]]
    if with_groups:
        means = [np.mean([by_rule[c]["right"] for by_rule in with_groups]) for c in CHOICES]
        table.add_section()
        table.add_row("mean of families", "", " / ".join(f"{mean:.3f}" for mean in means), "", "")
    Console(width=110).print(table)


if __name__ == "__main__":
    raise SystemExit(main())
