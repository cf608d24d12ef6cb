"""Mixtures, their information by autodiff, and the published datasets."""

import csv
import json
from pathlib import Path

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np

from mog_jax import Coordinates, Mixture, log_likelihood

DATA = Path(__file__).parent.parent / "data"
TRUTH = {
    name: known
    for name, known in json.loads((DATA / "truth.json").read_text(encoding="utf-8")).items()
    if not name.startswith("_")
}


def dataset(name):
    with (DATA / f"{name}.csv").open(encoding="utf-8") as file:
        return np.array([float(row["x"]) for row in csv.DictReader(file)])


def mixture_of(known):
    return Mixture.from_arrays(**{k: known[k] for k in ("weights", "means", "variances")})


def from_theta(theta):
    """Build the mixture at (log-odds of the weights, means, log-variances)."""
    logits = jnp.stack([theta[0], jnp.zeros_like(theta[0])])
    return Coordinates(logits=logits, means=theta[1:3], log_variances=theta[3:5]).to_mixture()


def to_theta(mixture):
    weights = np.asarray(mixture.weights)
    return np.concatenate(
        [
            [np.log(weights[0] / weights[1])],
            np.asarray(mixture.means),
            np.log(np.asarray(mixture.variances)),
        ]
    )


@jax.jit
def _hessian(theta, x, counts):
    return jax.hessian(lambda t: log_likelihood(from_theta(t), x, counts))(theta)


def information_by_autodiff(mixture, x):
    # Padded with points that do not exist, so that datasets of all sizes share a program.
    padded = np.full(-(-len(x) // 1000) * 1000, float(mixture.means[0]))
    padded[: len(x)] = x
    counts = (np.arange(len(padded)) < len(x)).astype(float)
    with jax.enable_x64(True):
        return -np.asarray(_hessian(to_theta(mixture), padded, counts))


@st.composite
def pairs(draw, separation=(0.0, 12.0)):
    """Draw a mixture of two, components by ascending mean, in units of its own."""
    weight = draw(st.floats(-6, 6).map(lambda a: float(1 / (1 + np.exp(-a)))))
    scale = 10.0 ** draw(st.floats(-3, 3))
    offset = scale * draw(st.floats(-5, 5))
    distance = scale * draw(st.floats(*separation))
    ratio = 10.0 ** draw(st.floats(-1.5, 1.5) | st.just(0.0))
    deviations = np.array([scale, scale * ratio])
    if draw(st.booleans()):
        deviations = deviations[::-1]
    return Mixture.from_arrays(
        weights=[weight, 1 - weight],
        means=[offset, offset + distance],
        variances=np.square(deviations),
    )


def stacked(mixtures):
    return Mixture(
        weights=np.stack([m.weights for m in mixtures]),
        means=np.stack([m.means for m in mixtures]),
        variances=np.stack([m.variances for m in mixtures]),
    )
