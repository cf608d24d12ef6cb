"""Writes tests/data/real/truth.json: each dataset's best known regular maximum, to 50 digits.

The maximum is found by :mod:`benchmarks._reference`, which shares no code with the package, and
polished by Newton's method on difference quotients of the log-likelihood in 120 digits: no
hand-written derivative is used.

    python -m benchmarks._truth
"""

import json
from pathlib import Path
from typing import Any

import mpmath
import numpy as np

from benchmarks import _reference

FOLDER = Path(__file__).parent.parent / "tests" / "data" / "real"
DIGITS = 120
STEP = mpmath.mpf(10) ** -25
ABOUT = (
    "Best regular maximum (each component holds an effective count of at least 5) found from more "
    "than a hundred starts a dataset, and polished with difference quotients in 120 digits. "
    "Standard errors from the observed information. Components by ascending mean."
)


def log_likelihood(theta: list[Any], x: list[Any]) -> Any:
    """Return the log-likelihood by its definition."""
    logit, *rest = theta
    means, log_variances = rest[:2], rest[2:]
    weights = [1 / (1 + mpmath.exp(-logit)), 1 / (1 + mpmath.exp(logit))]
    scales = [
        w / mpmath.sqrt(2 * mpmath.pi) * mpmath.exp(-l / 2)
        for w, l in zip(weights, log_variances, strict=True)
    ]
    halves = [mpmath.exp(-l) / 2 for l in log_variances]
    product, total = mpmath.mpf(1), mpmath.mpf(0)
    for i, point in enumerate(x):
        product *= sum(
            s * mpmath.exp(-h * (point - m) ** 2)
            for s, h, m in zip(scales, halves, means, strict=True)
        )
        # A multiprecision product does not overflow, and one logarithm is cheaper than many.
        if i % 64 == 63:
            total, product = total + mpmath.log(product), mpmath.mpf(1)
    return total + mpmath.log(product)


def derivatives(theta: list[Any], x: list[Any]) -> tuple[Any, Any, Any]:
    """Value, gradient and Hessian, by central differences: 50 digits of each."""

    def at(*moves: tuple[int, int]) -> Any:
        moved = list(theta)
        for place, sign in moves:
            moved[place] += sign * STEP
        return log_likelihood(moved, x)

    value = at()
    up, down = ([at((i, sign)) for i in range(5)] for sign in (1, -1))
    gradient = mpmath.matrix([(u - d) / (2 * STEP) for u, d in zip(up, down, strict=True)])
    hessian = mpmath.matrix(5, 5)
    for i in range(5):
        hessian[i, i] = (up[i] - 2 * value + down[i]) / STEP**2
        for j in range(i):
            both = at((i, 1), (j, 1)) + at((i, -1), (j, -1))
            mixed = both - up[i] - down[i] - up[j] - down[j] + 2 * value
            hessian[i, j] = hessian[j, i] = mixed / (2 * STEP**2)
    return value, gradient, hessian


def truth(x: Any) -> dict[str, Any]:
    """Find and polish the best regular maximum of one dataset."""
    found = _reference.find(np.asarray(x, float)[None])
    w, m, v = found.weights[0], found.means[0], found.variances[0]
    shift, scale = mpmath.mpf(float(np.mean(x))), mpmath.mpf(float(np.std(x)))
    z = [(mpmath.mpf(float(point)) - shift) / scale for point in x]
    theta = [mpmath.log(mpmath.mpf(w[0]) / mpmath.mpf(w[1]))]
    theta += [(mpmath.mpf(mean) - shift) / scale for mean in m]
    theta += [mpmath.log(mpmath.mpf(variance) / scale**2) for variance in v]
    for _ in range(6):
        value, gradient, hessian = derivatives(theta, z)
        theta = [t - s for t, s in zip(theta, mpmath.lu_solve(hessian, gradient), strict=True)]
        if max(map(abs, gradient)) < mpmath.mpf(10) ** -30:
            break
    errors = [mpmath.sqrt(e) for e in np.diag((-(hessian**-1)).tolist())]
    weights = [1 / (1 + mpmath.exp(-theta[0])), 1 / (1 + mpmath.exp(theta[0]))]
    deviations = [scale * mpmath.exp(l / 2) for l in theta[3:]]

    def plain(values: Any) -> list[float]:
        return [float(value) for value in values]

    return {
        "n": len(x),
        "log_likelihood": float(value - len(x) * mpmath.log(scale)),
        "weights": plain(weights),
        "means": plain(shift + scale * mean for mean in theta[1:3]),
        "variances": plain(d**2 for d in deviations),
        "standard_errors": {
            "weight": float(weights[0] * weights[1] * errors[0]),
            "means": plain(scale * e for e in errors[1:3]),
            "standard_deviations": plain(
                d * e / 2 for d, e in zip(deviations, errors[3:], strict=True)
            ),
        },
        "gradient_max_at_120_digits": float(max(map(abs, gradient))),
        "regular_maxima_found": int(found.n_maxima[0]),
    }


def main() -> None:
    """Write the truth of every dataset in the folder, keeping what is said about its source."""
    path = FOLDER / "truth.json"
    sources = json.loads((FOLDER / "sources.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = {"_about": ABOUT}
    with mpmath.workdps(DIGITS):
        for name in sorted(sources):
            found[name] = truth(np.loadtxt(FOLDER / f"{name}.csv", skiprows=1))
            print(name, found[name]["log_likelihood"], found[name]["gradient_max_at_120_digits"])
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
